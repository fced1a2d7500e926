//! Words that only work on a cluster: `workers`, `schedule`, `onChange`. Checked everywhere, idle in a local run.

use super::cron;
use super::desk::Desk;
use crate::spec::{PipelineSpec, ScheduleSpec, WorkersSpec};
use crate::time::{SECOND_NS, instant};
use std::collections::BTreeMap;

/// The least time between two looks at an archive: a look is a Job, named by its minute.
const POLL_NS_MIN: i64 = 60 * SECOND_NS;

/// Checks all of them.
pub(super) fn check(words: &PipelineSpec, desk: &mut Desk) {
    if let Some(workers) = &words.workers {
        check_workers(workers, desk);
    }
    if let Some(schedule) = &words.schedule {
        check_schedule(schedule, desk);
    }
    if let Some(on_change) = &words.on_change {
        let path = "spec.onChange.poll";
        if desk.positive_duration(path, Some(&on_change.poll), POLL_NS_MIN) < POLL_NS_MIN {
            desk.report(path, "is less than a minute, and each look is a pod", "write 1m or more");
        }
    }
}

fn check_workers(workers: &WorkersSpec, desk: &mut Desk) {
    if workers.parallelism == Some(0) {
        desk.report("spec.workers.parallelism", "is 0: nothing would run", "write 1 or more");
    }
    desk.duration("spec.workers.inline", workers.inline.as_deref(), 0);
    desk.positive_duration("spec.workers.deadline", workers.deadline.as_deref(), SECOND_NS);
    if let Some(image) = &workers.image {
        desk.filled("spec.workers.image", image, "write an image, or leave it out for the operator's own version");
    }
    if let Some(resources) = &workers.resources {
        quantities("spec.workers.resources.requests", &resources.requests, desk);
        quantities("spec.workers.resources.limits", &resources.limits, desk);
    }
}

fn quantities(path: &str, quantities: &BTreeMap<String, String>, desk: &mut Desk) {
    for (resource, quantity) in quantities {
        if !is_quantity(quantity) {
            let what = format!("is {quantity:?}, which is no quantity");
            desk.report(&format!("{path}[{resource}]"), what, "write a number and a unit, such as 500m, \"1\" or 1Gi");
        }
    }
}

/// A Kubernetes quantity: a decimal number with an SI or binary suffix, or an exponent.
fn is_quantity(text: &str) -> bool {
    let number = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, unit) = text.split_at(number);
    let exponent = |rest: &str| {
        let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    number.parse::<f64>().is_ok() && (units.contains(&unit) || unit.strip_prefix(['e', 'E']).is_some_and(exponent))
}

fn check_schedule(schedule: &ScheduleSpec, desk: &mut Desk) {
    if schedule.cron.is_empty() {
        desk.report("spec.schedule.cron", "is empty", "write at least one line, such as \"15 2 * * *\"");
    }
    for (index, line) in schedule.cron.iter().enumerate() {
        desk.take(&format!("spec.schedule.cron[{index}]"), cron::check(line));
    }
    if let Some(zone) = &schedule.time_zone {
        desk.take("spec.schedule.timeZone", instant::zone(zone));
    }
    desk.positive_duration("spec.schedule.startingDeadline", schedule.starting_deadline.as_deref(), SECOND_NS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for text in ["1", "0.5", "500m", "1Gi", "1e3", "2E-3", "1E"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "Gi", "1 Gi", "1GB", "-", "1e", "1.2.3", "one"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
