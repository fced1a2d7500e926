//! The outline of a source version: all cells by hour. Where two outlines agree nothing needs a second look: the cut of a day
//! whose cells are the same is the same, and so is what a shard reads.
//!
//! ```text
//! outline ─┬─ day by day:   cells as in the base's plan? ── yes ─► its parts        no ─► survey of that day's members
//!          └─ part by part: cells as in the base's plan? ── yes ─► its inputs       no ─► draft of that part's members
//! ```

use super::cell::Cell;
use super::digest::Digest;
use super::key::Inputs;
use super::part::{Part, Sight};
use super::{Plan, Shard};
use crate::time::{DAY_NS, Day, HOUR_NS, Span};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

/// Hours of a day: a cell of a whole day begins so long before it ends.
const DAY_HOURS: i64 = DAY_NS / HOUR_NS;

/// What a plan's parts were cut from: what the next plan compares with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Name of the words that cuts depend on.
    pub words: String,
    /// By day since the epoch: name of its cells.
    pub days: Vec<(i32, String)>,
    /// Name of all cells, in an archive that is cut by robot only.
    pub whole: Option<String>,
}

/// Everything that tells what an archive holds without opening a member list.
#[derive(Debug)]
pub struct Outline<'a> {
    sight: Sight,
    /// Object keys in archive order.
    keys: Vec<&'a str>,
    /// By first hour: index of the object, and its cell.
    timed: BTreeMap<i64, Vec<(usize, &'a Cell)>>,
    /// Cells that tell no time.
    timeless: Vec<(usize, &'a Cell)>,
}

impl<'a> Outline<'a> {
    /// The outline of objects in archive order, each with its cells.
    pub fn new(sight: Sight, objects: impl IntoIterator<Item = (&'a str, &'a [Cell])>) -> Self {
        let mut outline = Self { sight, keys: Vec::new(), timed: BTreeMap::new(), timeless: Vec::new() };
        for (index, (key, cells)) in objects.into_iter().enumerate() {
            outline.keys.push(key);
            for cell in cells {
                match cell.when.hour() {
                    Some(hour) => outline.timed.entry(hour).or_default().push((index, cell)),
                    None => outline.timeless.push((index, cell)),
                }
            }
        }
        outline
    }

    /// Whether some member tells no time: then the archive is cut by robot only.
    pub fn is_timeless(&self) -> bool {
        !self.timeless.is_empty()
    }

    /// The days that a row may lie in.
    pub fn reached(&self) -> BTreeSet<Day> {
        let windows = self.timed.values().flatten().filter_map(|(_, cell)| cell.window(self.sight));
        windows.flat_map(|window| self.sight.days(window)).collect()
    }

    /// A name for all that a day's cut depends on.
    pub fn day_digest(&self, day: Day) -> String {
        self.digest(self.of_day(day).collect())
    }

    /// Stored bytes of all members stamped on that day.
    pub fn bytes_of(&self, day: Day) -> u64 {
        self.of_day(day).fold(0, |sum, (_, cell)| sum.saturating_add(cell.bytes))
    }

    /// A name for all that the one cut of a timeless archive depends on.
    pub fn whole_digest(&self) -> String {
        self.digest(self.timed.values().flatten().chain(&self.timeless).copied().collect())
    }

    /// A name for all that a shard of the part may read, and a little around it.
    pub fn part_digest(&self, part: &Part) -> String {
        self.digest(self.near(part).collect())
    }

    /// The objects with members stamped on one of these days.
    pub fn objects_of(&self, days: &BTreeSet<Day>) -> BTreeSet<usize> {
        days.iter().flat_map(|day| self.of_day(*day)).map(|(object, _)| object).collect()
    }

    /// The objects that a shard of one of these parts may read.
    pub fn objects_near<'p>(&self, parts: impl IntoIterator<Item = &'p Part>) -> BTreeSet<usize> {
        parts.into_iter().flat_map(|part| self.near(part)).map(|(object, _)| object).collect()
    }

    /// Cells that a shard of the part may read a member of: the object's index, and the cell.
    pub fn near<'s>(&'s self, part: &'s Part) -> impl Iterator<Item = (usize, &'a Cell)> + 's {
        let timed = self.timed.range(self.hours(part.span)).flat_map(|(_, cells)| cells.iter());
        timed.chain(&self.timeless).copied().filter(|(_, cell)| cell.is_near(self.sight, part))
    }

    fn of_day(&self, day: Day) -> impl Iterator<Item = (usize, &'a Cell)> + '_ {
        let first = day.start_ns().div_euclid(HOUR_NS);
        self.timed.range(first..first + DAY_HOURS).flat_map(|(_, cells)| cells.iter().copied())
    }

    /// The hours in which a cell may begin that is near a span.
    fn hours(&self, span: Span) -> RangeInclusive<i64> {
        let Sight { covers_ns, lateness_ns, .. } = self.sight;
        let strays_ns = covers_ns.saturating_add(lateness_ns).saturating_add(HOUR_NS);
        let context = self.sight.context(span).widen(strays_ns, strays_ns);
        context.from_ns.div_euclid(HOUR_NS) - DAY_HOURS..=context.to_ns.div_euclid(HOUR_NS)
    }

    fn digest(&self, mut cells: Vec<(usize, &Cell)>) -> String {
        cells.sort_by_key(|(object, cell)| (*object, cell.when));
        let mut digest = Digest::default();
        for (object, cell) in cells {
            digest.text(self.keys[object].as_bytes());
            digest.text(cell.digest.as_bytes());
        }
        digest.hex()
    }
}

/// What an earlier plan found out, by the cells that it found it out from.
#[derive(Debug, Default)]
pub struct Known<'p> {
    cut: Option<&'p Cut>,
    parts: HashMap<Day, Vec<Part>>,
    inputs: HashMap<(Part, &'p str), &'p Inputs>,
}

impl<'p> Known<'p> {
    /// What a plan tells one whose cut depends on the same `words`; nothing where they differ.
    pub fn of(plan: Option<&'p Plan>, words: &str) -> Self {
        let Some(plan) = plan.filter(|plan| plan.cut.words == words) else { return Self::default() };
        let mut parts: HashMap<Day, Vec<Part>> = HashMap::new();
        for Shard { part, .. } in &plan.shards {
            parts.entry(Day::of(part.span.from_ns)).or_default().push(*part);
        }
        let inputs =
            plan.shards.iter().map(|Shard { part, seen, inputs, .. }| ((*part, seen.as_str()), inputs)).collect();
        Self { cut: Some(&plan.cut), parts, inputs }
    }

    /// The parts of a day whose cells have that name.
    pub fn parts_of(&self, day: Day, digest: &str) -> Option<Vec<Part>> {
        let days = &self.cut?.days;
        let at = days.binary_search_by_key(&day.0, |(day, _)| *day).ok()?;
        (days[at].1 == digest).then(|| self.parts.get(&day).cloned().unwrap_or_default())
    }

    /// The parts of a timeless archive whose cells have that name.
    pub fn parts_of_all(&self, digest: &str) -> Option<Vec<Part>> {
        let known = self.cut?.whole.as_deref()?;
        (known == digest).then(|| self.parts.values().flatten().copied().collect())
    }

    /// What a part reads, where the cells near it have that name.
    pub fn inputs(&self, part: Part, digest: &str) -> Option<&'p Inputs> {
        self.inputs.get(&(part, digest)).copied()
    }
}
