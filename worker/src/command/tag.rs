//! `fleetloom tag`: give a version a name, move it, remove it, list all.

use crate::cli::TagArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{Align, Frame, Table, time_ms};
use crate::work::{now_ms, runtime, table_of, version_of};
use archive::store::Store;
use serde_json::json;
use std::sync::Arc;
use table::tag::{Existing, Tag, Tagged, remove, set, tags};
use table::version::VersionName;

/// Does what the arguments ask for and prints what became of it.
pub(crate) fn tag(args: &TagArgs) -> Result {
    let (_, store) = table_of(&args.words.words())?;
    let text = runtime()?.block_on(async {
        match (&args.name, &args.version) {
            (None, _) => list(&store, args.json).await,
            (Some(name), Some(version)) => tag_version(&store, args, name, version).await,
            (Some(name), None) if args.delete => untag(&store, args.json, name).await,
            (Some(name), None) => Err(Fault::request(format!(
                "tag {name}: say which version is to have it, such as `fleetloom tag {name} latest`, or --delete"
            ))),
        }
    })?;
    print(&text)?;
    Ok(Exit::Done)
}

async fn tag_version(store: &Arc<dyn Store>, args: &TagArgs, name: &str, version: &VersionName) -> Result<String> {
    // A version that cannot be opened is not worth keeping.
    let version = version_of(store, version).await?.version;
    let existing = if args.force { Existing::Move } else { Existing::Keep };
    let tag = Tag { name: name.to_owned(), version, tagged_ms: now_ms() };
    let tagged = set(store.as_ref(), &tag, existing).await?;
    if args.json {
        let before = if let Tagged::Moved(before) = tagged { Some(before) } else { None };
        return Ok(format!("{:#}\n", json!({"tag": name, "version": version, "before": before})));
    }
    Ok(match tagged {
        Tagged::New => format!("version {version} of {store} is tagged {name}\n"),
        Tagged::Already => format!("version {version} of {store} was tagged {name} already\n"),
        Tagged::Moved(before) => format!("version {version} of {store} is tagged {name} (was at version {before})\n"),
    })
}

async fn untag(store: &Arc<dyn Store>, json: bool, name: &str) -> Result<String> {
    let before = remove(store.as_ref(), name).await?;
    if json {
        return Ok(format!("{:#}\n", json!({"tag": name, "version": null, "before": before})));
    }
    Ok(format!("version {before} of {store} is no longer tagged {name}\n"))
}

async fn list(store: &Arc<dyn Store>, json: bool) -> Result<String> {
    let tags = tags(store.as_ref()).await?;
    if json {
        return Ok(format!("{:#}\n", json!({"table": store.to_string(), "tags": tags})));
    }
    if tags.is_empty() {
        return Ok(format!("no version of {store} is tagged\n"));
    }
    let mut table = Table::new([("tag", Align::Left), ("version", Align::Right), ("since", Align::Left)]);
    for tag in tags {
        table.row([tag.name, tag.version.to_string(), time_ms(tag.tagged_ms)]);
    }
    Ok(table.text(Frame::of_stdout()))
}
