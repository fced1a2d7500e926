//! A simulated fleet: the reference archive, of any size, in constant memory, the same bytes for the same seed.
//!
//! ```text
//! Robot, Damager  ──Document──>  render (threads): JSON, gzip, zip entries  ──Batch──>  ZipWriter
//!        └─> Truth, Watch                       pure functions                    in the documents' order
//! ```
//! `DIR/archive/{date}.zip` holds `<robot>/<epoch_ms>.json.gz`, one per robot and five seconds; `DIR/fleetloom.yaml` is a
//! Pipeline over it; `DIR/truth.json` says what a run must find. A document is a pure function of (seed, first day,
//! robot, time), so the order of members and the number of threads change nothing in it.
//!
//! # Damage (`--dirty`)
//! At most one kind per document, so that every count is known:
//!
//! | word in `truth.json` | what is done | what an account says |
//! |---|---|---|
//! | `torn_members` | half of the gzip is stored, with a right CRC in the zip | member `unreadable`, none of its records read |
//! | `copied_members` | the member stands twice in its zip | each record of the copy `duplicate` |
//! | `reuploaded_members` | as copied, but the second says `frameId: …-corrected` | each record of the first `duplicate` |
//! | `next_day_members` | the member lies in the next day's zip | nothing: its stamp says where it belongs |
//! | `delayed_members` | its name bears a time 240.001 s later, maybe of the next day | nothing: within `lateness` |
//! | `silent_documents` | 30 s to 20 min are missing | nothing; after more than `memory` the event's state is unknown |
//! | `clock_forward_documents` | for 15 to 70 s all stamps are 37.000005 s ahead | nothing: within `lateness`; times interleave |
//! | `clock_backward_documents` | likewise 90.000003 s behind | nothing: likewise |
//! | `clock_far_documents` | likewise 1 h ahead | every record `late` |
//! | `repeated_records` | one record stands twice | `duplicate` |
//! | `nan_records` | a number is the bare word NaN | kept, `nan` of that column |
//! | `wrong_type_records` | text or bool for a number, number for text | `mismatch` |
//! | `no_time_records` | `ts` is null, "yesterday" or absent | `no_time` |
//! | `zero_time_records`, `far_future_records` | `ts` is 0, or in the year 2200 | `time_out_of_range` |
//! | `late_records` | `ts` is half an hour off | `late` |
//!
//! Normal stamps are multiples of 10 µs and the steps are not, so no two observations meet by chance.

mod damage;
mod document;
mod random;
mod render;
mod robot;
mod text;
mod truth;
mod zip;

use damage::{Damage, Damager};
use document::{DOCUMENT_MS, Document};
use pipeline::time::{DATA_TO_NS, Day, MILLI_NS};
use random::key;
use render::{Batch, Pool};
use robot::Robot;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use truth::{Truth, Watch};
use zip::ZipWriter;

/// The Archive and Pipeline over every simulated archive.
const PIPELINE: &str = include_str!("fleetloom.yaml");
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Documents given to a thread at once: some 200 KiB of zip.
const BATCH_DOCUMENTS: usize = 256;

/// In which order members stand in a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// Robot by robot, each by time.
    Robot,
    /// By time, robots interleaved.
    Time,
}

/// What to simulate.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Number of robots, at least 1.
    pub(crate) robots: u32,
    /// Length, at least 1.
    pub(crate) hours: u32,
    /// What chance depends on.
    pub(crate) seed: u64,
    /// First UTC day.
    pub(crate) start: Day,
    /// Folder for `archive/`, `fleetloom.yaml` and `truth.json`.
    pub(crate) out: PathBuf,
    /// Whether documents are damaged.
    pub(crate) dirty: bool,
    /// Order of the members.
    pub(crate) order: Order,
    /// Threads that write documents, at least 1.
    pub(crate) threads: usize,
}

impl Request {
    /// Number of documents, silence included.
    pub(crate) fn documents(&self) -> u64 {
        u64::from(self.robots) * u64::from(self.hours) * (HOUR_MS / DOCUMENT_MS).unsigned_abs()
    }
}

