//! Pipelines at named moments.

use super::*;
use crate::facts::{Activity, End, How};
use crate::testing::{NOW, sibling};
use pipeline::act::{Failed, Source};
use serde_json::json;

fn facts(more: &serde_json::Value) -> PipelineFacts {
    let mut spec = serde_json::to_value(&crate::testing::pipeline().spec).unwrap();
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let mut facts = PipelineFacts {
        name: "ur3-stops".into(),
        uid: "pipeline-uid".into(),
        generation: Some(1),
        created: NOW,
        spec: serde_json::from_value(spec).unwrap(),
        status: PipelineStatus::default(),
        accepted: Ok(()),
        runs: Vec::new(),
        poll: None,
    };
    facts.status = shown(&facts, NOW);
    facts
}

fn run(name: &str, created: i64, phase: Phase) -> RunSeen {
    let run = sibling(name, created, phase);
    let ended = phase.is_end().then(|| Moment(created + 60));
    let source = (phase == Phase::Complete).then(|| "source-1".to_owned());
    RunSeen { run, is_own: true, ended, source }
}

#[track_caller]
fn started(need: Need) -> (String, PipelineStatus) {
    match need {
        Need::Start(name, status, _) => (name, *status),
        other => panic!("{other:?}"),
    }
}

fn hourly() -> PipelineFacts {
    facts(&json!({"schedule": {"cron": ["30 * * * *"], "startingDeadline": "10m"}}))
}

const DUE: Moment = Moment(NOW.0 + 1_800);

#[test]
fn a_scheduled_time_is_one_run_and_then_the_past() {
    let mut facts = hourly();
    assert_eq!(decide(&facts, NOW), Need::Rest(Some(1_800)));
    let (name, status) = started(decide(&facts, DUE.plus(3)));
    assert_eq!((name.as_str(), status.last_schedule_time), ("ur3-stops-29925750", Some(DUE)));
    // Stopped between the create and the status: the Run is found by its name, whether it is active or not.
    facts.runs = vec![run(&name, DUE.0 + 3, Phase::Pending)];
    let Need::Write(again, None) = decide(&facts, DUE.plus(5)) else { panic!() };
    assert_eq!(again.last_schedule_time, Some(DUE));
    facts.status = *again;
    assert_eq!(decide(&facts, DUE.plus(5)), Need::Rest(Some(8)), "until it shows in the status");
}

#[test]
fn a_time_that_is_too_late_is_counted_as_missed_with_an_event() {
    let facts = hourly();
    let Need::Write(status, Some(note)) = decide(&facts, DUE.plus(3_600 + 601)) else { panic!() };
    assert_eq!((status.missed, note.reason), (Some(2), Reason::ScheduleMissed));
    assert_eq!(status.last_schedule_time, Some(DUE.plus(3_600)));
}

#[test]
fn a_time_waits_for_an_active_run_as_long_as_its_deadline_allows() {
    let mut facts = hourly();
    facts.runs = vec![run("by-hand", NOW.0, Phase::Running)];
    facts.status = shown(&facts, DUE);
    assert_eq!(facts.status.active, ["by-hand"]);
    assert_eq!(decide(&facts, DUE), Need::Rest(Some(601)));
    facts.runs[0].run.phase = Phase::Complete;
    facts.status = shown(&facts, DUE.plus(300));
    assert_eq!(started(decide(&facts, DUE.plus(300))).0, "ur3-stops-29925750");
}

#[test]
fn words_that_are_not_accepted_start_nothing() {
    let mut facts = hourly();
    facts.accepted = Err((Reason::ArchiveMissing, "there is no Archive ur3".into()));
    let Need::Write(status, None) = decide(&facts, DUE) else { panic!() };
    facts.status = *status;
    assert_eq!(decide(&facts, DUE), Need::Rest(Some(WAIT_SECONDS)));
}

fn polling() -> PipelineFacts {
    facts(&json!({"onChange": {"poll": "5m"}}))
}

fn listed(version: &str) -> JobFact {
    let source = Source { version: version.into(), ..Source::default() };
    ended(Message::Listed(source))
}

fn ended(message: Message) -> JobFact {
    JobFact::Ended(End {
        how: How::Complete,
        at: NOW,
        completed_indexes: String::new(),
        failed_indexes: String::new(),
        message: Some(message),
        memory: false,
        code: None,
    })
}

/// A poll that is under way since [`NOW`].
fn looking() -> PipelineFacts {
    let mut facts = polling();
    let Need::Write(status, None) = decide(&facts, NOW) else { panic!() };
    facts.status = *status;
    facts
}

