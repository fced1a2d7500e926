//! Documents to zip entries on several threads, given back in the order they came.

use super::damage::Damage;
use super::document::{Document, Revision, robot_name};
use super::text::integer;
use super::zip;
use libdeflater::{CompressionLvl, Compressor};
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// gzip level of the members: the fastest; higher ones gain under one part in a hundred.
const LEVEL: i32 = 1;
/// Batches on their way per thread: one in work, one ready.
const BATCHES_PER_THREAD: usize = 2;

/// Rendered documents.
pub(super) struct Batch {
    /// Their zip entries.
    pub(super) entries: zip::Batch,
    /// Their JSON, all revisions.
    pub(super) json_bytes: u64,
}

/// Threads that render; batches come back in the order they went in.
pub(super) struct Pool {
    lanes: Vec<Lane>,
    on_their_way: VecDeque<usize>,
    turn: usize,
}

struct Lane {
    work: SyncSender<Vec<Document>>,
    done: Receiver<io::Result<Batch>>,
}

impl Pool {
    /// Starts the threads; they end when the pool is dropped.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, threads: usize) -> Self {
        let lane = |_| {
            let (work, documents) = sync_channel::<Vec<Document>>(BATCHES_PER_THREAD);
            let (send, done) = sync_channel(BATCHES_PER_THREAD);
            scope.spawn(move || {
                let mut renderer = Renderer::new();
                for batch in documents {
                    if send.send(renderer.render(&batch)).is_err() {
                        break;
                    }
                }
            });
            Lane { work, done }
        };
        Self { lanes: (0..threads.max(1)).map(lane).collect(), on_their_way: VecDeque::new(), turn: 0 }
    }

    /// Gives one batch to render; takes the oldest back once every thread has enough to do.
    pub(super) fn exchange(&mut self, documents: Vec<Document>) -> Option<io::Result<Batch>> {
        let full = self.on_their_way.len() >= BATCHES_PER_THREAD * self.lanes.len();
        let oldest = if full { self.next() } else { None };
        let lane = self.turn % self.lanes.len();
        self.turn = self.turn.wrapping_add(1);
        match self.lanes[lane].work.send(documents) {
            Ok(()) => self.on_their_way.push_back(lane),
            Err(_) => return Some(Err(lost())),
        }
        oldest
    }

    /// The oldest batch on its way, waited for.
    pub(super) fn next(&mut self) -> Option<io::Result<Batch>> {
        let lane = self.on_their_way.pop_front()?;
        Some(self.lanes[lane].done.recv().unwrap_or_else(|_| Err(lost())))
    }
}

fn lost() -> io::Error {
    io::Error::other("a thread that writes documents ended early")
}

/// One thread's buffers.
struct Renderer {
    compressor: Compressor,
    name: Vec<u8>,
    json: Vec<u8>,
    gzip: Vec<u8>,
}

impl Renderer {
    fn new() -> Self {
        let level = CompressionLvl::new(LEVEL).unwrap_or_default();
        Self { compressor: Compressor::new(level), name: Vec::new(), json: Vec::new(), gzip: Vec::new() }
    }

    fn render(&mut self, documents: &[Document]) -> io::Result<Batch> {
        let mut batch = Batch { entries: zip::Batch::default(), json_bytes: 0 };
        for document in documents {
            let bytes = self.pack(document, Revision::First, &mut batch)?;
            match document.damage {
                Damage::Torn => batch.entries.push(&self.name, &self.gzip[..bytes / 2])?,
                Damage::Copied => {
                    batch.entries.push(&self.name, &self.gzip[..bytes])?;
                    batch.json_bytes += self.json.len() as u64;
                    batch.entries.push(&self.name, &self.gzip[..bytes])?;
                }
                Damage::Reuploaded => {
                    batch.entries.push(&self.name, &self.gzip[..bytes])?;
                    let bytes = self.pack(document, Revision::Second, &mut batch)?;
                    batch.entries.push(&self.name, &self.gzip[..bytes])?;
                }
                _ => batch.entries.push(&self.name, &self.gzip[..bytes])?,
            }
        }
        Ok(batch)
    }

    /// Name and gzip of one revision; returns the length of the gzip.
    fn pack(&mut self, document: &Document, revision: Revision, batch: &mut Batch) -> io::Result<usize> {
        self.name.clear();
        robot_name(&mut self.name, document.robot);
        self.name.push(b'/');
        integer(&mut self.name, document.stamp_ms().unsigned_abs());
        self.name.extend_from_slice(b".json.gz");
        document.write(revision, &mut self.json);
        batch.json_bytes += self.json.len() as u64;
        self.gzip.resize(self.compressor.gzip_compress_bound(self.json.len()), 0);
        self.compressor.gzip_compress(&self.json, &mut self.gzip).map_err(io::Error::other)
    }
}
