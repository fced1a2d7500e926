//! The command line: verbs, their flags, and an example of each. No behaviour: that is in [`crate::command`].

mod acts;
mod budget;
mod query;
mod results;
mod scope;
mod words;

pub(crate) use acts::{CheckArgs, CommitArgs, ExplainArgs, PlanArgs, RunArgs, ShardArgs, Since, SourceArgs, Which};
pub(crate) use budget::{Budget, cores};
pub(crate) use query::{Format, QueryArgs};
pub(crate) use results::{
    DiffArgs, DoctorArgs, HistoryArgs, ReplayArgs, RestoreArgs, Section, ShardName, ShowArgs, TagArgs, TraceArgs,
    VacuumArgs,
};
pub(crate) use words::Words;

use crate::console::{Color, Layout};
use crate::simulate::Order;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use pipeline::time::Day;
use std::path::PathBuf;

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
    /// How the log on stderr is laid out: lines for people, or a JSON object a line
    #[arg(long, value_name = "LAYOUT", value_enum, env = "FLEETLOOM_LOG_FORMAT", hide_env_values = true)]
    #[arg(default_value_t = Layout::Text, global = true, help_heading = "Output")]
    pub(crate) log_format: Layout,
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
    /// Compute one shard, or a batch, of a stored plan (second act of a run)
    #[command(after_help = "Examples:
  fleetloom shard -f fleet.yaml --plan 3b9c… --index 0
  JOB_COMPLETION_INDEX=2 fleetloom shard -f fleet.yaml --plan 3b9c… --batches 8      the third eighth of the stale shards")]
    Shard(ShardArgs),
    /// Publish the finished shards of a stored plan as one version (third act of a run)
    #[command(after_help = "Example:\n  fleetloom commit -f fleet.yaml --plan 3b9c…")]
    Commit(CommitArgs),
    /// List the archive and say which version it has now
    #[command(after_help = "Example:\n  fleetloom source -f fleet.yaml --json | jq -r .version")]
    Source(SourceArgs),
    /// Print the physical plan that computes the rows
    #[command(after_help = "Examples:
  fleetloom explain -f fleet.yaml --pipeline aborts
  fleetloom explain -f fleet.yaml --analyze --range 2026-01-01..2026-01-02     compute a day, publish nothing: rows, time, memory")]
    Explain(ExplainArgs),
    /// Ask the archive's signals and the published tables in SQL
    #[command(after_help = "Examples:
  fleetloom query -f fleet.yaml \"SHOW TABLES\"
  fleetloom query -f fleet.yaml \"SELECT robot, count(*) FROM odometry GROUP BY robot\"
  fleetloom query -f fleet.yaml --version trained --format csv \"SELECT * FROM aborts WHERE label\" > aborts.csv
  fleetloom query -f fleet.yaml \"SELECT * FROM nearest_join(mission, pose, tolerance => '1s') WHERE robot = 'r1'\" --limit 5
  fleetloom query -f fleet.yaml \"SELECT * FROM look_back(odometry, span => '42s', columns => 'linear', statistics => 'mean, p95')\"
  fleetloom query -f fleet.yaml \"EXPLAIN ANALYZE SELECT max(linear) FROM odometry\"

Tables are the signals (robot, time, known, columns, object, member, record) and the results, by the names of the files; where one
name is two tables, <archive>.<signal> and result.<pipeline>. A condition on robot or time leaves members and files unread.")]
    Query(QueryArgs),
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

impl Verb {
    /// What it may take of the machine, where that can be said.
    pub(crate) fn budget(&self) -> Option<&Budget> {
        match self {
            Self::Run(args) => Some(&args.budget),
            Self::Plan(args) => Some(&args.budget),
            Self::Shard(args) => Some(&args.budget),
            Self::Explain(args) => Some(&args.budget),
            Self::Query(args) => Some(&args.budget),
            Self::Trace(args) => Some(&args.budget),
            Self::Replay(args) => Some(&args.budget),
            _ => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use table::version::VersionName;

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
}
