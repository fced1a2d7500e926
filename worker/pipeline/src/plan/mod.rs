//! The plan: the immutable list of shards of a run, which of them are stale, and why.
//!
//! A pure function of the words, the source version, the member lists, the base version and the reports there are. Its name
//! is the hash of its content, which depends neither on listing order nor on the time of day nor on the number of workers.
//!
//! ```text
//! members ──► Survey ──► parts ──► Draft ──► inputs ──► decide per shard ──► Plan
//!  (pass 1)                         (pass 2)             (base plan, reports)
//! ```

mod cell;
mod digest;
mod key;
mod outline;
mod part;
mod reason;
mod survey;

pub use cell::{Cell, Cells, When};
pub use digest::digest;
pub use key::{Inputs, shard_key};
pub use outline::{Cut, Known, Outline};
pub use part::{Axes, Bucket, Part, Role, Sight, member_robot, robot_hash};
pub use reason::{Changes, Reason, State};
pub use survey::Survey;

use crate::archive::Archive;
use crate::member::Member;
use crate::pipeline::{DayRange, Pipeline, Rows};
use crate::reach::reach;
use crate::spec::OnConflict;
use crate::time::{Day, Span};
use key::InputsHasher;
use reason::Judge;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Range;

/// Layout of the plan's JSON.
const FORMAT: u32 = 2;

/// The immutable list of shards of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Layout of this JSON.
    pub format: u32,
    /// Name of the pipeline, the owner of the table.
    pub pipeline: String,
    /// The words that touch rows, see [`crate::meaning`].
    pub meaning: serde_json::Value,
    /// The engine's semantic version.
    pub engine: String,
    /// Version of the archive that is read.
    pub source: String,
    /// Delta version that the plan was made against; `None`: there is no table.
    pub base: Option<u64>,
    /// Days recomputed, as days since the epoch, half-open; `None`: all. Days outside are carried over unchanged.
    pub range: Option<(i32, i32)>,
    /// Set when everything is recomputed: the run that asked.
    pub asked_by: Option<String>,
    /// What the parts were cut from.
    pub cut: Cut,
    /// The shards by span and bucket; an index is a position in this list.
    pub shards: Vec<Shard>,
}

/// Robots × span with context, and whether its rows are there already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Its key: same key, same rows.
    pub key: String,
    /// Which rows it makes.
    pub part: Part,
    /// Name of the cells near it, see [`Outline::part_digest`]: while they are the same, so are its inputs.
    pub seen: String,
    /// What it reads.
    pub inputs: Inputs,
    /// Stale or reused, and why.
    pub state: State,
}

impl Plan {
    /// The plan's name: 128 bits of BLAKE3 of its JSON, in hex.
    pub fn hash(&self) -> String {
        digest(self.to_json().as_bytes())
    }

    /// Its JSON, as stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| unreachable!("a plan is plain data: {error}"))
    }

    /// Adds what an earlier plan of the same meaning knows of shards that are live and that this plan does not know: those that
    /// its run carried over.
    pub fn recall(&mut self, earlier: &Self, live: &HashSet<&str>) {
        if earlier.meaning != self.meaning || earlier.engine != self.engine {
            return;
        }
        let known: HashSet<Part> = self.shards.iter().map(|shard| shard.part).collect();
        let days: HashSet<i32> = self.cut.days.iter().map(|(day, _)| *day).collect();
        let carried = |shard: &&Shard| live.contains(shard.key.as_str()) && !known.contains(&shard.part);
        let carried: Vec<Shard> = earlier.shards.iter().filter(carried).cloned().collect();
        if earlier.cut.words == self.cut.words {
            let of_carried: HashSet<i32> = carried.iter().map(|shard| Day::of(shard.part.span.from_ns).0).collect();
            let more = earlier.cut.days.iter().filter(|(day, _)| of_carried.contains(day) && !days.contains(day));
            self.cut.days.extend(more.cloned());
            self.cut.days.sort_unstable();
        }
        self.shards.extend(carried);
    }

    /// Indices of the shards to compute.
    pub fn stale(&self) -> impl Iterator<Item = usize> {
        self.shards.iter().enumerate().filter(|(_, shard)| shard.state.is_stale()).map(|(index, _)| index)
    }
}

/// A part with what it reads, before anybody says whether its rows are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// Which rows.
    pub part: Part,
    /// Name of the cells near it.
    pub seen: String,
    /// What it reads.
    pub inputs: Inputs,
}

/// What is known before the members are read a second time.
#[derive(Debug)]
pub struct Draft {
    sight: Sight,
    parts: Vec<Part>,
    hashers: Vec<InputsHasher>,
    /// Where the context of each part begins, and where it ends at the latest: both ascend with the parts.
    contexts: Vec<Span>,
}

impl Draft {
    /// Parts to plan, sorted: those that meet the range.
    pub fn new(sight: Sight, parts: Vec<Part>) -> Self {
        let hashers = parts.iter().map(|_| InputsHasher::default()).collect();
        let longest_ns = parts.iter().map(|part| part.span.to_ns.saturating_sub(part.span.from_ns)).max().unwrap_or(0);
        let context = |part: &Part| match part.span.from_ns {
            i64::MIN => sight.context(Span::ALL),
            from_ns => sight.context(Span { from_ns, to_ns: from_ns.saturating_add(longest_ns) }),
        };
        let contexts = parts.iter().map(context).collect();
        Self { sight, parts, hashers, contexts }
    }

