//! JSON bytes in, observations out: one pass over the text, no tree, nothing boxed per row.
//!
//! ```text
//!  words ── plan ──┐                       bytes of a member ── json (cursor) ─┐
//!                  └── walk: slots, records ◄──────────────────────────────────┘
//!                        └── observe: match, clocks, lateness ── cell ── series ── RecordBatch per signal
//!                              └── refusals with their place
//! ```
//! A *unit* is what is used wholly or not at all: a member of a Json archive, a line of an NdJson one. Within a unit each
//! document names its own robot. Bad bytes never fail: they are refused with a place, and counted.

mod cell;
mod clock;
#[cfg(test)]
mod differential;
#[cfg(test)]
pub(crate) mod fixture;
mod json;
mod lane;
mod literal;
mod number;
mod observe;
#[cfg(test)]
mod oracle;
mod plan;
mod robot;
#[cfg(test)]
mod rules;
mod script;
mod series;
mod short;
mod text;
mod trie;
mod walk;

pub use pipeline::plan::Role;
pub use plan::{Plan, PlanError};

use crate::account::{Account, Kind, add};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use cell::Note;
use json::{Cursor, Stop};
use observe::{Context, Mark, Sink};
use pipeline::member::Stamp;
use pipeline::spec::Format;
use robot::{Robots, robot, said};
use std::sync::Arc;
use thiserror::Error;
use walk::{Ground, Walk};

/// Most bytes of a sample in quarantine.
pub const SAMPLE_BYTES_MAX: usize = 256;
/// How much of the text before a mistake its sample shows.
const SAMPLE_BEFORE: usize = 64;
/// U+FEFF, which some writers put before a document.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A member whose bytes are to be decoded.
#[derive(Debug, Clone, Copy)]
pub struct Source<'m> {
    /// Its index in the caller's list; goes into batches and refusals.
    pub member: u32,
    /// The robot that its name says, if the archive captures one.
    pub robot: Option<&'m str>,
    /// The time that its name says.
    pub stamp: Stamp,
    /// What it takes up as it is stored.
    pub stored_bytes: u64,
    /// Whether this shard accounts for it.
    pub role: Role,
}

/// Something refused, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the member in the caller's list.
    pub member: u32,
    /// Byte offset in the member's JSON: of the mistake, of the value that does not fit, else of its record.
    pub offset: Option<u64>,
    /// Position of the record in its signal's walk, counted over the member from 0, before `match`.
    pub record: Option<u64>,
    /// Index of the signal; `None`: the whole member, document or line.
    pub signal: Option<u32>,
    /// Index of the signal's column.
    pub column: Option<u32>,
    /// Why.
    pub kind: Kind,
    /// What stood there, at most [`SAMPLE_BYTES_MAX`] bytes.
    pub sample: String,
}

impl Refusal {
    /// The refusal of a whole member, document or line.
    fn whole(member: u32, kind: Kind, offset: Option<u64>, sample: String) -> Self {
        Self { member, offset, record: None, signal: None, column: None, kind, sample }
    }
}

/// Observations that follow each other, of one robot and one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Index of the robot's name among [`Decoded::robots`].
    pub robot: u32,
    /// Index of the member in the caller's list.
    pub member: u32,
    /// How many there are; at least one.
    pub rows: usize,
}

/// What was gathered of one signal, in archive order. A copy shares the rows' memory.
#[derive(Debug, Clone)]
pub struct Observations {
    /// Whose the rows are: one section after the other, all of them.
    pub sections: Vec<Section>,
    /// `time` and `known` Int64 ns, then the signal's columns; with [`Plan::traced`] then `record` UInt64. Where the signal has
    /// no known clock, `known` is the array of `time`.
    pub rows: RecordBatch,
}

