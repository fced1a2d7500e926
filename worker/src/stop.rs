//! Stopping when asked: the first SIGINT or SIGTERM sets a flag that the flows look at, the second ends the process at once.
//! So does time: whoever waits for a store that does not answer looks at no flag.

use crate::console::Console;
use crate::fault::{Exit, Fault};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long after the first signal the process ends at the latest. A pod is killed 30 s after it: ending before that costs no
/// try, and all that stays behind are files that no report names.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether somebody asked us to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    above: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// One that stops with this one, and alone when it is asked.
    pub(crate) fn below(&self) -> Self {
        Self { asked: Arc::default(), above: Some(Arc::clone(&self.asked)) }
    }

    /// Asks, from within.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.above.as_ref().is_some_and(|above| above.load(Ordering::Relaxed))
    }

    /// An error (exit 143) once somebody asked. Flows call it wherever nothing is half done.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.asked() { Err(Fault::stopped()) } else { Ok(()) }
    }

    /// Listens to SIGINT and SIGTERM from now on, on a thread of its own: verbs without a runtime are stopped too.
    ///
    /// Errors: the system gives no signals or no thread.
    pub(crate) fn listen(&self, console: &Console) -> std::io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (stop, console) = (self.clone(), console.clone());
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                if stop.asked.swap(true, Ordering::Relaxed) {
                    end();
                }
                console.say("asked to stop; once more ends at once");
                thread::spawn(|| {
                    thread::sleep(PATIENCE);
                    end();
                });
            }
        })?;
        Ok(())
    }
}

/// Ends the process, whatever it is doing: as safe as being killed.
fn end() -> ! {
    std::process::exit(Exit::Stopped as i32)
}
