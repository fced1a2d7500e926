//! What a process may take of the machine.

use crate::work::{Effort, MEMORY_BYTES_MIN};
use clap::Args;
use pipeline::time::words;

/// What a process may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Budget {
    /// Aim for at most this much memory, 64Mi or more; the program alone takes about as much [default: 512Mi, or the cgroup's
    /// limit if lower]
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

/// A budget that can be kept.
fn memory_bytes(text: &str) -> Result<u64, String> {
    let bytes = words::size_bytes(text)?;
    let least = MEMORY_BYTES_MIN >> 20;
    if bytes >= MEMORY_BYTES_MIN {
        Ok(bytes)
    } else {
        Err(format!("a little data needs {least}Mi; give it at least that"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_cannot_be_kept_is_refused() {
        assert_eq!(memory_bytes("64Mi"), Ok(64 << 20));
        assert!(memory_bytes("10Mi").unwrap_err().contains("at least"));
    }
}
