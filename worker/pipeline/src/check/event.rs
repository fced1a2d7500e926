//! Event words.

use super::desk::{Desk, entry};
use crate::archive::Archive;
use crate::pipeline::Event;
use crate::spec::{Edge, EventSpec};
use crate::time::MINUTE_NS;

/// How old a state may grow before it is forgotten, when nothing is said.
const MEMORY_NS: i64 = 10 * MINUTE_NS;

/// All events. Each keeps its position in the words, so that other words can refer to it; one whose signal is not known
/// stands on the first signal until the mistakes are reported.
pub(super) fn check_all(events: &[EventSpec], archive: &Archive, desk: &mut Desk) -> Vec<Event> {
    desk.identifiers("spec.events", "event", events.iter().map(|event| event.name.as_str()));
    let path = |index: usize, event: &EventSpec| entry("spec.events", index, &event.name);
    events.iter().enumerate().map(|(index, event)| check(event, archive, &path(index, event), desk)).collect()
}

fn check(words: &EventSpec, archive: &Archive, path: &str, desk: &mut Desk) -> Event {
    let signals: Vec<&str> = archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    let signal = desk.find(&format!("{path}.signal"), "signal in the archive", &words.signal, &signals).unwrap_or(0);
    desk.filled(&format!("{path}.when"), &words.when, "write a condition over the signal's columns, such as stopped");
    let refractory_ns = desk.duration(&format!("{path}.refractory"), words.refractory.as_deref(), 0);
    let memory_ns = desk.positive_duration(&format!("{path}.memory"), words.memory.as_deref(), MEMORY_NS);
    Event {
        name: words.name.clone(),
        signal,
        when: words.when.clone(),
        edge: words.edge.unwrap_or(Edge::Rise),
        refractory_ns,
        memory_ns,
    }
}
