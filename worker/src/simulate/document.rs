//! Five seconds of one robot: what is known of them, and their JSON text.
//!
//! ```text
//! {"agentId":"robot-0001",
//!  "odometry":[{"ts":1533226515002.73,"linear":0.512345,"angular":-0.0321},   25, every 200 ms
//!  "pose":[{"ts":…,"x":12.3456,"y":3.4567,"yaw":-1.2345,"score":0.9312,"frameId":"map"},   5, every second
//!  "mission":[{"ts":…,"missionId":"…","state":"Executing","completedPercent":45.21},   5, every second
//!  "battery":[{"ts":…,"soc":83.125,"voltage":25.312}]}   1 or 0, every ten seconds
//! ```
//! A pure function of [`Document`]: any thread may write it.

use super::damage::{Damage, Flaw, Signal, Spot};
use super::random::{Random, key, mix, scale};
use super::robot::Tick;
use super::text::{fixed, hex, integer};

/// Time of one document, ms.
pub(super) const DOCUMENT_MS: i64 = 5_000;
/// Stamps stray from the grid by less than this, in steps of 10 µs.
const JITTER: u32 = 6_000;
/// 2200-01-01 in ms.
const FAR_FUTURE_MS: u64 = 7_258_118_400_000;
/// Half an hour: beyond lateness (10 min) and cover (5 s).
const LATE_US: i64 = 1_800_000_000;
/// A delayed member bears the time of its upload; the odd millisecond keeps its name from meeting another's.
const DELAY_MS: i64 = 240_001;
const DAY_MS: i64 = 86_400_000;

/// What is known of one document before it is written.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Number of the robot.
    pub(super) robot: u32,
    /// First instant, ms since the epoch.
    pub(super) start_ms: i64,
    /// Seed of its noise.
    pub(super) key: u64,
    /// Its seconds.
    pub(super) ticks: [Tick; 5],
    /// What is wrong with it.
    pub(super) damage: Damage,
}

/// First upload or the corrected second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revision {
    First,
    Second,
}

impl Document {
    /// Whether the battery reports in a document that starts then.
    pub(super) fn has_battery(start_ms: i64) -> bool {
        start_ms.rem_euclid(2 * DOCUMENT_MS) == 0
    }

    /// Number of records of a signal, damage aside.
    pub(super) fn records(&self, signal: Signal) -> u32 {
        signal.records(Self::has_battery(self.start_ms))
    }

    /// The time in the member's name, ms.
    pub(super) fn stamp_ms(&self) -> i64 {
        if self.damage == Damage::Delayed { self.start_ms + DELAY_MS } else { self.start_ms }
    }

    /// The UTC day (since 1970-01-01) whose zip holds it.
    pub(super) fn zip_day(&self) -> i64 {
        self.stamp_ms().div_euclid(DAY_MS) + i64::from(self.damage == Damage::NextDay)
    }

    /// When mission record `second` happened by the robot's clock, µs.
    pub(super) fn mission_us(&self, second: u32) -> i64 {
        let noise = mix(self.key ^ u64::from(second + 1));
        self.at_us(second * 1_000, noise)
    }

    fn at_us(&self, offset_ms: u32, noise: u64) -> i64 {
        let shift_us = if let Damage::Stepped(step) = self.damage { step.shift_us() } else { 0 };
        (self.start_ms + i64::from(offset_ms)) * 1_000 + i64::from(scale(noise, JITTER)) * 10 + shift_us
    }

    fn flaw(&self, signal: Signal, index: u32) -> Option<Flaw> {
        match self.damage {
            Damage::Record(spot, flaw) if spot == (Spot { signal, index }) => Some(flaw),
            _ => None,
        }
    }

