//! What decoded observations may take of the memory budget, held by reservation: one chunk is gathered while the one before it
//! is computed, as long as both fit.

use crate::fault::{Exit, Fault};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Share of the memory budget that decoded observations may take: a row with its features takes about twice what it is made of.
const DECODED_SHARE: u64 = 3;

/// Room for the observations of all chunks at hand.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    held: Mutex<u64>,
    /// A chunk has gone.
    freed: Condvar,
}

/// What one chunk takes of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held<'a> {
    room: &'a Room,
    /// Changed under the room's lock only.
    bytes: AtomicU64,
}

impl Room {
    /// All of it free. `room_bytes` is for observations and rows together.
    pub(super) fn new(room_bytes: u64) -> Self {
        Self { bytes_max: room_bytes / DECODED_SHARE, held: Mutex::default(), freed: Condvar::new() }
    }

    /// For a chunk that holds nothing yet.
    pub(super) fn chunk(&self) -> Held<'_> {
        Held { room: self, bytes: AtomicU64::new(0) }
    }
}

impl Held<'_> {
    /// Takes more for this chunk; waits for room that another one has.
    ///
    /// Errors: this chunk alone needs more than there is.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Fault> {
        let mut held = lock(&self.room.held);
        loop {
            self.afford(bytes)?;
            let sum = held.saturating_add(bytes as u64);
            if sum <= self.room.bytes_max {
                *held = sum;
                self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                return Ok(());
            }
            held = self.room.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether this chunk could take so much more if it were alone.
    ///
    /// Errors: it could not.
    pub(super) fn afford(&self, bytes: usize) -> Result<(), Fault> {
        let most = self.room.bytes_max;
        if self.bytes.load(Ordering::Relaxed).saturating_add(bytes as u64) <= most {
            return Ok(());
        }
        Err(Fault::new(
            Exit::Memory,
            format!("the observations of one group of robots need over {most} bytes of memory"),
        ))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *lock(&self.room.held) -= self.bytes.load(Ordering::Relaxed);
        self.room.freed.notify_all();
    }
}

fn lock(mutex: &Mutex<u64>) -> MutexGuard<'_, u64> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_is_too_large_alone_is_refused_whoever_else_there_is() {
        let room = Room::new(300);
        let (first, second) = (room.chunk(), room.chunk());
        first.take(60).unwrap();
        assert_eq!(second.take(101).unwrap_err().exit(), Exit::Memory);
        assert_eq!(first.take(41).unwrap_err().exit(), Exit::Memory);
        first.take(40).unwrap();
    }

    #[test]
    fn a_chunk_waits_until_the_one_before_it_has_gone() {
        let room = Room::new(300);
        let first = room.chunk();
        first.take(60).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let second = room.chunk();
                second.take(40).and_then(|()| second.take(60))
            });
            drop(first);
            second.join().unwrap().unwrap();
        });
        assert_eq!(*lock(&room.held), 0);
    }
}