impl Observations {
    /// Bytes of memory held; an array that is there twice counts once.
    pub fn bytes(&self) -> usize {
        let columns = self.rows.columns();
        let is_first = |(at, column): &(usize, &ArrayRef)| *at == 0 || !Arc::ptr_eq(&columns[at - 1], column);
        let arrays = columns.iter().enumerate().filter(is_first).map(|(_, column)| column.get_array_memory_size());
        arrays.sum::<usize>() + size_of_val(self.sections.as_slice())
    }
}

/// What a decoder gathered.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Names that sections point to.
    pub robots: Vec<Arc<str>>,
    /// By signal.
    pub signals: Vec<Observations>,
    /// Refusals of own members, in archive order.
    pub refused: Vec<Refusal>,
    /// Own members: read, documents, bytes, quarantined; per signal read, quarantined and what became null. What is kept
    /// and what is a duplicate is found out by [`crate::arrange`].
    pub account: Account,
}

/// Why the gathered observations do not fit a batch.
#[derive(Debug, Error)]
#[error("signal {signal}: too much for one batch; make shards smaller (shards.bytes)")]
pub struct TooMuch {
    /// The signal's name.
    pub signal: String,
    /// What Arrow said.
    pub source: ArrowError,
}

/// Decodes members, one after the other, and gathers their observations. One per thread; used again after
/// [`Decoder::finish`].
#[derive(Debug)]
pub struct Decoder {
    plan: Arc<Plan>,
    ground: Ground,
    sink: Sink,
    robots: Robots,
    account: Account,
    /// By signal: records of own members. They go into the account at the end, for each document adds to them.
    read: Vec<u64>,
    /// The member at hand, so that one of several chunks is counted once.
    member: Option<u32>,
    unit_mark: Mark,
    document_mark: Mark,
}

impl Decoder {
    /// A decoder with nothing gathered.
    pub fn new(plan: Arc<Plan>) -> Self {
        let (account, read) = (empty_account(&plan), vec![0; plan.signals.len()]);
        Self {
            ground: Ground::new(&plan),
            sink: Sink::new(&plan),
            plan,
            robots: Robots::default(),
            account,
            read,
            member: None,
            unit_mark: Mark::default(),
            document_mark: Mark::default(),
        }
    }

    /// Decodes bytes of a member: all of it for Json; for NdJson any number of chunks, cut at line ends, in order.
    /// `offset` is where the chunk begins in the member's JSON.
    ///
    /// Never fails: what cannot be used is refused, whole members of Json, lines of NdJson, single observations.
    pub fn member(&mut self, source: &Source<'_>, chunk: &[u8], offset: u64) {
        self.begin(source);
        if source.role == Role::Own {
            self.account.members.json_bytes += chunk.len() as u64;
        }
        match self.plan.format {
            Format::Json => self.unit(source, chunk, offset),
            Format::NdJson => self.lines(source, chunk, offset),
        }
    }

    /// Refuses a member, or what is left of it, that could not be unpacked: `lost_bytes` as stored.
    pub fn refuse(
        &mut self,
        source: &Source<'_>,
        kind: Kind,
        offset: Option<u64>,
        lost_bytes: u64,
        sample_bytes: &[u8],
    ) {
        self.begin(source);
        if source.role == Role::Own {
            add(&mut self.account.members.lost_bytes, lost_bytes);
        }
        self.refuse_unit(kind, offset, sample(sample_bytes));
    }

    /// Bytes held by what has been gathered, about.
    pub fn bytes(&self) -> usize {
        let refused = self.sink.refused.len() * size_of::<Refusal>();
        let samples: usize = self.sink.refused.iter().map(|refusal| refusal.sample.len()).sum();
        self.sink.series.iter().map(series::Series::bytes).sum::<usize>() + refused + samples
    }

