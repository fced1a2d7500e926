//! Small lists that this process wrote, in memory: whoever reads one next need not decode it.

use super::CHUNK_MEMBERS;
use arrow::array::RecordBatch;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a list takes beside its chunks, about: its name and its place.
const LIST_BYTES: usize = 200;

/// Lists by the state of their object, as long as there is room.
#[derive(Debug)]
pub(super) struct Kept {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// With the bytes that each takes.
    lists: HashMap<String, (Arc<[RecordBatch]>, usize)>,
    bytes_left: usize,
}

impl Kept {
    /// Room for so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { held: Mutex::new(Held { lists: HashMap::new(), bytes_left: bytes_max }) }
    }

    /// A list, if it is here.
    pub(super) fn get(&self, content_id: &str) -> Option<Arc<[RecordBatch]>> {
        self.with(|held| held.lists.get(content_id).map(|(list, _)| Arc::clone(list)))
    }

    /// Takes room for so many bytes, if there is.
    fn take(&self, bytes: usize) -> bool {
        self.with(|held| held.bytes_left.checked_sub(bytes).map(|left| held.bytes_left = left)).is_some()
    }

    fn with<T>(&self, of: impl FnOnce(&mut Held) -> T) -> T {
        of(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A list while it is written. Dropping it gives its room back.
#[derive(Debug)]
pub(super) struct Keeping {
    kept: Arc<Kept>,
    chunks: Vec<RecordBatch>,
    bytes: usize,
    /// Whether there was room for all of it so far.
    fits: bool,
}

impl Keeping {
    pub(super) fn new(kept: &Arc<Kept>) -> Self {
        let fits = kept.take(LIST_BYTES);
        Self { kept: Arc::clone(kept), chunks: Vec::new(), bytes: if fits { LIST_BYTES } else { 0 }, fits }
    }

    /// Adds its next members.
    pub(super) fn add(&mut self, members: &RecordBatch) {
        let bytes = members.get_array_memory_size();
        if self.fits && self.kept.take(bytes) {
            let starts = (0..members.num_rows()).step_by(CHUNK_MEMBERS);
            let chunk = |from| members.slice(from, CHUNK_MEMBERS.min(members.num_rows() - from));
            self.chunks.extend(starts.map(chunk));
            self.bytes += bytes;
        } else {
            self.fits = false;
            self.give_back();
        }
    }

    /// The list is written, under that name.
    pub(super) fn keep(mut self, content_id: &str) {
        if !self.fits {
            return;
        }
        let list = (std::mem::take(&mut self.chunks).into(), std::mem::take(&mut self.bytes));
        // The room of one that was written before is given back.
        if let Some((_, bytes)) = self.kept.with(|held| held.lists.insert(content_id.to_owned(), list)) {
            self.bytes = bytes;
        }
    }

    fn give_back(&mut self) {
        self.chunks = Vec::new();
        let bytes = std::mem::take(&mut self.bytes);
        self.kept.with(|held| held.bytes_left += bytes);
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, UInt64Array};

    fn chunk(rows: u64) -> RecordBatch {
        let column: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("position", column)]).unwrap()
    }

    #[test]
    fn a_list_is_kept_whole_or_not_at_all_and_gives_its_room_back() {
        let (rows, bytes) = (2_500, chunk(2_500).get_array_memory_size());
        let kept = Arc::new(Kept::new(2 * bytes + 2 * LIST_BYTES));
        let write = |name: &str, chunks: usize| {
            let mut keeping = Keeping::new(&kept);
            (0..chunks).for_each(|_| keeping.add(&chunk(rows)));
            keeping.keep(name);
        };
        write("too long", 3);
        assert!(kept.get("too long").is_none());
        drop(Keeping::new(&kept));
        write("two", 2);
        let two = kept.get("two").unwrap();
        assert_eq!(two.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1_024, 1_024, 452].repeat(2));
        write("one more", 1);
        assert!(kept.get("one more").is_none());
        write("none", 0);
        assert!(kept.get("none").unwrap().is_empty());
        write("none, and no room", 0);
        assert!(kept.get("none, and no room").is_none());
    }

    #[test]
    fn a_list_that_is_written_again_takes_no_more_room() {
        let bytes = |rows| LIST_BYTES + chunk(rows).get_array_memory_size();
        let kept = Arc::new(Kept::new(bytes(10) + bytes(500)));
        for rows in [10, 500, 10, 10] {
            let mut keeping = Keeping::new(&kept);
            keeping.add(&chunk(rows));
            keeping.keep("again");
        }
        assert_eq!(kept.get("again").unwrap().len(), 1);
        assert_eq!(kept.with(|held| held.bytes_left), bytes(500));
    }
}