    /// Writes its JSON text to `out`, which is cleared.
    pub(super) fn write(&self, revision: Revision, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"{\"agentId\":\"");
        robot_name(out, self.robot);
        out.extend_from_slice(b"\",");
        let mut noise = Random::of(key(&[self.key]));
        for signal in Signal::ALL {
            out.push(b'"');
            out.extend_from_slice(signal.name().as_bytes());
            out.extend_from_slice(b"\":[");
            for index in 0..self.records(signal) {
                self.record(out, Spot { signal, index }, noise.bits(), revision);
            }
            if out.last() == Some(&b',') {
                out.pop();
            }
            out.extend_from_slice(b"],");
        }
        out.pop();
        out.push(b'}');
    }

    /// One record and a comma; twice if that is its flaw.
    fn record(&self, out: &mut Vec<u8>, spot: Spot, noise: u64, revision: Revision) {
        let from = out.len();
        let flaw = self.flaw(spot.signal, spot.index);
        match spot.signal {
            Signal::Odometry => self.odometry(out, spot.index, noise, flaw),
            Signal::Pose => self.pose(out, spot.index, noise, (flaw, revision)),
            Signal::Mission => self.mission(out, spot.index, flaw),
            Signal::Battery => self.battery(out, noise, flaw),
        }
        out.extend_from_slice(b"},");
        if flaw == Some(Flaw::Twice) {
            out.extend_from_within(from..);
        }
    }

    fn odometry(&self, out: &mut Vec<u8>, index: u32, noise: u64, flaw: Option<Flaw>) {
        let tick = &self.ticks[(index / 5) as usize];
        stamp(out, self.at_us(index * 200, noise), index, flaw);
        let (linear, angular) = if tick.linear == 0 {
            (0, scale(noise >> 13, 200) - 100)
        } else {
            let sway = tick.sway.unsigned_abs();
            (tick.linear + scale(noise >> 13, 8_000) - 4_000, tick.angular + scale(noise >> 32, 2 * sway) - tick.sway)
        };
        match flaw {
            Some(Flaw::NotANumber) => out.extend_from_slice(b"\"linear\":NaN"),
            Some(Flaw::WrongType) => out.extend_from_slice(b"\"linear\":\"0.5\""),
            _ => field(out, b"\"linear\":", linear, 6),
        }
        field(out, b",\"angular\":", angular, 6);
    }

    fn pose(&self, out: &mut Vec<u8>, second: u32, noise: u64, (flaw, revision): (Option<Flaw>, Revision)) {
        let tick = &self.ticks[second as usize];
        stamp(out, self.at_us(second * 1_000, noise), second, flaw);
        field(out, b"\"x\":", tick.x, 4);
        field(out, b",\"y\":", tick.y, 4);
        field(out, b",\"yaw\":", tick.yaw, 4);
        match flaw {
            Some(Flaw::NotANumber) => out.extend_from_slice(b",\"score\":NaN"),
            Some(Flaw::WrongType) => out.extend_from_slice(b",\"score\":true"),
            _ => field(out, b",\"score\":", tick.score + scale(noise >> 20, 600), 4),
        }
        out.extend_from_slice(match revision {
            Revision::First => b",\"frameId\":\"building_2/hall_1/lidar_map\"".as_slice(),
            Revision::Second => b",\"frameId\":\"building_2/hall_1/lidar_map-corrected\"",
        });
    }

    fn mission(&self, out: &mut Vec<u8>, second: u32, flaw: Option<Flaw>) {
        let tick = &self.ticks[second as usize];
        stamp(out, self.mission_us(second), second, flaw);
        out.extend_from_slice(b"\"missionId\":\"transport-");
        mission_name(out, tick.mission);
        out.extend_from_slice(b"\",\"state\":");
        if flaw == Some(Flaw::WrongType) {
            out.push(b'5');
        } else {
            out.push(b'"');
            out.extend_from_slice(tick.state.word().as_bytes());
            out.push(b'"');
        }
        match flaw {
            Some(Flaw::NotANumber) => out.extend_from_slice(b",\"completedPercent\":NaN"),
            _ => field(out, b",\"completedPercent\":", tick.completed, 2),
        }
    }

    fn battery(&self, out: &mut Vec<u8>, noise: u64, flaw: Option<Flaw>) {
        let charge = self.ticks[0].charge;
        stamp(out, self.at_us(0, noise), 0, flaw);
        match flaw {
            Some(Flaw::WrongType) => out.extend_from_slice(b"\"soc\":\"full\""),
            _ => field(out, b"\"soc\":", charge, 3),
        }
        match flaw {
            Some(Flaw::NotANumber) => out.extend_from_slice(b",\"voltage\":NaN"),
            _ => field(out, b",\"voltage\":", 21_000 + charge / 20 + scale(noise >> 20, 100), 3),
        }
    }
}

