//! Whose observations a document holds: the capture of its name, what it says itself, or both; and their numbers.

use super::cell::Found;
use super::json::{Token, What};
use super::plan::{Origin, Plan};
use super::walk::Ground;
use crate::account::Kind;
use pipeline::archive::RobotRule;
use pipeline::spec::OnConflict;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Names of robots and their indices.
#[derive(Debug, Default)]
pub(super) struct Robots {
    /// In the order met.
    pub(super) names: Vec<Arc<str>>,
    index: HashMap<Arc<str>, u32>,
    /// The one named last: the next document is most often its own.
    last: u32,
}

impl Robots {
    /// The index of a name, given to it now if it has none.
    pub(super) fn index(&mut self, name: &str) -> u32 {
        if self.names.get(self.last as usize).is_some_and(|last| **last == *name) {
            return self.last;
        }
        self.last = match self.index.get(name) {
            Some(index) => *index,
            None => {
                let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                let name: Arc<str> = name.into();
                self.names.push(Arc::clone(&name));
                self.index.insert(name, index);
                index
            }
        };
        self.last
    }
}

/// What a document says its robot is: a string, or an integer as written.
pub(super) fn said<'a>(plan: &Plan, ground: &'a Ground, text: &'a str) -> Option<Cow<'a, str>> {
    let found = Found::at(Origin::Slot(plan.robot_slot?), text, ground);
    let is_name = match found {
        Found::Here(Token { what: What::Text | What::Escaped, .. }, _) => true,
        Found::Here(Token { what: What::Number, .. }, text) => {
            text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    };
    found.said().filter(|name| is_name && !name.is_empty())
}

/// Whose observations these are, or why nobody's.
pub(super) fn robot<'a>(
    rule: &RobotRule,
    capture: Option<&'a str>,
    document: Option<Cow<'a, str>>,
) -> Result<Cow<'a, str>, Kind> {
    let capture = capture.filter(|name| rule.capture.is_some() && !name.is_empty()).map(Cow::Borrowed);
    match (capture, document) {
        (Some(capture), Some(document)) if capture != document => match rule.on_conflict {
            OnConflict::Quarantine => Err(Kind::RobotConflict),
            OnConflict::Capture => Ok(capture),
            OnConflict::Document => Ok(document),
        },
        (Some(name), _) | (None, Some(name)) => Ok(name),
        (None, None) => Err(Kind::NoRobot),
    }
}
