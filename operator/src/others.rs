//! Which other Runs of a Pipeline stand in the way of one that is to start. Pure, and the same for whoever asks: of two Runs
//! that look at each other, exactly one goes first.

use crate::api::{Phase, Run};
use crate::facts::Others;
use crate::moment::Moment;
use kube::ResourceExt;
use pipeline::spec::Concurrency;

/// What has to be known of a Run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// When it was created.
    pub created: Moment,
    /// Its name; among Runs of one second the lesser goes first.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Where it stands.
    pub phase: Phase,
    /// Whether it waits for its owner.
    pub suspended: bool,
    /// Whether it is being deleted.
    pub going: bool,
}

impl Sibling {
    /// A Run as it is stored.
    pub fn of(run: &Run) -> Self {
        Self {
            created: run.creation_timestamp().as_ref().map(Moment::of).unwrap_or_default(),
            name: run.name_any(),
            uid: run.uid().unwrap_or_default(),
            phase: run.status.as_ref().map(|status| status.phase).unwrap_or_default(),
            suspended: run.spec.0.suspend.unwrap_or(false),
            going: run.metadata.deletion_timestamp.is_some(),
        }
    }

    fn is_before(&self, other: &Self) -> bool {
        (self.created, &self.name) < (other.created, &other.name)
    }

    /// Whether it may be at work.
    pub fn is_started(&self) -> bool {
        self.phase != Phase::Pending && !self.phase.is_end()
    }

    /// Whether it is at work, or will be without anybody's doing.
    pub fn is_active(&self) -> bool {
        !self.going && (self.is_started() || (self.phase == Phase::Pending && !self.suspended))
    }
}

/// Who stands in the way of `own`, among all Runs of its Pipeline (itself may be among them).
pub fn others(own: &Sibling, all: &[Sibling], concurrency: Concurrency) -> Others {
    let mut active: Vec<&Sibling> = all.iter().filter(|other| other.uid != own.uid && other.is_active()).collect();
    active.sort_by_key(|other| (!other.is_started(), other.created, other.name.clone()));
    let first = active.iter().find(|other| other.is_started() || other.is_before(own));
    let before = || first.map_or(Others::None, |other| Others::Before(other.name.clone()));
    match concurrency {
        Concurrency::Allow => Others::None,
        Concurrency::Forbid => before(),
        Concurrency::Replace => {
            let replaced: Vec<(String, String)> = active
                .iter()
                .filter(|other| other.is_before(own))
                .map(|other| (other.name.clone(), other.uid.clone()))
                .collect();
            if replaced.is_empty() { before() } else { Others::Replaced(replaced) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sibling;

    #[test]
    fn of_two_new_runs_exactly_one_goes_first() {
        let (a, b) = (sibling("a", 10, Phase::Pending), sibling("b", 10, Phase::Pending));
        let all = [a.clone(), b.clone()];
        assert_eq!(others(&a, &all, Concurrency::Forbid), Others::None);
        assert_eq!(others(&b, &all, Concurrency::Forbid), Others::Before("a".into()));
        assert_eq!(others(&b, &all, Concurrency::Allow), Others::None);
        assert_eq!(others(&a, &all, Concurrency::Replace), Others::None);
        assert_eq!(others(&b, &all, Concurrency::Replace), Others::Replaced(vec![("a".into(), "a-uid".into())]));
    }

    #[test]
    fn a_run_at_work_goes_first_whenever_it_was_created() {
        let (old, late) = (sibling("old", 1, Phase::Pending), sibling("late", 20, Phase::Running));
        assert_eq!(others(&old, &[old.clone(), late], Concurrency::Forbid), Others::Before("late".into()));
    }

    #[test]
    fn who_has_ended_is_going_or_waits_for_its_owner_stands_in_nobodys_way() {
        let own = sibling("z", 10, Phase::Pending);
        let mut going = sibling("a", 1, Phase::Running);
        going.going = true;
        let mut waiting = sibling("b", 1, Phase::Pending);
        waiting.suspended = true;
        let ended = [sibling("c", 1, Phase::Complete), sibling("d", 1, Phase::Failed)];
        let all: Vec<Sibling> = [going, waiting].into_iter().chain(ended).collect();
        assert_eq!(others(&own, &all, Concurrency::Forbid), Others::None);
        assert_eq!(others(&own, &all, Concurrency::Replace), Others::None);
    }
}
