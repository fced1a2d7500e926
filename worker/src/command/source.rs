//! `fleetloom source`: list the archive and say which version it has now. No member is looked at.

use crate::Context;
use crate::cli::SourceArgs;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::message;
use crate::present::{bytes, count};
use crate::words;
use crate::work::{Effort, Work, runtime};
use archive::listing::list;
use pipeline::act::Message;

/// Lists the archive of one pipeline.
pub(crate) fn source(args: &SourceArgs, context: &Context) -> Result {
    let work = Work::open(words::only(&args.words)?, Effort::default(), context.stop.clone())?;
    let listing = runtime()?.block_on(list(work.source.as_ref(), &work.pipeline().archive))?;
    let source = message::listed(&listing);
    let text = if args.json {
        let json = serde_json::json!({
            "archive": work.source.to_string(),
            "version": source.version,
            "objects": source.objects,
            "bytes": source.bytes,
            "objectsIgnored": listing.ignored,
        });
        format!("{json:#}\n")
    } else {
        let objects = count(source.objects);
        format!("{}: {objects} objects, {}, version {}\n", work.source, bytes(source.bytes), source.version)
    };
    context.messages.say(&Message::Listed(source))?;
    print(&text)?;
    Ok(Exit::Done)
}
