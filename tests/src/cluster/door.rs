//! A door to an API server that asks for no keys and speaks plain HTTP, so that a proxy of a test can stand before it:
//! `kubectl proxy`, as one who may do everything.

use super::part::Part;
use super::{Kubectl, On, Result, Trouble, wait};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Until it answers.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(20);

/// Starts: another process may take a free port first.
const STARTS: u32 = 3;

/// An open door. It is shut when it is dropped, or when this process ends in whatever way.
#[derive(Debug)]
pub struct Door {
    at: SocketAddr,
    part: Part,
}

impl Door {
    /// Opens one.
    ///
    /// Errors: `kubectl proxy` does not come up.
    pub(super) fn open(kubectl: &Kubectl, logs: &Path) -> Result<Self> {
        let mut why = Trouble::new("no start");
        for _ in 0..STARTS {
            let mut door = Self::start(kubectl, logs)?;
            let waited = wait::until("kubectl proxy answers", DEADLINE, POLL, || {
                door.part.alive()?;
                Ok(TcpStream::connect(door.at).ok())
            });
            match waited {
                Ok(_) => return Ok(door),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Its address.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    fn start(kubectl: &Kubectl, logs: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).on("127.0.0.1")?;
        let at = listener.local_addr().on("127.0.0.1")?;
        drop(listener);
        let mut command = Command::new(kubectl.programs().join("kubectl"));
        command.arg("--kubeconfig").arg(kubectl.kubeconfig());
        command.args(["proxy", "--port", &at.port().to_string()]);
        Ok(Self { at, part: Part::guarded("kubectl proxy", &command, logs, None)? })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Err(error) = self.part.stop() {
            eprintln!("{error}");
        }
    }
}
