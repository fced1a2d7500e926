//! The command line: verbs, their flags, and an example of each. No behaviour: that is in [`crate::command`].

use crate::console::Color;
use crate::fault::Fault;
use crate::plan::Ask;
use crate::simulate::Order;
use crate::work::{Effort, MEMORY_BYTES_MIN, now_ms, run_id};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use pipeline::pipeline::DayRange;
use pipeline::run::Run;
use pipeline::spec;
use pipeline::time::{Day, floor_us, words};
use std::path::PathBuf;
use table::version::VersionName;

/// Turns archives of robot telemetry into versioned, training-ready feature tables.
#[derive(Debug, Parser)]
#[command(name = "fleetloom", version, max_term_width = 100, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    /// How it speaks.
    #[command(flatten)]
    pub(crate) speech: Speech,
    /// What it does.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  fleetloom simulate --robots 5 --hours 2 --seed 7 --out fleet   a fleet to play with
  fleetloom check -f fleet/fleetloom.yaml                        is the file right?
  fleetloom run -f fleet/fleetloom.yaml                          archive in, feature table out
  fleetloom show -f fleet/fleetloom.yaml                         what came out

Exit codes:
  0 done                          5 input or table changed under the run
  2 the request is wrong          6 the memory budget is too small
  3 done with loss (--strict)     7 refused by a gate of `tolerate`
  4 storage unavailable           70 a bug; 143 asked to stop";

/// Flags of every verb.
#[derive(Debug, Args)]
pub(crate) struct Speech {
    /// Least level of the log on stderr
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Warn, global = true, help_heading = "Output")]
    pub(crate) log: Level,
    /// When to colour stderr
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto, global = true, help_heading = "Output")]
    pub(crate) color: Color,
}

/// Levels of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// As tracing spells it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Find every mistake in the files, without reading any telemetry
    #[command(after_help = "Example:\n  fleetloom check -f archive.yaml -f pipeline.yaml")]
    Check(CheckArgs),
    /// Turn the archive's current version into a new version of the table
    #[command(after_help = "Examples:
  fleetloom run -f fleet.yaml                                       what changed since the last version
  fleetloom run -f fleet.yaml --range 2026-01-01..2026-01-08        these days only; others are carried over
  fleetloom run -f fleet.yaml --dry-run                             say what would be computed, and why

A Run document in the files says the range and what to compute anew; a flag overrules it.")]
    Run(RunArgs),
    /// Cut the archive into shards and store the plan (first act of a run)
    #[command(after_help = "Example:\n  fleetloom plan -f fleet.yaml --json | jq -r .hash")]
    Plan(PlanArgs),
    /// Compute one shard of a stored plan (second act of a run)
    #[command(after_help = "Example:\n  fleetloom shard -f fleet.yaml --plan 3b9c… --index 0")]
    Shard(ShardArgs),
    /// Publish the finished shards of a stored plan as one version (third act of a run)
    #[command(after_help = "Example:\n  fleetloom commit -f fleet.yaml --plan 3b9c…")]
    Commit(CommitArgs),
    /// Print the physical plan that computes the rows
    #[command(after_help = "Example:\n  fleetloom explain -f fleet.yaml --pipeline aborts")]
    Explain(ExplainArgs),
    /// Show a version of the table: schema, first rows, account, matches, ledger
    #[command(after_help = "Examples:
  fleetloom show -f fleet.yaml
  fleetloom show -f fleet.yaml --version 3 --section rows --rows 20
  fleetloom show -f fleet.yaml --section account --json | jq .account.rows")]
    Show(ShowArgs),
    /// List the versions of the table: who made them, from what, what changed
    #[command(after_help = "Examples:
  fleetloom history -f fleet.yaml
  fleetloom history -f fleet.yaml --limit 3 --json | jq '.versions[].changes'")]
    History(HistoryArgs),
    /// Compare two versions of the table: rows, statistics, the largest changes
    #[command(after_help = "Examples:
  fleetloom diff 3 latest -f fleet.yaml
  fleetloom diff trained 2026-11-01 -f fleet.yaml --json | jq .rows
  fleetloom diff 3 4 -f fleet.yaml --parquet changes.parquet           a line per robot, day and column")]
    Diff(DiffArgs),
    /// Make a new version that holds what an old one held
    #[command(after_help = "Examples:
  fleetloom restore 3 -f fleet.yaml
  fleetloom restore 2026-11-01 -f fleet.yaml                            as it was at the end of that UTC day")]
    Restore(RestoreArgs),
    /// Give a version a name, by which it is found and kept; without a name list the tags
    #[command(after_help = "Examples:
  fleetloom tag trained 3 -f fleet.yaml
  fleetloom tag trained latest -f fleet.yaml --force                    move it
  fleetloom tag trained --delete -f fleet.yaml
  fleetloom tag -f fleet.yaml                                           list all")]
    Tag(TagArgs),
    /// Remove what no version within `retention`, no tag and no running or suspended run needs
    #[command(after_help = "Examples:
  fleetloom vacuum -f fleet.yaml                                        say what would go; nothing is deleted
  fleetloom vacuum -f fleet.yaml --delete
  fleetloom vacuum -f fleet.yaml --json | jq .bytes

