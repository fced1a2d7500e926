//! The threads that compute: as many as were asked for, for all there is to do.
//!
//! ```text
//! who hands out   decode chunk 1 ──┐
//!                 compute robot a ─┼─►  thread 0   thread 1      first come, first served
//!                 encode columns ──┘
//! ```
//! They are made once. Threads that are made for every piece of work share one processor for milliseconds while another is idle:
//! the system spreads them late. Work that was handed out never waits for other work, so all of it ends on any number of threads;
//! whoever hands it out waits on a thread of its own.

use rayon_core::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::sync::Arc;

/// Through which work is handed out that may borrow what outlives `'scope`.
pub type Scope<'scope> = rayon_core::Scope<'scope>;

/// Threads. Cloning it gives the same ones; they end with its last clone.
#[derive(Debug, Clone)]
pub struct Crew(Arc<ThreadPool>);

impl Crew {
    /// Makes so many threads, at least one.
    ///
    /// Errors: the system has no more.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let named = |index| format!("crew-{index}");
        let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).thread_name(named).build()?;
        Ok(Self(Arc::new(pool)))
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Runs `hand_out` on the calling thread, which is none of these, and ends when all that it handed out has ended.
    ///
    /// Panics when work panicked.
    pub fn scope<'scope, T>(&self, hand_out: impl FnOnce(&Scope<'scope>) -> T) -> T {
        self.0.in_place_scope(hand_out)
    }

    /// What `work` makes of each item and its number, in order.
    ///
    /// Panics when `work` does.
    pub fn map<I: Send, O: Send>(
        &self,
        items: impl ExactSizeIterator<Item = I>,
        work: &(impl Fn(usize, I) -> O + Sync),
    ) -> Vec<O> {
        let mut made: Vec<Option<O>> = (0..items.len()).map(|_| None).collect();
        self.scope(|scope| {
            for (index, (item, place)) in items.zip(&mut made).enumerate() {
                scope.spawn(move |_| *place = Some(work(index, item)));
            }
        });
        made.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_items_is_in_their_order() {
        let crew = Crew::new(3).unwrap();
        assert_eq!(crew.map((0..50).rev(), &|index, item| index + item), [49; 50]);
        assert_eq!(crew.map(std::iter::empty::<()>(), &|index, ()| index), [0; 0]);
    }

    #[test]
    fn several_hand_out_to_one_thread_and_all_of_it_ends() {
        let crew = Crew::new(0).unwrap();
        let sum = || crew.map(0..100_u32, &|_, item| item).into_iter().sum::<u32>();
        std::thread::scope(|threads| {
            let others: Vec<_> = (0..4).map(|_| threads.spawn(sum)).collect();
            others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 4950));
        });
        assert_eq!(crew.threads(), 1);
    }
}
