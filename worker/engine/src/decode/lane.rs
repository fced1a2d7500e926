//! The short way of plain records: what stands in the text goes straight into its columns.
//!
//! A record is *plain* when all its signal wants of it are scalars right below it, each wanted once. Its keys may come in any
//! order, be absent, or stand among others. What the short way cannot take (a key that comes twice, a value that does not fit, an
//! observation that is late, a text that is not JSON) is left to the long one: nothing has moved, nothing was kept, and the record
//! is taken as if there were no lane. So there is one place that refuses.

use super::cell::{Cell, Found};
use super::clock::ClockUnit;
use super::json::{Cursor, Token};
use super::number::Number;
use super::plan::{Node, Origin, Plan, SignalPlan, ValueKind};
use super::walk::Walk;
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
enum Field {
    Time,
    Known,
    /// A column of doubles that are what is written.
    Double(usize),
    /// A column of strings, none of which means null.
    Text(usize),
    /// Any other column.
    Other(usize),
}

/// What is known of a record while it is read.
#[derive(Debug, Default)]
struct Reading {
    /// A bit a field.
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
        let plan = walk.plan;
        walk.cursor.enter().ok()?;
        let mut reading = Reading::default();
        let mut before = None;
        while let Some(child) = walk.next_child(&plan.nodes[id], id, &mut before).ok()? {
            let bit = 1 << child;
            if reading.seen & bit != 0 {
                return None;
            }
            reading.seen |= bit;
            self.value(self.fields[child], walk, &mut reading)?;
        }
        if reading.seen.count_ones() as usize != self.fields.len() {
            self.absent(walk, reading.seen);
        }
        let time = reading.time?;
        let known = reading.known.unwrap_or(time).max(time);
        (walk.sink.context.late_by(time, known) == 0).then_some((time, known))
    }

    /// Reads the value of a field.
    #[inline]
    fn value(&self, field: Field, walk: &mut Walk<'_, '_>, reading: &mut Reading) -> Option<()> {
        let (cursor, rules) = (&mut *walk.cursor, &walk.plan.signals[self.signal]);
        match field {
            Field::Time => reading.time = Some(clock(&rules.time.1, cursor)?),
            Field::Known => reading.known = Some(clock(&rules.known.as_ref()?.1, cursor)?),
            Field::Double(column) => {
                let start = cursor.at;
                match number(cursor).and_then(|number| number.as_f64_quickly()) {
                    Some(value) => walk.sink.series[self.signal].double(column, value),
                    None => {
                        cursor.at = start;
                        self.other(column, walk)?;
                    }
                }
            }
            Field::Text(column) if cursor.byte() == Some(b'"') => {
                let key = cursor.string().ok()?;
                let cell = Cell::Text(&cursor.text[key.start..key.end], key.escaped);
                walk.sink.series[self.signal].cell(column, cell);
            }
            Field::Text(column) | Field::Other(column) => self.other(column, walk)?,
        }
        Some(())
    }

    /// Reads any value of a column.
    #[inline(never)]
    fn other(&self, column: usize, walk: &mut Walk<'_, '_>) -> Option<()> {
        let mut token = Token::ABSENT;
        walk.cursor.token(&mut token).ok()?;
        let plan: &Plan = walk.plan;
        let (cell, note) = plan.signals[self.signal].columns[column].cell(Found::of(&token, walk.cursor.text)).ok()?;
        walk.sink.series[self.signal].cell(column, cell);
        walk.sink.pending.notes.extend(note.map(|note| (self.signal, column, note)));
        Some(())
    }

    /// Columns without a value are null.
    #[inline(never)]
    fn absent(&self, walk: &mut Walk<'_, '_>, seen: u64) {
        let absent = self.fields.iter().enumerate().filter(|(child, _)| seen & 1 << child == 0);
        for (_, field) in absent {
            if let Field::Double(column) | Field::Text(column) | Field::Other(column) = field {
                walk.sink.series[self.signal].cell(*column, Cell::Null);
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

/// The number at the cursor.
#[inline]
fn number(cursor: &mut Cursor<'_>) -> Option<Number> {
    let mut number = Number::ZERO;
    cursor.number(&mut number).ok()?;
    Some(number)
}

/// The time at the cursor, where it is an easy one.
#[inline]
fn clock(unit: &ClockUnit, cursor: &mut Cursor<'_>) -> Option<i64> {
    let time = if cursor.byte()? == b'"' {
        let key = cursor.string().ok().filter(|key| !key.escaped)?;
        unit.text(&cursor.text[key.start..key.end])
    } else {
        unit.number(&number(cursor)?)
    };
    time.ok().filter(|ns| is_plausible(*ns))
}
