//! From records to observations: match, time, lateness, values; what does not fit is refused with its place.
//!
//! Everything since a [`Mark`] can be taken back, so that nothing of a torn member stays.

use super::cell::{Found, Note};
use super::clock::ClockUnit;
use super::json::{Token, What};
use super::plan::{Origin, Plan, RecordShape, SignalPlan};
use super::series::Series;
use super::text;
use super::walk::Ground;
use super::{Refusal, Role, sample};
use crate::account::Kind;
use pipeline::member::Stamp;
use pipeline::time::instant::InstantError;
use pipeline::time::is_plausible;

/// What has been observed and refused so far.
#[derive(Debug)]
pub(crate) struct Sink {
    /// By signal.
    pub(crate) series: Vec<Series>,
    /// In archive order; only of own members.
    pub(crate) refused: Vec<Refusal>,
    /// Whose records come now.
    pub(crate) context: Context,
    /// What will be counted once the unit is accepted.
    pub(crate) pending: Pending,
}

/// Whose records come now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) member: u32,
    pub(crate) role: Role,
    /// Where the text at hand begins in its member.
    pub(crate) offset: u64,
    /// Earliest time that is not late.
    from_ns: i64,
    /// Latest time that is not late.
    to_ns: i64,
    /// Greatest lag of the known clock that is not late.
    lag_max_ns: u64,
}

/// Counts of a unit (a member, or a line) that has not been accepted yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    /// By signal.
    pub(crate) counts: Vec<Count>,
    /// Signal, column and what made the null.
    pub(crate) notes: Vec<(usize, usize, Note)>,
    /// Signal and how far outside, ns.
    pub(crate) late: Vec<(usize, u64)>,
    /// Records of all signals.
    records: u64,
    /// The first record over the limit.
    pub(crate) too_many: Option<usize>,
}

/// Counts of one signal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// Elements at the end of the walk: the position of the next record.
    met: u64,
    /// Records after `match`, and values where the walk could not go on.
    pub(crate) read: u64,
}

/// A place to go back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    rows: Vec<usize>,
    pub(crate) refused: usize,
    counts: Vec<Count>,
    notes: usize,
    late: usize,
    records: u64,
    too_many: Option<usize>,
}

/// Why an observation is refused: its kind and the value at fault.
struct Fault<'a> {
    kind: Kind,
    column: Option<usize>,
    found: Found<'a>,
}

impl Context {
    /// The lateness window of a member's stamp.
    ///
    /// An instant allows `[stamp − lateness, stamp + covers + lateness]`, a day the same around its first and last
    /// nanosecond (it is its own `covers`), none allows all.
    pub(crate) fn new(plan: &Plan, member: u32, stamp: Stamp, role: Role) -> Self {
        let late = plan.lateness_ns;
        let (from_ns, to_ns, lag_max_ns) = match stamp {
            Stamp::At(ns) => {
                let to = ns.saturating_add(plan.covers_ns).saturating_add(late);
                (ns.saturating_sub(late), to, late.unsigned_abs())
            }
            Stamp::Day(day) => {
                let span = day.span();
                let to = span.to_ns.saturating_sub(1).saturating_add(late);
                (span.from_ns.saturating_sub(late), to, late.unsigned_abs())
            }
            Stamp::Absent => (i64::MIN, i64::MAX, u64::MAX),
        };
        Self { member, role, offset: 0, from_ns, to_ns, lag_max_ns }
    }

    /// How far outside the window an observation lies, ns; 0 inside.
    #[inline]
    pub(crate) fn late_by(&self, time: i64, known: i64) -> u64 {
        let outside = if time < self.from_ns {
            self.from_ns.abs_diff(time)
        } else if time > self.to_ns {
            time.abs_diff(self.to_ns)
        } else {
            0
        };
        outside.max(known.abs_diff(time).saturating_sub(self.lag_max_ns))
    }
}

