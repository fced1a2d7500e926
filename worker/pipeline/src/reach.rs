//! How far a row can look: the context that a shard reads beyond its span, in one function.
//!
//! Each rule reaches a bounded way, but the reaches chain: a window holds rows, a row holds matches, a match may change
//! an event's state. So a shard's context is their sum, never their maximum.

use crate::archive::Archive;
use crate::pipeline::{Pipeline, Rows};
use crate::spec::Direction;

/// Time that a row's value may depend on, ns, saturating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// Before the row.
    pub back_ns: i64,
    /// After the row.
    pub forward_ns: i64,
}

/// How far a member's stamp may lie outside the time of an observation that it holds, ns, saturating.
///
/// To see every observation of `[from, to)`, open the members whose stamp lies in `[from - before, to + after)`; a day's
/// stamp lies there when any instant of the day does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// A stamp this much before the observation: `covers + lateness`.
    pub before_ns: i64,
    /// A stamp this much after it: `lateness`.
    pub after_ns: i64,
}

/// The context of a shard of this pipeline.
pub fn reach(pipeline: &Pipeline) -> Reach {
    let Terms { window, join_back, join_forward, alive, refractory, memory, known, label, controls } = terms(pipeline);
    // A match is reused when the row before has it too: that row may look as far ahead for it as a row looks back.
    let behind = sum(&[window, window]).max(join_forward);
    // Ahead, only a false label looks for a last value: it comes at most `memory` after one.
    let label_memory = if pipeline.label.is_some() { memory } else { 0 };
    Reach {
        back_ns: sum(&[behind, join_back, alive, refractory, memory, controls]),
        forward_ns: sum(&[join_forward, known, label, label_memory, controls]),
    }
}

/// The stamps of the members that may hold an observation.
pub fn member_margin(archive: &Archive) -> Margin {
    Margin { before_ns: archive.covers_ns.saturating_add(archive.lateness_ns), after_ns: archive.lateness_ns }
}

struct Terms {
    /// Longest window; it counts twice, for its values are combined in blocks of its length.
    window: i64,
    /// Greatest tolerance of the joins that look back.
    join_back: i64,
    /// Greatest tolerance of the joins that look ahead.
    join_forward: i64,
    /// How long an observation keeps a grid alive.
    alive: i64,
    /// Greatest refractory time of an event.
    refractory: i64,
    /// Greatest memory of an event.
    memory: i64,
    /// How much later than its time a value may become known: `lateness`, where the archive names a `known` clock.
    known: i64,
    /// `lead + horizon`.
    label: i64,
    /// `2 × within + apart`.
    controls: i64,
}

fn terms(pipeline: &Pipeline) -> Terms {
    let tolerance = |looks: &[Direction]| {
        most(pipeline.joins.iter().filter(|join| looks.contains(&join.direction)).map(|join| join.tolerance_ns))
    };
    let knows = pipeline.archive.signals.iter().any(|signal| signal.known_clock.is_some());
    Terms {
        window: most(pipeline.windows.iter().map(|window| window.span_ns)),
        join_back: tolerance(&[Direction::Nearest, Direction::Backward]),
        join_forward: tolerance(&[Direction::Nearest, Direction::Forward]),
        alive: match pipeline.rows {
            Rows::Grid { alive_ns, .. } => alive_ns,
            _ => 0,
        },
        refractory: most(pipeline.events.iter().map(|event| event.refractory_ns)),
        memory: most(pipeline.events.iter().map(|event| event.memory_ns)),
        known: if knows { pipeline.archive.lateness_ns } else { 0 },
        label: pipeline.label.as_ref().map_or(0, |label| label.lead_ns.saturating_add(label.horizon_ns)),
        controls: match &pipeline.rows {
            Rows::Event { controls: Some(controls), .. } => {
                controls.within_ns.saturating_mul(2).saturating_add(controls.apart_ns)
            }
            _ => 0,
        },
    }
}

fn most(durations: impl Iterator<Item = i64>) -> i64 {
    durations.max().unwrap_or(0)
}

fn sum(terms: &[i64]) -> i64 {
    terms.iter().fold(0, |sum: i64, term| sum.saturating_add(*term))
}
