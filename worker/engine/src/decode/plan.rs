//! What to do at each place of a document: the archive words as one trie, compiled once and shared by all threads.
//!
//! ```text
//!  document ── agentId ● robot            ● slot: a scalar kept until the record that needs it ends
//!     ├── ts ●                            ◆ record: an observation of a signal ends with it
//!     └── poses ─[*]─ ◆ pose ── ts ●      a child with a ◆ at or below it is a *walk*
//!                         └──── x ●
//! ```
//! Slots are numbered so that those of a subtree are neighbours: forgetting an element is one `fill`.

use super::clock::ClockUnit;
use super::json::Quoted;
use super::lane::Lane;
use super::trie::{Branch, Trie};
use pipeline::archive::{Archive, Column, ColumnKind, Limits, RobotRule, Signal, TextRule};
use pipeline::pointer::{Place, Step};
use pipeline::spec::{Format, Infinite, OnMismatch};
use std::ops::Range;
use thiserror::Error;

/// An archive's words, ready to decode with. Immutable; share it by `Arc`.
#[derive(Debug)]
pub struct Plan {
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) lateness_ns: i64,
    pub(crate) covers_ns: i64,
    pub(crate) robot: RobotRule,
    /// Slot of the robot's name in the document.
    pub(crate) robot_slot: Option<usize>,
    /// The document first.
    pub(crate) nodes: Vec<Node>,
    pub(crate) slots: usize,
    pub(crate) signals: Vec<SignalPlan>,
    /// Whether each observation keeps the position of its record.
    pub(crate) records: bool,
}

/// Why no plan can be made of an archive.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A clock or timestamp column names a zone or a format that nobody knows.
    #[error("signal {signal}, {name}: {why}")]
    Clock {
        /// The signal's name.
        signal: String,
        /// The clock's or column's name.
        name: String,
        /// What is wrong and what to write.
        why: String,
    },
}

/// What to do with the value at one place.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Keep it, if it is a scalar.
    pub(crate) slot: Option<usize>,
    /// All slots at and below it.
    pub(crate) slots: Range<usize>,
    /// Keys of an object, or positions of an array, to go into.
    pub(crate) children: Vec<Child>,
    /// Go into each element of an array.
    pub(crate) each: Option<usize>,
    /// Go into each value of an object.
    pub(crate) values: Option<usize>,
    /// Signals of which this value is a record.
    pub(crate) records: Vec<usize>,
    /// The short way, if its records are plain.
    pub(crate) lane: Option<Lane>,
    /// Nothing but a scalar to keep.
    pub(crate) leaf: bool,
    /// Whether a key led here: then null is as good as absent, also for a record.
    pub(crate) by_name: bool,
    /// Whether records lie below it (not only at it).
    pub(crate) passage: bool,
    /// Signals that go on from here by a key: the value must be an object, or an array if the key is a position.
    pub(crate) by_key: Vec<(usize, bool)>,
    /// Signals that go on from here by `[*]`: the value must be an array.
    pub(crate) by_each: Vec<usize>,
    /// Signals that go on from here by `/*`: the value must be an object.
    pub(crate) by_values: Vec<usize>,
}

/// A way from a node to the one below.
#[derive(Debug)]
pub(crate) struct Child {
    /// The key.
    pub(crate) name: String,
    /// The key in quotes, ready to compare.
    pub(crate) quoted: Quoted,
    /// The key as an array position.
    pub(crate) position: Option<u64>,
    /// The node it leads to.
    pub(crate) node: usize,
    /// The slot of that node, if it is nothing but a scalar to keep.
    pub(crate) scalar: Option<usize>,
    /// Whether there is a record at or below that node.
    pub(crate) walk: bool,
    /// Slots beside this way that records on it need: they are read first.
    pub(crate) needs: Vec<usize>,
    /// Whether records beside this way need a slot on it.
    pub(crate) needed: bool,
}

/// Where a value of an observation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A slot.
    Slot(usize),
    /// The key of a walk, counted from the outside.
    Key(usize),
    /// The position of a walk, counted from the outside.
    Index(usize),
    /// Nowhere: always absent.
    Nowhere,
}

/// How records of one signal become observations.
#[derive(Debug)]
pub(crate) struct SignalPlan {
    pub(crate) name: String,
    pub(crate) matches: Vec<(Origin, String)>,
    pub(crate) time: (Origin, ClockUnit),
    pub(crate) known: Option<(Origin, ClockUnit)>,
    pub(crate) columns: Vec<ColumnPlan>,
    pub(crate) shape: RecordShape,
}

/// What a record must be so that its fields can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordShape {
    /// Anything: no field is looked for.
    Any,
    /// An object, or an array: every field is a position.
    ObjectOrArray,
    /// An object.
    Object,
}

