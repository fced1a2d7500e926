//! The short way of plain records: what stands in the text goes straight into its columns.
//!
//! A record is *plain* when all its signal wants of it are scalars right below it, each wanted once. Its keys may come in any
//! order, be absent, or stand among others. What the short way cannot take (a key that comes twice, a value that does not fit, an
//! observation that is late, a text that is not JSON) is left to the long one: nothing has moved, nothing was kept, and the record
//! is taken as if there were no lane. So there is one place that refuses.

use super::cell::{Cell, Found, Note};
use super::clock::ClockUnit;
use super::json::{Cursor, Stop, Token, after_blanks};
use super::number::Number;
use super::observe::Context;
use super::plan::{Child, Node, Origin, SignalPlan, ValueKind};
use super::script::Script;
use super::series::Series;
use super::short::Short;
use super::text;
use super::walk::{Walk, named};
use pipeline::time::is_plausible;

/// Most fields of a plain record: one bit each says whether it was there.
const FIELDS_MAX: usize = 64;

/// The lane of a node whose records are plain.
#[derive(Debug)]
pub(crate) struct Lane {
    signal: usize,
    /// By child of the node.
    fields: Vec<Field>,
    /// The bits of all fields.
    all: u64,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Time,
    Known,
    /// A column of doubles that are what is written.
    Double(usize),
    /// A column of strings, none of which means null.
    Text(usize),
    /// Any other column.
    Other(usize),
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its own, of those that say which were there.
    bit: u64,
    field: Field,
}

impl Wanted {
    /// What becomes of a child's value.
    pub(crate) fn new(child: usize, field: Field) -> Self {
        Self { bit: 1 << child, field }
    }
}

/// Reads records of a lane, one after the other.
struct Reader<'r, 'a> {
    lane: &'r Lane,
    rules: &'r SignalPlan,
    children: &'r [Child],
    context: Context,
    cursor: &'r mut Cursor<'a>,
    series: &'r mut Series,
    notes: &'r mut Vec<(usize, usize, Note)>,
    /// Of the record at hand, a bit a field: whether it was there.
    seen: u64,
    time: Option<i64>,
    known: Option<i64>,
}

impl Lane {
    /// The lane of a node; `None`: its records are not plain.
    pub(crate) fn of(node: &Node, signals: &[SignalPlan], robot_slot: Option<usize>) -> Option<Self> {
        let [signal] = node.records[..] else { return None };
        let rules = &signals[signal];
        let is_flat = node.slot.is_none() && node.each.is_none() && node.values.is_none();
        if !is_flat || !rules.matches.is_empty() || node.children.len() > FIELDS_MAX {
            return None;
        }
        let wanted: Vec<(Origin, Field)> = wanted(rules).collect();
        let field = |slot: usize| {
            let mut uses = wanted.iter().filter(|(origin, _)| *origin == Origin::Slot(slot));
            uses.next().filter(|_| uses.next().is_none()).map(|(_, field)| *field)
        };
        let fields: Vec<Field> =
            node.children.iter().map(|child| child.scalar.and_then(field)).collect::<Option<_>>()?;
        let others = signals.iter().enumerate().filter(|(index, _)| *index != signal);
        let mut theirs = others.flat_map(|(_, rules)| rules.origins()).chain(robot_slot.map(Origin::Slot));
        let shared = theirs.any(|origin| matches!(origin, Origin::Slot(slot) if node.slots.contains(&slot)));
        let all = (0..fields.len()).fold(0, |all, child| all | 1 << child);
        (fields.len() == wanted.len() && !shared).then_some(Self { signal, fields, all })
    }

    /// Takes the record at the cursor. False: it is to be taken the long way, and nothing has moved.
    #[inline]
    pub(crate) fn take(&self, id: usize, walk: &mut Walk<'_, '_>) -> bool {
        let room = walk.sink.room(walk.plan);
        let (mut reader, script) = Reader::new(self, id, walk);
        let taken = room > 0 && reader.take(script);
        walk.sink.observed(self.signal, u64::from(taken));
        taken
    }

    /// Takes elements of an array from the one at the cursor on; how many, and whether the cursor stands at another one then, which is
    /// to be taken the long way.
    pub(crate) fn take_elements(&self, id: usize, walk: &mut Walk<'_, '_>) -> Result<(u64, bool), Stop> {
        let room = walk.sink.room(walk.plan);
        let (mut reader, script) = Reader::new(self, id, walk);
        let (mut taken, mut more) = (0, Ok(true));
        while more == Ok(true) && taken < room && reader.take(script) {
            taken += 1;
            more = reader.cursor.next(b']', false);
        }
        walk.sink.observed(self.signal, taken);
        Ok((taken, more?))
    }
}

