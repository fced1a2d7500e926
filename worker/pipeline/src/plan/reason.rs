//! Why a shard is computed anew, in words.

use super::key::Inputs;
use super::part::Part;
use super::{Facts, Plan, Shard};
use crate::meaning::differences;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Whether a shard's rows are there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// A report of the same key is there.
    Reused,
    /// It is computed.
    Stale(Reason),
}

impl State {
    /// Whether it is computed.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale(_))
    }
}

/// Why a shard is stale: the first that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The run recomputes all.
    Asked,
    /// The base version has no such shard.
    New,
    /// Words that touch rows differ: these fields.
    PipelineChanged(Vec<String>),
    /// The base version was computed by another engine version: this one.
    EngineChanged(String),
    /// Its own members differ.
    InputChanged {
        /// Members then.
        members_before: u64,
        /// Members now.
        members: u64,
        /// What changed about which of them, as far as it was found out.
        #[serde(default, skip_serializing_if = "Changes::is_empty")]
        changes: Changes,
    },
    /// Members that it only looks at differ.
    ContextChanged {
        /// What changed about which of them, as far as it was found out.
        #[serde(default, skip_serializing_if = "Changes::is_empty")]
        changes: Changes,
    },
    /// Nothing changed, but its rows are not there: it was not done, or its files are gone.
    NotDone,
}

/// Members that differ from those that the base's plan saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// How many were found: at least so many there are.
    pub members: u64,
    /// The first of them by name, each with `added`, `removed` or `changed`.
    pub examples: Vec<String>,
}

impl Changes {
    /// Members kept by name; a line for people tells the first.
    const EXAMPLES: usize = 3;

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Adds a member.
    pub fn add(&mut self, example: &str) {
        self.members += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(example.to_owned());
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.examples.first().map_or("", String::as_str))?;
        match self.members.saturating_sub(1) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Reason {
    /// Where to put which members changed; `None`: that is not why.
    pub fn changes_mut(&mut self) -> Option<&mut Changes> {
        match self {
            Self::InputChanged { changes, .. } | Self::ContextChanged { changes } => Some(changes),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => write!(f, "asked"),
            Self::New => write!(f, "new"),
            Self::PipelineChanged(fields) => write!(f, "pipeline changed ({})", fields.join(", ")),
            Self::EngineChanged(before) => write!(f, "engine changed (was {before})"),
            Self::InputChanged { changes, .. } if !changes.is_empty() => write!(f, "input changed ({changes})"),
            Self::InputChanged { members_before, members, .. } if members_before == members => {
                write!(f, "input changed ({members} members, other content)")
            }
            Self::InputChanged { members_before, members, .. } => {
                write!(f, "input changed ({members_before} members became {members})")
            }
            Self::ContextChanged { changes } if !changes.is_empty() => write!(f, "context changed ({changes})"),
            Self::ContextChanged { .. } => write!(f, "context changed"),
            Self::NotDone => write!(f, "not done before, or its files are gone"),
        }
    }
}

/// Compares shards with those of the base version's plan.
pub(super) struct Judge<'a> {
    facts: &'a Facts<'a>,
    before: Option<&'a Plan>,
    shards: HashMap<Part, &'a Shard>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(facts: &'a Facts<'a>) -> Self {
        let before = facts.base.as_ref().and_then(|(_, plan)| *plan);
        let shards = before.iter().flat_map(|plan| &plan.shards).map(|shard| (shard.part, shard)).collect();
        Self { facts, before, shards }
    }

    /// The key of the base's shard, if nothing that its rows depend on changed and nobody asked for new ones.
    pub(super) fn settled(&self, part: &Part, inputs: &Inputs) -> Option<&'a str> {
        let shard = self.shards.get(part)?;
        (self.reason(part, inputs) == Reason::NotDone).then_some(shard.key.as_str())
    }

    /// Why a shard whose rows are not there is computed.
    pub(super) fn reason(&self, part: &Part, inputs: &Inputs) -> Reason {
        if self.facts.asked_by.is_some() {
            return Reason::Asked;
        }
        let (Some(plan), Some(shard)) = (self.before, self.shards.get(part)) else { return Reason::New };
        if plan.meaning != self.facts.meaning {
            return Reason::PipelineChanged(differences(&plan.meaning, &self.facts.meaning));
        }
        if plan.engine != self.facts.engine {
            return Reason::EngineChanged(plan.engine.clone());
        }
        if shard.inputs.own != inputs.own {
            let (members_before, members) = (shard.inputs.members, inputs.members);
            return Reason::InputChanged { members_before, members, changes: Changes::default() };
        }
        if shard.inputs.context != inputs.context {
            Reason::ContextChanged { changes: Changes::default() }
        } else {
            Reason::NotDone
        }
    }
}
