//! Label words.

use super::desk::Desk;
use crate::pipeline::{Event, Label, Pipeline, Rows, Source};
use crate::spec::LabelSpec;
use crate::time::SECOND_NS;

/// The label, ready; `None` when its event is not known.
pub(super) fn check(words: &LabelSpec, rows: Option<&Rows>, events: &[Event], desk: &mut Desk) -> Option<Label> {
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    let event = desk.find("spec.label.event", "event in events", &words.event, &names);
    if let Some(Rows::Event { event: row_event, .. }) = rows {
        return on_event_rows(words, event?, *row_event, events, desk);
    }
    if words.horizon.is_none() && rows.is_some() {
        desk.report("spec.label.horizon", "is missing", "write how far ahead to look, such as 10s");
    }
    let horizon_ns = desk.positive_duration("spec.label.horizon", words.horizon.as_deref(), SECOND_NS);
    let lead_ns = desk.duration("spec.label.lead", words.lead.as_deref(), 0);
    Some(Label { event: event?, horizon_ns, lead_ns })
}

/// The label of an event row is whether it is an event or a control, so there is nothing to look ahead for.
fn on_event_rows(
    words: &LabelSpec,
    event: usize,
    row_event: usize,
    events: &[Event],
    desk: &mut Desk,
) -> Option<Label> {
    for (field, written) in [("horizon", words.horizon.is_some()), ("lead", words.lead.is_some())] {
        if written {
            let what = "has no meaning on event rows: the label says whether the row is an event or a control";
            desk.report(&format!("spec.label.{field}"), what, "leave it out");
        }
    }
    if event != row_event {
        let what = format!("is {}, but the rows are onsets of {}", words.event, events[row_event].name);
        desk.report("spec.label.event", what, format!("write {}", events[row_event].name));
    }
    Some(Label { event, horizon_ns: 0, lead_ns: 0 })
}

/// The label's own signal may feed features; people should know, for a model may then only repeat the signal.
pub(super) fn note_own_signal(pipeline: &Pipeline, desk: &mut Desk) {
    let Some(label) = &pipeline.label else { return };
    let event = &pipeline.events[label.event];
    let name = &pipeline.archive.signals[event.signal].name;
    let word = format!("{name}.");
    for (index, window) in pipeline.windows.iter().enumerate() {
        let own = window.features.iter().find(|feature| match feature.column {
            Source::Signal { signal, .. } => signal == event.signal,
            Source::Derived(derive) => pipeline.derives[derive].expression.contains(&word),
        });
        if let Some(feature) = own {
            let text = format!(
                "the label's own signal {name} feeds features here ({}); a model may learn the label from itself",
                pipeline.source_name(feature.column)
            );
            desk.note(&format!("spec.windows[{index}].features"), text);
        }
    }
}
