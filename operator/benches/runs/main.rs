//! Measures the operator as a process of its own before a real API server with its etcd: Runs per minute, calls per Run, how soon
//! a status tells of a Job's end, memory, and what it costs whom. `make bench-operator` runs it.
//!
//! ```text
//! this process ── offers Runs, plays Jobs and pods, watches ──► API server ◄── the operator, as its service account
//!                                                                   └── etcd
//! ```
//! Each part is a world of its own, so that none pays for the one before. `report.rs` writes what was found to BENCHMARKS.md.

#[path = "../../tests/real/mod.rs"]
#[allow(dead_code, reason = "each program uses a part of the harness")]
mod real;

mod known;
mod machine;
mod measure;
mod report;

use clap::Parser;
use measure::{Kind, Measured, measure};
use std::process::ExitCode;

/// What is measured, and how much of it.
#[derive(Debug, Parser)]
#[command(name = "runs")]
struct Size {
    /// Runs that are offered at once.
    #[arg(long, default_value_t = 1_000)]
    runs: u32,
    /// Runs that have ended, and that the operator still knows.
    #[arg(long, default_value_t = 50_000)]
    known: u32,
    /// One part only: `inline`, `three` or `known`; nothing is written then.
    #[arg(long)]
    only: Option<String>,
    /// Cargo says that this is a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Size {
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    /// Smaller ones are for a quick look.
    fn is_whole(&self) -> bool {
        self.only.is_none() && self.runs >= 1_000 && self.known >= 50_000
    }
}

fn main() -> ExitCode {
    let size = Size::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let found = runtime.expect("threads can be started").block_on(all(&size));
    report::show(&found);
    if !size.is_whole() {
        eprintln!("BENCHMARKS.md is left as it is: this was not the whole of it");
        return ExitCode::SUCCESS;
    }
    match report::write(&found) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("BENCHMARKS.md cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn all(size: &Size) -> Vec<Measured> {
    let mut found = Vec::new();
    for kind in [Kind::Inline, Kind::Three] {
        if size.wants(kind.word()) {
            found.push(measure(kind, size.runs, 0).await);
        }
    }
    if size.wants("known") {
        found.push(measure(Kind::Inline, size.runs, size.known).await);
    }
    found
}
