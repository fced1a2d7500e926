//! A Run against a cluster that does whatever it likes: its life ends, it has one Job at work at a time, and whoever decides
//! again from the same facts creates the same Job.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What the cluster, or a person, does next.
#[derive(Debug, Clone, Copy)]
enum Whim {
    /// The Job at work succeeds, and its pod says so.
    Succeed,
    /// It succeeds with a plan in which nothing is stale, or with the Run finished inline.
    SucceedEarly,
    /// It succeeds, and its message is lost.
    Silent,
    /// A pod's exit code fails it.
    Exit(i32),
    /// Its tries are used up; out of memory or not.
    Tries(bool),
    /// Somebody deletes it.
    Vanish,
    /// Somebody suspends the Run, or resumes it.
    Suspend(bool),
    /// Somebody scales the Run.
    Scale(u32),
    /// Time passes.
    Wait(i64),
}

fn whims() -> impl Strategy<Value = Vec<Whim>> {
    let whim = prop_oneof![
        3 => Just(Whim::Succeed),
        1 => Just(Whim::SucceedEarly),
        2 => Just(Whim::Silent),
        2 => prop_oneof![Just(2), Just(5), Just(7), Just(99)].prop_map(Whim::Exit),
        2 => any::<bool>().prop_map(Whim::Tries),
        2 => Just(Whim::Vanish),
        2 => any::<bool>().prop_map(Whim::Suspend),
        1 => (1u32..20).prop_map(Whim::Scale),
        2 => (1i64..2_000).prop_map(Whim::Wait),
    ];
    prop::collection::vec(whim, 0..60)
}

/// The Run and the Jobs there are.
struct World {
    run: RunFacts,
    words: Arc<Settled>,
    kept: bool,
    jobs: BTreeMap<String, JobFact>,
    now: Moment,
}

impl World {
    fn new(queue: bool) -> Self {
        let mut run = fresh();
        run.queue = queue.then(|| "nights".to_owned());
        let words = words_with(json!({"deadline": "6h"}));
        Self { run, words, kept: false, jobs: BTreeMap::new(), now: NOW }
    }

    fn current(&self) -> Option<(Act, String)> {
        Act::of(self.run.status.phase).map(|act| (act, self.run.job_name(act)))
    }

    fn facts(&self) -> Facts {
        match self.current() {
            Some((_, name)) => with(&self.words, self.jobs.get(&name).cloned().unwrap_or(JobFact::Absent)),
            None if self.run.status.phase == Phase::Pending => start(if self.kept {
                Words::Kept(Arc::clone(&self.words))
            } else {
                Words::Good(Arc::clone(&self.words))
            }),
            None => {
                let name = self.run.job_name(self.run.last_act());
                Facts::Over(self.jobs.get(&name).cloned().unwrap_or(JobFact::Absent))
            }
        }
    }

    /// Decides until nothing is left to do now, and does it.
    fn settle(&mut self) {
        for _ in 0..20 {
            let facts = self.facts();
            let decision = decide(&self.run, &facts, self.now);
            assert_eq!(decide(&self.run, &facts, self.now), decision, "the same facts, the same decision");
            match decision {
                Decision::Rest(_) => return,
                Decision::Write(status, note) => {
                    let told = note.map(|note| note.reason.told());
                    assert_ne!(told, Some(crate::reason::Told::Never), "an event that the documents do not know");
                    assert_ne!(*status, self.run.status, "a write that changes nothing");
                    assert!(self.run.status.attempt <= status.attempt, "attempts only grow");
                    self.run.status = *status;
                }
                Decision::CreateWords(_) => self.kept = true,
                Decision::CreateJob(order) => self.create(&order),
                Decision::PatchJob(act, patch) => self.patch(act, patch),
                Decision::DeleteJob(act) => {
                    let gone = self.jobs.remove(&self.run.job_name(act));
                    assert!(matches!(gone, Some(JobFact::Active(_))), "only a Job without an outcome is deleted");
                }
                Decision::DeleteOthers(_) | Decision::DeleteRun => panic!("nobody asked for that"),
            }
        }
        panic!("goes round in circles: {:?}", self.run.status);
    }

