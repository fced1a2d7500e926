//! What a Pipeline needs next: its words judged, a Run for a scheduled time or a new version of its archive, a poll, old Runs
//! removed. Pure, like `decide` for Runs; one decision is one call, and a start is one create and the status that tells of it.

use crate::api::{Change, ConditionType, Phase, PipelineStatus, Poll, condition};
use crate::condition::{Said, set};
use crate::decide::Note;
use crate::facts::JobFact;
use crate::glance::Glance;
use crate::moment::Moment;
use crate::others::Sibling;
use crate::reason::Reason;
use crate::schedule::{Due, Schedule, run_name, run_time};
use crate::settle::{KEEP_FAILED, KEEP_SUCCEEDED};
use kube::ResourceExt;
use pipeline::act::Message;
use pipeline::spec::{Concurrency, PipelineSpec};
use pipeline::time::{SECOND_NS, words::duration_ns};

/// A Run shows up in its Pipeline's status only once it is so old, seconds: most are over by then, and cost one write.
pub(crate) const SHOW_SECONDS: i64 = 10;

/// Most names of active Runs in a status.
const ACTIVE_MAX: usize = 10;

/// How long after a Run for a version of the archive failed another one may start for the same version, seconds: storage that
/// was away may be back, and a mistake in the words is not worth a Run per poll.
const CHANGE_AGAIN_SECONDS: i64 = 3_600;

/// How soon a Pipeline looks again that waits for an Archive, seconds.
const WAIT_SECONDS: i64 = 30;

/// A Pipeline and all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineFacts {
    /// Its name.
    pub name: String,
    /// Its UID, by which its own Runs are known.
    pub uid: String,
    /// Its generation.
    pub generation: Option<i64>,
    /// When it was created.
    pub created: Moment,
    /// Its words.
    pub spec: PipelineSpec,
    /// What was decided so far.
    pub status: PipelineStatus,
    /// Whether its words are good with its Archive's: else why not.
    pub accepted: Result<(), (Reason, String)>,
    /// All of its Runs.
    pub runs: Vec<RunSeen>,
    /// The Job of the poll that is under way.
    pub poll: Option<JobFact>,
}

/// A Run of the Pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSeen {
    /// Who it is and where it stands.
    pub run: Sibling,
    /// Whether the Pipeline made it.
    pub is_own: bool,
    /// When it ended.
    pub ended: Option<Moment>,
    /// The source version that it read.
    pub source: Option<String>,
}

