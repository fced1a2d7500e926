//! The checked Run: one execution of one pipeline.

use crate::pipeline::DayRange;
use crate::spec::Recompute;

/// One execution, ready to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// `metadata.name`.
    pub name: String,
    /// Name of its pipeline.
    pub pipeline: String,
    /// Days to recompute; the others are carried over unchanged. `None`: all.
    pub range: Option<DayRange>,
    /// Shards at a time; `None`: as the pipeline says.
    pub parallelism: Option<u32>,
    /// Start no work.
    pub suspend: bool,
    /// What is computed anew.
    pub recompute: Recompute,
    /// Seconds after which a finished Run is removed.
    pub ttl_seconds_after_finished: Option<u32>,
}