Nothing younger than 24 hours is ever deleted. A version whose files went stays in the history and cannot be read any more.")]
    Vacuum(VacuumArgs),
    /// Say where a published row came from: the members, records and values behind every column
    #[command(after_help = "Examples:
  fleetloom trace -f fleet.yaml --robot r1 --time 2026-01-01T00:10:00Z
  fleetloom trace -f fleet.yaml --robot r1 --time 2026-01-01T00:10:00Z --column pose_x_mean_60s
  fleetloom trace -f fleet.yaml --robot r1 --time 1767226200000 --json | jq '.rows[0].matches'

The row is computed again from the pinned inputs of its version, of the robot's members in its reach alone.
  0   every column is what was published
  2   there is no such row (the nearest are named), or other words or another engine made the version
  5   an input is gone, or a published file was changed
  70  the same inputs, words and engine give another row: a bug")]
    Trace(TraceArgs),
    /// Compute a published shard again from its pinned inputs and compare, bit for bit
    #[command(after_help = "Examples:
  fleetloom replay -f fleet.yaml --shard 3b9c                     a shard by the beginning of its key
  fleetloom replay -f fleet.yaml --index 0 --version 3            by its position in the version's plan
  fleetloom replay -f changed.yaml --shard 3b9c --other-words     what a change of the words does to its rows

Nothing is written to the result.
  0   equal: the same rows and the same account
  2   the words or the engine are not those that made the version (see --other-words)
  5   an input is gone, a published file was changed, or other words give other rows
  70  the same inputs, words and engine gave something else: a bug")]
    Replay(ReplayArgs),
    /// Try out on the stores what runs rely on, and say what is missing
    #[command(after_help = "Examples:
  fleetloom doctor -f fleet.yaml
  fleetloom doctor -f fleet.yaml --json | jq '.checks[] | select(.sound == false)'

The archive is only read; what is written to the result to try it out is removed again.
  0   both stores do what is relied on
  2   something is missing: the last line says what to do")]
    Doctor(DoctorArgs),
    /// Write a simulated fleet's archive, a pipeline over it, and the truth about it
    #[command(after_help = "Examples:
  fleetloom simulate --robots 60 --hours 1 --seed 7 --out fleet         43,200 documents, 121 MB of JSON
  fleetloom simulate --robots 4 --hours 30 --dirty --out dirty          with damage, counted in dirty/truth.json")]
    Simulate(SimulateArgs),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  fleetloom completions bash > /etc/bash_completion.d/fleetloom")]
    Completions(CompletionsArgs),
}

/// Which words a verb is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Words {
    /// YAML files with an Archive and Pipelines; - is stdin
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Only this Pipeline of the files
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
}

/// Which table a verb is about: as [`Words`], but one file a flag, so that the verb's own words may follow.
#[derive(Debug, Clone, Args)]
pub(crate) struct TableWords {
    /// YAML file with an Archive and Pipelines; - is stdin; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The Pipeline whose table is meant, where the files hold several
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

impl TableWords {
    /// The same as the words of other verbs.
    pub(crate) fn words(&self) -> Words {
        Words { files: self.files.clone(), pipeline: self.pipeline.clone() }
    }
}

/// What a process may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Budget {
    /// Aim for at most this much memory, 128Mi or more [default: 512Mi]
    #[arg(long, value_name = "BYTES", value_parser = memory_bytes, help_heading = "Resources")]
    pub(crate) memory: Option<u64>,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Resources")]
    pub(crate) threads: Option<u16>,
}

impl Budget {
    /// As asked, else the default.
    pub(crate) fn effort(&self) -> Effort {
        let Effort { threads, memory_bytes } = Effort::default();
        Effort { threads: self.threads.map_or(threads, usize::from), memory_bytes: self.memory.unwrap_or(memory_bytes) }
    }
}