/// What was written so far, or at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Members.
    pub(crate) members: u64,
    /// JSON before compression.
    pub(crate) json_bytes: u64,
    /// Size of the finished zips.
    pub(crate) zip_bytes: u64,
    /// The finished zips.
    pub(crate) zips: Vec<PathBuf>,
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// A zip of that day is there already.
    #[error("{}: exists already; remove it, or choose another --out or --start", .0.display())]
    Exists(PathBuf),
    /// No observation may bear such a time.
    #[error("the archive would reach beyond the year 2100; choose an earlier --start or fewer --hours")]
    Calendar,
    /// The disk said no.
    #[error("{}: cannot be written", path.display())]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `watch` said stop; finished days stay, the unfinished one does not.
    #[error("stopped")]
    Stopped,
}

/// Writes the archive, the pipeline and the truth. `watch` hears what was written now and then, and may stop it.
pub(crate) fn simulate(
    request: &Request,
    watch: &mut dyn FnMut(&Written) -> ControlFlow<()>,
) -> Result<Written, SimulateError> {
    let folder = request.out.join("archive");
    let first_day = i64::from(request.start.0);
    let days = i64::from(request.hours.div_ceil(24));
    // A day more: damage carries members over.
    if (first_day + days + 1) * DAY_MS > DATA_TO_NS / MILLI_NS {
        return Err(SimulateError::Calendar);
    }
    for day in first_day..first_day + days {
        let path = folder.join(zip_name(day));
        if path.exists() {
            return Err(SimulateError::Exists(path));
        }
    }
    fs::create_dir_all(&folder).map_err(disk(&folder))?;
    let mut fleet = Fleet::of(request, first_day);
    let written = std::thread::scope(|scope| {
        let pool = Pool::start(scope, request.threads);
        let mut sink = Sink { folder: &folder, pool, zip: None, written: Written::default(), watch };
        for day in first_day..first_day + days {
            fleet.day(request, day, &mut sink)?;
        }
        fleet.rest(&mut sink)?;
        sink.finish()
    })?;
    let pipeline = request.out.join("fleetloom.yaml");
    if !pipeline.exists() {
        fs::write(&pipeline, PIPELINE).map_err(disk(&pipeline))?;
    }
    let truth = request.out.join("truth.json");
    fs::write(&truth, fleet.truth()).map_err(disk(&truth))?;
    Ok(written)
}

/// One robot and what is known of it.
struct Unit {
    key: u64,
    robot: Robot,
    damager: Damager,
    watch: Watch,
}

/// All robots between two documents, and the members that wait for a later day's zip.
struct Fleet {
    units: Vec<Unit>,
    dirty: bool,
    end_ms: i64,
    waiting: VecDeque<Document>,
    truth: Truth,
}

impl Fleet {
    fn of(request: &Request, first_day: i64) -> Self {
        let unit = |robot: u32| {
            let key = key(&[request.seed, first_day.cast_unsigned(), u64::from(robot)]);
            Unit {
                key,
                robot: Robot::of(random::key(&[key, 1])),
                damager: Damager::of(random::key(&[key, 2])),
                watch: Watch::default(),
            }
        };
        Self {
            units: (0..request.robots).map(unit).collect(),
            dirty: request.dirty,
            end_ms: first_day * DAY_MS + i64::from(request.hours) * HOUR_MS,
            waiting: VecDeque::new(),
            truth: Truth::default(),
        }
    }

