//! What one shard decoded and a later one reads too, kept for it, so that a run decodes no member twice.
//!
//! ```text
//! shard 0   [ own ................. | context ]        decoded once, in stretches that have the same last reader
//! shard 1                 [ context | own ............ ]
//! ```
//! What is kept is bounded: beyond a share of the memory budget members are decoded again. Rows are the same either way.

use super::chunk::Pick;
use engine::decode::Decoded;
use std::collections::BTreeMap;

/// What a batch takes beside its values, about: many stretches hold one small member.
const BATCH_BYTES: usize = 1 << 10;

/// The last shard that reads a member, by its turn in the run; 0, the first, when none does after the shard at hand.
pub(super) type Turn = usize;

/// The observations of members that follow each other among a shard's picks, are the same to it, and have the same last reader.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// Index of its first member among the picks; sections count from there.
    pub(super) first: usize,
    /// How many members it has.
    pub(super) members: usize,
    /// Its last reader.
    pub(super) until: Turn,
    /// What was decoded, with the account of its members where they are this shard's own or somebody else reads them.
    pub(super) decoded: Decoded,
}

/// A member's place in the archive.
type Place = (u32, u64);

/// Stretches that wait for their readers.
#[derive(Debug)]
pub(super) struct Carry {
    /// By the place of their first member.
    kept: BTreeMap<Place, Kept>,
    /// The shard at hand.
    turn: Turn,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    places: Vec<Place>,
    stretch: Stretch,
    bytes: usize,
}

impl Carry {
    /// An empty one that keeps at most about `bytes_max`.
    pub(super) fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { kept: BTreeMap::new(), turn: 0, bytes: 0, bytes_max }
    }

    /// The stretches that lie among `picks` member by member, in their order, numbered as they are there.
    pub(super) fn take(&mut self, picks: &[Pick]) -> Vec<Stretch> {
        let mut taken = Vec::new();
        let mut first = 0;
        while first < picks.len() {
            let stretch = self.take_at(picks, first);
            first += stretch.as_ref().map_or(1, |stretch| stretch.members);
            taken.extend(stretch);
        }
        taken
    }

    fn take_at(&mut self, picks: &[Pick], first: usize) -> Option<Stretch> {
        let place = place(&picks[first]);
        let kept = self.kept.get(&place)?;
        let lies_here = kept.places.len() <= picks.len() - first
            && kept.places.iter().zip(&picks[first..]).all(|(kept, pick)| *kept == self::place(pick));
        if !lies_here {
            return None;
        }
        let stretch = if kept.stretch.until > self.turn {
            kept.stretch.clone()
        } else {
            let Kept { stretch, bytes, .. } = self.kept.remove(&place)?;
            self.bytes -= bytes;
            stretch
        };
        Some(renumbered(stretch, first))
    }

    /// Keeps a stretch for its readers, where there are any and there is room.
    pub(super) fn keep(&mut self, picks: &[Pick], stretch: &Stretch) {
        let bytes = if stretch.until > self.turn { stretch.bytes() } else { return };
        if self.bytes.saturating_add(bytes) > self.bytes_max {
            return;
        }
        self.bytes += bytes;
        let places: Vec<Place> = picks[stretch.first..stretch.first + stretch.members].iter().map(place).collect();
        if let Some(replaced) = self.kept.insert(places[0], Kept { places, stretch: stretch.clone(), bytes }) {
            self.bytes -= replaced.bytes;
        }
    }

    /// Turns to the next shard: what nobody reads any more goes.
    pub(super) fn end_turn(&mut self) {
        self.turn += 1;
        let mut freed = 0;
        self.kept.retain(|_, kept| {
            let stays = kept.stretch.until >= self.turn;
            freed += if stays { 0 } else { kept.bytes };
            stays
        });
        self.bytes -= freed;
    }
}

impl Stretch {
    /// Whether the next member goes on with it: a member of the same role and last reader, and, where somebody reads it later, of
    /// the same robot, for another shard may compute its robots in other chunks.
    pub(super) fn goes_on(picks: &[Pick], first: usize, next: usize) -> bool {
        let (one, other) = (&picks[first], &picks[next]);
        one.role == other.role && one.until == other.until && (one.until == 0 || one.robot == other.robot)
    }

    fn bytes(&self) -> usize {
        self.decoded.signals.iter().map(|observations| observations.bytes() + BATCH_BYTES).sum()
    }
}

fn place(pick: &Pick) -> Place {
    (pick.member.object, pick.member.position)
}

/// The same stretch, its members numbered from `first` on. It is not kept once more.
fn renumbered(stretch: Stretch, first: usize) -> Stretch {
    let number =
        |index: usize| u32::try_from(index).unwrap_or_else(|_| unreachable!("a chunk has under 4 billion members"));
    let (from, to) = (number(stretch.first), number(first));
    let Stretch { members, mut decoded, .. } = stretch;
    for section in decoded.signals.iter_mut().flat_map(|observations| &mut observations.sections) {
        section.member = section.member - from + to;
    }
    for refusal in &mut decoded.refused {
        refusal.member = refusal.member - from + to;
    }
    Stretch { first, members, until: 0, decoded }
}
