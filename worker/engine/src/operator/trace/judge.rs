//! Which rules of validity were put to a row, what each looked at, and what it said: each rule is asked alone, by the same
//! [`Validity`] that judges all rows.

use super::{Asker, Chain, Node, step};
use crate::operator::label::LabelStep;
use crate::operator::layout::{KNOWN_AT, TIME};
use crate::operator::window::{FrameRule, WindowStep, present};
use crate::operator::{event, values};
use crate::sorted::Unsorted;
use crate::trace::{Found, Judgement};
use crate::validity::{Presence, Reason, Validity};
use crate::window::bounds;
use arrow::array::RecordBatch;
use datafusion::common::Result;
use pipeline::columns::Meaning;
use pipeline::pipeline::Requires;

impl Asker<'_> {
    /// Every rule, windows first.
    pub(super) fn judgements(&self, chain: &Chain<'_>, row: usize) -> Result<Vec<Judgement>> {
        let mut judgements = Vec::new();
        for (window, node) in chain.windows.iter().enumerate() {
            let found = self.of_window(node, window, row)?;
            judgements.extend(found.map_err(self.unsorted())?);
        }
        if let Some(node) = chain.label {
            judgements.extend(self.of_label(node, row)?);
        }
        Ok(judgements)
    }

    fn of_window(
        &self,
        node: &Node,
        index: usize,
        row: usize,
    ) -> Result<std::result::Result<Vec<Judgement>, Unsorted>> {
        let step = step::<WindowStep>(node).unwrap_or_else(|| unreachable!("the chain holds windows"));
        let inputs = self.inputs(node)?;
        let time = values::times(&inputs[0], TIME)[row];
        let looks = self.frames(node, step, &inputs)?;
        let mut required = Vec::new();
        for (frame, look) in step.rule.frames.iter().zip(&looks) {
            for group in &frame.groups {
                let of = self.group_name(frame, group);
                match self.required(step, time, look.batch, group) {
                    Ok(found) => required.extend(found.into_iter().map(|(reason, holds, found)| Judgement {
                        reason,
                        holds,
                        window: Some(index),
                        of: of.clone(),
                        found,
                    })),
                    Err(unsorted) => return Ok(Err(unsorted)),
                }
            }
        }
        // The tables of the excluded events are the last inputs.
        let tables = &inputs[inputs.len() - step.excluded.len()..];
        for (name, table) in step.excluded.iter().zip(tables) {
            match excluded(step, time, table) {
                Ok((holds, found)) => required.push(Judgement {
                    reason: Reason::Event,
                    holds,
                    window: Some(index),
                    of: name.clone(),
                    found,
                }),
                Err(unsorted) => return Ok(Err(unsorted)),
            }
        }
        Ok(Ok(required))
    }

    /// The signal or derived column that a group is of.
    fn group_name(&self, frame: &FrameRule, group: &[usize]) -> String {
        let signals = &self.rules.pipeline.archive.signals;
        if let Some(signal) = frame.signal {
            return signals[signal].name.clone();
        }
        let place = group.first().copied().unwrap_or_default();
        match self.rules.layout.meaning(place) {
            Some(Meaning::Own { signal, .. }) => signals[signal].name.clone(),
            Some(Meaning::Joined { join, .. }) => signals[self.rules.pipeline.joins[join].signal].name.clone(),
            _ => self.rules.layout.name(place).to_owned(),
        }
    }

    /// `requires` of one signal or derived column, count and gap apart.
    fn required(
        &self,
        step: &WindowStep,
        time: i64,
        batch: &RecordBatch,
        group: &[usize],
    ) -> std::result::Result<Vec<(Reason, bool, Found)>, Unsorted> {
        let Some(Requires { count, gap_ns }) = step.rule.requires else { return Ok(Vec::new()) };
        let (times, known) = step.kept(batch, &present(batch, group));
        let presence = Presence { times: &times, known: known.as_deref() };
        let alone = |requires: Requires| {
            let mut validity = Validity::new(1);
            validity.require(&[time], presence, step.window(), requires)?;
            Ok(validity.reason(0).is_some())
        };
        let range = bounds(&[time], &times, step.window())?.range(0);
        let is_seen = |at: &usize| known.as_ref().is_none_or(|known| known[*at] < time);
        let seen: Vec<i64> = range.filter(is_seen).map(|at| times[at]).collect();
        let mut found = Vec::new();
        if let Some(most_ns) = gap_ns {
            let holds = alone(Requires { count: None, gap_ns })?;
            let (from_ns, to_ns) = longest_hole(&seen, time.saturating_sub(step.rule.span_ns), time);
            found.push((Reason::Gap, holds, Found::Hole { from_ns, to_ns, most_ns }));
        }
        if let Some(least) = count {
            let holds = alone(Requires { count, gap_ns: None })?;
            found.push((Reason::Count, holds, Found::Count { count: seen.len() as u64, least }));
        }
        Ok(found)
    }

    /// What the label's event says of the row's validity.
    fn of_label(&self, node: &Node, row: usize) -> Result<Vec<Judgement>> {
        let step = step::<LabelStep>(node).unwrap_or_else(|| unreachable!("the chain holds a label"));
        let [rows, table] = &self.inputs(node)?[..] else { unreachable!("a label has two inputs") };
        let (time, known_at) = (values::times(rows, TIME)[row], values::times(rows, KNOWN_AT)[row]);
        let onsets = event::kept_times(table);
        let lead_ns = step.rule.lead_ns;
        // A row known at its own time has nothing between the two; without a lead there is no time to be too late in.
        let speaks = |time: i64, known: i64, lead_ns: i64, reason: Reason| {
            let mut validity = Validity::new(1);
            validity.foresee(&[time], &[known], &onsets, lead_ns);
            validity.reason(0) == Some(reason)
        };
        let between = |after: i64, to: i64| {
            Found::Onsets(onsets.iter().copied().filter(|&onset| after < onset && onset <= to).collect())
        };
        let judgement = |reason, holds, found| Judgement { reason, holds, window: None, of: step.event.clone(), found };
        Ok(vec![
            judgement(
                Reason::EventInMatch,
                speaks(time, known_at, lead_ns, Reason::EventInMatch),
                between(time, known_at),
            ),
            judgement(
                Reason::EventInLead,
                speaks(known_at, known_at, lead_ns, Reason::EventInLead),
                between(known_at, known_at.saturating_add(lead_ns)),
            ),
        ])
    }
}

