//! What a run is asked to compute, by flags and by the Runs of the files.

use crate::fault::Fault;
use crate::plan::Ask;
use crate::work::{now_ms, run_id};
use clap::{Args, ValueEnum};
use pipeline::pipeline::DayRange;
use pipeline::run::Run;
use pipeline::spec;
use pipeline::time::Day;

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
pub(super) fn run_name(text: &str) -> Result<String, String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=RUN_NAME_MAX).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(format!("write 1 to {RUN_NAME_MAX} letters, digits, `-`, `_` or `.`"))
}

/// `2022-10-01..2022-11-01`, half-open and not empty.
pub(super) fn day_range(text: &str) -> Result<DayRange, String> {
    let (from, to) = text.split_once("..").ok_or("write FROM..TO, such as 2022-10-01..2022-11-01")?;
    let range = DayRange { from: Day::parse(from)?, to: Day::parse(to)? };
    if range.from < range.to { Ok(range) } else { Err("ends before it begins; TO is the day after the last".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser;

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
    fn a_range_is_half_open_and_not_empty() {
        assert_eq!(day_range("1970-01-02..1970-01-03"), Ok(DayRange { from: Day(1), to: Day(2) }));
        assert!(day_range("1970-01-02..1970-01-02").is_err());
        assert!(day_range("1970-01-02").is_err());
        assert!(day_range("1970-01-02..1970-02-30").is_err());
    }
}