    /// Lives one day into its zip.
    fn day(&mut self, request: &Request, day: i64, sink: &mut Sink<'_>) -> Result<(), SimulateError> {
        let mut late = std::mem::take(&mut self.waiting);
        let starts = day * DAY_MS..((day + 1) * DAY_MS).min(self.end_ms);
        match request.order {
            Order::Time => {
                late.into_iter().try_for_each(|document| sink.put(day, document))?;
                for start_ms in documents(&starts) {
                    self.live(0..request.robots, start_ms, day, sink)?;
                }
            }
            Order::Robot => {
                for robot in 0..request.robots {
                    while let Some(document) = late.pop_front_if(|document| document.robot == robot) {
                        sink.put(day, document)?;
                    }
                    for start_ms in documents(&starts) {
                        self.live(robot..robot + 1, start_ms, day, sink)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The next document of each of the robots.
    fn live(&mut self, robots: Range<u32>, start_ms: i64, day: i64, sink: &mut Sink<'_>) -> Result<(), SimulateError> {
        for robot in robots {
            let unit = &mut self.units[robot as usize];
            let battery = Document::has_battery(start_ms);
            let damage = if self.dirty { unit.damager.next(battery) } else { Damage::None };
            let document = Document {
                robot,
                start_ms,
                key: key(&[unit.key, start_ms.cast_unsigned()]),
                ticks: std::array::from_fn(|_| unit.robot.tick()),
                damage,
            };
            unit.watch.see(&document);
            self.truth.enter(&document);
            if document.zip_day() > day {
                self.waiting.push_back(document);
            } else if damage != Damage::Silent {
                sink.put(day, document)?;
            }
        }
        Ok(())
    }

    /// What still waits after the last day goes into the next one's zip.
    fn rest(&mut self, sink: &mut Sink<'_>) -> Result<(), SimulateError> {
        self.waiting.drain(..).try_for_each(|document| sink.put(document.zip_day(), document))
    }

    /// The text of `truth.json`.
    fn truth(mut self) -> String {
        self.truth.close(self.units.into_iter().map(|unit| unit.watch));
        let mut text = serde_json::to_string_pretty(&self.truth).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Where documents go: through the pool into the zip of their day.
struct Sink<'a> {
    folder: &'a Path,
    pool: Pool,
    zip: Option<OpenZip>,
    written: Written,
    watch: &'a mut dyn FnMut(&Written) -> ControlFlow<()>,
}

struct OpenZip {
    day: i64,
    path: PathBuf,
    writer: ZipWriter,
    next: Vec<Document>,
}

impl Sink<'_> {
    /// Takes one document; days come in order.
    fn put(&mut self, day: i64, document: Document) -> Result<(), SimulateError> {
        if self.zip.as_ref().is_none_or(|zip| zip.day != day) {
            self.close()?;
            let path = self.folder.join(zip_name(day));
            let writer = ZipWriter::create(&path).map_err(disk(&path))?;
            self.zip = Some(OpenZip { day, path, writer, next: Vec::with_capacity(BATCH_DOCUMENTS) });
        }
        let Some(zip) = &mut self.zip else { return Ok(()) };
        zip.next.push(document);
        if zip.next.len() < BATCH_DOCUMENTS {
            return Ok(());
        }
        let next = std::mem::replace(&mut zip.next, Vec::with_capacity(BATCH_DOCUMENTS));
        if let Some(batch) = self.pool.exchange(next) {
            self.append(batch)?;
        }
        Ok(())
    }

    fn append(&mut self, rendered: io::Result<Batch>) -> Result<(), SimulateError> {
        let Some(zip) = &mut self.zip else { return Ok(()) };
        let batch = rendered.map_err(disk(&zip.path))?;
        zip.writer.append(&batch.entries).map_err(disk(&zip.path))?;
        self.written.members += batch.entries.len() as u64;
        self.written.json_bytes += batch.json_bytes;
        match (self.watch)(&self.written) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SimulateError::Stopped),
        }
    }

    /// Finishes the zip of the day, if any.
    fn close(&mut self) -> Result<(), SimulateError> {
        if let Some(zip) = &mut self.zip {
            let last = std::mem::take(&mut zip.next);
            let mut batch = self.pool.exchange(last);
            while let Some(rendered) = batch {
                self.append(rendered)?;
                batch = self.pool.next();
            }
        }
        while let Some(rendered) = self.pool.next() {
            self.append(rendered)?;
        }
        if let Some(zip) = self.zip.take() {
            self.written.zip_bytes += zip.writer.finish().map_err(disk(&zip.path))?;
            self.written.zips.push(zip.path);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Written, SimulateError> {
        self.close()?;
        Ok(self.written)
    }
}

/// Where documents start, both ends multiples of their length.
fn documents(span_ms: &Range<i64>) -> impl Iterator<Item = i64> + use<> {
    (span_ms.start / DOCUMENT_MS..span_ms.end / DOCUMENT_MS).map(|number| number * DOCUMENT_MS)
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> SimulateError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => SimulateError::Exists(path),
        _ => SimulateError::Disk { path, source },
    }
}

fn zip_name(day: i64) -> String {
    format!("{}.zip", Day::of(day.saturating_mul(DAY_MS * MILLI_NS)))
}

#[cfg(test)]
mod tests;
