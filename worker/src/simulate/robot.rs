//! One robot's life, a second at a time: a mission state machine, a drive through a hall, a battery. Integers only.
//!
//! ```text
//! Idle ──> Executing ──> Completed ──> Idle
//!          ^   |   └──> Aborted ─────> Idle         before it the localization score sinks and the robot sways
//!          └ Paused
//! ```

use super::random::{Random, key};

/// Hall, 0.1 mm.
const HALL_X: i32 = 600_000;
const HALL_Y: i32 = 400_000;
/// How long before it aborts a mission shows signs of it, s.
const OMEN_S: i32 = 40;
/// Battery below which an idle robot charges, and up to which, 0.001 %.
const EMPTY: i32 = 20_000;
const FULL: i32 = 95_000;

/// What the mission does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Executing,
    Paused,
    Completed,
    Aborted,
}

impl State {
    /// Its word in the documents.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Executing => "Executing",
            Self::Paused => "Paused",
            Self::Completed => "Completed",
            Self::Aborted => "Aborted",
        }
    }
}

/// What holds during one second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    pub(super) state: State,
    pub(super) mission: u64,
    /// 0.01 %.
    pub(super) completed: i32,
    /// 1e-6 m/s.
    pub(super) linear: i32,
    /// 1e-6 rad/s.
    pub(super) angular: i32,
    /// How far the noise of `angular` reaches, 1e-6 rad/s.
    pub(super) sway: i32,
    /// 1e-4 m.
    pub(super) x: i32,
    /// 1e-4 m.
    pub(super) y: i32,
    /// 1e-4 rad.
    pub(super) yaw: i32,
    /// 1e-4.
    pub(super) score: i32,
    /// 0.001 %.
    pub(super) charge: i32,
}

/// A robot between two seconds.
#[derive(Debug, Clone)]
pub(super) struct Robot {
    random: Random,
    state: State,
    left_s: i32,
    mission: u64,
    duration_s: i32,
    done_s: i32,
    aborts_at_s: Option<i32>,
    x: i32,
    y: i32,
    /// 0.01°.
    heading: i32,
    /// 0.01°/s.
    turn: i32,
    /// 1e-4 m/s.
    speed: i32,
    charge: i32,
}

impl Robot {
    /// A robot that stands idle somewhere.
    pub(super) fn of(key: u64) -> Self {
        let mut random = Random::of(key);
        Self {
            state: State::Idle,
            left_s: random.between(5, 60),
            mission: 0,
            duration_s: 0,
            done_s: 0,
            aborts_at_s: None,
            x: random.below(HALL_X as u32),
            y: random.below(HALL_Y as u32),
            heading: random.below(36_000),
            turn: 0,
            speed: 0,
            charge: random.between(40_000, FULL),
            random,
        }
    }

    /// Lives one second.
    pub(super) fn tick(&mut self) -> Tick {
        self.step_mission();
        self.step_drive();
        self.step_battery();
        let omen_s = self.aborts_at_s.map_or(0, |at| (OMEN_S - (at - self.done_s)).max(0));
        let lost = if self.state == State::Aborted { OMEN_S } else { omen_s };
        Tick {
            state: self.state,
            mission: self.mission,
            completed: if self.duration_s == 0 { 0 } else { self.done_s * 10_000 / self.duration_s },
            linear: self.speed * 100,
            angular: self.turn * 175,
            sway: 2_000 + lost * 2_000,
            x: self.x,
            y: self.y,
            yaw: (self.heading - 18_000) * 17_453 / 10_000,
            score: 9_400 - lost * 120,
            charge: self.charge,
        }
    }

    fn step_mission(&mut self) {
        if self.state == State::Executing {
            self.done_s += 1;
            if self.aborts_at_s == Some(self.done_s) {
                return self.enter(State::Aborted, 15, 75);
            }
            if self.done_s >= self.duration_s {
                return self.enter(State::Completed, 3, 8);
            }
            if self.random.one_in(200) {
                self.enter(State::Paused, 5, 30);
            }
            return;
        }
        self.left_s -= 1;
        if self.left_s > 0 {
            return;
        }
        match self.state {
            State::Completed | State::Aborted => self.enter(State::Idle, 10, 90),
            State::Paused => self.state = State::Executing,
            State::Idle | State::Executing => self.start_mission(),
        }
    }

    fn enter(&mut self, state: State, at_least_s: i32, below_s: i32) {
        self.state = state;
        self.left_s = self.random.between(at_least_s, below_s);
        if state != State::Paused {
            self.aborts_at_s = None;
        }
    }

    fn start_mission(&mut self) {
        self.state = State::Executing;
        self.mission = key(&[self.random.bits()]);
        self.duration_s = self.random.between(90, 480);
        self.done_s = 0;
        self.aborts_at_s = self.random.one_in(6).then(|| self.random.between(OMEN_S / 2, self.duration_s));
    }

    fn step_drive(&mut self) {
        if self.state != State::Executing {
            self.speed = 0;
            self.turn = 0;
            return;
        }
        let wanted = 3_000 + self.random.below(6_000);
        self.speed += (wanted - self.speed) / 4;
        self.turn += self.random.between(-600, 601) - self.turn / 3;
        self.heading = (self.heading + self.turn).rem_euclid(36_000);
        let x = self.x + self.speed * sine(self.heading + 9_000) / 10_000;
        let y = self.y + self.speed * sine(self.heading) / 10_000;
        if (0..HALL_X).contains(&x) && (0..HALL_Y).contains(&y) {
            (self.x, self.y) = (x, y);
        } else {
            self.heading = (self.heading + 18_000).rem_euclid(36_000);
        }
    }

    fn step_battery(&mut self) {
        let charging = self.state == State::Idle && (self.charge < EMPTY || self.left_s > 60);
        let change = if charging { 120 } else { -(1 + self.speed / 1_000) };
        self.charge = (self.charge + change).clamp(1_000, FULL);
    }
}

/// Sine of 0.01° in 1e-4 by Bhaskara's formula: within 0.002 of the true one, and the same on every machine.
fn sine(centidegrees: i32) -> i32 {
    let angle = centidegrees.rem_euclid(36_000);
    let (half, sign) = if angle < 18_000 { (angle, 1) } else { (angle - 18_000, -1) };
    let product = i64::from(half) * i64::from(18_000 - half);
    let sine = 40_000 * product / (405_000_000 - product);
    sign * i32::try_from(sine).unwrap_or(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sine_is_near_the_true_one() {
        for angle in (0..36_000).step_by(77) {
            let truth = (f64::from(angle) / 100.0).to_radians().sin();
            assert!((f64::from(sine(angle)) / 1e4 - truth).abs() < 0.002, "{angle}");
        }
    }

    #[test]
    fn a_day_holds_missions_that_complete_and_some_that_abort() {
        let mut robot = Robot::of(7);
        let mut last = State::Idle;
        let (mut aborted, mut completed) = (0, 0);
        for _ in 0..86_400 {
            let tick = robot.tick();
            assert!((0..HALL_X).contains(&tick.x) && (0..HALL_Y).contains(&tick.y));
            assert!((0..=10_000).contains(&tick.completed) && (4_000..=9_400).contains(&tick.score));
            aborted += u32::from(tick.state == State::Aborted && last != State::Aborted);
            completed += u32::from(tick.state == State::Completed && last != State::Completed);
            last = tick.state;
        }
        assert!((15..90).contains(&aborted), "{aborted}");
        assert!((100..400).contains(&completed), "{completed}");
    }
}
