//! `fleetloom history`: the versions of the table, newest first, as a table for people or JSON for programs.
//!
//! It reads the first lines of the commits, and no version's files.

use crate::cli::HistoryArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{Align, Frame, Table, count, duration, time_ms};
use crate::work::{runtime, table_of};
use serde_json::{Map, Value, json};
use std::time::Duration;
use table::delta::{Provenance, ShardCounts};
use table::history::{VersionInfo, history as versions};
use table::tag::{Tag, tags};

/// Characters of a source version that tell states of an archive apart.
const SOURCE_CHARS: usize = 12;

/// Prints the newest versions.
pub(crate) fn history(args: &HistoryArgs) -> Result {
    let (_, store) = table_of(&args.words.words())?;
    let load = async { Ok::<_, Fault>((versions(store.as_ref(), args.limit).await?, tags(store.as_ref()).await?)) };
    let (versions, tags) = runtime()?.block_on(load)?;
    if versions.is_empty() && args.limit > 0 {
        return Err(Fault::request(format!(
            "{store}: no table is there yet; `fleetloom run -f FILE` publishes its first version"
        )));
    }
    let shown = Shown { table: store.to_string(), versions, tags };
    print(&if args.json { shown.json() } else { shown.text(Frame::of_stdout()) })?;
    Ok(Exit::Done)
}

/// What is shown.
struct Shown {
    table: String,
    versions: Vec<VersionInfo>,
    tags: Vec<Tag>,
}

impl Shown {
    /// Versions before the oldest that is shown: they are numbered from 0.
    fn older(&self) -> u64 {
        self.versions.last().map_or(0, |oldest| oldest.version)
    }

    fn text(&self, frame: Frame) -> String {
        let mut table = Table::new([
            ("version", Align::Right),
            ("time", Align::Left),
            ("run", Align::Left),
            ("source", Align::Left),
            ("what changed in the words", Align::Left),
            ("shards", Align::Left),
            ("rows", Align::Right),
            ("took", Align::Right),
            ("tags", Align::Left),
        ]);
        self.versions.iter().for_each(|version| table.row(self.cells(version)));
        let cut = match self.older() {
            0 => String::new(),
            older => format!("… {} older; --limit shows more\n", count(older)),
        };
        table.text(frame) + &cut
    }

    fn cells(&self, info: &VersionInfo) -> [String; 9] {
        let made = info.provenance.as_ref();
        let of = |cell: &dyn Fn(&Provenance) -> String| made.map(cell).unwrap_or_default();
        [
            info.version.to_string(),
            info.committed_ms.map(time_ms).unwrap_or_default(),
            of(&|made| made.run.clone()),
            of(&|made| made.source.chars().take(SOURCE_CHARS).collect()),
            story(info),
            of(&|made| shards(made.shards)),
            of(&|made| count(made.rows)),
            took_ms(info).map(|ms| duration(Duration::from_millis(ms))).unwrap_or_default(),
            self.tags_of(info.version).join(", "),
        ]
    }

    fn tags_of(&self, version: u64) -> Vec<&str> {
        self.tags.iter().filter(|tag| tag.version == version).map(|tag| tag.name.as_str()).collect()
    }

    fn json(&self) -> String {
        let versions: Vec<Value> = self.versions.iter().map(|info| self.version_json(info)).collect();
        format!("{:#}\n", json!({"table": self.table, "versions": versions, "older": self.older()}))
    }

    fn version_json(&self, info: &VersionInfo) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
        put("version", json!(info.version));
        put("time", json!(info.committed_ms.map(time_ms)));
        put("committedMs", json!(info.committed_ms));
        put("operation", json!(info.operation));
        put("tags", json!(self.tags_of(info.version)));
        if let Some(made) = &info.provenance {
            put("run", json!(made.run));
            put("plan", json!(made.plan));
            put("source", json!(made.source));
            put("engine", json!(made.engine));
            put("changes", json!(made.origin.changes));
            put("restored", json!(made.origin.restored));
            put("shards", json!(made.shards));
            put("rows", json!(made.rows));
            put("files", json!(made.files));
            put("startedMs", json!(made.origin.started_ms));
            put("elapsedMs", json!(took_ms(info)));
        }
        Value::Object(json)
    }
}

/// What happened, as far as it is not the data: the words' fields that changed, where it was restored from, who else wrote it.
fn story(info: &VersionInfo) -> String {
    let Some(made) = &info.provenance else {
        return format!("not by fleetloom ({})", info.operation.as_deref().unwrap_or("no operation"));
    };
    let fields = match &made.origin.changes {
        Some(fields) => fields.join(", "),
        None if info.version == 0 => "first version".to_owned(),
        None => "unknown: the plan before is gone".to_owned(),
    };
    match made.origin.restored {
        None => fields,
        Some(version) if fields.is_empty() => format!("restored from {version}"),
        Some(version) => format!("restored from {version}; {fields}"),
    }
}

fn shards(shards: ShardCounts) -> String {
    let states =
        [(shards.done, "done"), (shards.reused, "reused"), (shards.carried, "carried"), (shards.failed, "failed")];
    let some: Vec<String> =
        states.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", count(*n))).collect();
    some.join(", ")
}

/// From the beginning of the run to its commit, where both are known.
fn took_ms(info: &VersionInfo) -> Option<u64> {
    let started_ms = info.provenance.as_ref()?.origin.started_ms?;
    u64::try_from(info.committed_ms?.checked_sub(started_ms)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::delta::Origin;

    fn info(version: u64, origin: Origin) -> VersionInfo {
        let shards = ShardCounts { done: 1, reused: 1200, ..ShardCounts::default() };
        let provenance = Provenance { run: "r".into(), rows: 7, shards, origin, ..Provenance::default() };
        VersionInfo { version, committed_ms: Some(61_500), operation: None, provenance: Some(provenance) }
    }

    #[test]
    fn a_version_tells_its_story_in_one_line() {
        let fields = vec!["archive.lateness".to_owned(), "pipeline.where".to_owned()];
        let run = info(4, Origin { started_ms: Some(0), changes: Some(fields.clone()), restored: None });
        let tag = Tag { name: "good".into(), version: 4, tagged_ms: 0 };
        let shown = Shown { table: "t".into(), versions: vec![run], tags: vec![tag] };
        let cells = shown.cells(&shown.versions[0]);
        let wanted = [
            "4",
            "1970-01-01T00:01:01.5Z",
            "r",
            "",
            "archive.lateness, pipeline.where",
            "1 done, 1,200 reused",
            "7",
            "1:01 min",
            "good",
        ];
        assert_eq!(cells, wanted);
        assert!(shown.text(Frame::Plain).ends_with("… 4 older; --limit shows more\n"));
        let restored = |changes| story(&info(4, Origin { started_ms: None, changes, restored: Some(2) }));
        assert_eq!(restored(Some(Vec::new())), "restored from 2");
        assert_eq!(restored(Some(fields)), "restored from 2; archive.lateness, pipeline.where");
        assert_eq!(story(&info(0, Origin::default())), "first version");
        let foreign = VersionInfo { operation: Some("DELETE".into()), provenance: None, ..info(5, Origin::default()) };
        assert_eq!(story(&foreign), "not by fleetloom (DELETE)");
    }
}
