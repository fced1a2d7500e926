//! The allocator of this process.
//!
//! Threads hand large buffers to each other: the system's allocator keeps what each of them freed apart, and memory grows with the
//! length of the archive. This one has one arena for all, in huge pages, and gives memory back as soon as `.cargo/config.toml` says;
//! where memory is short, at once and in small pages: what waits for its next use is held like what is in use.

use rustix::thread::disable_transparent_huge_pages;
use tikv_jemalloc_ctl::{Access, AsName, Result, arenas};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Budgets below this one have no room for pages that nobody uses, bytes.
const PLENTY_BYTES: u64 = 512 << 20;

/// Keeps no page waiting, and takes none larger than the system's, if that is what the budget asks for.
pub(crate) fn fit(memory_bytes: u64) {
    if memory_bytes >= PLENTY_BYTES {
        return;
    }
    if let Err(error) = give_back_at_once() {
        tracing::debug!(%error, "the allocator keeps pages for a while");
    }
    if let Err(error) = disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory may come in huge pages");
    }
}

/// For the arenas there are, and for those to come.
fn give_back_at_once() -> Result<()> {
    const AT_ONCE: isize = 0;
    for arena in 0..arenas::narenas::read()? {
        format!("arena.{arena}.dirty_decay_ms\0").name().write(AT_ONCE)?;
    }
    "arenas.dirty_decay_ms\0".name().write(AT_ONCE)
}