    /// Shows the next member in archive order to every part that reads it. `content` names its bytes.
    pub fn add(&mut self, object_key: &str, member: &Member, robot: Option<u64>, content: &[u8]) {
        for index in self.near(member) {
            if let Some(role) = self.parts[index].role(self.sight, member.stamp, robot) {
                self.hashers[index].add(role, object_key, member, content);
            }
        }
    }

    /// Positions of the parts whose context may hold the member.
    fn near(&self, member: &Member) -> Range<usize> {
        let Some(window) = self.sight.window(member.stamp) else { return 0..self.parts.len() };
        let is_over = |to_ns| to_ns != i64::MAX && to_ns <= window.from_ns;
        let first = self.contexts.partition_point(|context| is_over(context.to_ns));
        first..self.contexts.partition_point(|context| context.from_ns < window.to_ns).max(first)
    }

    /// The parts with what they read.
    pub fn finish(self) -> Vec<(Part, Inputs)> {
        self.parts.into_iter().zip(self.hashers.into_iter().map(InputsHasher::finish)).collect()
    }
}

/// What decides which shards are stale.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The pipeline's and archive's words that touch rows.
    pub meaning: serde_json::Value,
    /// The engine's semantic version.
    pub engine: &'a str,
    /// Version of the archive.
    pub source: String,
    /// The published version to follow, and the plan that made it where it can still be read.
    pub base: Option<(u64, Option<&'a Plan>)>,
    /// Days to recompute.
    pub range: Option<DayRange>,
    /// What the parts were cut from.
    pub cut: Cut,
    /// Recompute all, asked by this run.
    pub asked_by: Option<&'a str>,
}

impl Facts<'_> {
    /// The keys under which the rows of each shard may be, best first: the one that the base has them under, if nothing that
    /// they depend on changed since (a run that was asked to recompute all made up its own), then the one of their meaning.
    pub fn keys(&self, drafted: &[Drafted]) -> Vec<Vec<String>> {
        let meaning = self.meaning.to_string();
        let judge = Judge::new(self);
        let keys = |Drafted { part, inputs, .. }: &Drafted| {
            let own = shard_key(&meaning, self.engine, part, inputs, self.asked_by);
            judge.settled(part, inputs).map(str::to_owned).into_iter().chain([own]).collect()
        };
        drafted.iter().map(keys).collect()
    }
}

/// Decides each shard's state and writes the plan. `reports` holds the keys whose rows are there.
pub fn plan(pipeline: &Pipeline, facts: &Facts, drafted: Vec<Drafted>, reports: &HashSet<String>) -> Plan {
    let judge = Judge::new(facts);
    let keys = facts.keys(&drafted);
    let shard = |(keys, Drafted { part, seen, inputs }): (Vec<String>, Drafted)| {
        let there = keys.iter().find(|key| reports.contains(*key)).cloned();
        let state = if there.is_some() { State::Reused } else { State::Stale(judge.reason(&part, &inputs)) };
        let key = there.or_else(|| keys.into_iter().next_back()).unwrap_or_default();
        Shard { key, part, seen, inputs, state }
    };
    Plan {
        format: FORMAT,
        pipeline: pipeline.name.clone(),
        meaning: facts.meaning.clone(),
        engine: facts.engine.to_owned(),
        source: facts.source.clone(),
        base: facts.base.as_ref().map(|(version, _)| *version),
        range: facts.range.map(|range| (range.from.0, range.to.0)),
        asked_by: facts.asked_by.map(str::to_owned),
        cut: facts.cut.clone(),
        shards: keys.into_iter().zip(drafted).map(shard).collect(),
    }
}

/// How far the shards of a pipeline look beyond their spans.
pub fn sight(pipeline: &Pipeline) -> Sight {
    let reach = reach(pipeline);
    let archive = &pipeline.archive;
    Sight {
        back_ns: reach.back_ns,
        forward_ns: reach.forward_ns,
        covers_ns: archive.covers_ns,
        lateness_ns: archive.lateness_ns,
        alive_ns: if let Rows::Grid { alive_ns, .. } = pipeline.rows { alive_ns } else { 0 },
    }
}

/// Whether a member's name tells whose its observations are: then shards can be cut by robot.
pub fn robots_known(archive: &Archive) -> bool {
    let overruled = archive.robot.document.is_some() && archive.robot.on_conflict == OnConflict::Document;
    archive.robot.capture.is_some() && !overruled
}

/// Along what shards that do not fit into memory can be cut.
pub fn axes(archive: &Archive) -> Axes {
    let stamped = archive.members.as_ref().filter(|members| members.has_stamp()).unwrap_or(&archive.objects);
    let in_time = stamped.captures("millis") || stamped.captures("seconds");
    Axes { by_robot: robots_known(archive), in_time }
}

/// The parts that meet the days `range`, cut to them.
pub fn within(parts: Vec<Part>, range: Option<DayRange>) -> Vec<Part> {
    let Some(DayRange { from, to }) = range else { return parts };
    let days = Span { from_ns: from.start_ns(), to_ns: to.start_ns() };
    let cut = |part: Part| part.span.intersect(days).map(|span| Part { span, ..part });
    parts.into_iter().filter_map(cut).collect()
}