impl RunSeen {
    /// A Run as it is stored.
    pub fn of(run: &Glance, pipeline_uid: &str) -> Self {
        Self {
            run: Sibling::from(run),
            is_own: run.owner_references().iter().any(|owner| owner.uid == pipeline_uid),
            ended: run.ended(),
            source: run.source().map(str::to_owned),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// Nothing, until something changes or so many seconds have passed.
    Rest(Option<i64>),
    /// Write the status, and tell of it.
    Write(Box<PipelineStatus>, Option<Note>),
    /// Create the Run of that name, then write the status that tells of it.
    Start(String, Box<PipelineStatus>, Note),
    /// Create what polls, for a look begun then.
    Poll(Moment),
    /// Delete a Run that is beyond the history limits: name and UID.
    Forget(String, String),
}

/// What the Pipeline needs next.
pub fn decide(facts: &PipelineFacts, now: Moment) -> Need {
    let status = shown(facts, now);
    if status != facts.status {
        return Need::Write(Box::new(status), None);
    }
    if facts.accepted.is_err() {
        return Need::Rest(Some(WAIT_SECONDS));
    }
    let scheduled = scheduled(facts, now);
    if !matches!(scheduled, Need::Rest(_)) {
        return scheduled;
    }
    let polled = polled(facts, now);
    if !matches!(polled, Need::Rest(_)) {
        return polled;
    }
    if let Some(forgotten) = forgotten(facts).filter(|_| makes_runs(&facts.spec)) {
        return forgotten;
    }
    let young = facts.runs.iter().map(|seen| SHOW_SECONDS - now.since(seen.run.created)).filter(|left| *left > 0).min();
    let times = [scheduled, polled].into_iter().filter_map(|need| match need {
        Need::Rest(again) => again,
        _ => None,
    });
    Need::Rest(times.chain(young).min())
}

/// Whether Runs come of it without anybody's doing.
pub fn makes_runs(spec: &PipelineSpec) -> bool {
    spec.schedule.is_some() || spec.on_change.is_some()
}

/// The status as it should be, apart from what is started.
fn shown(facts: &PipelineFacts, now: Moment) -> PipelineStatus {
    let mut status = facts.status.clone();
    let said = match &facts.accepted {
        Ok(()) => Said::yes(ConditionType::Accepted, Reason::Accepted, ""),
        Err((reason, message)) => Said::no(ConditionType::Accepted, *reason, message.clone()),
    };
    set(&mut status.conditions, said, facts.generation, now);
    let old = |seen: &&RunSeen| seen.run.phase.is_end() || now.since(seen.run.created) >= SHOW_SECONDS;
    let mut active: Vec<&Sibling> =
        facts.runs.iter().filter(old).map(|seen| &seen.run).filter(|run| run.is_active()).collect();
    active.sort_by_key(|run| (run.created, &run.name));
    status.active_count = u32::try_from(active.len()).ok().filter(|count| *count > 0 || status.active_count.is_some());
    status.active = active.iter().take(ACTIVE_MAX).map(|run| run.name.clone()).collect();
    let newest = facts.runs.iter().filter(old).max_by_key(|seen| (seen.run.created, &seen.run.name));
    status.last_run = newest.map(|seen| seen.run.name.clone()).or(status.last_run);
    let complete = facts.runs.iter().filter(|seen| seen.run.phase == Phase::Complete && seen.source.is_some());
    let source = complete.max_by_key(|seen| (seen.ended, &seen.run.name)).and_then(|seen| seen.source.clone());
    status.last_source = source.or(status.last_source);
    status
}

fn is_active(facts: &PipelineFacts) -> bool {
    facts.runs.iter().any(|seen| seen.run.is_active())
}

fn scheduled(facts: &PipelineFacts, now: Moment) -> Need {
    let Some(words) = &facts.spec.schedule else { return Need::Rest(None) };
    let Ok(schedule) = Schedule::read(words) else { return Need::Rest(None) };
    let last = facts.status.last_schedule_time;
    let dealt = |at: Moment, missed: u64| {
        let mut status = facts.status.clone();
        status.last_schedule_time = Some(at);
        if missed > 0 {
            status.missed = Some(status.missed.unwrap_or(0) + missed);
        }
        Box::new(status)
    };
    if let Some((at, missed)) = unsaid(facts, &schedule, now) {
        return Need::Write(dealt(at, missed), None);
    }
    match schedule.due(last, facts.created, is_active(facts), now) {
        Due::Nothing { next } => Need::Rest(next.map(|next| next.since(now).max(1))),
        Due::Held { until, .. } => Need::Rest(until.map(|until| until.since(now).max(1))),
        Due::Start { at, missed } => {
            let name = run_name(&facts.name, at);
            let passed = if missed > 0 { format!("; it makes up for {missed} earlier times") } else { String::new() };
            let message = format!("Run {name} for {at}{passed}");
            Need::Start(name, dealt(at, missed), Note { reason: Reason::ScheduleStarted, message })
        }
        Due::Missed { at, missed } => {
            let message = format!("{missed} scheduled times up to {at} are later than startingDeadline allows");
            Need::Write(dealt(at, missed), Some(Note { reason: Reason::ScheduleMissed, message }))
        }
    }
}

/// The newest time for which a Run was created by an operator that was stopped before it could say so, and how many times
/// that Run makes up for.
fn unsaid(facts: &PipelineFacts, schedule: &Schedule, now: Moment) -> Option<(Moment, u64)> {
    let last = facts.status.last_schedule_time;
    let named = facts.runs.iter().filter_map(|seen| run_time(&facts.name, &seen.run.name));
    let times = named.filter(|at| *at <= now && last.is_none_or(|last| *at > last));
    let due = times.filter_map(|at| match schedule.due(last, facts.created, false, at) {
        Due::Start { at: due, missed } if due == at => Some((at, missed)),
        _ => None,
    });
    due.max()
}

fn polled(facts: &PipelineFacts, now: Moment) -> Need {
    let Some(words) = &facts.spec.on_change else { return Need::Rest(None) };
    let interval = duration_ns(&words.poll).map_or(WAIT_SECONDS, |ns| (ns / SECOND_NS).max(1));
    match &facts.status.poll {
        Some(poll) if !poll.ended => looked(facts, poll.time, interval, now),
        Some(poll) if poll.time.plus(interval) > now => Need::Rest(Some(poll.time.plus(interval).since(now))),
        // What it would find is being computed, or will be looked for again then.
        _ if is_active(facts) && concurrency(&facts.spec) != Concurrency::Allow => Need::Rest(None),
        _ => {
            let mut status = facts.status.clone();
            status.poll = Some(Poll { time: now, source: None, ended: false });
            Need::Write(Box::new(status), None)
        }
    }
}

fn concurrency(spec: &PipelineSpec) -> Concurrency {
    spec.schedule.as_ref().and_then(|schedule| schedule.concurrency).unwrap_or(Concurrency::Forbid)
}

/// A poll that is under way.
fn looked(facts: &PipelineFacts, begun: Moment, interval: i64, now: Moment) -> Need {
    let end = match &facts.poll {
        None | Some(JobFact::Absent) => return Need::Poll(begun),
        Some(JobFact::Going | JobFact::Active(_)) => return Need::Rest(Some(interval.min(WAIT_SECONDS))),
        Some(JobFact::Foreign) => None,
        Some(JobFact::Ended(end)) => Some(end),
    };
    let failed = |sentence: &str| {
        let (status, note) = poll_failed(&facts.status, facts.generation, sentence, now);
        Need::Write(Box::new(status), Some(note))
    };
    match end.map(|end| &end.message) {
        Some(Some(Message::Listed(source))) => listed(facts, begun, &source.version, now),
        Some(Some(Message::Failed(told))) => failed(&told.sentence),
        Some(_) => failed("the poll's pod left no message; its log says why"),
        None => failed("a Job of the poll's name exists and is not the Pipeline's; delete it, or rename the Pipeline"),
    }
}

/// A poll found that version.
fn listed(facts: &PipelineFacts, begun: Moment, version: &str, now: Moment) -> Need {
    let mut status = facts.status.clone();
    status.poll = Some(Poll { time: begun, source: Some(version.to_owned()), ended: true });
    if is_poll_failing(&facts.spec, &facts.status) {
        set(&mut status.conditions, Said::no(ConditionType::Degraded, Reason::Recovered, ""), facts.generation, now);
    }
    if facts.status.last_source.as_deref() == Some(version) || is_tried(facts, version, now) {
        return Need::Write(Box::new(status), None);
    }
    status.last_change = Some(Change { source: version.to_owned(), time: begun, generation: facts.generation });
    let name = run_name(&facts.name, begun);
    let message = format!("Run {name} for the archive's version {version}");
    Need::Start(name, Box::new(status), Note { reason: Reason::ChangeStarted, message })
}

/// Whether a Run was started for that version with these words, and works still or failed a short time ago.
fn is_tried(facts: &PipelineFacts, version: &str, now: Moment) -> bool {
    let same = |change: &&Change| change.source == version && change.generation == facts.generation;
    let Some(change) = facts.status.last_change.as_ref().filter(same) else { return false };
    let name = run_name(&facts.name, change.time);
    match facts.runs.iter().find(|seen| seen.run.name == name) {
        Some(seen) if !seen.run.phase.is_end() => true,
        // It read another version, which was newer or older.
        Some(seen) if seen.run.phase == Phase::Complete => false,
        // Whoever removed it did not do so to have it again at once.
        _ => change.time.plus(CHANGE_AGAIN_SECONDS) > now,
    }
}

/// The poll that is under way has failed: the next one comes in its time, and until one succeeds the Pipeline is degraded.
pub fn poll_failed(
    status: &PipelineStatus,
    generation: Option<i64>,
    sentence: &str,
    now: Moment,
) -> (PipelineStatus, Note) {
    let mut status = status.clone();
    if let Some(poll) = &mut status.poll {
        *poll = Poll { time: poll.time, source: None, ended: true };
    }
    set(&mut status.conditions, Said::yes(ConditionType::Degraded, Reason::PollFailed, sentence), generation, now);
    (status, Note { reason: Reason::PollFailed, message: sentence.to_owned() })
}

/// Whether the last poll that ended has failed, as the condition Degraded says.
pub fn is_poll_failing(spec: &PipelineSpec, status: &PipelineStatus) -> bool {
    let told = condition(&status.conditions, ConditionType::Degraded).map(|told| told.reason);
    spec.on_change.is_some() && told == Some(Reason::PollFailed)
}

/// The oldest Run that is one too many. Only Runs that the Pipeline made are counted and removed.
fn forgotten(facts: &PipelineFacts) -> Option<Need> {
    let schedule = facts.spec.schedule.as_ref();
    let succeeded = schedule.and_then(|schedule| schedule.keep_succeeded).unwrap_or(KEEP_SUCCEEDED);
    let failed = schedule.and_then(|schedule| schedule.keep_failed).unwrap_or(KEEP_FAILED);
    [(Phase::Complete, succeeded), (Phase::Failed, failed)].into_iter().find_map(|(phase, keep)| {
        let ended = facts.runs.iter().filter(|seen| seen.is_own && seen.run.phase == phase && !seen.run.going);
        let mut ended: Vec<&RunSeen> = ended.collect();
        ended.sort_by_key(|seen| (seen.ended, seen.run.created, &seen.run.name));
        let more = ended.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let oldest = ended.first().filter(|_| more > 0)?;
        Some(Need::Forget(oldest.run.name.clone(), oldest.run.uid.clone()))
    })
}

#[cfg(test)]
mod tests;
