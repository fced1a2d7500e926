//! `fleetloom-operator`: will turn Runs into Kubernetes Jobs and Jobs into status. It has no verb but `version` yet.

use std::io::Write;
use std::process::ExitCode;

/// What it says when asked for anything else.
const NOT_YET: &str = "fleetloom-operator has no verb but `version` yet: \
                       use `fleetloom run -f FILE.yaml` on this machine until it runs on a cluster";

/// Answers `version`; refuses everything else with exit code 2, the request is wrong.
fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    match asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["version"] => said(&format!("fleetloom-operator {}", env!("CARGO_PKG_VERSION"))),
        _ => {
            eprintln!("{NOT_YET}");
            ExitCode::from(2)
        }
    }
}

/// Writes a line to stdout; a closed pipe is no success.
fn said(line: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(4),
    }
}
