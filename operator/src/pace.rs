//! How often the pods of a Job that is under way are looked at. Each list of them makes the API server walk over all pods of the
//! namespace, and every change of a Job asks for a look at its Run: with 500 Runs whose pods came and went at once, lists of
//! pods were 20 for each Run, and most of what the API server did.

use crate::moment::Moment;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The pods of one Job are listed at most once in so many seconds: sooner than a Run looks again that waits for them.
const PAUSE_SECONDS: i64 = 20;

/// Most Jobs that are remembered. One that is forgotten is looked at sooner.
const JOBS_MAX: usize = 10_000;

/// When the pods of which Job were listed last.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<String, Moment>>);

impl Pace {
    /// Whether the pods of a Job may be listed now, which counts as done then.
    pub(crate) fn is_due(&self, job_uid: &str, now: Moment) -> bool {
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not stop the looks.
        if listed.get(job_uid).is_some_and(|last| (0..PAUSE_SECONDS).contains(&now.since(*last))) {
            return false;
        }
        if listed.len() >= JOBS_MAX {
            listed.retain(|_, last| (0..PAUSE_SECONDS).contains(&now.since(*last)));
        }
        if listed.len() < JOBS_MAX {
            listed.insert(job_uid.to_owned(), now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_of_a_job_are_listed_once_in_twenty_seconds_and_those_of_another_too() {
        let pace = Pace::default();
        let due = |job: &str, second: i64| pace.is_due(job, Moment(second));
        assert!(due("a", 100) && !due("a", 119) && due("b", 119));
        assert!(due("a", 120) && !due("a", 121));
        assert!(due("a", 5), "the clock was set back");
    }

    #[test]
    fn what_is_remembered_is_limited_and_old_ones_make_room() {
        let pace = Pace::default();
        for job in 0..JOBS_MAX {
            assert!(pace.is_due(&job.to_string(), Moment(100)));
        }
        assert!(pace.is_due("more", Moment(101)) && pace.is_due("more", Moment(102)), "there is no room for it");
        assert!(pace.is_due("later", Moment(130)) && !pace.is_due("later", Moment(131)));
        assert_eq!(pace.0.lock().unwrap().len(), 1);
    }
}