/// How one value is read.
#[derive(Debug)]
pub(crate) struct ColumnPlan {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) kind: ValueKind,
    /// Multiplied, then added; `None`: neither.
    pub(crate) linear: Option<(f64, f64)>,
    pub(crate) number_in_text: bool,
    pub(crate) nulls: Vec<String>,
    pub(crate) infinite_is_null: bool,
    pub(crate) mismatch_is_null: bool,
    /// The slot of a double that is what is written, with no text that means null.
    pub(crate) double: Option<usize>,
}

/// The type of a column.
#[derive(Debug, Clone)]
pub(crate) enum ValueKind {
    Float64,
    Int64,
    Bool,
    Text,
    Timestamp(ClockUnit),
}

impl Plan {
    /// Compiles the words of an archive. Fails only on a zone or format that `check` refuses too.
    pub fn new(archive: &Archive) -> Result<Self, PlanError> {
        let mut trie = Trie::new();
        let robot = archive.robot.document.as_ref().map(|pointer| {
            let node = trie.follow(Trie::ROOT, pointer);
            trie.keep(node)
        });
        let mut signals = Vec::new();
        for (index, signal) in archive.signals.iter().enumerate() {
            signals.push(compile(&mut trie, index, signal)?);
        }
        let wanted: Vec<Vec<usize>> = signals.iter().map(SignalPlan::branches).collect();
        let (mut nodes, slot_of) = trie.finish(&wanted);
        for signal in &mut signals {
            signal.settle(&slot_of);
        }
        let robot_slot = robot.map(|node| slot_of[node]);
        for node in &mut nodes {
            node.lane = Lane::of(node, &signals, robot_slot);
        }
        Ok(Self {
            format: archive.format,
            limits: archive.limits,
            lateness_ns: archive.lateness_ns,
            covers_ns: archive.covers_ns,
            robot: archive.robot.clone(),
            robot_slot,
            slots: nodes.first().map_or(0, |root| root.slots.end),
            nodes,
            signals,
            records: false,
        })
    }

    /// The same, but each batch ends in a column `record` (UInt64): where in its member an observation stood, counted as in
    /// [`super::Refusal::record`]. It is asked for only to say where a number came from: a shard does without.
    ///
    /// Errors: as [`Plan::new`].
    pub fn traced(archive: &Archive) -> Result<Self, PlanError> {
        Ok(Self { records: true, ..Self::new(archive)? })
    }
}

impl SignalPlan {
    /// Every origin of the signal.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin> {
        let clocks = std::iter::once(self.time.0).chain(self.known.as_ref().map(|known| known.0));
        clocks.chain(self.matches.iter().map(|m| m.0)).chain(self.columns.iter().map(|c| c.origin))
    }

    /// The same, to be changed.
    fn origins_mut(&mut self) -> impl Iterator<Item = &mut Origin> {
        let clocks = std::iter::once(&mut self.time.0).chain(self.known.as_mut().map(|known| &mut known.0));
        clocks.chain(self.matches.iter_mut().map(|m| &mut m.0)).chain(self.columns.iter_mut().map(|c| &mut c.origin))
    }

    /// While compiling, a slot is named by its node.
    fn branches(&self) -> Vec<usize> {
        self.origins().filter_map(|origin| if let Origin::Slot(node) = origin { Some(node) } else { None }).collect()
    }

    /// Names slots by their number.
    fn settle(&mut self, slot_of: &[usize]) {
        for origin in self.origins_mut() {
            if let Origin::Slot(node) = origin {
                *origin = Origin::Slot(slot_of[*node]);
            }
        }
        self.columns.iter_mut().for_each(ColumnPlan::settle);
    }
}

impl ColumnPlan {
    /// Its origin is known now.
    fn settle(&mut self) {
        let plain = matches!(self.kind, ValueKind::Float64) && self.linear.is_none() && self.nulls.is_empty();
        if let (Origin::Slot(slot), true) = (self.origin, plain) {
            self.double = Some(slot);
        }
    }
}

/// The elements that a signal's walk passes, from the document to the record.
struct Walk {
    /// Nodes of the document, each walked element, and the record where it is none of these.
    elements: Vec<usize>,
    /// Whether the record is below the last walked element, rather than that element.
    below: bool,
}

impl Walk {
    /// Enters the walk of a signal into the trie.
    fn new(trie: &mut Trie, index: usize, steps: &[Step]) -> Self {
        let mut node = Trie::ROOT;
        let mut elements = vec![node];
        let mut below = false;
        for step in steps {
            let branch = match step {
                Step::Key(key) => Branch::Key(key),
                Step::Each => Branch::Each,
                Step::Values => Branch::Values,
            };
            node = trie.pass(node, branch, index);
            below = matches!(step, Step::Key(_));
            if !below {
                elements.push(node);
            }
        }
        if below {
            elements.push(node);
        }
        trie.record(node, index);
        Self { elements, below }
    }

