//! A Run that has not started: its words, the other Runs of its Pipeline, and the first status.

use super::{Decision, Draft, Note, SOON_SECONDS, WAIT_SECONDS};
use crate::api::{ConditionType, holds};
use crate::condition::Said;
use crate::facts::{Act, Others, RunFacts, Start, Words};
use crate::moment::Moment;
use crate::reason::Reason;
use crate::settle::Settled;
use std::sync::Arc;

/// How long after its creation a Run looks often for what may be applied right after it, seconds.
const YOUNG_SECONDS: i64 = 60;

pub(super) fn decide(run: &RunFacts, start: &Start, now: Moment) -> Decision {
    let missing = |reason, message: String| wait(run, Said::no(ConditionType::Accepted, reason, message), now);
    match &start.words {
        Words::NoPipeline => {
            let message = format!("there is no Pipeline {} in this namespace; apply it", run.spec.pipeline);
            missing(Reason::PipelineMissing, message)
        }
        Words::NoArchive(name) => {
            let message = format!(
                "Pipeline {} reads the Archive {name}, which is not in this namespace; apply it",
                run.spec.pipeline
            );
            missing(Reason::ArchiveMissing, message)
        }
        Words::Refused(sentences) => {
            let mut draft = Draft::of(run, now);
            let message = sentences.join("\n");
            draft.say(Said::no(ConditionType::Accepted, Reason::WordsRefused, message.clone()));
            draft.failed(Reason::WordsRefused, &message)
        }
        Words::Taken => {
            let message = format!(
                "the ConfigMap {}-words exists and holds other words than the Pipeline; give the Run another name",
                run.name
            );
            Draft::of(run, now).failed(Reason::NameTaken, &message)
        }
        Words::Good(_) | Words::Kept(_) if run.is_suspended() => suspended(run, now),
        Words::Good(words) => match &start.others {
            Others::None => Decision::CreateWords(Arc::clone(words)),
            others => behind(run, others, now),
        },
        Words::Kept(words) => match &start.others {
            Others::None => begin(run, start, words, now),
            others => behind(run, others, now),
        },
    }
}

/// Waits for what is not there; often where it may come at any moment.
fn wait(run: &RunFacts, said: Said, now: Moment) -> Decision {
    let mut draft = Draft::of(run, now);
    draft.say(said);
    if !run.is_suspended() {
        draft.resume();
    }
    let young = now.since(run.created) < YOUNG_SECONDS;
    draft.write(None).unwrap_or(Decision::Rest(Some(if young { SOON_SECONDS } else { WAIT_SECONDS })))
}

fn suspended(run: &RunFacts, now: Moment) -> Decision {
    let mut draft = Draft::of(run, now);
    let is_news = !holds(&run.status.conditions, ConditionType::Suspended);
    draft.say(Said::yes(ConditionType::Accepted, Reason::Accepted, ""));
    draft.suspend(Act::Plan);
    let note = Note::new(Reason::Suspended, "suspended before it started");
    draft.write(note.filter(|_| is_news)).unwrap_or(Decision::Rest(None))
}

fn behind(run: &RunFacts, others: &Others, now: Moment) -> Decision {
    let (reason, message, then) = match others {
        Others::Before(name) => {
            let message = format!("Run {name} of the same Pipeline has to end first");
            (Reason::OtherRunActive, message, Decision::Rest(Some(WAIT_SECONDS)))
        }
        Others::Replaced(others) => {
            let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("deleting {} first", names.join(", "));
            (Reason::ReplacingOther, message, Decision::DeleteOthers(others.clone()))
        }
        Others::None => return Decision::Rest(None),
    };
    let mut draft = Draft::of(run, now);
    draft.say(Said::yes(ConditionType::Accepted, Reason::Accepted, ""));
    draft.say(Said::no(ConditionType::Planned, reason, message.clone()));
    draft.resume();
    draft.write(Note::new(reason, message)).unwrap_or(then)
}

/// The first status: all that must not change while the Run goes on is written down here.
fn begin(run: &RunFacts, start: &Start, words: &Settled, now: Moment) -> Decision {
    let mut draft = Draft::of(run, now);
    draft.say(Said::yes(ConditionType::Accepted, Reason::Accepted, ""));
    draft.resume();
    draft.begin(Act::Plan);
    let status = &mut draft.status;
    status.attempt = Some(1);
    status.parallelism = Some(run.spec.parallelism.unwrap_or(words.workers.parallelism));
    status.image = Some(words.workers.image.clone().unwrap_or_else(|| start.image.clone()));
    status.words = Some(words.hash.clone());
    status.queue = run.queue.clone().or_else(|| start.queue.clone());
    status.start_time = Some(now);
    draft.write(Note::new(Reason::Planning, "started: the plan is being made")).unwrap_or(Decision::Rest(None))
}