impl<'r, 'a> Reader<'r, 'a> {
    /// Reads records of a node into its signal's series; and how they are written.
    #[inline]
    fn new(lane: &'r Lane, id: usize, walk: &'r mut Walk<'_, 'a>) -> (Self, &'r mut Script) {
        let Walk { plan, cursor, ground, sink, .. } = walk;
        let reader = Self {
            lane,
            rules: &plan.signals[lane.signal],
            children: &plan.nodes[id].children,
            context: sink.context,
            cursor,
            series: &mut sink.series[lane.signal],
            notes: &mut sink.pending.notes,
            seen: 0,
            time: None,
            known: None,
        };
        (reader, &mut ground.scripts[id])
    }

    /// Takes the record at the cursor. False: nothing has moved.
    #[inline]
    fn take(&mut self, script: &mut Script) -> bool {
        if self.cursor.byte() != Some(b'{') {
            return false;
        }
        let (at, depth, notes) = (self.cursor.at, self.cursor.depth, self.notes.len());
        let Some((time, known)) = self.read(script) else {
            (self.cursor.at, self.cursor.depth) = (at, depth);
            self.series.truncate(self.series.rows());
            self.notes.truncate(notes);
            return false;
        };
        self.series.complete(time, known);
        true
    }

    /// Reads a record up to its end; its times.
    #[inline]
    fn read(&mut self, script: &mut Script) -> Option<(i64, i64)> {
        let start = self.cursor.at;
        (self.seen, self.time, self.known) = (0, None, None);
        self.cursor.descend().ok()?;
        if !self.as_before(script)? {
            self.by_key(start)?;
            script.stray(self.children, &self.lane.fields, &self.cursor.text[start..self.cursor.at]);
        }
        if self.seen != self.lane.all {
            self.absent();
        }
        let time = self.time?;
        let known = self.known.unwrap_or(time).max(time);
        (self.context.late_by(time, known) == 0).then_some((time, known))
    }

    /// Reads keys as long as they are written as in the script, where some may be absent. True: up to the end of the record.
    ///
    /// Where it stands in the text is kept at hand and told to the cursor only where somebody else reads: through memory, each
    /// value would wait for the one before it to be put down.
    #[inline(never)]
    fn as_before(&mut self, script: &Script) -> Option<bool> {
        let (bytes, start) = (self.cursor.text.as_bytes(), self.cursor.at);
        let mut at = start;
        let mut steps = script.steps.iter();
        while let Some(step) = steps.find(|step| step.lead.starts(&bytes[at..])) {
            at += step.lead.len();
            let wanted = step.wanted.as_ref();
            match wanted.and_then(|wanted| self.easy(wanted, &bytes[at..])) {
                Some(length) => at += length,
                None => {
                    self.cursor.at = after_blanks(bytes, at);
                    self.value(wanted)?;
                    at = self.cursor.at;
                }
            }
        }
        if at == start {
            return Some(false);
        }
        at = after_blanks(bytes, at);
        let ends = bytes.get(at) == Some(&b'}');
        if ends {
            at += 1;
            self.cursor.depth -= 1;
        }
        self.cursor.at = at;
        Some(ends)
    }

    /// Reads what is left of a record, which began at `start`, key by key.
    #[inline(never)]
    fn by_key(&mut self, start: usize) -> Option<()> {
        let mut first = self.cursor.at == start;
        if first {
            self.cursor.at += 1;
            self.cursor.blanks();
        }
        while self.cursor.next(b'}', first).ok()? {
            first = false;
            let child = named(self.children, self.cursor).ok()?;
            let wanted = child.map(|child| Wanted::new(child, self.lane.fields[child]));
            self.value(wanted.as_ref())?;
        }
        Some(())
    }

    /// Reads the value at the cursor, the easy way if it can.
    #[inline(never)]
    fn value(&mut self, wanted: Option<&Wanted>) -> Option<()> {
        match wanted.and_then(|wanted| self.easy(wanted, self.cursor.rest())) {
            Some(length) => self.cursor.at += length,
            None => self.any(wanted)?,
        }
        Some(())
    }

