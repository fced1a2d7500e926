//! `fleetloom completions SHELL`: the script that completes verbs, flags and files.

use crate::cli::{Cli, CompletionsArgs};
use crate::console::print;
use crate::fault::{Exit, Result};
use clap::CommandFactory;

/// Prints the script on stdout.
pub(crate) fn completions(args: &CompletionsArgs) -> Result {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(args.shell, &mut command, "fleetloom", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use clap_complete::Shell;

    #[test]
    fn each_shell_completes_every_verb() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "fleetloom", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("simulate") && script.contains("commit"), "{shell}");
        }
    }
}
