//! Named situations, and a life that always ends.

use super::*;
use crate::api::{Condition, Holds, Phase};
use crate::facts::{Activity, End, How, Kept, Others, Start, Trouble, UnderWay, Words};
use crate::settle::settle;
use crate::testing::{self, NOW};
use pipeline::act::{Failed, Message, NothingToDo, Planned, Published, Source};
use serde_json::json;

fn words() -> Arc<Settled> {
    Arc::new(settle(&testing::archive(), &testing::pipeline()).unwrap())
}

fn words_with(workers: serde_json::Value) -> Arc<Settled> {
    let mut pipeline = testing::pipeline();
    pipeline.spec.0.workers = Some(serde_json::from_value(workers).unwrap());
    Arc::new(settle(&testing::archive(), &pipeline).unwrap())
}

fn fresh() -> RunFacts {
    crate::observe::run_facts(&testing::run())
}

fn start(words: Words) -> Facts {
    Facts::Start(Start { words, queue: None, others: Others::None, image: "worker:1".into() })
}

fn with(words: &Arc<Settled>, job: JobFact) -> Facts {
    Facts::UnderWay(UnderWay { words: Kept::Good(Arc::clone(words)), job })
}

fn under_way(job: JobFact) -> Facts {
    with(&words(), job)
}