/// Cores of this machine that the process may use; 1 where the system does not say.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What is computed anew.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scope {
    /// Compute these UTC days only, half-open; the others are carried over unchanged
    #[arg(long, value_name = "FROM..TO", value_parser = day_range)]
    pub(crate) range: Option<DayRange>,
    /// What to compute anew [default: stale]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) recompute: Option<Recompute>,
    /// Name of this run in the table's history [default: made up]
    #[arg(long, value_name = "ID", value_parser = run_name)]
    pub(crate) run_id: Option<String>,
}

/// What is computed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recompute {
    /// What changed
    Stale,
    /// Everything
    All,
}

impl Scope {
    /// What is asked of a plan; a name is made up where none is given.
    pub(crate) fn ask(&self) -> Ask {
        let recompute = self.recompute.map_or(spec::Recompute::Stale, Recompute::word);
        let run = self.run_id.clone().unwrap_or_else(run_id);
        Ask { run, range: self.range, recompute, asked_ms: now_ms() }
    }

    /// What the Runs of the files ask, each in turn; what a flag says overrules what a Run says. Without a Run, one that asks
    /// what the flags say.
    ///
    /// Errors: one name for several Runs.
    pub(crate) fn asks(&self, runs: &[&Run]) -> Result<Vec<Ask>, Fault> {
        if runs.is_empty() {
            return Ok(vec![self.ask()]);
        }
        let runs: Vec<&&Run> = runs.iter().filter(|run| !run.suspend).collect();
        if self.run_id.is_some() && runs.len() > 1 {
            let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
            let why = "the files hold several Runs, which have names: leave it out, or keep one Run in the files";
            return Err(Fault::request(format!("--run-id: {why} ({})", names.join(", "))));
        }
        let ask = |run: &&Run| Ask {
            run: self.run_id.clone().unwrap_or_else(|| run.name.clone()),
            range: self.range.or(run.range),
            recompute: self.recompute.map_or(run.recompute, Recompute::word),
            asked_ms: now_ms(),
        };
        Ok(runs.into_iter().map(ask).collect())
    }
}

impl Recompute {
    fn word(self) -> spec::Recompute {
        match self {
            Self::Stale => spec::Recompute::Stale,
            Self::All => spec::Recompute::All,
        }
    }
}

/// Longest name of a run: that of a Kubernetes object.
const RUN_NAME_MAX: usize = 63;

/// A name that a history, a metric and an object's name can hold.
fn run_name(text: &str) -> Result<String, String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=RUN_NAME_MAX).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(format!("write 1 to {RUN_NAME_MAX} letters, digits, `-`, `_` or `.`"))
}

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
}

/// `fleetloom plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `fleetloom shard`.
#[derive(Debug, Args)]
pub(crate) struct ShardArgs {
    #[command(flatten)]
    pub(crate) words: Words,
    /// The plan
    #[arg(long, value_name = "HASH")]
    pub(crate) plan: String,
    /// Which of its stale shards, from 0
    #[arg(long, value_name = "N")]
    pub(crate) index: u32,
    #[command(flatten)]
    pub(crate) budget: Budget,
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

/// `fleetloom explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) words: Words,
}

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
}

impl Section {
    /// All, in the order shown.
    pub(crate) const ALL: [Self; 5] = [Self::Schema, Self::Rows, Self::Account, Self::Matches, Self::Ledger];
}

/// `fleetloom simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Number of robots
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) robots: u32,
    /// Length of the archive in hours
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) hours: u32,
    /// What chance depends on: the same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for archive/, fleetloom.yaml and truth.json
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Damage about one document in six; truth.json tells how
    #[arg(long)]
    pub(crate) dirty: bool,
    /// Order of the members in a zip
    #[arg(long, value_enum, default_value_t = Order::Robot)]
    pub(crate) order: Order,
    /// First UTC day
    #[arg(long, value_name = "DATE", default_value = "2026-01-01", value_parser = Day::parse)]
    pub(crate) start: Day,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// `fleetloom completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A time as people and programs copy it from a table, in µs since the epoch towards minus infinity.
fn time_us(text: &str) -> Result<i64, String> {
    words::instant_ns(text).map(floor_us)
}

