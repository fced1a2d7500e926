//! Clocks that stand still at the times that matter.

use super::*;
use jiff::Timestamp;
use serde_json::json;

fn schedule(words: serde_json::Value) -> Schedule {
    Schedule::read(&serde_json::from_value(words).unwrap()).unwrap()
}

fn line(cron: &str, zone: &str) -> Schedule {
    schedule(json!({"cron": [cron], "timeZone": zone}))
}

fn at(text: &str) -> Moment {
    text.parse::<Timestamp>().unwrap().into()
}

/// The times in `(from, to]`, as a clock that is looked at every minute would meet them.
fn met(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let mut times = Vec::new();
    let mut now = at(from);
    while let Some(next) = schedule.next(now).filter(|next| *next <= at(to)) {
        times.push(next.to_string());
        now = next;
    }
    times
}

const BERLIN: &str = "Europe/Berlin";

#[test]
fn a_time_is_due_in_its_zone() {
    let zones = [("Etc/UTC", "02:15"), (BERLIN, "01:15"), ("Asia/Kolkata", "20:45"), ("America/New_York", "07:15")];
    for (zone, utc) in zones {
        let times = met(&line("15 2 * * *", zone), "2026-11-24T00:00:00Z", "2026-11-24T23:59:00Z");
        assert_eq!(times, [format!("2026-11-24T{utc}:00Z")], "{zone}");
    }
}

#[test]
fn a_fixed_hour_that_does_not_exist_is_due_at_the_next_minute_that_does() {
    // 2026-03-29, Berlin: 02:00 becomes 03:00 (01:00Z).
    let spring = ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
    let times = met(&line("15 2 * * *", BERLIN), spring.0, spring.1);
    assert_eq!(times, ["2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z"]);
    let times = met(&line("0,30 2 * * *", BERLIN), spring.0, "2026-03-29T12:00:00Z");
    assert_eq!(times, ["2026-03-29T01:00:00Z"], "two that fall together start once");
    let times = met(&line("0 3 * * *", BERLIN), spring.0, "2026-03-29T12:00:00Z");
    assert_eq!(times, ["2026-03-29T01:00:00Z"]);
}

