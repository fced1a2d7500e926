//! The survey: what the listing says about each day, in cells of one robot and one hour, and the cuts made from it.
//!
//! Cuts are stable: a day's parts follow from that day's members alone, so new data never moves another day's cut. They
//! depend on names and stored sizes only: no measured figure, no worker's memory.

use super::part::{Bucket, Part, Sight};
use crate::member::{Member, Stamp};
use crate::time::{Day, HOUR_NS, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Hours of a day: the finest cut in time.
const HOURS: u8 = 24;
/// A part in time spans at least this many times its context: below that, reading context costs more than it spreads.
const CONTEXTS_MIN: i64 = 4;

/// What the members say about one day.
#[derive(Debug, Default)]
struct DaySurvey {
    /// Stored bytes by (robot hash, hour).
    cells: HashMap<(u64, u8), u64>,
    /// Neighbours in archive order that differ in robot.
    robot_steps: u64,
    /// Neighbours in archive order that differ in hour.
    hour_steps: u64,
    /// The last member's cell.
    last: Option<(u64, u8)>,
    /// Whether a member covers the whole day: then the day is not cut in time.
    whole_day: bool,
}

/// Gathers the members of an archive, in archive order, and cuts it into parts.
#[derive(Debug)]
pub struct Survey {
    sight: Sight,
    by_day: BTreeMap<Day, DaySurvey>,
    robots_known: bool,
    timeless: DaySurvey,
}

impl Survey {
    /// An empty survey. Robots can be cut only when `robots_known`: when each member's name tells whose it is.
    pub fn new(sight: Sight, robots_known: bool) -> Self {
        Self { sight, by_day: BTreeMap::new(), robots_known, timeless: DaySurvey::default() }
    }

    /// Adds the next member in archive order. `robot` is its robot's hash, where known.
    pub fn add(&mut self, member: &Member, robot: Option<u64>) {
        let robot = robot.unwrap_or_default();
        let (survey, hour) = match member.stamp {
            Stamp::At(ns) => {
                let day = Day::of(ns);
                (self.by_day.entry(day).or_default(), hour_of(ns, day))
            }
            Stamp::Day(day) => {
                let survey = self.by_day.entry(day).or_default();
                survey.whole_day = true;
                (survey, 0)
            }
            Stamp::Absent => (&mut self.timeless, 0),
        };
        survey.add(robot, hour, member.stored_bytes);
    }

    /// The parts of a day, all of whose members were added, in order. Together they hold every robot and the whole day, each once.
    pub fn parts_of(&self, day: Day, bytes_max: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        let empty = DaySurvey::default();
        let survey = self.by_day.get(&day).unwrap_or(&empty);
        self.cut(survey, Piece { hours: (0, HOURS), bucket: Bucket::ALL }, bytes_max, &mut |piece| {
            parts.push(Part { span: piece.span(day), bucket: piece.bucket });
        });
        parts.sort_unstable();
        parts
    }

    /// The parts of an archive, all of whose members were added, in which some tell no time: cut by robot only.
    pub fn parts_of_all(&self, bytes_max: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        self.cut(&self.whole(), Piece { hours: (0, 1), bucket: Bucket::ALL }, bytes_max, &mut |piece| {
            parts.push(Part { span: Span::ALL, bucket: piece.bucket });
        });
        parts.sort_unstable();
        parts
    }

    /// All days as one, without hours.
    fn whole(&self) -> DaySurvey {
        let mut all = DaySurvey { whole_day: true, ..DaySurvey::default() };
        for survey in self.by_day.values().chain([&self.timeless]) {
            for (&(robot, _), &bytes) in &survey.cells {
                let cell = all.cells.entry((robot, 0)).or_default();
                *cell = cell.saturating_add(bytes);
            }
        }
        all
    }

    /// Halves `piece` until each leaf is small enough or cannot be halved.
    fn cut(&self, survey: &DaySurvey, piece: Piece, bytes_max: u64, leaf: &mut impl FnMut(Piece)) {
        let halves = if survey.bytes(piece) > bytes_max { self.halves(survey, piece) } else { None };
        match halves {
            Some(halves) => halves.into_iter().for_each(|half| self.cut(survey, half, bytes_max, leaf)),
            None => leaf(piece),
        }
    }

    /// The two halves along the axis that the archive is ordered by, else along the other.
    fn halves(&self, survey: &DaySurvey, piece: Piece) -> Option<[Piece; 2]> {
        let by_robot = || self.halves_by_robot(survey, piece);
        let by_time = || self.halves_by_time(survey, piece);
        if survey.robot_steps <= survey.hour_steps { by_robot().or_else(by_time) } else { by_time().or_else(by_robot) }
    }

    fn halves_by_robot(&self, survey: &DaySurvey, piece: Piece) -> Option<[Piece; 2]> {
        let divisible = self.robots_known && piece.bucket.bits < Bucket::BITS_MAX && survey.robots(piece) > 1;
        divisible.then(|| piece.bucket.halves().map(|bucket| Piece { bucket, ..piece }))
    }

    fn halves_by_time(&self, survey: &DaySurvey, piece: Piece) -> Option<[Piece; 2]> {
        let (from, to) = piece.hours;
        let middle = from + (to - from) / 2;
        let shortest_ns = i64::from(middle - from) * HOUR_NS;
        let context_ns = self.sight.back_ns.saturating_add(self.sight.forward_ns);
        let divisible = !survey.whole_day && middle > from && shortest_ns >= context_ns.saturating_mul(CONTEXTS_MIN);
        divisible.then(|| [(from, middle), (middle, to)].map(|hours| Piece { hours, ..piece }))
    }
}

impl DaySurvey {
    fn add(&mut self, robot: u64, hour: u8, bytes: u64) {
        let cell = self.cells.entry((robot, hour)).or_default();
        *cell = cell.saturating_add(bytes);
        if let Some((last_robot, last_hour)) = self.last.replace((robot, hour)) {
            self.robot_steps += u64::from(last_robot != robot);
            self.hour_steps += u64::from(last_hour != hour);
        }
    }

    fn within(&self, piece: Piece) -> impl Iterator<Item = (u64, u64)> {
        let inside =
            move |robot: u64, hour: u8| (piece.hours.0..piece.hours.1).contains(&hour) && piece.bucket.holds(robot);
        self.cells
            .iter()
            .filter(move |((robot, hour), _)| inside(*robot, *hour))
            .map(|((robot, _), bytes)| (*robot, *bytes))
    }

    fn bytes(&self, piece: Piece) -> u64 {
        self.within(piece).fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }

    fn robots(&self, piece: Piece) -> usize {
        self.within(piece).map(|(robot, _)| robot).collect::<BTreeSet<_>>().len()
    }
}

/// A part of a day while it is cut.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// `[from, to)`.
    hours: (u8, u8),
    bucket: Bucket,
}

impl Piece {
    fn span(self, day: Day) -> Span {
        let at = |hour: u8| day.start_ns().saturating_add(i64::from(hour) * HOUR_NS);
        Span { from_ns: at(self.hours.0), to_ns: at(self.hours.1) }
    }
}

fn hour_of(ns: i64, day: Day) -> u8 {
    let hour = ns.saturating_sub(day.start_ns()) / HOUR_NS;
    u8::try_from(hour).unwrap_or(0).min(HOURS - 1)
}
