//! Run words, and ranges of days.

use super::desk::Desk;
use crate::name;
use crate::pipeline::DayRange;
use crate::read::Document;
use crate::run::Run;
use crate::spec::{RangeSpec, Recompute, RunSpec};
use crate::time::Day;

/// The Run, ready.
pub(super) fn check(document: &Document, words: &RunSpec, pipelines: &[&str], desk: &mut Desk) -> Run {
    let name = document.metadata.name.clone();
    if !name::is_label(&name, name::RUN_MAX) {
        let remedy = format!("write lower case letters, digits and -, at most {}", name::RUN_MAX);
        desk.report("metadata.name", format!("is {name:?}, which is no DNS label of that length"), remedy);
    }
    if pipelines.is_empty() {
        let what = format!("is {}, but there is no Pipeline here", words.pipeline);
        desk.report("spec.pipeline", what, "write the Pipeline into the same file, after a line ---");
    } else {
        desk.find("spec.pipeline", "Pipeline here", &words.pipeline, pipelines);
    }
    if words.parallelism == Some(0) {
        desk.report("spec.parallelism", "is 0: nothing would run", "write 1 or more, or suspend: true");
    }
    Run {
        name,
        pipeline: words.pipeline.clone(),
        range: words.range.as_ref().and_then(|range| check_range(range, desk)),
        parallelism: words.parallelism,
        suspend: words.suspend.unwrap_or(false),
        recompute: words.recompute.unwrap_or(Recompute::Stale),
        ttl_seconds_after_finished: words.ttl_seconds_after_finished,
    }
}

/// Whole days, half-open, at least one.
pub(super) fn check_range(words: &RangeSpec, desk: &mut Desk) -> Option<DayRange> {
    let from = desk.take("spec.range.from", Day::parse(&words.from));
    let to = desk.take("spec.range.to", Day::parse(&words.to));
    let range = DayRange { from: from?, to: to? };
    if range.to <= range.from {
        let what = format!("is {}, not after from ({}): no day is left", range.to, range.from);
        desk.report("spec.range.to", what, format!("write {} for that one day, or later", range.from.next()));
    }
    Some(range)
}