    /// Gives what has been gathered and starts anew.
    pub fn finish(&mut self) -> Result<Decoded, TooMuch> {
        let mut signals = Vec::with_capacity(self.sink.series.len());
        for (series, signal) in self.sink.series.iter_mut().zip(&self.plan.signals) {
            signals.push(series.take().map_err(|source| TooMuch { signal: signal.name.clone(), source })?);
        }
        self.member = None;
        let mut account = std::mem::replace(&mut self.account, empty_account(&self.plan));
        for (signal, read) in self.plan.signals.iter().zip(&mut self.read) {
            account.signals.entry(signal.name.clone()).or_default().read += std::mem::take(read);
        }
        let robots = std::mem::take(&mut self.robots).names;
        Ok(Decoded { robots, signals, refused: std::mem::take(&mut self.sink.refused), account })
    }

    /// Turns to a member and counts it as read. [`Decoder::member`] and [`Decoder::refuse`] do so themselves; only a member of
    /// NdJson that may hold no line at all needs it before.
    pub fn begin(&mut self, source: &Source<'_>) {
        if self.member == Some(source.member) {
            return;
        }
        self.member = Some(source.member);
        self.sink.begin(Context::new(&self.plan, source.member, source.stamp, source.role));
        if source.role == Role::Own {
            let members = &mut self.account.members;
            members.read += 1;
            add(&mut members.stored_bytes, source.stored_bytes);
        }
    }

    /// Decodes lines, each a unit; blank ones are nothing.
    fn lines(&mut self, source: &Source<'_>, chunk: &[u8], offset: u64) {
        let mut start = 0;
        while start < chunk.len() {
            let end = memchr::memchr(b'\n', &chunk[start..]).map_or(chunk.len(), |length| start + length);
            let line = &chunk[start..end];
            let at = offset.saturating_add(start as u64);
            if line.len() as u64 > self.plan.limits.member_bytes_max {
                self.refuse_unit(Kind::TooLarge, Some(at), sample(line));
            } else if !line.iter().all(u8::is_ascii_whitespace) {
                self.unit(source, line, at);
            }
            start = end + 1;
        }
    }

    /// Decodes a unit: all of its documents, or nothing.
    fn unit(&mut self, source: &Source<'_>, bytes: &[u8], offset: u64) {
        self.sink.context.offset = offset;
        self.sink.mark(&mut self.unit_mark);
        let documents = match std::str::from_utf8(bytes) {
            Ok(text) => self.documents(source, text),
            Err(error) => Err(Stop::NotJson(error.valid_up_to())),
        };
        let (kind, at) = match (documents, self.sink.pending.too_many) {
            (Ok(documents), None) => return self.accept(documents),
            (Ok(_), Some(at)) => (Kind::TooManyRecords, at),
            (Err(Stop::TooDeep(at)), _) => (Kind::TooDeep, at),
            (Err(Stop::NotJson(at)), _) => (Kind::NotJson, at),
            (Err(Stop::Again), _) => unreachable!("an exact walk does not ask for another"),
        };
        self.sink.back_to(&self.unit_mark);
        self.refuse_unit(
            kind,
            Some(offset.saturating_add(at as u64)),
            sample(&bytes[at.saturating_sub(SAMPLE_BEFORE)..]),
        );
    }

    /// Decodes one document after the other; how many there were. None at all is not JSON.
    fn documents(&mut self, source: &Source<'_>, text: &str) -> Result<u64, Stop> {
        let mut cursor = Cursor::new(text, self.plan.limits.depth_max);
        let mut count = 0;
        loop {
            blanks(&mut cursor);
            if cursor.byte().is_none() {
                return if count == 0 { Err(cursor.wrong()) } else { Ok(count) };
            }
            let start = cursor.at;
            self.document(source, &mut cursor)?;
            let closed = matches!(text.as_bytes()[start], b'{' | b'[' | b'"');
            if !closed && matches!(cursor.byte(), Some(byte) if !byte.is_ascii_whitespace() && !b"{[\"".contains(&byte))
            {
                return Err(cursor.wrong());
            }
            count += 1;
        }
    }

