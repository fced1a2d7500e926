//! The short way of plain records: what stands in the text goes straight into its columns.
//!
//! A record is *plain* when all its signal wants of it are scalars right below it, each wanted once. Its keys may come in any
//! order, be absent, or stand among others. What the short way cannot take (a key that comes twice, a value that does not fit, an
//! observation that is late, a text that is not JSON) is left to the long one: nothing has moved, nothing was kept, and the record
//! is taken as if there were no lane. So there is one place that refuses.

use super::cell::{Cell, Found, Note};
use super::clock::ClockUnit;
use super::json::{Cursor, Token};
use super::number::Number;
use super::plan::{Child, Node, Origin, SignalPlan, ValueKind};
use super::script::Script;
use super::series::Series;
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

/// A record while it is read.
struct Record<'r, 'a> {
    signal: usize,
    rules: &'r SignalPlan,
    cursor: &'r mut Cursor<'a>,
    series: &'r mut Series,
    notes: &'r mut Vec<(usize, usize, Note)>,
    /// A bit a field: whether it was there.
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
        (fields.len() == wanted.len() && !shared).then_some(Self { signal, fields })
    }

    /// Takes the record at the cursor. False: it is to be taken the long way, and nothing has moved.
    #[inline]
    pub(crate) fn take(&self, id: usize, walk: &mut Walk<'_, '_>) -> bool {
        if walk.cursor.byte() != Some(b'{') || !walk.sink.has_room(walk.plan) {
            return false;
        }
        let (at, depth) = (walk.cursor.at, walk.cursor.depth);
        let (rows, notes) = (walk.sink.series[self.signal].rows(), walk.sink.pending.notes.len());
        let Some((time, known)) = self.record(id, walk) else {
            (walk.cursor.at, walk.cursor.depth) = (at, depth);
            walk.sink.series[self.signal].truncate(rows);
            walk.sink.pending.notes.truncate(notes);
            return false;
        };
        walk.sink.observed(self.signal, time, known);
        true
    }

    /// Reads a record up to its end; its times.
    #[inline]
    fn record(&self, id: usize, walk: &mut Walk<'_, '_>) -> Option<(i64, i64)> {
        let Walk { plan, cursor, ground, sink, .. } = walk;
        let (start, script) = (cursor.at, &mut ground.scripts[id]);
        let mut record = Record {
            signal: self.signal,
            rules: &plan.signals[self.signal],
            cursor,
            series: &mut sink.series[self.signal],
            notes: &mut sink.pending.notes,
            seen: 0,
            time: None,
            known: None,
        };
        record.cursor.descend().ok()?;
        if !record.as_before(script)? {
            let children = &plan.nodes[id].children;
            record.by_key(start, children, &self.fields)?;
            script.stray(children, &self.fields, &record.cursor.text[start..record.cursor.at]);
        }
        if record.seen.count_ones() as usize != self.fields.len() {
            record.absent(&self.fields);
        }
        let time = record.time?;
        let known = record.known.unwrap_or(time).max(time);
        (sink.context.late_by(time, known) == 0).then_some((time, known))
    }
}

impl Record<'_, '_> {
    /// Reads keys as long as they are written as in the script, where some may be absent. True: up to the end of the record.
    #[inline]
    fn as_before(&mut self, script: &Script) -> Option<bool> {
        let start = self.cursor.at;
        let mut steps = script.steps.iter();
        while let Some(step) = steps.find(|step| self.cursor.follow(&step.lead)) {
            match step.wanted {
                Some((child, field)) => self.value(child, field)?,
                None => self.cursor.skip().ok()?,
            }
        }
        if self.cursor.at == start {
            return Some(false);
        }
        self.cursor.blanks();
        let ends = self.cursor.byte() == Some(b'}');
        if ends {
            self.cursor.at += 1;
            self.cursor.depth -= 1;
        }
        Some(ends)
    }

    /// Reads what is left of a record, which began at `start`, key by key.
    #[inline(never)]
    fn by_key(&mut self, start: usize, children: &[Child], fields: &[Field]) -> Option<()> {
        let mut first = self.cursor.at == start;
        if first {
            self.cursor.at += 1;
            self.cursor.blanks();
        }
        while self.cursor.next(b'}', first).ok()? {
            first = false;
            match named(children, self.cursor).ok()? {
                Some(child) => self.value(child, fields[child])?,
                None => self.cursor.skip().ok()?,
            }
        }
        Some(())
    }

    /// Reads the value of a field, which comes once.
    #[inline]
    fn value(&mut self, child: usize, field: Field) -> Option<()> {
        let bit = 1 << child;
        if self.seen & bit != 0 {
            return None;
        }
        self.seen |= bit;
        match field {
            Field::Time => self.time = Some(clock(&self.rules.time.1, self.cursor)?),
            Field::Known => self.known = Some(clock(&self.rules.known.as_ref()?.1, self.cursor)?),
            Field::Double(column) => {
                let quick = Number::quick(self.cursor.rest());
                match quick.and_then(|(number, length)| Some((number.as_f64_quickly()?, length))) {
                    Some((value, length)) => {
                        self.cursor.at += length;
                        self.series.double(column, value);
                    }
                    None => self.other(column)?,
                }
            }
            Field::Text(column) if self.cursor.byte() == Some(b'"') => {
                let key = self.cursor.string().ok()?;
                self.series.cell(column, Cell::Text(&self.cursor.text[key.start..key.end], key.escaped));
            }
            Field::Text(column) | Field::Other(column) => self.other(column)?,
        }
        Some(())
    }

    /// Reads any value of a column.
    #[inline(never)]
    fn other(&mut self, column: usize) -> Option<()> {
        let mut token = Token::ABSENT;
        self.cursor.token(&mut token).ok()?;
        let (cell, note) = self.rules.columns[column].cell(Found::of(&token, self.cursor.text)).ok()?;
        self.series.cell(column, cell);
        self.notes.extend(note.map(|note| (self.signal, column, note)));
        Some(())
    }

    /// Columns without a value are null.
    #[inline(never)]
    fn absent(&mut self, fields: &[Field]) {
        let absent = fields.iter().enumerate().filter(|(child, _)| self.seen & 1 << child == 0);
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

/// The time at the cursor, where it is an easy one.
#[inline]
fn clock(unit: &ClockUnit, cursor: &mut Cursor<'_>) -> Option<i64> {
    let time = match Number::quick(cursor.rest()) {
        Some((number, length)) => {
            cursor.at += length;
            unit.number(&number)
        }
        None if cursor.byte()? == b'"' => {
            let key = cursor.string().ok().filter(|key| !key.escaped)?;
            unit.text(&cursor.text[key.start..key.end])
        }
        None => unit.number(&cursor.number().ok()?),
    };
    time.ok().filter(|ns| is_plausible(*ns))
}
