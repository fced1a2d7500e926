//! `fleetloom doctor`: tries out on the stores of pipelines what runs rely on, and says in plain words what is missing.
//!
//! The archive is only read. What is written to the result to try it out is removed again.

use crate::cli::DoctorArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{Align, Frame, Table, bytes, count};
use crate::words;
use crate::work::{now_ms, runtime};
use archive::listing::{Listing, list};
use archive::open::{Side, open};
use archive::store::{Object, Pin, READ_BYTES_MAX, Store, StoreError};
use pipeline::pipeline::Pipeline;
use serde_json::{Value, json};
use table::probe::{REMEDY, probe};

/// Tries both stores of each pipeline and prints what came of it.
pub(crate) fn doctor(args: &DoctorArgs) -> Result {
    let compiled = words::compiled(&args.words.words())?;
    let runtime = runtime()?;
    let mut checks = Vec::new();
    for one in &compiled {
        let pipeline = one.pipeline();
        for (side, found) in [
            ("archive", runtime.block_on(archive_checks(pipeline))),
            ("result", runtime.block_on(result_checks(pipeline))),
        ] {
            let found = found.unwrap_or_else(|fault| vec![Check::unanswered(side, &fault)]);
            checks.extend(found.into_iter().map(|check| (pipeline.name.clone(), check)));
        }
    }
    print(&if args.json { to_json(&checks) } else { to_text(&checks) })?;
    match checks.iter().find(|(_, check)| check.sound == Some(false)) {
        None => Ok(Exit::Done),
        Some((name, check)) => Err(Fault::request(format!("{name}: {}: {}", check.place, check.remedy))),
    }
}

/// A line of the answer.
struct Check {
    /// Which store.
    place: String,
    /// What was tried.
    what: String,
    /// Whether it holds; `None`: there is nothing to hold, it is only told.
    sound: Option<bool>,
    /// The result, in a word or a number.
    result: String,
    meaning: String,
    /// What to do if it does not hold.
    remedy: String,
}

impl Check {
    fn told(place: &dyn Store, what: &str, result: impl Into<String>, meaning: impl Into<String>) -> Self {
        let (place, what) = (place.to_string(), what.to_owned());
        Self { place, what, sound: None, result: result.into(), meaning: meaning.into(), remedy: String::new() }
    }

    fn tried(place: &dyn Store, what: &str, holds: bool, meaning: &str, remedy: &str) -> Self {
        let result = if holds { "yes" } else { "no" };
        let told = Self::told(place, what, result, meaning);
        Self { sound: Some(holds), remedy: format!("{meaning}; {remedy}"), ..told }
    }

    fn unanswered(side: &str, fault: &Fault) -> Self {
        let meaning = fault.chain().join(": ");
        Self {
            place: side.to_owned(),
            what: format!("the {side} answers"),
            sound: Some(false),
            result: "no".to_owned(),
            remedy: meaning.clone(),
            meaning,
        }
    }
}

/// What the archive's store does: it is listed, and one object is read.
async fn archive_checks(pipeline: &Pipeline) -> Result<Vec<Check>> {
    let store = open(&pipeline.archive.store, Side::Source)?;
    let store = store.as_ref();
    let listing = list(store, &pipeline.archive).await?;
    let mut checks = vec![objects(store, pipeline, &listing)];
    if let Some(object) = listing.objects.first() {
        checks.push(versions(store, &listing));
        checks.push(pinned(store, object).await?);
    }
    Ok(checks)
}

fn objects(store: &dyn Store, pipeline: &Pipeline, listing: &Listing) -> Check {
    let matching = listing.objects.len() as u64;
    let result = format!("{} match, {} ignored", count(matching), count(listing.ignored));
    let pattern = &pipeline.archive.objects.text;
    let examples = match listing.ignored_examples.as_slice() {
        [] => String::new(),
        some => format!("; ignored: {}", some.join(", ")),
    };
    let meaning = format!("{} in objects that match `{pattern}`{examples}", bytes(listing.bytes()));
    let told = Check::told(store, "the archive is listed", result, meaning);
    if matching > 0 {
        return Check { sound: Some(true), ..told };
    }
    let remedy = format!("no object matches `objects: {pattern}`{examples}; mend the pattern or the store's url");
    Check { sound: Some(false), remedy, ..told }
}

fn versions(store: &dyn Store, listing: &Listing) -> Check {
    let kept = listing.objects.iter().all(|object| object.version.is_some());
    let meaning = match kept {
        true => "a run reads what was there when it was planned, whatever is uploaded meanwhile",
        false => "objects are pinned by their tag: one that is replaced during a run ends it with exit 5",
    };
    Check::told(store, "versions are kept", if kept { "yes" } else { "no" }, meaning)
}

/// Reads a part of one object twice: as it is, and as if it had been another.
async fn pinned(store: &dyn Store, object: &Object) -> Result<Check> {
    let range = 0..object.bytes.min(READ_BYTES_MAX).min(1 << 16);
    let whole = store.read(&object.pin(), range.clone()).await?.len() as u64 == range.end;
    let refused = match &object.version {
        Some(_) => true,
        None => {
            let other = Pin { etag: Some("\"0123456789abcdef0123456789abcdef\"".to_owned()), ..object.pin() };
            matches!(store.read(&other, range).await, Err(StoreError::Changed { .. }))
        }
    };
    let what = "a pinned read gives the listed object or refuses";
    let (meaning, remedy) = match whole && refused {
        true => ("no run mixes two states of an object", ""),
        false => (
            "the store does not look at the tag that a read insists on (If-Match)",
            "keep versions in this bucket, or use a store that does",
        ),
    };
    Ok(Check::tried(store, what, whole && refused, meaning, remedy))
}

/// What the result's store does, tried out.
async fn result_checks(pipeline: &Pipeline) -> Result<Vec<Check>> {
    let store = open(&pipeline.spec.result.store, Side::Result)?;
    let proof = probe(store.as_ref(), now_ms()).await?;
    let check =
        |trial: &table::probe::Trial| Check::tried(store.as_ref(), trial.what, trial.holds, trial.meaning, REMEDY);
    Ok(proof.trials().iter().map(check).collect())
}

fn to_text(checks: &[(String, Check)]) -> String {
    let mut text = String::new();
    for group in checks.chunk_by(|(name, a), (other, b)| name == other && a.place == b.place) {
        let mut table = Table::new([("check", Align::Left), ("result", Align::Left), ("what it means", Align::Left)]);
        for (_, check) in group {
            table.row([check.what.clone(), check.result.clone(), check.meaning.clone()]);
        }
        if let Some((name, check)) = group.first() {
            text += &format!("{name}: {}\n", check.place);
        }
        text += &table.text(Frame::of_stdout());
    }
    text
}

fn to_json(checks: &[(String, Check)]) -> String {
    let lines: Vec<Value> = checks
        .iter()
        .map(|(name, check)| {
            json!({
                "pipeline": name, "store": check.place, "check": check.what, "sound": check.sound,
                "result": check.result, "meaning": check.meaning,
            })
        })
        .collect();
    let sound = checks.iter().all(|(_, check)| check.sound != Some(false));
    format!("{:#}\n", json!({"sound": sound, "checks": lines}))
}
