//! Which gaps between members are read for nothing: the narrowest first, until a shard has wasted what it may.

/// Gaps that may be read; each is asked about in the order in which it lies.
#[derive(Debug)]
pub(super) struct Gaps {
    /// All narrower gaps are read.
    widest: u64,
    /// So many of exactly that width are read too.
    left: u64,
    /// What was read for nothing so far.
    pub(super) bridged_bytes: u64,
}

impl Gaps {
    /// Chooses the narrowest of `gaps` that come to at most `waste_bytes` together.
    pub(super) fn narrowest(mut gaps: Vec<u64>, waste_bytes: u64) -> Self {
        gaps.sort_unstable();
        let (mut sum, mut equal) = (0_u64, 0);
        for (at, &gap) in gaps.iter().enumerate() {
            equal = if at > 0 && gap == gaps[at - 1] { equal + 1 } else { 0 };
            sum = sum.saturating_add(gap);
            if sum > waste_bytes {
                return Self { widest: gap, left: equal, bridged_bytes: 0 };
            }
        }
        Self { widest: u64::MAX, left: 0, bridged_bytes: 0 }
    }

    /// Whether this gap is read. A gap of 0 always is: it costs nothing.
    pub(super) fn bridge(&mut self, gap: u64) -> bool {
        let one_of_the_widest = gap == self.widest && self.left > 0;
        if gap > 0 && gap >= self.widest && !one_of_the_widest {
            return false;
        }
        self.left -= u64::from(gap > 0 && one_of_the_widest);
        self.bridged_bytes = self.bridged_bytes.saturating_add(gap);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    /// The gaps that are read, of all in the order in which they lie.
    fn read(gaps: &[u64], waste_bytes: u64) -> Vec<u64> {
        let mut chosen = Gaps::narrowest(gaps.iter().copied().filter(|gap| *gap > 0).collect(), waste_bytes);
        let read: Vec<u64> = gaps.iter().copied().filter(|gap| chosen.bridge(*gap)).collect();
        assert_eq!(chosen.bridged_bytes, read.iter().sum::<u64>());
        read
    }

    #[test]
    fn the_narrowest_gaps_are_read_as_far_as_the_waste_goes() {
        assert_eq!(read(&[5, 1, 9, 2], 100), [5, 1, 9, 2]);
        assert_eq!(read(&[5, 1, 9, 2], 8), [5, 1, 2]);
        assert_eq!(read(&[5, 1, 9, 2], 7), [1, 2]);
        assert_eq!(read(&[5, 1, 9, 2], 0), [0; 0]);
    }

    #[test]
    fn of_equal_gaps_as_many_are_read_as_fit() {
        assert_eq!(read(&[4, 4, 4, 4], 11), [4, 4]);
        assert_eq!(read(&[4, 4, 4, 4], 3), [0; 0]);
    }

    #[test]
    fn no_gap_is_free() {
        assert_eq!(read(&[0, 7, 0], 0), [0, 0]);
    }
}
