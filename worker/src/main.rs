//! The program `fleetloom`: archives of robot telemetry in, versioned feature tables out.
//!
//! `main` reads the command line, calls one verb, prints an error chain once and ends with its exit code.

mod allocator;
mod analyze;
mod cli;
mod command;
mod commit;
mod console;
mod fault;
#[cfg(test)]
mod faults;
mod inline;
mod memory;
mod message;
mod past;
mod plan;
mod present;
mod profile;
mod progress;
mod query;
mod replay;
mod run;
mod scratch;
mod shard;
mod simulate;
mod split;
mod stop;
mod summary;
#[cfg(test)]
mod testing;
mod trace;
mod words;
mod work;

use clap::Parser;
use cli::{Budget, Cli, Verb};
use console::Console;
use fault::{Exit, Fault, Result};
use message::Messages;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use stop::Stop;
use work::Effort;

/// What every verb is given.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// stderr.
    pub(crate) console: Console,
    /// Whether the process was asked to stop.
    pub(crate) stop: Stop,
    /// Who is told how it ended, in a pod.
    pub(crate) messages: Messages,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(cli.speech.color);
    // Dropped at the end: then the file is whole.
    let profile = match console.log(cli.speech.log.word(), cli.speech.log_format, profiled(&cli.verb)) {
        Ok(profile) => profile,
        Err(fault) => {
            console.complain(&fault);
            return fault.exit().into();
        }
    };
    report_panics(&console);
    let messages = Messages::of_process();
    let ended = catch_unwind(AssertUnwindSafe(|| run(&cli, &console, &messages)));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(fault)) => {
            console.complain(&fault);
            messages.complain(&fault);
            fault.exit()
        }
        Err(_) => {
            messages.complain(&Fault::broken("a bug: the log says which"));
            Exit::Broken
        }
    };
    drop(profile);
    exit.into()
}

/// Where a profile is to be written.
fn profiled(verb: &Verb) -> Option<&Path> {
    if let Verb::Run(args) = verb { args.profile.as_deref() } else { None }
}

/// In a pod, the name of the Run that it works for: every line of the log says it.
const RUN: &str = "FLEETLOOM_RUN";

fn run(cli: &Cli, console: &Console, messages: &Messages) -> Result {
    let _said_in = std::env::var(RUN).ok().map(|run| tracing::error_span!("pod", run).entered());
    allocator::fit(cli.verb.budget().map_or_else(Effort::default, Budget::effort).memory_bytes);
    let stop = Stop::default();
    stop.listen(console)?;
    let context = Context { console: console.clone(), stop, messages: messages.clone() };
    match &cli.verb {
        Verb::Check(args) => command::check::check(args, &context),
        Verb::Run(args) => command::run::run(args, &context),
        Verb::Plan(args) => command::plan::plan(args, &context),
        Verb::Shard(args) => command::shard::shard(args, &context),
        Verb::Commit(args) => command::commit::commit(args, &context),
        Verb::Source(args) => command::source::source(args, &context),
        Verb::Explain(args) => command::explain::explain(args, &context),
        Verb::Query(args) => command::query::query(args, &context),
        Verb::Show(args) => command::show::show(args),
        Verb::History(args) => command::history::history(args),
        Verb::Diff(args) => command::diff::diff(args),
        Verb::Doctor(args) => command::doctor::doctor(args),
        Verb::Restore(args) => command::restore::restore(args),
        Verb::Tag(args) => command::tag::tag(args),
        Verb::Vacuum(args) => command::vacuum::vacuum(args),
        Verb::Trace(args) => command::trace::trace(args, &context),
        Verb::Replay(args) => command::replay::replay(args, &context),
        Verb::Simulate(args) => command::simulate::simulate(args, &context),
        Verb::Completions(args) => command::completions::completions(args),
    }
}

/// A panic is a promise of ours broken: it is said in one sentence, on whatever thread it happens.
fn report_panics(console: &Console) {
    let console = console.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        console.say(&format!("bug: {text} (at {place}). Nothing half-done was published; please report this line"));
    }));
}
