//! Small lists that this process wrote, in memory: whoever reads one next need not decode it.

use super::CHUNK_MEMBERS;
use pipeline::member::Member;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a list takes beside its members, about: its name and its place.
const LIST_BYTES: usize = 200;
/// What a member takes beside its name: itself, and the counts of those who share the name.
const MEMBER_BYTES: usize = size_of::<Member>() + 2 * size_of::<usize>();

/// The members of a list in chunks, in archive order.
pub(super) type Chunks = Arc<[Vec<Member>]>;

/// Lists by the state of their object, as long as there is room.
#[derive(Debug)]
pub(super) struct Kept {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// With the bytes that each takes.
    lists: HashMap<String, (Chunks, usize)>,
    bytes_left: usize,
}

impl Kept {
    /// Room for so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { held: Mutex::new(Held { lists: HashMap::new(), bytes_left: bytes_max }) }
    }

    /// A list, if it is here.
    pub(super) fn get(&self, content_id: &str) -> Option<Chunks> {
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
    chunks: Vec<Vec<Member>>,
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
    pub(super) fn add(&mut self, members: Vec<Member>) {
        let bytes = members.iter().map(|member| MEMBER_BYTES + member.name.len()).sum();
        self.fits &= self.kept.take(bytes);
        if !self.fits {
            return self.give_back();
        }
        self.bytes += bytes;
        if members.len() <= CHUNK_MEMBERS {
            self.chunks.push(members);
        } else {
            self.chunks.extend(members.chunks(CHUNK_MEMBERS).map(<[Member]>::to_vec));
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
    use pipeline::member::{Packing, Stamp};

    fn members(count: usize) -> Vec<Member> {
        let one = Member {
            object: 0,
            position: 0,
            name: "r1/5.json".into(),
            robot: None,
            stamp: Stamp::Absent,
            offset: 0,
            stored_bytes: 0,
            unpacked_bytes: 0,
            crc32: None,
            packing: Packing::Stored,
        };
        vec![one; count]
    }

    fn bytes(count: usize) -> usize {
        count * (MEMBER_BYTES + "r1/5.json".len())
    }

    #[test]
    fn a_list_is_kept_whole_or_not_at_all_and_gives_its_room_back() {
        let kept = Arc::new(Kept::new(2 * bytes(2_500) + 2 * LIST_BYTES));
        let write = |name: &str, chunks: usize| {
            let mut keeping = Keeping::new(&kept);
            (0..chunks).for_each(|_| keeping.add(members(2_500)));
            keeping.keep(name);
        };
        write("too long", 3);
        assert!(kept.get("too long").is_none());
        drop(Keeping::new(&kept));
        write("two", 2);
        let two = kept.get("two").unwrap();
        assert_eq!(two.iter().map(Vec::len).collect::<Vec<_>>(), [1_024, 1_024, 452].repeat(2));
        write("one more", 1);
        assert!(kept.get("one more").is_none());
        write("none", 0);
        assert!(kept.get("none").unwrap().is_empty());
        write("none, and no room", 0);
        assert!(kept.get("none, and no room").is_none());
    }

    #[test]
    fn a_list_that_is_written_again_takes_no_more_room() {
        let kept = Arc::new(Kept::new(2 * LIST_BYTES + bytes(510)));
        for count in [10, 500, 10, 10] {
            let mut keeping = Keeping::new(&kept);
            keeping.add(members(count));
            keeping.keep("again");
        }
        assert_eq!(kept.get("again").unwrap().len(), 1);
        assert_eq!(kept.with(|held| held.bytes_left), LIST_BYTES + bytes(500));
    }
}
