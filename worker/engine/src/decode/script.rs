//! How the records of a node are written: robots write the same keys in the same order with the same blanks, so the next record is
//! expected to look like one before it.

use super::json::Cursor;
use super::lane::Field;
use super::literal::Literal;
use super::plan::Child;
use super::text;

/// Most keys of a script; a record with more is read key by key.
const STEPS_MAX: usize = 256;

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
    /// Which child of the node it is, and what becomes of its value; `None`: nothing.
    pub(crate) wanted: Option<(usize, Field)>,
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

/// The keys at the top of the object that `record` begins with.
fn steps(children: &[Child], fields: &[Field], record: &str) -> Option<Vec<Step>> {
    let mut cursor = Cursor::new(record, u32::MAX);
    let (mut steps, mut from) = (Vec::new(), 0);
    cursor.enter().ok()?;
    while cursor.next(b'}', steps.is_empty()).ok()? {
        let key = cursor.key().ok()?;
        let name = text::content(&record[key.start..key.end], key.escaped);
        let child = children.iter().position(|child| child.name == name);
        let lead = Literal::new(&record.as_bytes()[from..cursor.at]);
        steps.push(Step { lead, wanted: child.map(|child| (child, fields[child])) });
        cursor.skip().ok()?;
        from = cursor.at;
    }
    (steps.len() <= STEPS_MAX).then_some(steps)
}