/// Whether an event's onset lies in the window, and which do.
fn excluded(step: &WindowStep, time: i64, table: &RecordBatch) -> std::result::Result<(bool, Found), Unsorted> {
    let onsets = event::all_times(table);
    let mut validity = Validity::new(1);
    validity.exclude(&[time], &onsets, step.window())?;
    let inside = bounds(&[time], &onsets, step.window())?.range(0);
    Ok((validity.reason(0).is_some(), Found::Onsets(onsets[inside].to_vec())))
}

/// The longest stretch without a value between `from` and `to` (ns), the first of equals. `times` (ns) ascend inside.
fn longest_hole(times: &[i64], from: i64, to: i64) -> (i64, i64) {
    let ends = std::iter::once(from).chain(times.iter().copied());
    let holes = ends.zip(times.iter().copied().chain([to]));
    let longer = |longest: (i64, i64), hole: (i64, i64)| {
        if hole.1.abs_diff(hole.0) > longest.1.abs_diff(longest.0) { hole } else { longest }
    };
    holes.fold((from, from), longer)
}

#[cfg(test)]
mod tests {
    use super::longest_hole;

    #[test]
    fn the_longest_hole_counts_both_ends_of_the_window() {
        assert_eq!(longest_hole(&[], 3, 10), (3, 10));
        assert_eq!(longest_hole(&[4, 6, 9], 3, 10), (6, 9));
        assert_eq!(longest_hole(&[8, 9], 3, 10), (3, 8));
        assert_eq!(longest_hole(&[3, 4], 3, 10), (4, 10));
        assert_eq!(longest_hole(&[5, 7], 3, 9), (3, 5));
    }
}
