//! The allocator of this process.
//!
//! Threads hand large buffers to each other: the system's allocator keeps what each of them freed apart, and memory grows with the
//! length of the archive. This one has one arena for all, and gives memory back as soon as `.cargo/config.toml` says, or at once
//! where memory is short: pages that wait for their next use are held like those in use.

use tikv_jemalloc_ctl::{Access, AsName, Result, arenas};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Budgets below this one have no room for pages that nobody uses, bytes.
const PLENTY_BYTES: u64 = 512 << 20;

/// Keeps no page waiting if that is what the budget asks for.
pub(crate) fn fit(memory_bytes: u64) {
    if memory_bytes < PLENTY_BYTES
        && let Err(error) = give_back_at_once()
    {
        tracing::debug!(%error, "the allocator keeps pages for a while");
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
