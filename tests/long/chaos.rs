//! Everything that goes wrong on a real node, at random and for minutes, while Runs of several Pipelines go on: in the end every
//! Run has ended, and the tables are what a laptop makes of the archives as they are then.
//!
//! ```text
//! FLEETLOOM_CHAOS_MINUTES   for how long (10)
//! FLEETLOOM_CHAOS_SEED      what chance depends on; else the time, which is told. The acts and their pauses follow from it;
//!                           what they hit depends on what is there at that moment.
//! ```
//!
//! `fleet.rs` has the archives and what the laptop makes of them, `actor.rs` what goes wrong, `after.rs` what must be so then.

mod actor;
mod after;
mod fleet;
mod story;

use crate::chance::Chance;
use crate::field::Field;
use actor::Actor;
use fleet::Fleet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use story::Story;

/// The pipelines: one whose Runs have three Jobs, one whose plan pods finish them, one that makes its Runs itself.
fn fleets(field: &Field) -> Vec<Fleet> {
    let pods = "retries: 10, resources: {requests: {cpu: 100m, memory: 256Mi}, limits: {memory: 256Mi}}";
    let large = format!("workers: {{inline: 0s, parallelism: 2, {pods}}}");
    let small = format!("workers: {{{pods}}}");
    let watched = format!("onChange: {{poll: 1m}}\n  {large}");
    vec![
        Fleet::new(field, "large", (2, 30), &large),
        Fleet::new(field, "small", (1, 26), &small),
        Fleet::new(field, "watched", (2, 26), &watched),
    ]
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")))
}

#[test]
fn whatever_is_killed_frozen_deleted_and_replaced_the_tables_are_those_of_the_laptop_in_the_end() {
    let time = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("FLEETLOOM_CHAOS_SEED").unwrap_or_else(time);
    let minutes = number("FLEETLOOM_CHAOS_MINUTES").unwrap_or(10);
    let story = Story::new(seed, minutes);
    let field = Field::new("chaos");
    let mut actor = Actor::new(&field, fleets(&field), Chance::of(seed), story);
    let until = Instant::now() + Duration::from_secs(60 * minutes);
    while Instant::now() < until {
        actor.keep_busy();
        actor.act();
        after::no_log_tells_a_key();
        actor.pause();
    }
    let (mut fleets, story) = actor.stop();
    after::all_have_ended(&field);
    for fleet in &mut fleets {
        after::the_table_is_the_laptops(&field, fleet);
    }
    after::nothing_is_without_an_owner(&field);
    after::no_log_tells_a_key();
    after::nothing_tells_a_key(&field);
    after::nothing_is_left(&field);
    story.end();
}