    /// Reads the value that `bytes` begin with, if it is written as most are and its field comes first; how many bytes it takes.
    ///
    /// A number that goes on behind them is noticed next: neither key nor bracket follows, and the record goes the long way.
    #[inline(always)]
    fn easy(&mut self, wanted: &Wanted, bytes: &[u8]) -> Option<usize> {
        if self.seen & wanted.bit != 0 {
            return None;
        }
        let length = match wanted.field {
            Field::Double(column) => {
                let short = Short::read(bytes).and_then(|short| Some((short.as_f64()?, short.bytes)));
                match short {
                    Some((value, length)) => {
                        self.series.double(column, value);
                        length
                    }
                    None => self.double(column, bytes)?,
                }
            }
            Field::Time => {
                let short = Short::read(bytes)?;
                self.time = Some(self.rules.time.1.short(short).filter(|ns| is_plausible(*ns))?);
                short.bytes
            }
            Field::Text(column) => self.text(column, bytes)?,
            Field::Known | Field::Other(_) => return None,
        };
        self.seen |= wanted.bit;
        Some(length)
    }

    /// Reads a double of more digits; how many bytes it takes.
    #[inline(never)]
    fn double(&mut self, column: usize, bytes: &[u8]) -> Option<usize> {
        let (number, length) = Number::quick(bytes)?;
        self.series.double(column, number.as_f64_quickly()?);
        Some(length)
    }

    /// Reads a string without escapes; how many bytes it takes with its quotes.
    #[inline(never)]
    fn text(&mut self, column: usize, bytes: &[u8]) -> Option<usize> {
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let (end, escaped) = text::scan(bytes, 1).ok()?;
        if escaped {
            return None;
        }
        self.series.text(column, &bytes[1..end]);
        Some(end + 1)
    }

    /// Reads any value, or moves over one that nobody wants.
    fn any(&mut self, wanted: Option<&Wanted>) -> Option<()> {
        let Some(wanted) = wanted else { return self.cursor.skip().ok() };
        if self.seen & wanted.bit != 0 {
            return None;
        }
        self.seen |= wanted.bit;
        match wanted.field {
            Field::Time => self.time = Some(clock(&self.rules.time.1, self.cursor)?),
            Field::Known => self.known = Some(clock(&self.rules.known.as_ref()?.1, self.cursor)?),
            Field::Double(column) | Field::Text(column) | Field::Other(column) => self.other(column)?,
        }
        Some(())
    }

    /// Reads any value of a column.
    fn other(&mut self, column: usize) -> Option<()> {
        let mut token = Token::ABSENT;
        self.cursor.token(&mut token).ok()?;
        let (cell, note) = self.rules.columns[column].cell(Found::of(&token, self.cursor.text)).ok()?;
        self.series.cell(column, cell);
        self.notes.extend(note.map(|note| (self.lane.signal, column, note)));
        Some(())
    }

    /// Columns without a value are null.
    #[inline(never)]
    fn absent(&mut self) {
        let absent = self.lane.fields.iter().enumerate().filter(|(child, _)| self.seen & 1 << child == 0);
        for (_, field) in absent {
            if let Field::Double(column) | Field::Text(column) | Field::Other(column) = field {
                self.series.cell(*column, Cell::Null);
            }
        }
    }
}

/// What a signal without `match` wants, and where from.
fn wanted(rules: &SignalPlan) -> impl Iterator<Item = (Origin, Field)> {
    let known = rules.known.as_ref().map(|(origin, _)| (*origin, Field::Known));
    let columns = rules.columns.iter().enumerate().map(|(index, column)| {
        let field = match column.kind {
            _ if column.double.is_some() => Field::Double(index),
            ValueKind::Text if column.nulls.is_empty() => Field::Text(index),
            _ => Field::Other(index),
        };
        (column.origin, field)
    });
    std::iter::once((rules.time.0, Field::Time)).chain(known).chain(columns)
}

/// The time at the cursor, where it is one.
fn clock(unit: &ClockUnit, cursor: &mut Cursor<'_>) -> Option<i64> {
    let time = if cursor.byte()? == b'"' {
        let key = cursor.string().ok().filter(|key| !key.escaped)?;
        unit.text(&cursor.text[key.start..key.end])
    } else {
        unit.number(&cursor.number().ok()?)
    };
    time.ok().filter(|ns| is_plausible(*ns))
}
