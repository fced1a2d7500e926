//! Random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood 2014), integers only.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bijective scrambling of 64 bits.
pub(super) fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One key from several numbers; the order matters.
pub(super) fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |key, part| mix(key ^ part))
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The stream of that key.
    pub(super) fn of(key: u64) -> Self {
        Self { state: key }
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        let bits = mix(self.state);
        self.state = self.state.wrapping_add(GOLDEN);
        bits
    }

    /// Uniform in `0..bound` (`bound` > 0), biased by less than `bound` / 2³².
    pub(super) fn below(&mut self, bound: u32) -> i32 {
        scale(self.bits(), bound)
    }

    /// Uniform in `from..to`.
    pub(super) fn between(&mut self, from: i32, to: i32) -> i32 {
        from + self.below(to.abs_diff(from))
    }

    /// True once in `times` draws, on average.
    pub(super) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }
}

/// The low 32 bits as a uniform number in `0..bound`; `bound` is below 2³¹.
pub(super) fn scale(bits: u64, bound: u32) -> i32 {
    (((bits & 0xFFFF_FFFF) * u64::from(bound)) >> 32) as i32
}
