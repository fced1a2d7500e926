//! Stopping when asked: the first SIGINT or SIGTERM sets a flag that the flows look at, the second ends the process at once.

use crate::fault::{Exit, Fault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody asked us to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error (exit 143) once somebody asked. Flows call it wherever nothing is half done.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.0.load(Ordering::Relaxed) { Err(Fault::stopped()) } else { Ok(()) }
    }

    /// Listens to SIGINT and SIGTERM from now on. Needs a running runtime.
    pub(crate) fn listen(&self) -> std::io::Result<()> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = self.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.0.swap(true, Ordering::Relaxed) {
                    std::process::exit(Exit::Stopped as i32);
                }
                tracing::warn!("asked to stop; once more ends at once");
            }
        });
        Ok(())
    }
}
