//! What was found, as a table for people and as JSON for programs: on stdout, in BENCHMARKS.md between two marks, so that others
//! can write beside it, and in benchmarks/operator.json.

use crate::machine::Machine;
use crate::measure::{Kind, Measured};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- begin operator -->";
const END: &str = "<!-- end operator -->";
/// As `tests/bench/section.py` has it.
const HEAD: &str = "# Benchmarks

Ratios, side by side, in one run, CPU seconds first: machines are shared and differ. Every number here was written by a command
that anyone can run; the raw ones lie in `benchmarks/`.
";
const MIB: f64 = 1024.0 * 1024.0;

/// Writes the tables to stdout.
pub(crate) fn show(found: &[Measured]) {
    // A closed pipe has no reader.
    let _closed = io::stdout().write_all(section(found).as_bytes());
}

/// Writes the section of BENCHMARKS.md, and the numbers beside it.
pub(crate) fn write(found: &[Measured]) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page: PathBuf = root.join("BENCHMARKS.md");
    let text = fs::read_to_string(&page).unwrap_or_else(|_| HEAD.to_owned());
    fs::write(&page, between(&text, &section(found)))?;
    let numbers = root.join("benchmarks");
    fs::create_dir_all(&numbers)?;
    let json = serde_json::to_string_pretty(&json!({"machine": Machine::this(), "parts": found}))?;
    fs::write(numbers.join("operator.json"), json + "\n")
}

/// The page with this section between its marks, at the end where there were none.
fn between(page: &str, section: &str) -> String {
    let marked = format!("{BEGIN}\n{section}{END}");
    match (page.split_once(BEGIN), page.split_once(END)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{marked}{after}"),
        _ => format!("{}\n\n{marked}\n", page.trim_end()),
    }
}

fn section(found: &[Measured]) -> String {
    let Machine { processor, cores, memory_gib, linux, kubernetes, etcd, operator, date } = Machine::this();
    let garbage = std::env::var("GOGC").unwrap_or_else(|_| "100".into());
    let mut text = format!(
        "## Operator\n\n\
         `make bench-operator`, {date}: one operator {operator} as a process of its own, with the rights of its service account, before\n\
         an API server ({kubernetes}) and etcd ({etcd}), which does not wait for its disk (both with GOGC={garbage}); the benchmark plays the Job controller and the\n\
         pods, whose work takes no time. Each Run has a Pipeline of its own. All of it shares {cores} cores ({processor}, {memory_gib} GiB,\n\
         Linux {linux}).\n\n"
    );
    text.push_str("| | measured | to reach | field's best known |\n|---|---|---|---|\n");
    for part in found {
        rows(&mut text, part);
    }
    text.push_str("\nWhat it cost, seconds of processors from the first offer to the last end, and calls of the operator for each Run:\n\n");
    text.push_str("| | operator | API server | etcd | benchmark | writes | events | reads one by one | lists |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for part in found {
        let (cpu, calls) = (part.cpu, part.calls_per_run);
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} | {:.2} |",
            name(part),
            cpu.operator,
            cpu.api_server,
            cpu.etcd,
            cpu.harness,
            calls.writes(),
            calls.events,
            calls.gets,
            calls.lists
        );
    }
    text
}

fn rows(text: &mut String, part: &Measured) {
    let name = name(part);
    let mut row = |what: &str, measured: String, target: &str, others: &str| {
        let _ = writeln!(text, "| {what} | {measured} | {target} | {others} |");
    };
    let minute = format!("{:.0}", part.runs_per_minute);
    row(&format!("Runs per minute, {name}"), minute, "≥ 1,000", "Spark operator 130–155, Argo 270–810");
    if part.known == 0 {
        let writes = format!("{:.2}", part.calls_per_run.writes());
        row(&format!("API writes per Run, events aside, {name}"), writes, &format!("≤ {}", part.kind.writes_max()), "");
    }
    let lag = part.lag_seconds;
    let told = format!("{:.2} s (median {:.2} s)", lag.p99, lag.p50);
    row(&format!("status behind its Job, p99, {name}"), told, "≤ 5 s", "Spark up to 30 min");
    let memory = format!("{:.0} MiB", mib(part.peak_bytes));
    let (target, others) = if part.known == 0 { ("≤ 128 MiB", "") } else { ("≤ 512 MiB", "Argo 8.5 GiB reported") };
    row(&format!("most memory, {name}"), memory, target, others);
    if part.known > 0 {
        let settled = format!("{:.1} s, {:.1} s of a core", part.settled_seconds, part.settled_cpu.operator);
        row(&format!("a new operator at rest, {name}"), settled, "", "");
    }
}

fn name(part: &Measured) -> String {
    let kind = match part.kind {
        Kind::Inline => "inline",
        Kind::Three => "of three Jobs",
    };
    let known = match part.known {
        0 => String::new(),
        known => format!(", {known} ended ones known"),
    };
    format!("{} Runs {kind}{known}", part.runs)
}

/// Exact up to what any machine has.
fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) * 1024.0 / MIB
}