    /// Where a place is found.
    fn origin(&self, trie: &mut Trie, place: &Place) -> Origin {
        let record = self.elements.len() - 1;
        let element = |up: u32| record.checked_sub(up as usize);
        match place {
            Place::Record { up, pointer } => match element(*up) {
                Some(element) => {
                    let node = trie.follow(self.elements[element], pointer);
                    Origin::Slot(trie.keep(node))
                }
                None => Origin::Nowhere,
            },
            Place::Document(pointer) => {
                let node = trie.follow(Trie::ROOT, pointer);
                Origin::Slot(trie.keep(node))
            }
            Place::Key { up } => element(*up).and_then(|e| self.walked(e)).map_or(Origin::Nowhere, Origin::Key),
            Place::Index { up } => element(*up).and_then(|e| self.walked(e)).map_or(Origin::Nowhere, Origin::Index),
        }
    }

    /// The walk, counted from the outside, in which an element was found; for a record below a walked element, that
    /// element's.
    fn walked(&self, element: usize) -> Option<usize> {
        let last = self.elements.len() - 1;
        let element = if self.below && element == last { element - 1 } else { element };
        element.checked_sub(1)
    }
}

/// Enters one signal into the trie.
fn compile(trie: &mut Trie, index: usize, signal: &Signal) -> Result<SignalPlan, PlanError> {
    let walk = Walk::new(trie, index, &signal.at.steps);
    let wrong = |name: &str, why| PlanError::Clock { signal: signal.name.clone(), name: name.to_owned(), why };
    let clock = |trie: &mut Trie, index: usize| {
        let clock = &signal.clocks[index];
        let unit = ClockUnit::new(&clock.unit).map_err(|why| wrong(&clock.name, why))?;
        Ok((walk.origin(trie, &clock.place), unit))
    };
    let time = clock(trie, signal.join_clock)?;
    let known = signal.known_clock.map(|known| clock(trie, known)).transpose()?;
    let matches = signal.matches.iter().map(|(place, text)| (walk.origin(trie, place), text.clone())).collect();
    let mut columns = Vec::new();
    for column in &signal.columns {
        let kind = kind(&column.kind).map_err(|why| wrong(&column.name, why))?;
        columns.push(compile_column(column, walk.origin(trie, &column.place), kind));
    }
    Ok(SignalPlan { name: signal.name.clone(), matches, time, known, columns, shape: shape(signal) })
}

/// The type of a column. Errors: a sentence about its zone or format.
fn kind(kind: &ColumnKind) -> Result<ValueKind, String> {
    Ok(match kind {
        ColumnKind::Float64 => ValueKind::Float64,
        ColumnKind::Int64 => ValueKind::Int64,
        ColumnKind::Bool => ValueKind::Bool,
        ColumnKind::String => ValueKind::Text,
        ColumnKind::Timestamp(unit) => ValueKind::Timestamp(ClockUnit::new(unit)?),
    })
}

/// One column.
fn compile_column(column: &Column, origin: Origin, kind: ValueKind) -> ColumnPlan {
    let plain = column.scale == 1.0 && column.offset == 0.0;
    ColumnPlan {
        name: column.name.clone(),
        origin,
        kind,
        linear: (!plain).then_some((column.scale, column.offset)),
        number_in_text: column.text == TextRule::Number,
        nulls: column.nulls.clone(),
        infinite_is_null: column.infinite == Infinite::Null,
        mismatch_is_null: column.on_mismatch == OnMismatch::Null,
        double: None,
    }
}

/// What the records of a signal must be.
fn shape(signal: &Signal) -> RecordShape {
    let columns = signal.columns.iter().map(|column| &column.place);
    let clocks = std::iter::once(signal.join_clock).chain(signal.known_clock).map(|c| &signal.clocks[c].place);
    let mut shape = RecordShape::Any;
    for place in columns.chain(clocks) {
        if let Place::Record { up: 0, pointer } = place
            && let Some(token) = pointer.tokens.first()
        {
            match position(token) {
                Some(_) if shape != RecordShape::Object => shape = RecordShape::ObjectOrArray,
                _ => shape = RecordShape::Object,
            }
        }
    }
    shape
}

/// A pointer's token as an array position: digits without leading zeros.
pub(crate) fn position(token: &str) -> Option<u64> {
    let canonical = token == "0" || !token.starts_with('0');
    let digits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { token.parse().ok() } else { None }
}
