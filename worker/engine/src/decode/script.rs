//! How the records of a node are written: robots write the same keys in the same order with the same blanks, so the next record is
//! expected to look like one before it.

use super::json::Cursor;
use super::lane::{Field, Wanted};
use super::literal::Literal;
use super::plan::Child;
use super::walk::named;

/// Most keys of a script; a record with more is read key by key.
const STEPS_MAX: usize = 256;
/// Most bytes between two values of a script.
const LEAD_BYTES_MAX: usize = 1024;

/// The keys of a record that was read, in its order.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// Records that went other ways.
    strays: u32,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Step {
    /// From the end of the value before, or the bracket, to its own value.
    pub(crate) lead: Literal,
    /// What becomes of its value; `None`: nothing.
    pub(crate) wanted: Option<Wanted>,
}

impl Script {
    /// Learns from a record that was not written like this; from the first, and ever more rarely from those after it: records that
    /// are never alike cost little.
    pub(crate) fn stray(&mut self, children: &[Child], fields: &[Field], record: &str) {
        self.strays = self.strays.saturating_add(1);
        if self.strays.is_power_of_two() {
            self.steps = steps(children, fields, record).unwrap_or_default();
        }
    }
}

/// The keys at the top of the object that `record` begins with; `None`: they are too many, or too long.
fn steps(children: &[Child], fields: &[Field], record: &str) -> Option<Vec<Step>> {
    let mut cursor = Cursor::new(record, u32::MAX);
    let (mut steps, mut from) = (Vec::new(), 0);
    cursor.enter().ok()?;
    while cursor.next(b'}', steps.is_empty()).ok()? {
        let child = named(children, &mut cursor).ok()?;
        let lead = &record.as_bytes()[from..cursor.at];
        if steps.len() == STEPS_MAX || lead.len() > LEAD_BYTES_MAX {
            return None;
        }
        steps.push(Step { lead: Literal::new(lead), wanted: child.map(|child| Wanted::new(child, fields[child])) });
        cursor.skip().ok()?;
        from = cursor.at;
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(script: &Script) -> Vec<&str> {
        script.steps.iter().map(|step| std::str::from_utf8(step.lead.bytes()).unwrap()).collect()
    }

    #[test]
    fn a_script_is_what_stands_between_the_values() {
        let mut script = Script::default();
        script.stray(&[], &[], r#"{ "a": [1, {"b":2}] , "c" :3}"#);
        assert_eq!(leads(&script), [r#"{ "a": "#, r#" , "c" :"#]);
    }

    #[test]
    fn a_record_of_very_many_keys_or_very_long_ones_makes_none() {
        let many: Vec<String> = (0..=STEPS_MAX).map(|key| format!("\"{key}\":0")).collect();
        for (keys, expected) in [(STEPS_MAX, STEPS_MAX), (STEPS_MAX + 1, 0)] {
            let mut script = Script::default();
            script.stray(&[], &[], &format!("{{{}}}", many[..keys].join(",")));
            assert_eq!(script.steps.len(), expected);
        }
        let mut script = Script::default();
        script.stray(&[], &[], &format!("{{{}\"a\":0}}", " ".repeat(LEAD_BYTES_MAX)));
        assert!(script.steps.is_empty());
    }

    #[test]
    fn records_that_are_never_alike_are_learned_from_ever_more_rarely() {
        let mut script = Script::default();
        let learned = (1..=64).filter(|turn| {
            script.stray(&[], &[], &format!("{{\"{turn}\":0}}"));
            leads(&script) == [format!("{{\"{turn}\":")]
        });
        assert_eq!(learned.collect::<Vec<i32>>(), [1, 2, 4, 8, 16, 32, 64]);
    }
}