#[track_caller]
fn written(decision: Decision) -> RunStatus {
    match decision {
        Decision::Write(status, _) => *status,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn created(decision: Decision) -> Order {
    match decision {
        Decision::CreateJob(order) => *order,
        other => panic!("{other:?}"),
    }
}

/// The Run with what was decided.
fn after(run: &RunFacts, decision: Decision) -> RunFacts {
    RunFacts { status: written(decision), ..run.clone() }
}

#[track_caller]
fn told(run: &RunFacts, kind: ConditionType) -> &Condition {
    condition(&run.status.conditions, kind).unwrap_or_else(|| panic!("{kind:?} in {:?}", run.status.conditions))
}

fn source() -> Source {
    Source { version: "source-1".into(), objects: 3, members: 40, bytes: 1 << 30 }
}

fn planned(shards: u64, stale: u64) -> Message {
    Message::Planned(Planned {
        plan: "3b9c".into(),
        uri: "s3://features/ur3-stops/_fleetloom/plans/3b9c.json".into(),
        source: source(),
        base: Some(6),
        shards,
        stale,
        bytes: 1 << 30,
        seconds: 4_000,
    })
}

fn published() -> Message {
    Message::Published(Published {
        plan: "3b9c".into(),
        source: source(),
        url: "s3://features/ur3-stops/".into(),
        version: 7,
        shards: 40,
        reused: 0,
        rows: 7_409,
        invalid: 3_495,
        quarantined: 2,
        bytes: 1_000,
        failed: 1,
        failures: vec![pipeline::act::Failure { shard: 3, reason: "why".into(), place: Some("ur3-01".into()) }],
    })
}

fn nothing_to_do() -> Message {
    let url = "s3://features/ur3-stops/".into();
    Message::NothingToDo(NothingToDo { plan: "3b9c".into(), source: source(), url, version: 6, shards: 40, rows: 9 })
}

fn fault(code: u8, sentence: &str) -> Message {
    Message::Failed(Failed { code, sentence: sentence.into(), failed: 0, failures: Vec::new() })
}

fn end(how: How, message: Option<Message>) -> JobFact {
    JobFact::Ended(End {
        how,
        at: NOW,
        completed_indexes: String::new(),
        failed_indexes: String::new(),
        message,
        memory: false,
        code: None,
    })
}

fn tries() -> How {
    How::Tries("Job has reached the specified backoff limit".into())
}

/// A Run whose plan Job is wanted.
fn planning() -> RunFacts {
    let run = fresh();
    after(&run, decide(&run, &start(Words::Kept(words())), NOW))
}

/// A Run whose shard Job is wanted.
fn running() -> RunFacts {
    let run = planning();
    after(&run, decide(&run, &under_way(end(How::Complete, Some(planned(40, 30)))), NOW))
}

/// A Run whose commit Job is wanted.
fn committing() -> RunFacts {
    let run = running();
    after(&run, decide(&run, &under_way(end(How::Complete, None)), NOW))
}

fn at_work() -> Activity {
    Activity { parallelism: 8, active: 8, ready: 8, started: Some(NOW), ..Activity::default() }
}

#[test]
fn a_run_writes_its_words_down_then_its_status_then_creates_its_plan_job() {
    let run = fresh();
    assert_eq!(decide(&run, &start(Words::Good(words())), NOW), Decision::CreateWords(words()));
    let run = planning();
    assert_eq!((run.status.phase, run.status.attempt), (Phase::Planning, Some(1)));
    assert_eq!(run.status.image.as_deref(), Some("worker:1"));
    assert_eq!(run.status.parallelism, Some(8));
    assert_eq!(told(&run, ConditionType::Accepted).status, Holds::True);
    let order = created(decide(&run, &under_way(JobFact::Absent), NOW));
    // Its pod may be started again after it published: it looks for that first.
    assert_eq!((order.act, order.attempt, order.since), (Act::Plan, 1, Some("none".into())));
    assert_eq!(run.job_name(Act::Plan), "backfill-1-plan");
}

#[test]
fn wrong_words_fail_a_run_at_once_and_missing_ones_are_waited_for() {
    let run = fresh();
    let wrong = vec!["Pipeline ur3-stops: spec.join[0].tolerance: is missing; write 500ms".to_owned()];
    let failed = after(&run, decide(&run, &start(Words::Refused(wrong)), NOW));
    assert_eq!(failed.status.phase, Phase::Failed);
    assert!(told(&failed, ConditionType::Failed).message.contains("spec.join[0].tolerance"));
    let waiting = after(&run, decide(&run, &start(Words::NoPipeline), NOW));
    assert_eq!(
        (waiting.status.phase, told(&waiting, ConditionType::Accepted).reason),
        (Phase::Pending, Reason::PipelineMissing)
    );
    assert_eq!(decide(&waiting, &start(Words::NoPipeline), NOW), Decision::Rest(Some(SOON_SECONDS)));
    assert_eq!(decide(&waiting, &start(Words::NoPipeline), NOW.plus(90)), Decision::Rest(Some(WAIT_SECONDS)));
    let missing = after(&run, decide(&run, &start(Words::NoArchive("ur3".into())), NOW));
    assert_eq!(told(&missing, ConditionType::Accepted).reason, Reason::ArchiveMissing);
}

#[test]
fn a_run_waits_for_another_or_has_it_deleted() {
    let run = fresh();
    let facts = |others| Facts::Start(Start { words: Words::Good(words()), queue: None, others, image: String::new() });
    let before = facts(Others::Before("nightly".into()));
    let waiting = after(&run, decide(&run, &before, NOW));
    assert_eq!(
        (waiting.status.phase, told(&waiting, ConditionType::Planned).reason),
        (Phase::Pending, Reason::OtherRunActive)
    );
    assert_eq!(decide(&waiting, &before, NOW), Decision::Rest(Some(WAIT_SECONDS)));
    let replaced = vec![("nightly".to_owned(), "uid".to_owned())];
    let replacing = after(&run, decide(&run, &facts(Others::Replaced(replaced.clone())), NOW));
    assert_eq!(decide(&replacing, &facts(Others::Replaced(replaced.clone())), NOW), Decision::DeleteOthers(replaced));
    assert!(matches!(decide(&replacing, &facts(Others::None), NOW), Decision::CreateWords(_)));
}

#[test]
fn stale_shards_become_batches_of_an_indexed_job() {
    let run = running();
    let plan = run.status.plan.clone().unwrap();
    assert_eq!((plan.hash.as_str(), plan.reused, plan.batches, plan.first_base), ("3b9c", 10, Some(17), Some(6)));
    assert_eq!((plan.bytes, plan.seconds), (1 << 30, 4_000));
    assert_eq!(run.status.shards.as_ref().unwrap().progress, "10/40");
    let order = created(decide(&run, &under_way(JobFact::Absent), NOW));
    assert_eq!((order.act, order.plan.as_str(), order.batches, order.parallelism), (Act::Shards, "3b9c", 17, 8));
}

#[test]
fn a_run_with_nothing_stale_needs_no_shard_job() {
    let run = planning();
    let run = after(&run, decide(&run, &under_way(end(How::Complete, Some(planned(40, 0)))), NOW));
    assert_eq!(
        (run.status.phase, told(&run, ConditionType::Running).reason),
        (Phase::Committing, Reason::NothingStale)
    );
    assert_eq!(created(decide(&run, &under_way(JobFact::Absent), NOW)).act, Act::Commit);
}

#[test]
fn a_small_run_is_finished_by_its_plan_pod() {
    for (message, version, reason) in [(published(), 7, Reason::Published), (nothing_to_do(), 6, Reason::NothingToDo)] {
        let run = planning();
        let run = after(&run, decide(&run, &under_way(end(How::Complete, Some(message))), NOW.plus(42)));
        assert_eq!((run.status.phase, told(&run, ConditionType::Complete).reason), (Phase::Complete, reason));
        assert_eq!(run.status.result.as_ref().unwrap().version, version);
        assert_eq!(run.status.duration.as_deref(), Some("42s"));
        assert_eq!(run.status.source.as_ref().unwrap().version, "source-1");
    }
}

#[test]
fn a_commit_tells_version_rows_and_failures() {
    let run = committing();
    let run = after(&run, decide(&run, &under_way(end(How::Complete, Some(published()))), NOW.plus(60)));
    let result = run.status.result.clone().unwrap();
    assert_eq!((result.version, result.rows, result.invalid), (7, 7_409, Some(3_495)));
    assert_eq!((run.status.shards.as_ref().unwrap().progress.as_str(), run.status.failures.len()), ("39/40", 1));
    assert_eq!(decide(&run, &Facts::Over(JobFact::Absent), NOW.plus(60)), Decision::Rest(None));
}

#[test]
fn shards_that_failed_in_every_try_are_the_commits_to_judge() {
    let run = running();
    let ended = JobFact::Ended(End {
        how: tries(),
        at: NOW,
        completed_indexes: "0-15".into(),
        failed_indexes: "16".into(),
        message: None,
        memory: false,
        code: Some(70),
    });
    let run = after(&run, decide(&run, &under_way(ended), NOW));
    assert_eq!(run.status.phase, Phase::Committing);
    let shards = run.status.shards.unwrap();
    assert_eq!((shards.failed, shards.failed_indexes.as_str(), shards.progress.as_str()), (2, "16", "38/40"));
}

#[test]
fn exit_codes_that_fail_a_job_at_once_end_the_run_with_the_pods_sentence() {
    for (code, reason) in [(2, Reason::RequestWrong), (7, Reason::GateRefused)] {
        for run in [planning(), running(), committing()] {
            let sentence = "Secret features-write is missing; create it";
            let message = u8::try_from(code).ok().map(|code| fault(code, sentence));
            let run = after(&run, decide(&run, &under_way(end(How::Policy(Some(code)), message)), NOW));
            assert_eq!((run.status.phase, told(&run, ConditionType::Failed).reason), (Phase::Failed, reason));
            assert_eq!(told(&run, ConditionType::Failed).message, sentence);
        }
    }
    let run = planning();
    let silent = after(&run, decide(&run, &under_way(end(How::Policy(Some(2)), None)), NOW));
    assert!(told(&silent, ConditionType::Failed).message.contains("exit 2"));
}

#[test]
fn a_refused_commit_tells_how_many_shards_failed_and_some_of_them() {
    let run = committing();
    let failure = pipeline::act::Failure { shard: 3, reason: "torn".into(), place: None };
    let refused = Failed { code: 7, sentence: "12 shards failed".into(), failed: 12, failures: vec![failure] };
    let ended = end(How::Policy(Some(7)), Some(Message::Failed(refused)));
    let run = after(&run, decide(&run, &under_way(ended), NOW));
    assert_eq!((run.status.shards.unwrap().failed, run.status.failures.len()), (12, 1));
}

#[test]
fn a_changed_input_gets_three_new_plans_and_no_fourth() {
    let mut run = running();
    for replans in 1..=REPLANS_MAX {
        let changed = under_way(end(How::Policy(Some(5)), Some(fault(5, "2022-10-26.zip was replaced"))));
        run = after(&run, decide(&run, &changed, NOW));
        assert_eq!(
            (run.status.phase, run.status.replans, run.status.attempt),
            (Phase::Planning, Some(replans), Some(replans + 1))
        );
        let order = created(decide(&run, &under_way(JobFact::Absent), NOW));
        assert_eq!((order.attempt, order.since.as_deref()), (replans + 1, Some("6")));
    }
    let changed = under_way(end(How::Policy(Some(5)), Some(fault(5, "2022-10-26.zip was replaced"))));
    let run = after(&run, decide(&run, &changed, NOW));
    assert_eq!((run.status.phase, told(&run, ConditionType::Failed).reason), (Phase::Failed, Reason::InputChanging));
}

#[test]
fn memory_is_doubled_once() {
    for (run, phase) in [(planning(), Phase::Planning), (running(), Phase::Planning), (committing(), Phase::Committing)]
    {
        let exceeded = End {
            how: tries(),
            at: NOW,
            completed_indexes: String::new(),
            failed_indexes: "0".into(),
            message: None,
            memory: true,
            code: Some(6),
        };
        let was_shards = run.status.phase == Phase::Running;
        let run = after(&run, decide(&run, &under_way(JobFact::Ended(exceeded.clone())), NOW));
        assert_eq!((run.status.phase, run.status.memory_bytes, run.status.attempt), (phase, Some(2 << 30), Some(2)));
        assert_eq!(created(decide(&run, &under_way(JobFact::Absent), NOW)).memory_bytes, 2 << 30);
        if !was_shards {
            let run = after(&run, decide(&run, &under_way(JobFact::Ended(exceeded)), NOW));
            assert_eq!(
                (run.status.phase, told(&run, ConditionType::Failed).reason),
                (Phase::Failed, Reason::MemoryExceeded)
            );
        }
    }
}

#[test]
fn tries_that_are_used_up_have_a_reason() {
    for (code, reason) in [(4, Reason::StorageUnavailable), (70, Reason::BrokenPromise), (137, Reason::ActFailed)] {
        let run = planning();
        let JobFact::Ended(ended) = end(tries(), None) else { panic!() };
        let run = after(&run, decide(&run, &under_way(JobFact::Ended(End { code: Some(code), ..ended })), NOW));
        assert_eq!(told(&run, ConditionType::Failed).reason, reason);
        assert!(told(&run, ConditionType::Failed).message.contains(&code.to_string()));
    }
}

#[test]
fn a_lost_message_is_asked_for_again_under_the_next_name() {
    let run = committing();
    let again = after(&run, decide(&run, &under_way(end(How::Complete, None)), NOW));
    assert_eq!((again.status.phase, again.status.attempt), (Phase::Committing, Some(2)));
    assert_eq!(again.job_name(Act::Commit), "backfill-2-commit");
    // A plan pod that may have published has to look through every version for its Run.
    let run = planning();
    let again = after(&run, decide(&run, &under_way(end(How::Complete, None)), NOW));
    assert_eq!(created(decide(&again, &under_way(JobFact::Absent), NOW)).since.as_deref(), Some("none"));
}

#[test]
fn a_job_that_vanished_is_made_again_under_its_name() {
    let run = committing();
    assert_eq!(created(decide(&run, &under_way(JobFact::Absent), NOW)).attempt, 1);
    assert_eq!(decide(&run, &under_way(JobFact::Going), NOW), Decision::Rest(Some(SOON_SECONDS)));
}

#[test]
fn names_that_are_taken_and_words_that_are_lost_fail_a_run() {
    let run = planning();
    let taken = after(&run, decide(&run, &under_way(JobFact::Foreign), NOW));
    assert_eq!(told(&taken, ConditionType::Failed).reason, Reason::NameTaken);
    let lost = Facts::UnderWay(UnderWay { words: Kept::Lost, job: JobFact::Active(at_work()) });
    let lost = after(&run, decide(&run, &lost, NOW));
    assert_eq!(told(&lost, ConditionType::Failed).reason, Reason::WordsLost);
    assert!(may_have_left_a_job(&lost.status));
    assert_eq!(decide(&lost, &Facts::Over(JobFact::Active(at_work())), NOW), Decision::DeleteJob(Act::Plan));
    let again = Facts::UnderWay(UnderWay { words: Kept::Again(words()), job: JobFact::Absent });
    assert_eq!(decide(&run, &again, NOW), Decision::CreateWords(words()));
}

#[test]
fn suspending_and_resuming_without_a_queue_is_a_patch_and_no_attempt() {
    let mut run = running();
    run.spec.suspend = Some(true);
    let job = |suspended| under_way(JobFact::Active(Activity { suspended, ..at_work() }));
    let patch = |suspend| Decision::PatchJob(Act::Shards, JobPatch { suspend: Some(suspend), parallelism: None });
    assert_eq!(decide(&run, &job(false), NOW), patch(true));
    let mut run = after(&run, decide(&run, &job(true), NOW));
    assert_eq!((told(&run, ConditionType::Suspended).status, run.status.attempt), (Holds::True, Some(1)));
    run.spec.suspend = Some(false);
    assert_eq!(decide(&run, &job(true), NOW.plus(50)), patch(false));
    let run = after(&run, decide(&run, &job(false), NOW.plus(50)));
    assert_eq!((told(&run, ConditionType::Suspended).status, run.status.suspended_seconds), (Holds::False, Some(50)));
}

#[test]
fn a_run_that_is_suspended_from_the_beginning_starts_nothing() {
    let mut run = fresh();
    run.spec.suspend = Some(true);
    let mut run = after(&run, decide(&run, &start(Words::Good(words())), NOW));
    assert_eq!((run.status.phase, told(&run, ConditionType::Suspended).status), (Phase::Pending, Holds::True));
    assert_eq!(decide(&run, &start(Words::Good(words())), NOW), Decision::Rest(None));
    run.spec.suspend = Some(false);
    let run = after(&run, decide(&run, &start(Words::Kept(words())), NOW));
    assert_eq!(told(&run, ConditionType::Suspended).status, Holds::False);
}

fn queued() -> RunFacts {
    let mut run = running();
    run.status.queue = Some("nights".into());
    run
}

#[test]
fn a_job_in_a_queue_is_not_fought_over() {
    let run = queued();
    assert_eq!(created(decide(&run, &under_way(JobFact::Absent), NOW)).queue.as_deref(), Some("nights"));
    let suspended =
        under_way(JobFact::Active(Activity { suspended: true, active: 0, ready: 0, started: None, ..at_work() }));
    let waiting = after(&run, decide(&run, &suspended, NOW));
    assert_eq!(told(&waiting, ConditionType::Running).reason, Reason::WaitingForQueue);
    assert_eq!(decide(&waiting, &suspended, NOW), Decision::Rest(None));
    let fewer = Activity { parallelism: 3, ..at_work() };
    let admitted = after(&waiting, decide(&waiting, &under_way(JobFact::Active(fewer.clone())), NOW));
    assert_eq!(told(&admitted, ConditionType::Running).reason, Reason::ComputingShards);
    assert!(matches!(
        decide(&admitted, &under_way(JobFact::Active(fewer)), NOW),
        Decision::Rest(_) | Decision::Write(..)
    ));
}

#[test]
fn suspending_or_scaling_a_queued_run_deletes_its_job_and_starts_a_new_attempt() {
    let mut run = queued();
    let active = under_way(JobFact::Active(at_work()));
    run.spec.suspend = Some(true);
    assert_eq!(decide(&run, &active, NOW), Decision::DeleteJob(Act::Shards));
    let mut run = after(&run, decide(&run, &under_way(JobFact::Absent), NOW));
    assert_eq!(run.status.attempt, Some(2));
    assert_eq!(decide(&run, &under_way(JobFact::Absent), NOW), Decision::Rest(None));
    run.spec.suspend = Some(false);
    let mut run = after(&run, decide(&run, &under_way(JobFact::Absent), NOW));
    run.spec.parallelism = Some(16);
    assert_eq!(decide(&run, &active, NOW), Decision::DeleteJob(Act::Shards));
    let run = after(&run, decide(&run, &under_way(JobFact::Absent), NOW));
    assert_eq!((run.status.attempt, run.status.parallelism), (Some(3), Some(16)));
    assert_eq!(created(decide(&run, &under_way(JobFact::Absent), NOW)).parallelism, 16);
}

#[test]
fn scaling_without_a_queue_is_a_patch() {
    let mut run = running();
    run.spec.parallelism = Some(16);
    let patch = JobPatch { suspend: None, parallelism: Some(16) };
    assert_eq!(decide(&run, &under_way(JobFact::Active(at_work())), NOW), Decision::PatchJob(Act::Shards, patch));
    let scaled = under_way(JobFact::Active(Activity { parallelism: 16, ..at_work() }));
    let run = after(&run, decide(&run, &scaled, NOW));
    assert_eq!((run.status.parallelism, run.status.attempt), (Some(16), Some(1)));
}

#[test]
fn pods_that_do_not_get_ready_are_told_of_once() {
    let run = planning();
    let stuck = |message: &str| {
        let trouble = Trouble { reason: Reason::ImagePull, message: message.into() };
        under_way(JobFact::Active(Activity { ready: 0, trouble: Some(trouble), parallelism: 1, ..at_work() }))
    };
    let told_of = after(&run, decide(&run, &stuck("ImagePullBackOff: 1"), NOW.plus(31)));
    assert_eq!(told(&told_of, ConditionType::Planned).reason, Reason::ImagePull);
    assert!(matches!(decide(&told_of, &stuck("ImagePullBackOff: 2"), NOW.plus(62)), Decision::Rest(Some(_))));
    let ready = under_way(JobFact::Active(Activity { parallelism: 1, ..at_work() }));
    let ready = after(&told_of, decide(&told_of, &ready, NOW.plus(70)));
    assert_eq!(told(&ready, ConditionType::Planned).reason, Reason::Planning);
}

#[test]
fn progress_is_written_at_most_once_in_five_seconds_and_only_when_there_is_some() {
    let run = running();
    let done = |indexes: &str| under_way(JobFact::Active(Activity { completed_indexes: indexes.into(), ..at_work() }));
    let run = after(&run, decide(&run, &done("0"), NOW));
    assert_eq!(run.status.shards.as_ref().unwrap().progress, "11/40");
    assert_eq!(decide(&run, &done("0"), NOW.plus(100)), Decision::Rest(None));
    assert_eq!(decide(&run, &done("0-4"), NOW.plus(2)), Decision::Rest(Some(3)));
    let run = after(&run, decide(&run, &done("0-4"), NOW.plus(5)));
    assert_eq!(run.status.shards.as_ref().unwrap().progress, "18/40");
}

#[test]
fn a_deadline_ends_a_run_and_its_job_but_no_commit() {
    let words = words_with(json!({"deadline": "1h"}));
    let mut run = running();
    run.status.words = Some(words.hash.clone());
    let order = created(decide(&run, &with(&words, JobFact::Absent), NOW.plus(600)));
    assert_eq!(order.deadline_seconds, Some(3_000));
    let active = with(&words, JobFact::Active(at_work()));
    let late = after(&run, decide(&run, &active, NOW.plus(3_600)));
    assert_eq!(told(&late, ConditionType::Failed).reason, Reason::DeadlineExceeded);
    assert_eq!(decide(&late, &Facts::Over(JobFact::Active(at_work())), NOW), Decision::DeleteJob(Act::Shards));
    run.status.suspended_seconds = Some(1_000);
    assert!(!matches!(decide(&run, &active, NOW.plus(3_600)), Decision::Write(status, _) if status.phase.is_end()));
    let order = created(decide(&committing(), &with(&words, JobFact::Absent), NOW.plus(3_599)));
    assert_eq!(order.deadline_seconds, Some(600));
}

#[test]
fn a_run_is_deleted_when_its_time_is_over() {
    let run = committing();
    let mut run = after(&run, decide(&run, &under_way(end(How::Complete, Some(published()))), NOW));
    run.spec.ttl_seconds_after_finished = Some(100);
    assert_eq!(decide(&run, &Facts::Over(JobFact::Absent), NOW.plus(40)), Decision::Rest(Some(60)));
    assert_eq!(decide(&run, &Facts::Over(JobFact::Absent), NOW.plus(100)), Decision::DeleteRun);
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    for run in [planning(), committing()] {
        let active = Activity { parallelism: 1, active: 1, ready: 1, ..at_work() };
        assert_eq!(decide(&run, &under_way(JobFact::Active(active)), NOW.plus(3)), Decision::Rest(None));
    }
}

#[test]
fn range_and_recompute_reach_every_plan() {
    let mut run = planning();
    run.spec = serde_json::from_value(json!({"pipeline": "ur3-stops", "recompute": "All",
        "range": {"from": "2022-10-26", "to": "2022-10-27"}}))
    .unwrap();
    let order = created(decide(&run, &under_way(JobFact::Absent), NOW));
    assert_eq!((order.range.as_deref(), order.recompute_all), (Some("2022-10-26..2022-10-27"), true));
}

mod life;
