//! Quantiles `p05 p25 p50 p75 p95`: linear interpolation between closest ranks (type 7).
//!
//! The rows of a group look at few values more than one window holds. Those are sorted once; a window is then a set of ranks, a
//! bit each, and every quantile keeps a cursor into the bits that moves little from row to row.
//!
//! ```text
//! values of the group   4.0  1.0  9.0  2.0        ranks   2 0 3 1
//! window {4.0, 9.0}     bits by rank   0011       the k-th value = the k-th bit that is set
//! ```
//! No arithmetic but the interpolation, so the result depends on the window's values only.

use super::frame::{Frame, Group};
use super::number::{Column, Family, family};
use crate::sorted::position;
use pipeline::spec::Statistic;

/// Fills the columns of this family.
pub(super) fn compute(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let mut columns = family(columns, |statistic| percent(statistic).is_some());
    if columns.is_empty() {
        return;
    }
    columns.iter_mut().for_each(|(_, column)| column.resize(frame.rows.len(), f64::NAN));
    let mut ranks = Ranks::default();
    let mut cursors: Vec<Cursor> =
        columns.iter().filter_map(|(s, _)| percent(*s)).map(|percent| Cursor { percent, word: 0, before: 0 }).collect();
    for group in &frame.groups {
        group_quantiles(frame, group, &mut ranks, &mut cursors, &mut columns);
    }
}

fn percent(statistic: Statistic) -> Option<u32> {
    match statistic {
        Statistic::P05 => Some(5),
        Statistic::P25 => Some(25),
        Statistic::P50 => Some(50),
        Statistic::P75 => Some(75),
        Statistic::P95 => Some(95),
        _ => None,
    }
}

fn group_quantiles(
    frame: &Frame<'_, f64>,
    group: &Group,
    ranks: &mut Ranks,
    cursors: &mut [Cursor],
    columns: &mut Family<'_>,
) {
    let first = group.first;
    ranks.sort(&frame.values[first..frame.to[group.rows.end - 1] as usize]);
    cursors.iter_mut().for_each(|cursor| (cursor.word, cursor.before) = (0, 0));
    let (mut from, mut to) = (first, first);
    for row in group.rows.clone() {
        let window = frame.window(row);
        for at in to.max(window.start)..window.end {
            ranks.insert(at - first, cursors);
        }
        for at in from..to.min(window.start) {
            ranks.remove(at - first, cursors);
        }
        (from, to) = (window.start, window.end);
        if !window.is_empty() {
            for (cursor, (_, column)) in cursors.iter_mut().zip(columns.iter_mut()) {
                column[row] = cursor.quantile(ranks, frame.count(row));
            }
        }
    }
}

/// The values of a group by rank, and which of them are in the window.
#[derive(Default)]
struct Ranks {
    /// Sorted values, with where each stands in the group.
    sorted: Vec<(f64, u32)>,
    /// Rank by place in the group.
    rank: Vec<u32>,
    /// A bit per rank.
    bits: Vec<u64>,
}

/// Where a quantile was last found.
struct Cursor {
    percent: u32,
    /// The word looked at.
    word: usize,
    /// Bits set in the words before it.
    before: u32,
}

impl Ranks {
    /// Takes the values of a group; no value is in the window then.
    fn sort(&mut self, values: &[f64]) {
        self.sorted.clear();
        self.sorted.extend(values.iter().enumerate().map(|(at, &value)| (value, position(at))));
        self.sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.rank.clear();
        self.rank.resize(values.len(), 0);
        for (rank, &(_, at)) in self.sorted.iter().enumerate() {
            self.rank[at as usize] = position(rank);
        }
        self.bits.clear();
        self.bits.resize(values.len().div_ceil(64), 0);
    }

    #[inline]
    fn insert(&mut self, at: usize, cursors: &mut [Cursor]) {
        let rank = self.rank[at] as usize;
        self.bits[rank / 64] |= 1 << (rank % 64);
        cursors.iter_mut().for_each(|cursor| cursor.before += u32::from(rank / 64 < cursor.word));
    }

    #[inline]
    fn remove(&mut self, at: usize, cursors: &mut [Cursor]) {
        let rank = self.rank[at] as usize;
        self.bits[rank / 64] &= !(1 << (rank % 64));
        cursors.iter_mut().for_each(|cursor| cursor.before -= u32::from(rank / 64 < cursor.word));
    }

    /// The least value in the window whose rank is greater.
    fn next(&self, rank: usize) -> f64 {
        let mut word = rank / 64;
        let mut rest = self.bits[word] & (u64::MAX << (rank % 64)) & !(1 << (rank % 64));
        while rest == 0 {
            word += 1;
            rest = self.bits[word];
        }
        self.sorted[word * 64 + rest.trailing_zeros() as usize].0
    }
}

/// The number at `share` of the way from `low` to `high`, which lies between them even where their distance overflows.
#[inline]
fn between(low: f64, high: f64, share: f64) -> f64 {
    let way = high - low;
    if way.is_finite() { low + way * share } else { low * (1.0 - share) + high * share }
}

impl Cursor {
    /// The quantile of a window of `count` values, `count` greater than 0.
    #[inline]
    fn quantile(&mut self, ranks: &Ranks, count: u32) -> f64 {
        let scaled = u64::from(count - 1) * u64::from(self.percent);
        let (below, rest) = (position((scaled / 100) as usize), scaled % 100);
        let rank = self.find(&ranks.bits, below);
        let low = ranks.sorted[rank].0;
        if rest == 0 { low } else { between(low, ranks.next(rank), rest as f64 / 100.0) }
    }

    /// The rank of the `k`-th value in the window, from 0.
    #[inline]
    fn find(&mut self, bits: &[u64], k: u32) -> usize {
        while k < self.before {
            self.word -= 1;
            self.before -= bits[self.word].count_ones();
        }
        let mut ones = bits[self.word].count_ones();
        while k >= self.before + ones {
            self.before += ones;
            self.word += 1;
            ones = bits[self.word].count_ones();
        }
        self.word * 64 + select(bits[self.word], k - self.before)
    }
}

/// The position of the `k`-th bit that is set, from 0; there are more than `k`.
#[inline]
fn select(mut word: u64, mut k: u32) -> usize {
    let mut skipped = 0;
    for width in [32, 16, 8] {
        let low = (word & ((1 << width) - 1)).count_ones();
        if k >= low {
            k -= low;
            word >>= width;
            skipped += width;
        }
    }
    for _ in 0..k {
        word &= word - 1;
    }
    skipped + word.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_finds_every_bit() {
        for word in [1, 0x8000_0000_0000_0001, u64::MAX, 0xF0F0_0000_1234_5678] {
            let set: Vec<usize> = (0..64).filter(|bit| word >> bit & 1 == 1).collect();
            for (k, &bit) in set.iter().enumerate() {
                assert_eq!(select(word, position(k)), bit);
            }
        }
    }
}