#[test]
fn a_fixed_hour_that_comes_twice_is_due_once() {
    // 2026-10-25, Berlin: 03:00 becomes 02:00 (01:00Z).
    let times = met(&line("30 2 * * *", BERLIN), "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(times, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // 2026-11-01, New York: 02:00 becomes 01:00 (06:00Z).
    let times = met(&line("30 1 * * *", "America/New_York"), "2026-10-31T12:00:00Z", "2026-11-01T23:00:00Z");
    assert_eq!(times, ["2026-11-01T05:30:00Z"]);
}

#[test]
fn a_star_in_the_hour_follows_elapsed_time() {
    let hours = |from: &str, to: &str| met(&line("30 * * * *", BERLIN), from, to);
    assert_eq!(
        hours("2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z"),
        ["2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        "the hour that comes twice is due twice"
    );
    assert_eq!(
        hours("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"],
        "the hour that does not exist is not made up for"
    );
    let minutes = met(&line("*/15 */1 * * *", BERLIN), "2026-03-29T00:30:00Z", "2026-03-29T01:15:00Z");
    assert_eq!(minutes, ["2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"]);
}

#[test]
fn changes_of_half_an_hour_and_at_midnight_are_met_too() {
    // Lord Howe, 2026-10-04: 02:00 becomes 02:30.
    let lord_howe = met(&line("10 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", "2026-10-03T23:00:00Z");
    assert_eq!(lord_howe, ["2026-10-03T15:30:00Z"]);
    // Beirut, 2026-03-29: 00:00 becomes 01:00, so that the day begins at 01:00 (2026-03-28T22:00Z).
    let beirut = met(&line("0 0 * * *", "Asia/Beirut"), "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
    assert_eq!(beirut, ["2026-03-28T22:00:00Z"]);
}

#[test]
fn several_lines_are_due_together_once() {
    let both = schedule(json!({"cron": ["0 2 * * *", "0 2 * * 2", "30 2 * * *"]}));
    let times = met(&both, "2026-11-24T00:00:00Z", "2026-11-24T12:00:00Z");
    assert_eq!(times, ["2026-11-24T02:00:00Z", "2026-11-24T02:30:00Z"]);
}

#[test]
fn a_day_that_is_rare_is_found_and_one_that_never_comes_is_not() {
    let leap = line("0 0 29 2 *", "Etc/UTC");
    assert_eq!(leap.next(at("2026-11-24T00:00:00Z")), Some(at("2028-02-29T00:00:00Z")));
    assert_eq!(leap.next(at("2096-03-01T00:00:00Z")), Some(at("2104-02-29T00:00:00Z")));
    assert_eq!(line("0 0 31 2 *", "Etc/UTC").next(at("2026-11-24T00:00:00Z")), None);
}

#[test]
fn a_time_starts_once_and_not_before_it_comes() {
    let daily = line("15 2 * * *", "Etc/UTC");
    let (created, due) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T02:15:00Z"));
    assert_eq!(daily.due(None, created, false, Moment(due.0 - 1)), Due::Nothing { next: Some(due) });
    assert_eq!(daily.due(None, created, false, due), Due::Start { at: due, missed: 0 });
    assert_eq!(daily.due(None, created, false, due.plus(600)), Due::Start { at: due, missed: 0 });
    let next = Some(at("2026-11-22T02:15:00Z"));
    assert_eq!(daily.due(Some(due), created, false, due.plus(1)), Due::Nothing { next });
    // A clock that goes back starts nothing again.
    assert_eq!(daily.due(Some(due), created, false, due), Due::Nothing { next });
    assert_eq!(daily.due(Some(due), created, false, Moment(due.0 - 7_200)), Due::Nothing { next: Some(due) });
}

#[test]
fn an_operator_away_for_a_week_starts_once_and_counts_the_rest() {
    let hourly = line("0 * * * *", "Etc/UTC");
    let (last, now) = (at("2026-11-17T06:00:00Z"), at("2026-11-24T06:30:00Z"));
    let newest = at("2026-11-24T06:00:00Z");
    assert_eq!(hourly.due(Some(last), last, false, now), Due::Start { at: newest, missed: 167 });
    let strict = schedule(json!({"cron": ["0 * * * *"], "startingDeadline": "20m"}));
    assert_eq!(strict.due(Some(last), last, false, now), Due::Missed { at: newest, missed: 168 });
    let minutely = line("* * * * *", "Etc/UTC");
    assert_eq!(minutely.due(Some(last), last, false, now), Due::Start { at: now, missed: 7 * 24 * 60 + 29 });
}

#[test]
fn a_missed_time_inside_the_deadline_starts_once_and_one_beyond_it_never() {
    let daily = schedule(json!({"cron": ["15 2 * * *"], "startingDeadline": "1h"}));
    let (created, due) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T02:15:00Z"));
    assert_eq!(daily.due(None, created, false, due.plus(3_600)), Due::Start { at: due, missed: 0 });
    assert_eq!(daily.due(None, created, false, due.plus(3_601)), Due::Missed { at: due, missed: 1 });
    assert!(matches!(daily.due(Some(due), created, false, due.plus(3_601)), Due::Nothing { .. }));
}

#[test]
fn forbid_holds_a_time_back_until_nothing_is_active_or_it_is_too_late() {
    let words = |concurrency: &str| {
        schedule(json!({"cron": ["15 2 * * *"], "startingDeadline": "1h", "concurrency": concurrency}))
    };
    let (created, due) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T02:15:00Z"));
    let held = Due::Held { at: due, until: Some(due.plus(3_601)) };
    assert_eq!(words("Forbid").due(None, created, true, due.plus(5)), held);
    assert_eq!(words("Forbid").due(None, created, false, due.plus(900)), Due::Start { at: due, missed: 0 });
    assert_eq!(words("Forbid").due(None, created, true, due.plus(3_601)), Due::Missed { at: due, missed: 1 });
    for concurrency in ["Allow", "Replace"] {
        assert_eq!(words(concurrency).due(None, created, true, due), Due::Start { at: due, missed: 0 });
    }
}

#[test]
fn a_suspended_schedule_asks_for_nothing() {
    let suspended = schedule(json!({"cron": ["* * * * *"], "suspend": true}));
    let now = at("2026-11-24T06:30:00Z");
    assert_eq!(suspended.due(None, Moment(0), false, now), Due::Nothing { next: None });
}

#[test]
fn four_hundred_schedules_on_one_minute_start_four_hundred_runs_of_their_own() {
    let daily = line("15 2 * * *", "Etc/UTC");
    let (created, due) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T02:15:00Z"));
    let names: std::collections::BTreeSet<String> = (0..400)
        .map(|pipeline| match daily.due(None, created, false, due.plus(pipeline % 50)) {
            Due::Start { at, .. } => run_name(&format!("pipeline-{pipeline}"), at),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names.len(), 400);
    assert!(names.iter().all(|name| name.ends_with(&format!("-{}", due.minute()))));
}

#[test]
fn the_name_of_a_run_tells_its_time_and_no_other_name_does() {
    let time = at("2026-11-24T18:30:00Z");
    assert_eq!(run_time("stops", &run_name("stops", time)), Some(time));
    for name in ["stops", "stops-", "stops-x", "stops-+7", "stops-007", "stop-29925750", "stops-late-29925750"] {
        assert_eq!(run_time("stops", name), None, "{name}");
    }
}