/// Opens a record with its time; `variant` chooses among the ways to be wrong.
fn stamp(out: &mut Vec<u8>, at_us: i64, variant: u32, flaw: Option<Flaw>) {
    out.extend_from_slice(b"{\"ts\":");
    match flaw {
        Some(Flaw::ZeroTime) => out.push(b'0'),
        Some(Flaw::FarFuture) => integer(out, FAR_FUTURE_MS),
        Some(Flaw::Late) if variant.is_multiple_of(2) => fixed(out, at_us - LATE_US, 3),
        Some(Flaw::Late) => fixed(out, at_us + LATE_US, 3),
        Some(Flaw::NoTime) => match variant % 3 {
            0 => out.extend_from_slice(b"null"),
            1 => out.extend_from_slice(b"\"yesterday\""),
            _ => return out.truncate(out.len() - b"\"ts\":".len()),
        },
        _ => fixed(out, at_us, 3),
    }
    out.push(b',');
}

fn field(out: &mut Vec<u8>, name: &[u8], value: i32, decimals: u32) {
    out.extend_from_slice(name);
    fixed(out, i64::from(value), decimals);
}

/// Writes `robot-0042`.
pub(super) fn robot_name(out: &mut Vec<u8>, robot: u32) {
    out.extend_from_slice(b"robot-");
    for one in [1_000, 100, 10] {
        if robot < one {
            out.push(b'0');
        }
    }
    integer(out, u64::from(robot));
}

/// Writes a UUID-like name.
fn mission_name(out: &mut Vec<u8>, mission: u64) {
    let more = mix(mission);
    for (value, digits) in [(mission >> 32, 8), (mission >> 16, 4), (mission, 4), (more >> 48, 4), (more, 12)] {
        hex(out, value, digits);
        out.push(b'-');
    }
    out.pop();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::robot::Robot;

    fn document(damage: Damage) -> String {
        let mut robot = Robot::of(1);
        let ticks = std::array::from_fn(|_| robot.tick());
        let document = Document { robot: 42, start_ms: 1_533_226_510_000, key: 9, ticks, damage };
        let mut out = Vec::new();
        document.write(Revision::First, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_document_is_json_with_the_reference_counts() {
        let document: serde_json::Value = serde_json::from_str(&document(Damage::None)).unwrap();
        assert_eq!(document["agentId"], "robot-0042");
        for (signal, records) in [("odometry", 25), ("pose", 5), ("mission", 5), ("battery", 1)] {
            let array = document[signal].as_array().unwrap();
            assert_eq!(array.len(), records);
            assert!(array.windows(2).all(|pair| pair[0]["ts"].as_f64() < pair[1]["ts"].as_f64()));
        }
    }

    #[test]
    fn each_flaw_is_at_its_spot() {
        let with = |flaw, index| document(Damage::Record(Spot { signal: Signal::Pose, index }, flaw));
        assert!(with(Flaw::NotANumber, 0).contains("\"score\":NaN"));
        assert!(with(Flaw::WrongType, 0).contains("\"score\":true"));
        assert!(with(Flaw::NoTime, 0).contains("{\"ts\":null,\"x\":"));
        assert!(with(Flaw::NoTime, 2).contains("{\"x\":"));
        assert!(with(Flaw::ZeroTime, 4).contains("{\"ts\":0,\"x\":"));
        assert_eq!(with(Flaw::Twice, 4).matches("\"score\"").count(), 6);
    }
}