impl Sink {
    /// Nothing observed yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let counts = vec![Count::default(); plan.signals.len()];
        let series = if plan.records { Series::traced } else { Series::new };
        Self {
            series: plan.signals.iter().map(series).collect(),
            refused: Vec::new(),
            context: Context::new(plan, 0, Stamp::Absent, Role::Context),
            pending: Pending { counts, ..Pending::default() },
        }
    }

    /// Notes where we are, in a mark that is used again.
    pub(crate) fn mark(&self, mark: &mut Mark) {
        mark.rows.clear();
        mark.rows.extend(self.series.iter().map(Series::rows));
        mark.counts.clear();
        mark.counts.extend_from_slice(&self.pending.counts);
        mark.refused = self.refused.len();
        (mark.notes, mark.late) = (self.pending.notes.len(), self.pending.late.len());
        (mark.records, mark.too_many) = (self.pending.records, self.pending.too_many);
    }

    /// Forgets everything since the mark.
    pub(crate) fn back_to(&mut self, mark: &Mark) {
        for (series, rows) in self.series.iter_mut().zip(&mark.rows) {
            series.truncate(*rows);
        }
        self.refused.truncate(mark.refused);
        self.pending.counts.copy_from_slice(&mark.counts);
        self.pending.notes.truncate(mark.notes);
        self.pending.late.truncate(mark.late);
        (self.pending.records, self.pending.too_many) = (mark.records, mark.too_many);
    }

    /// Starts the counts of a new unit; the positions of records go on within a member.
    pub(crate) fn accept(&mut self) {
        for count in &mut self.pending.counts {
            count.read = 0;
        }
        self.pending.notes.clear();
        self.pending.late.clear();
        (self.pending.records, self.pending.too_many) = (0, None);
    }

    /// Starts a new member: records are counted from its first one.
    pub(crate) fn begin(&mut self, context: Context) {
        self.context = context;
        self.pending.counts.fill(Count::default());
    }

    /// One refusal; those of context are their owner's to tell.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if self.context.role == Role::Own {
            self.refused.push(refusal);
        }
    }

    /// The value at which the walk of a signal could not go on. It counts as one record read and refused.
    pub(crate) fn misshapen(&mut self, plan: &Plan, signal: usize, text: &str, token: &Token) {
        if self.count(plan, signal, token) {
            let found = Found::Here(token, &text[token.start..token.end]);
            self.refuse_record(signal, None, token, &Fault { kind: Kind::Shape, column: None, found });
        }
    }

    /// Counts a record; false when there are too many.
    fn count(&mut self, plan: &Plan, signal: usize, token: &Token) -> bool {
        self.pending.counts[signal].read += 1;
        self.pending.records += 1;
        if self.pending.records > plan.limits.records_max {
            self.pending.too_many.get_or_insert(token.start);
            return false;
        }
        true
    }

    /// How many more records may be counted.
    #[inline]
    pub(crate) fn room(&self, plan: &Plan) -> u64 {
        plan.limits.records_max.saturating_sub(self.pending.records)
    }

    /// So many records, whose rows are the last of their series, have become observations.
    #[inline]
    pub(crate) fn observed(&mut self, signal: usize, records: u64) {
        let count = &mut self.pending.counts[signal];
        self.series[signal].name_records(count.met, records);
        count.met += records;
        count.read += records;
        self.pending.records += records;
    }

    /// A record of a signal has ended: makes it an observation, or refuses it.
    pub(crate) fn observe(&mut self, plan: &Plan, signal: usize, text: &str, ground: &Ground, record: &Token) {
        let position = self.pending.counts[signal].met;
        self.pending.counts[signal].met += 1;
        let rules = &plan.signals[signal];
        let says = |(origin, wanted): &(Origin, String)| {
            Found::at(*origin, text, ground).said().is_some_and(|said| said == wanted.as_str())
        };
        if !rules.matches.iter().all(says) || !self.count(plan, signal, record) {
            return;
        }
        let notes = self.pending.notes.len();
        match self.read(rules, signal, text, ground, record) {
            Ok(()) => self.series[signal].name_records(position, 1),
            Err(fault) => {
                let rows = self.series[signal].rows();
                self.series[signal].truncate(rows);
                self.pending.notes.truncate(notes);
                self.refuse_record(signal, Some(position), record, &fault);
            }
        }
    }

    /// Reads all of a record into its series.
    #[inline]
    fn read<'a>(
        &mut self,
        rules: &SignalPlan,
        signal: usize,
        text: &'a str,
        ground: &'a Ground,
        record: &'a Token,
    ) -> Result<(), Fault<'a>> {
        let fits = match rules.shape {
            RecordShape::Any => true,
            RecordShape::ObjectOrArray => record.is_container(),
            RecordShape::Object => record.what == What::Object,
        };
        if !fits {
            let found = Found::Here(record, &text[record.start..record.end]);
            return Err(Fault { kind: Kind::Shape, column: None, found });
        }
        let (time, known) = self.times(rules, signal, text, ground)?;
        for (index, column) in rules.columns.iter().enumerate() {
            if let Some(value) = column.double(ground) {
                self.series[signal].double(index, value);
                continue;
            }
            let found = Found::at(column.origin, text, ground);
            match column.cell(found) {
                Ok((cell, note)) => {
                    self.series[signal].cell(index, cell);
                    if let Some(note) = note {
                        self.pending.notes.push((signal, index, note));
                    }
                }
                Err(kind) => return Err(Fault { kind, column: Some(index), found }),
            }
        }
        self.series[signal].complete(time, known);
        Ok(())
    }

    /// The time and the known time of a record.
    #[inline]
    fn times<'a>(
        &mut self,
        rules: &SignalPlan,
        signal: usize,
        text: &'a str,
        ground: &'a Ground,
    ) -> Result<(i64, i64), Fault<'a>> {
        let found = Found::at(rules.time.0, text, ground);
        let refuse = |kind, found| Fault { kind, column: None, found };
        let time = clock(&rules.time.1, found).map_err(|kind| refuse(kind, found))?;
        let Some(time) = time else { return Err(refuse(Kind::NoTime, found)) };
        let mut known = time;
        if let Some((origin, unit)) = &rules.known {
            let found = Found::at(*origin, text, ground);
            known = clock(unit, found).map_err(|kind| refuse(kind, found))?.unwrap_or(time).max(time);
        }
        let late_by = self.context.late_by(time, known);
        if late_by > 0 {
            self.pending.late.push((signal, late_by));
            return Err(refuse(Kind::Late, found));
        }
        Ok((time, known))
    }

    /// Refuses one record.
    #[cold]
    fn refuse_record(&mut self, signal: usize, record: Option<u64>, token: &Token, fault: &Fault<'_>) {
        let (start, text) = match fault.found {
            Found::Here(token, text) => (token.start, text),
            Found::Nothing | Found::Blocked => (token.start, ""),
        };
        let start = if start == 0 { token.start } else { start };
        self.refuse(Refusal {
            member: self.context.member,
            offset: Some(self.context.offset.saturating_add(start as u64)),
            record,
            signal: u32::try_from(signal).ok(),
            column: fault.column.and_then(|column| u32::try_from(column).ok()),
            kind: fault.kind,
            sample: sample(text.as_bytes()),
        });
    }
}

/// Reads a clock; `None` when there is nothing. The error says why the observation is refused.
#[inline]
fn clock(unit: &ClockUnit, found: Found<'_>) -> Result<Option<i64>, Kind> {
    let read = match found {
        Found::Nothing => return Ok(None),
        Found::Here(Token { what: What::Number, number, .. }, _) => unit.number(number),
        Found::Here(Token { what: What::Text, .. }, text) => unit.text(text),
        Found::Here(Token { what: What::Escaped, .. }, text) => unit.text(&text::content(text, true)),
        _ => Err(InstantError::Unreadable),
    };
    match read {
        Ok(ns) if is_plausible(ns) => Ok(Some(ns)),
        Ok(_) | Err(InstantError::OutOfRange) => Err(Kind::TimeOutOfRange),
        Err(InstantError::Unreadable | InstantError::Naive) => Err(Kind::NoTime),
    }
}
