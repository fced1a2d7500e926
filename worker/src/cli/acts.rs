//! Flags of the acts of a run, and of the verbs that look at the words alone.

use super::budget::Budget;
use super::scope::{Scope, day_range, run_name};
use super::words::Words;
use clap::Args;
use pipeline::pipeline::DayRange;
use pipeline::time::words;
use std::path::PathBuf;
use std::time::Duration;

/// `fleetloom check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) words: Words,
}

/// `fleetloom run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) budget: Budget,
    /// Plan only: say what would be computed, and why
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// End with 3 when anything went to quarantine or failed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what each thread did when, for a trace viewer (ui.perfetto.dev, chrome://tracing)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) profile: Option<PathBuf>,
}

/// `fleetloom plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// Go on to the published version here, if that is predicted to take less than this
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "On a cluster")]
    pub(crate) inline: Option<Duration>,
    /// First look whether this run published a version after that one (`none`: any), among the newest 64
    #[arg(long, value_name = "VERSION", value_parser = Since::parse, requires = "run_id", help_heading = "On a cluster")]
    pub(crate) since: Option<Since>,
    #[command(flatten)]
    pub(crate) budget: Budget,
    /// Print the plan as JSON
    #[arg(long, conflicts_with = "inline")]
    pub(crate) json: bool,
}

/// The version that was there before the first try of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) Option<u64>);

impl Since {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|version| Self(Some(version))).map_err(|_| "write a version, or none".to_owned()),
        }
    }
}

/// A duration as the words of a pipeline write it.
fn duration(text: &str) -> Result<Duration, String> {
    let ns = u64::try_from(words::duration_ns(text)?).map_err(|_| "is negative".to_owned())?;
    Ok(Duration::from_nanos(ns))
}

/// `fleetloom shard`.
#[derive(Debug, Args)]
pub(crate) struct ShardArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// The plan
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: String,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) budget: Budget,
}

/// Which shards of a plan.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The shard with this index in the plan, from 0
    #[arg(long, value_name = "N")]
    pub(crate) index: Option<u32>,
    /// The stale shards, cut into N batches: the one that JOB_COMPLETION_INDEX names, from 0
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "On a cluster")]
    pub(crate) batches: Option<u32>,
}

/// `fleetloom commit`.
#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// The plan
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: String,
    /// Name of this run in the table's history [default: made up]
    #[arg(long, value_name = "ID", value_parser = run_name)]
    pub(crate) run_id: Option<String>,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom source`.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// Compute the rows, publish nothing, and say each operator's rows, time and memory
    #[arg(long)]
    pub(crate) analyze: bool,
    /// Compute these UTC days only, half-open
    #[arg(long, value_name = "FROM..TO", value_parser = day_range, requires = "analyze")]
    pub(crate) range: Option<DayRange>,
    #[command(flatten)]
    pub(crate) budget: Budget,
}