    fn create(&mut self, order: &Order) {
        let name = format!("{}-{}-{}", self.run.name, order.attempt, order.act.word());
        assert_eq!(self.current(), Some((order.act, name.clone())), "the name that is in the status");
        assert!(!self.jobs.values().any(|job| matches!(job, JobFact::Active(_))), "one Job at work at a time");
        let suspended = order.queue.is_some();
        let job = Activity { suspended, parallelism: order.parallelism, active: 1, ready: 1, ..Activity::default() };
        assert!(self.jobs.insert(name, JobFact::Active(job)).is_none(), "a name is created once");
    }

    fn patch(&mut self, act: Act, patch: JobPatch) {
        assert!(self.run.status.queue.is_none(), "a queued Job is not fought over");
        let Some(JobFact::Active(job)) = self.jobs.get_mut(&self.run.job_name(act)) else { panic!("no such Job") };
        job.suspended = patch.suspend.unwrap_or(job.suspended);
        job.parallelism = patch.parallelism.unwrap_or(job.parallelism);
    }

    fn act_on(&mut self, whim: Whim) {
        let working = self.current().filter(|(_, name)| matches!(self.jobs.get(name), Some(JobFact::Active(_))));
        match (whim, working) {
            (Whim::Suspend(suspend), _) => self.run.spec.suspend = Some(suspend),
            (Whim::Scale(parallelism), _) => self.run.spec.parallelism = Some(parallelism),
            (Whim::Wait(seconds), _) => self.now = self.now.plus(seconds),
            (Whim::Vanish, Some((_, name))) => {
                self.jobs.remove(&name);
            }
            (whim, Some((act, name))) => {
                self.jobs.insert(name, outcome(whim, act));
            }
            (_, None) => {}
        }
        self.now = self.now.plus(1);
    }
}

fn outcome(whim: Whim, act: Act) -> JobFact {
    let good = match (act, whim) {
        (Act::Plan, Whim::SucceedEarly) => published(),
        (Act::Plan, _) => planned(40, 30),
        (Act::Shards, _) => return end_of(whim, None),
        (Act::Commit, Whim::SucceedEarly) => nothing_to_do(),
        (Act::Commit, _) => published(),
    };
    end_of(whim, Some(good))
}

fn end_of(whim: Whim, good: Option<Message>) -> JobFact {
    match whim {
        Whim::Silent => end(How::Complete, None),
        Whim::Exit(code) => end(How::Policy(Some(code)), None),
        Whim::Tries(memory) => match end(tries(), None) {
            JobFact::Ended(end) => JobFact::Ended(End { memory, code: Some(if memory { 6 } else { 4 }), ..end }),
            other => other,
        },
        _ => end(How::Complete, good),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_the_cluster_does_the_life_ends(whims in whims(), queue in any::<bool>()) {
        let mut world = World::new(queue);
        for whim in whims {
            world.settle();
            world.act_on(whim);
        }
        // From here on all goes well.
        world.run.spec.suspend = Some(false);
        for _ in 0..12 {
            world.settle();
            world.act_on(Whim::Succeed);
        }
        world.settle();
        prop_assert!(world.run.status.phase.is_end(), "{:?}", world.run.status);
        prop_assert!(world.run.status.attempt.unwrap_or(1) <= 60);
        let status = crate::status::fitted(world.run.status.clone());
        prop_assert!(serde_json::to_vec(&status).unwrap().len() <= crate::status::STATUS_BYTES_MAX);
        let ends = [ConditionType::Complete, ConditionType::Failed];
        let held = ends.iter().filter(|kind| holds(&world.run.status.conditions, **kind)).count();
        prop_assert_eq!(held, 1, "exactly one end");
        let at_work = world.jobs.values().filter(|job| matches!(job, JobFact::Active(_))).count();
        prop_assert_eq!(at_work, 0, "no Job is left at work");
    }
}
