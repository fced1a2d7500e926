//! What goes wrong with a document, by chance, one kind at most. The kinds are described in [`super`].

use super::random::{Random, scale};

/// Normal stamps are multiples of 10 µs; each step ends on another microsecond, so stepped times never meet others.
const FORWARD_US: i64 = 37_000_005;
const BACKWARD_US: i64 = -90_000_003;
/// Beyond the lateness of `fleetloom.yaml` (10 min) and what a member covers (5 s).
const FAR_US: i64 = 3_600_000_000;

/// A signal of the reference archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Odometry,
    Pose,
    Mission,
    Battery,
}

impl Signal {
    /// All four, in the order of a document.
    pub(super) const ALL: [Self; 4] = [Self::Odometry, Self::Pose, Self::Mission, Self::Battery];

    /// Its name in the documents and in `fleetloom.yaml`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Odometry => "odometry",
            Self::Pose => "pose",
            Self::Mission => "mission",
            Self::Battery => "battery",
        }
    }

    /// How many records a document holds; the battery reports in every other one.
    pub(super) fn records(self, battery: bool) -> u32 {
        match self {
            Self::Odometry => 25,
            Self::Pose | Self::Mission => 5,
            Self::Battery => u32::from(battery),
        }
    }

    /// The column that may be NaN.
    pub(super) fn nan_column(self) -> &'static str {
        match self {
            Self::Odometry => "linear",
            Self::Pose => "score",
            Self::Mission => "completedPercent",
            Self::Battery => "voltage",
        }
    }
}

/// One record of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) signal: Signal,
    pub(super) index: u32,
}

/// What is wrong with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Twice,
    NotANumber,
    WrongType,
    NoTime,
    ZeroTime,
    FarFuture,
    Late,
}

/// Where a robot's clock stands meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Forward,
    Backward,
    Far,
}

impl Step {
    /// How far its stamps are off, µs.
    pub(super) fn shift_us(self) -> i64 {
        match self {
            Self::Forward => FORWARD_US,
            Self::Backward => BACKWARD_US,
            Self::Far => FAR_US,
        }
    }
}

/// What is wrong with one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    Torn,
    Copied,
    Reuploaded,
    NextDay,
    Delayed,
    Stepped(Step),
    Silent,
    Record(Spot, Flaw),
}

impl Damage {
    /// Its word in `truth.json`; `None` where nothing is wrong.
    pub(super) fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Torn => "torn_members",
            Self::Copied => "copied_members",
            Self::Reuploaded => "reuploaded_members",
            Self::NextDay => "next_day_members",
            Self::Delayed => "delayed_members",
            Self::Stepped(Step::Forward) => "clock_forward_documents",
            Self::Stepped(Step::Backward) => "clock_backward_documents",
            Self::Stepped(Step::Far) => "clock_far_documents",
            Self::Silent => "silent_documents",
            Self::Record(_, Flaw::Twice) => "repeated_records",
            Self::Record(_, Flaw::NotANumber) => "nan_records",
            Self::Record(_, Flaw::WrongType) => "wrong_type_records",
            Self::Record(_, Flaw::NoTime) => "no_time_records",
            Self::Record(_, Flaw::ZeroTime) => "zero_time_records",
            Self::Record(_, Flaw::FarFuture) => "far_future_records",
            Self::Record(_, Flaw::Late) => "late_records",
        })
    }
}

/// What begins with a document.
#[derive(Debug, Clone, Copy)]
enum Begin {
    One(Damage),
    Flaw(Flaw),
    /// For some documents in `from..below`.
    Episode(Damage, u32, u32),
}

/// How often each begins, in 10,000 documents. About one document in six is touched.
const BEGINNINGS: [(u32, Begin); 16] = [
    (30, Begin::One(Damage::Torn)),
    (30, Begin::One(Damage::Copied)),
    (30, Begin::One(Damage::Reuploaded)),
    (30, Begin::One(Damage::NextDay)),
    (30, Begin::One(Damage::Delayed)),
    (40, Begin::Flaw(Flaw::Twice)),
    (40, Begin::Flaw(Flaw::NotANumber)),
    (40, Begin::Flaw(Flaw::WrongType)),
    (40, Begin::Flaw(Flaw::NoTime)),
    (30, Begin::Flaw(Flaw::ZeroTime)),
    (30, Begin::Flaw(Flaw::FarFuture)),
    (40, Begin::Flaw(Flaw::Late)),
    (10, Begin::Episode(Damage::Stepped(Step::Forward), 3, 15)),
    (10, Begin::Episode(Damage::Stepped(Step::Backward), 3, 15)),
    (10, Begin::Episode(Damage::Stepped(Step::Far), 3, 15)),
    // From half a minute to twenty: some are longer than an event's memory of ten minutes.
    (6, Begin::Episode(Damage::Silent, 6, 240)),
];

/// Draws the damage of one robot's documents in their order.
#[derive(Debug, Clone)]
pub(super) struct Damager {
    random: Random,
    episode: Damage,
    left: u32,
}

impl Damager {
    pub(super) fn of(key: u64) -> Self {
        Self { random: Random::of(key), episode: Damage::None, left: 0 }
    }

    /// The damage of the next document, which holds a battery record or not.
    pub(super) fn next(&mut self, battery: bool) -> Damage {
        if self.left > 0 {
            self.left -= 1;
            return self.episode;
        }
        let mut roll = self.random.below(10_000).unsigned_abs();
        for (rate, begin) in BEGINNINGS {
            if roll < rate {
                return self.begin(begin, battery);
            }
            roll -= rate;
        }
        Damage::None
    }

    fn begin(&mut self, begin: Begin, battery: bool) -> Damage {
        match begin {
            Begin::One(damage) => damage,
            Begin::Flaw(flaw) => Damage::Record(self.spot(battery), flaw),
            Begin::Episode(damage, from, below) => {
                self.episode = damage;
                self.left = from - 1 + self.random.below(below - from).unsigned_abs();
                damage
            }
        }
    }

    /// Each signal with the same chance, so that the rare ones are hit too.
    fn spot(&mut self, battery: bool) -> Spot {
        let signals = if battery { 4 } else { 3 };
        let signal = Signal::ALL[scale(self.random.bits(), signals).unsigned_abs() as usize];
        let index = self.random.below(signal.records(battery)).unsigned_abs();
        Spot { signal, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_occurs_and_most_documents_are_whole() {
        let mut damager = Damager::of(3);
        let all: Vec<_> = (0..20_000).map(|n| damager.next(n % 2 == 0)).collect();
        let kinds: BTreeSet<_> = all.iter().filter_map(|damage| damage.word()).collect();
        assert_eq!(kinds.len(), BEGINNINGS.len());
        let whole = all.iter().filter(|damage| **damage == Damage::None).count();
        assert!((14_000..18_000).contains(&whole), "{whole}");
    }

    #[test]
    fn shifted_stamps_never_meet_normal_ones_or_each_other() {
        let residues: BTreeSet<_> =
            [0, Step::Forward.shift_us(), Step::Backward.shift_us()].map(|us| us.rem_euclid(10)).into();
        assert_eq!(residues.len(), 3);
    }
}