#[test]
fn a_poll_is_written_down_before_its_job_is_created() {
    let mut facts = looking();
    assert_eq!(decide(&facts, NOW.plus(1)), Need::Poll(NOW));
    facts.poll = Some(JobFact::Active(Activity::default()));
    assert_eq!(decide(&facts, NOW.plus(1)), Need::Rest(Some(30)));
}

#[test]
fn a_new_version_of_the_archive_starts_a_run_and_the_same_one_none() {
    let mut facts = looking();
    facts.poll = Some(listed("source-2"));
    let (name, status) = started(decide(&facts, NOW.plus(20)));
    assert_eq!((name.as_str(), status.poll.unwrap().source.as_deref()), ("ur3-stops-29925720", Some("source-2")));
    facts.status.last_source = Some("source-2".into());
    let Need::Write(status, None) = decide(&facts, NOW.plus(20)) else { panic!() };
    facts.status = *status;
    assert_eq!(decide(&facts, NOW.plus(20)), Need::Rest(Some(280)), "the next poll");
}

#[test]
fn the_last_source_is_that_of_the_newest_run_that_ended_well() {
    let mut facts = polling();
    facts.runs = vec![run("a", NOW.0, Phase::Complete), run("b", NOW.0 + 5, Phase::Failed)];
    let Need::Write(status, None) = decide(&facts, NOW.plus(100)) else { panic!() };
    assert_eq!((status.last_source.as_deref(), status.last_run.as_deref()), (Some("source-1"), Some("b")));
    facts.status = *status;
    facts.runs.clear();
    assert_eq!(shown(&facts, NOW).last_source.as_deref(), Some("source-1"), "it outlives the Run");
}

#[test]
fn a_poll_that_failed_is_told_of_and_made_again_later() {
    let mut facts = looking();
    let told = Failed { code: 2, sentence: "Secret telemetry-read is missing".into(), failed: 0, failures: Vec::new() };
    facts.poll = Some(ended(Message::Failed(told)));
    let Need::Write(status, Some(note)) = decide(&facts, NOW.plus(20)) else { panic!() };
    assert_eq!((note.reason, note.message.as_str()), (Reason::PollFailed, "Secret telemetry-read is missing"));
    facts.status = *status;
    facts.poll = None;
    assert_eq!(decide(&facts, NOW.plus(20)), Need::Rest(Some(280)));
    assert!(
        matches!(decide(&facts, NOW.plus(300)), Need::Write(status, None) if status.poll.as_ref().is_some_and(|poll| !poll.ended))
    );
}

#[test]
fn nothing_is_polled_while_a_run_is_active() {
    let mut facts = polling();
    facts.runs = vec![run("a", NOW.0, Phase::Running)];
    facts.status = shown(&facts, NOW.plus(100));
    assert_eq!(decide(&facts, NOW.plus(100)), Need::Rest(None));
}

#[test]
fn history_keeps_the_newest_and_what_people_made() {
    let mut facts = facts(&json!({"schedule": {"cron": ["0 0 1 1 *"], "keepSucceeded": 2, "keepFailed": 0}}));
    let mut by_hand = run("by-hand", NOW.0 - 900, Phase::Complete);
    by_hand.is_own = false;
    facts.runs = (0..4).map(|index| run(&format!("r{index}"), NOW.0 + index, Phase::Complete)).collect();
    facts.runs.extend([by_hand, run("bad", NOW.0, Phase::Failed)]);
    facts.status = shown(&facts, NOW.plus(100));
    let mut forgotten = Vec::new();
    while let Need::Forget(name, _) = decide(&facts, NOW.plus(100)) {
        facts.runs.retain(|seen| seen.run.name != name);
        facts.status = shown(&facts, NOW.plus(100));
        forgotten.push(name);
    }
    assert_eq!(forgotten, ["r0", "r1", "bad"]);
}

#[test]
fn a_short_run_is_one_write_of_its_pipeline() {
    let mut facts = polling();
    facts.spec.on_change = None;
    facts.runs = vec![run("a", NOW.0, Phase::Running)];
    assert_eq!(decide(&facts, NOW.plus(3)), Need::Rest(Some(7)));
    facts.runs = vec![run("a", NOW.0, Phase::Complete)];
    let Need::Write(status, None) = decide(&facts, NOW.plus(5)) else { panic!() };
    facts.status = *status;
    assert_eq!(decide(&facts, NOW.plus(5)), Need::Rest(Some(5)));
    assert_eq!(decide(&facts, NOW.plus(20)), Need::Rest(None));
}
