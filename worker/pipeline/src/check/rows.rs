//! Row words: exactly one of the three forms, each with its own fields.

use super::desk::Desk;
use crate::archive::Archive;
use crate::pipeline::{Controls, Event, Rows};
use crate::spec::{ControlsSpec, RowsSpec};
use crate::time::{HOUR_NS, MILLI_NS, SECOND_NS, words};

/// How long an observation keeps a grid alive, when nothing is said.
const ALIVE_NS: i64 = 30 * SECOND_NS;
/// How far a control may lie from its onset, when nothing is said.
const WITHIN_NS: i64 = HOUR_NS;
/// The finest grid: finer ones make more rows than any sensor has observations.
const EVERY_LEAST_NS: i64 = MILLI_NS;

/// The rows, ready; `None` when there is a mistake.
pub(super) fn check(words: &RowsSpec, archive: &Archive, events: &[Event], desk: &mut Desk) -> Option<Rows> {
    foreign_fields(words, desk);
    let signals: Vec<&str> = archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    match (&words.signal, &words.every, &words.event) {
        (Some(signal), None, None) => desk
            .find("spec.rows.signal", "signal in the archive", signal, &signals)
            .map(|signal| Rows::Signal { signal }),
        (None, Some(every), None) => grid(words, every, &signals, desk),
        (None, None, Some(event)) => {
            let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
            let controls = words.controls.as_ref().map(|controls| check_controls(controls, desk));
            let event = desk.find("spec.rows.event", "event in events", event, &names)?;
            Some(Rows::Event { event, controls })
        }
        (None, None, None) => {
            let remedy = "write {signal: NAME}, {every: 1s} or {event: NAME}";
            desk.report("spec.rows", "says neither signal nor every nor event", remedy);
            None
        }
        _ => {
            desk.report("spec.rows", "says more than one of signal, every and event", "keep the one that a row is");
            None
        }
    }
}

/// Fields of one form are refused in the others.
fn foreign_fields(words: &RowsSpec, desk: &mut Desk) {
    let mut only = |field: &str, written: bool, form: &str, there: bool| {
        if written && !there {
            let path = format!("spec.rows.{field}");
            desk.report(&path, format!("is only read together with {form}"), format!("leave it out, or write {form}"));
        }
    };
    only("during", words.during.is_some(), "every", words.every.is_some());
    only("alive", words.alive.is_some(), "every", words.every.is_some());
    only("controls", words.controls.is_some(), "event", words.event.is_some());
}

fn grid(words: &RowsSpec, every: &str, signals: &[&str], desk: &mut Desk) -> Option<Rows> {
    let every_ns = desk.take("spec.rows.every", words::duration_ns(every))?;
    if every_ns < EVERY_LEAST_NS {
        desk.report("spec.rows.every", format!("is {every}, finer than any robot reports"), "write 1ms or more");
    }
    let during = match &words.during {
        Some(signal) => Some(desk.find("spec.rows.during", "signal in the archive", signal, signals)?),
        None => None,
    };
    let alive_ns = desk.positive_duration("spec.rows.alive", words.alive.as_deref(), ALIVE_NS);
    Some(Rows::Grid { every_ns, during, alive_ns })
}

fn check_controls(words: &ControlsSpec, desk: &mut Desk) -> Controls {
    if words.per_event == 0 {
        desk.report(
            "spec.rows.controls.perEvent",
            "is 0: none would be drawn",
            "write 1 or more, or leave controls out",
        );
    }
    let apart_ns = desk.duration("spec.rows.controls.apart", Some(&words.apart), 0);
    let within_ns = desk.positive_duration("spec.rows.controls.within", words.within.as_deref(), WITHIN_NS);
    if apart_ns > within_ns {
        let what = format!("is {}, more than within ({})", words.apart, words::duration_text(within_ns));
        desk.report("spec.rows.controls.apart", what, "write a shorter apart or a longer within: no row lies between");
    }
    Controls { per_event: words.per_event, apart_ns, within_ns, seed: words.seed.unwrap_or(0) }
}
