//! Flags of the verbs about what was published.

use super::budget::Budget;
use super::words::{TableWords, Words};
use clap::{Args, ValueEnum, ValueHint};
use pipeline::time::{floor_us, words};
use std::path::PathBuf;
use table::version::VersionName;

/// `fleetloom show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// Which version: a number, a tag, latest, a day or a time
    #[arg(long, value_name = "V", value_parser = VersionName::parse, default_value = "latest")]
    pub(crate) version: VersionName,
    /// How many rows
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rows: u32,
    /// What to show; may be given several times [default: all]
    #[arg(long, value_name = "PART", value_enum)]
    pub(crate) section: Vec<Section>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// How many versions, the newest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which version of a table.
#[derive(Debug, Clone, Args)]
pub(crate) struct AtVersion {
    /// Which version: a number, a tag, latest, a day or a time
    #[arg(long, value_name = "V", value_parser = VersionName::parse, default_value = "latest")]
    pub(crate) version: VersionName,
}

/// `fleetloom trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// The robot
    #[arg(long, value_name = "NAME")]
    pub(crate) robot: String,
    /// The row's time: RFC 3339 as `show` prints it, or a number since the epoch (s, ms, us or ns, told by its length)
    #[arg(long, value_name = "TIME", value_parser = time_us, allow_hyphen_values = true)]
    pub(crate) time: i64,
    /// Only this column of the result
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtVersion,
    #[command(flatten)]
    pub(crate) budget: Budget,
    /// Print JSON, with every value of every window
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) shard: ShardName,
    #[command(flatten)]
    pub(crate) at: AtVersion,
    /// Compute with the words and the engine at hand although others made the version, to see what they change
    #[arg(long)]
    pub(crate) other_words: bool,
    #[command(flatten)]
    pub(crate) budget: Budget,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The version before: a number, a tag, latest, a day or a time
    #[arg(value_name = "A", value_parser = VersionName::parse)]
    pub(crate) before: VersionName,
    /// The version after
    #[arg(value_name = "B", value_parser = VersionName::parse)]
    pub(crate) after: VersionName,
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// Most lines of each table
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a line per robot, day and column to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) parquet: Option<PathBuf>,
}

/// `fleetloom restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The version to bring back: a number, a tag, latest, a day or a time
    #[arg(value_name = "V", value_parser = VersionName::parse)]
    pub(crate) version: VersionName,
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom vacuum`.
#[derive(Debug, Args)]
pub(crate) struct VacuumArgs {
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// Delete it; without this it is only counted
    #[arg(long)]
    pub(crate) delete: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom tag`.
#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// The tag: a letter, then letters, digits, . _ or -
    #[arg(value_name = "NAME", value_parser = tag_name)]
    pub(crate) name: Option<String>,
    /// The version to tag: a number, another tag, latest, a day or a time
    #[arg(value_name = "V", value_parser = VersionName::parse, requires = "name", conflicts_with = "delete")]
    pub(crate) version: Option<VersionName>,
    #[command(flatten)]
    pub(crate) words: TableWords,
    /// Remove the tag
    #[arg(long, requires = "name")]
    pub(crate) delete: bool,
    /// Move the tag if another version has it
    #[arg(long, requires = "version")]
    pub(crate) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn tag_name(text: &str) -> Result<String, String> {
    table::tag::check_name(text).map(|()| text.to_owned())
}

/// Which shard of a version.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ShardName {
    /// The shard's key, or a beginning that no other has (`show --section ledger` lists them)
    #[arg(long, value_name = "KEY")]
    pub(crate) shard: Option<String>,
    /// Its position in the plan that made the version, from 0
    #[arg(long, value_name = "N")]
    pub(crate) index: Option<u32>,
}

/// A part of what `show` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Columns and their types
    Schema,
    /// The first rows
    Rows,
    /// Every observation and row, by what became of it
    Account,
    /// What the joins found
    Matches,
    /// The shards of the version
    Ledger,
    /// What the shards that its run computed took, step by step
    Steps,
}

impl Section {
    /// All, in the order shown.
    pub(crate) const ALL: [Self; 6] =
        [Self::Schema, Self::Rows, Self::Account, Self::Matches, Self::Ledger, Self::Steps];
}

/// A time as people and programs copy it from a table, in µs since the epoch towards minus infinity.
fn time_us(text: &str) -> Result<i64, String> {
    words::instant_ns(text).map(floor_us)
}