    /// Decodes the document at the cursor and gives its observations their robot.
    fn document(&mut self, source: &Source<'_>, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        self.sink.mark(&mut self.document_mark);
        let (start, depth) = (cursor.at, cursor.depth);
        let walked = Walk::document(&self.plan, cursor, &mut self.ground, &mut self.sink, false);
        if walked == Err(Stop::Again) {
            self.sink.back_to(&self.document_mark);
            (cursor.at, cursor.depth) = (start, depth);
            Walk::document(&self.plan, cursor, &mut self.ground, &mut self.sink, true)?;
        } else {
            walked?;
        }
        match robot(&self.plan.robot, source.robot, said(&self.plan, &self.ground, cursor.text)) {
            Ok(name) => {
                let robot = self.robots.index(&name);
                self.sink.series.iter_mut().for_each(|series| series.name(robot, source.member));
            }
            Err(kind) => {
                self.sink.back_to(&self.document_mark);
                let at = self.sink.context.offset.saturating_add(start as u64);
                let sample = sample(&cursor.text.as_bytes()[start..cursor.at]);
                self.sink.refuse(Refusal::whole(source.member, kind, Some(at), sample));
            }
        }
        Ok(())
    }

    /// Refuses a member or line, and counts that.
    fn refuse_unit(&mut self, kind: Kind, offset: Option<u64>, sample: String) {
        let member = self.sink.context.member;
        if self.sink.context.role == Role::Own {
            *self.account.members.quarantined.entry(kind.word().to_owned()).or_default() += 1;
        }
        self.sink.refuse(Refusal::whole(member, kind, offset, sample));
    }

    /// Counts a unit that is used.
    fn accept(&mut self, documents: u64) {
        if self.sink.context.role == Role::Own {
            self.account.members.documents += documents;
            for (read, count) in self.read.iter_mut().zip(&self.sink.pending.counts) {
                *read += count.read;
            }
            count(&mut self.account, &self.plan, &self.sink, self.unit_mark.refused);
        }
        self.sink.accept();
    }
}

/// Adds what a unit counted beside what was read; its refusals begin at `refused`.
fn count(account: &mut Account, plan: &Plan, sink: &Sink, refused: usize) {
    let Account { members, signals, .. } = account;
    for refusal in &sink.refused[refused..] {
        let quarantined = match refusal.signal {
            Some(signal) => &mut signals.entry(plan.signals[signal as usize].name.clone()).or_default().quarantined,
            None => &mut members.quarantined,
        };
        *quarantined.entry(refusal.kind.word().to_owned()).or_default() += 1;
    }
    for (signal, column, note) in &sink.pending.notes {
        let signal = &plan.signals[*signal];
        let counts = signals.entry(signal.name.clone()).or_default();
        let by_column = match note {
            Note::Nan => &mut counts.nan,
            Note::Infinite => &mut counts.infinite,
            Note::Mismatch => &mut counts.mismatch_null,
        };
        *by_column.entry(signal.columns[*column].name.clone()).or_default() += 1;
    }
    for (signal, late_ns) in &sink.pending.late {
        let counts = signals.entry(plan.signals[*signal].name.clone()).or_default();
        *counts.late_by.entry(late_ns.div_ceil(1_000_000_000).next_power_of_two()).or_default() += 1;
    }
}

/// An account with an entry for each signal.
fn empty_account(plan: &Plan) -> Account {
    let mut account = Account::default();
    for signal in &plan.signals {
        account.signals.entry(signal.name.clone()).or_default();
    }
    account
}

/// Moves over blanks and byte order marks between documents.
fn blanks(cursor: &mut Cursor<'_>) {
    cursor.blanks();
    while cursor.text[cursor.at..].starts_with(BYTE_ORDER_MARK) {
        cursor.at += BYTE_ORDER_MARK.len_utf8();
        cursor.blanks();
    }
}

/// The first bytes of what was refused as text; bytes that are none become U+FFFD.
fn sample(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(SAMPLE_BYTES_MAX)]).into_owned();
    let mut end = text.len().min(SAMPLE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