/// A budget that can be kept.
fn memory_bytes(text: &str) -> Result<u64, String> {
    let bytes = words::size_bytes(text)?;
    let least = MEMORY_BYTES_MIN >> 20;
    if bytes >= MEMORY_BYTES_MIN {
        Ok(bytes)
    } else {
        Err(format!("the program and a little data need {least}Mi; give it at least that"))
    }
}

/// `2022-10-01..2022-11-01`, half-open and not empty.
fn day_range(text: &str) -> Result<DayRange, String> {
    let (from, to) = text.split_once("..").ok_or("write FROM..TO, such as 2022-10-01..2022-11-01")?;
    let range = DayRange { from: Day::parse(from)?, to: Day::parse(to)? };
    if range.from < range.to { Ok(range) } else { Err("ends before it begins; TO is the day after the last".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_a_one_line_about_and_an_example() {
        for verb in Cli::command().get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "{}", verb.get_name());
            assert!(
                verb.get_after_help().is_some_and(|help| help.to_string().contains("fleetloom")),
                "{}",
                verb.get_name()
            );
        }
    }

    #[test]
    fn several_files_and_stdin_are_taken() {
        let cli = Cli::parse_from(["fleetloom", "check", "-f", "a.yaml", "b.yaml", "-f", "-"]);
        let Verb::Check(args) = cli.verb else { panic!("not check") };
        assert_eq!(args.words.files, ["a.yaml", "b.yaml", "-"].map(PathBuf::from));
    }

    #[test]
    fn the_words_of_a_verb_may_follow_its_file() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| cli.verb);
        for line in [
            "fleetloom diff 3 latest -f a.yaml",
            "fleetloom diff -f a.yaml 3 latest",
            "fleetloom diff 3 -f a.yaml latest",
        ] {
            let Ok(Verb::Diff(args)) = parse(line) else { panic!("{line}") };
            assert_eq!((args.before, args.after), (VersionName::Number(3), VersionName::Latest));
            assert_eq!(args.words.words().files, [PathBuf::from("a.yaml")]);
        }
        for line in ["fleetloom tag -f a.yaml", "fleetloom tag a 3 -f a.yaml", "fleetloom tag a --delete -f a.yaml"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in
            ["fleetloom tag 3 3 -f a.yaml", "fleetloom tag a 3 --delete -f a.yaml", "fleetloom tag --delete -f a.yaml"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn runs_of_the_files_ask_unless_flags_do() {
        let run = |name: &str, suspend| Run {
            name: name.into(),
            pipeline: "p".into(),
            range: None,
            parallelism: None,
            suspend,
            recompute: spec::Recompute::All,
            ttl_seconds_after_finished: None,
        };
        let scope = |flags: &[&str]| match Cli::parse_from([&["fleetloom", "run", "-f", "a.yaml"], flags].concat()).verb
        {
            Verb::Run(args) => args.scope,
            _ => panic!("not run"),
        };
        let (backfill, later) = (run("backfill", false), run("later", true));
        let asks = |flags: &[&str], runs: &[&Run]| scope(flags).asks(runs).unwrap();
        let names =
            |flags: &[&str], runs: &[&Run]| asks(flags, runs).into_iter().map(|ask| ask.run).collect::<Vec<_>>();
        assert_eq!(names(&[], &[&backfill, &later]), ["backfill"]);
        assert_eq!(names(&["--run-id", "mine"], &[&backfill]), ["mine"]);
        assert_eq!(names(&[], &[]).len(), 1);
        assert_eq!(asks(&["--run-id", "mine"], &[&backfill])[0].recompute, spec::Recompute::All);
        assert_eq!(asks(&["--recompute", "stale"], &[&backfill])[0].recompute, spec::Recompute::Stale);
        assert!(scope(&["--run-id", "mine"]).asks(&[&backfill, &backfill]).is_err());
        assert!(run_name("").is_err() && run_name("a\nb").is_err() && run_name("ur3-stops.1_a").is_ok());
    }

    #[test]
    fn a_budget_that_cannot_be_kept_is_refused() {
        assert_eq!(memory_bytes("128Mi"), Ok(128 << 20));
        assert!(memory_bytes("10Mi").unwrap_err().contains("at least"));
    }

    #[test]
    fn a_range_is_half_open_and_not_empty() {
        assert_eq!(day_range("1970-01-02..1970-01-03"), Ok(DayRange { from: Day(1), to: Day(2) }));
        assert!(day_range("1970-01-02..1970-01-02").is_err());
        assert!(day_range("1970-01-02").is_err());
        assert!(day_range("1970-01-02..1970-02-30").is_err());
    }
}
