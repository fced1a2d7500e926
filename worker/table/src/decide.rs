//! What is to be done about a version that a run wants to publish: pure, total, one place.
//!
//! ```text
//!              ┌────────────── facts ──────────────┐
//! read base+1 ─┤ Publish ─► put ─► read base+1 ─► … ├─► Published, AlreadyPublished, Conflict, Refuse, Unknown
//!              └───────────────────────────────────┘
//! ```
//!
//! The caller does the I/O and asks again after each answer; only [`Decision::Publish`] asks for another put.

use crate::delta::Provenance;
use std::fmt;

/// What lies at the version that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Absent,
    /// A commit of ours: its words.
    Ours(Box<Provenance>),
    /// A commit of something else.
    Foreign,
    /// It could not be read.
    Unread,
}

/// What the last put of our commit said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was written.
    Written,
    /// It was not, or nobody knows: the store says that something is there, was busy, or the answer was lost.
    Unclear,
    /// It was not, and will not be: no permission, no room.
    Hopeless(String),
}

/// Whose the table is that the plan was made against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The pipeline in its properties.
    pub pipeline: Option<String>,
    /// Why it is not a version of ours, if it is not.
    pub foreign: Option<String>,
}

/// All that the decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Name of the pipeline that wants to publish.
    pub pipeline: String,
    /// Hash of its plan.
    pub plan: String,
    /// Random id of this attempt to write.
    pub write: String,
    /// The version that the plan was made against; `None`: there was no table.
    pub base: Option<Base>,
    /// What lies at base+1.
    pub next: Next,
    /// Whether files, schema, properties, meaning and shards are those of the base.
    pub unchanged: bool,
    /// Gates that are not passed: a sentence each.
    pub gates: Vec<String>,
    /// Files of the version that are not there as reported.
    pub missing: Vec<String>,
    /// The last answer; `None`: nothing was put yet.
    pub answer: Option<Answer>,
    /// Whether there is time for another put.
    pub in_time: bool,
}

/// What to do, or what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Put the commit's bytes at base+1.
    Publish,
    /// Our commit is there.
    Published,
    /// Another attempt at the same plan was faster; the version holds the same.
    AlreadyPublished(Box<Provenance>),
    /// The base holds the same already.
    NothingToDo,
    /// Nothing is published, for a reason that another try would not change.
    Refuse(Why),
    /// Something else was published since the plan was made: plan again.
    Conflict(Other),
    /// Whether it was published cannot be told now: run again, and it will be.
    Unknown,
}

/// Why nothing is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The table belongs to another pipeline.
    Owner(String),
    /// Something else wrote the base.
    Foreign(String),
    /// Gates.
    Gates(Vec<String>),
    /// Files that are not there.
    Missing(Vec<String>),
    /// The store refuses the commit.
    Store(String),
}

/// What was published instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// Another plan.
    Plan(Box<Provenance>),
    /// Another program's commit.
    Foreign,
}

/// Decides. What is at base+1 outweighs everything but ownership: a repeated commit says what was published, even when its
/// gates would now refuse it.
pub fn decide(facts: &Facts) -> Decision {
    if let Some(why) = facts.base.as_ref().and_then(|base| base.refusal(&facts.pipeline)) {
        return Decision::Refuse(why);
    }
    match (&facts.next, &facts.answer) {
        (_, Some(Answer::Written)) => Decision::Published,
        (Next::Ours(found), _) if found.write == facts.write => Decision::Published,
        (Next::Ours(found), _) if found.plan == facts.plan => Decision::AlreadyPublished(found.clone()),
        (Next::Ours(found), _) => Decision::Conflict(Other::Plan(found.clone())),
        (Next::Foreign, _) => Decision::Conflict(Other::Foreign),
        (Next::Absent, None) => first_put(facts),
        (Next::Absent, Some(Answer::Hopeless(why))) => Decision::Refuse(Why::Store(why.clone())),
        (Next::Absent, Some(Answer::Unclear)) if facts.in_time => Decision::Publish,
        (Next::Absent | Next::Unread, _) => Decision::Unknown,
    }
}

/// Nothing is at base+1 and nothing was put: do gates, files and contents allow it?
fn first_put(facts: &Facts) -> Decision {
    if !facts.gates.is_empty() {
        return Decision::Refuse(Why::Gates(facts.gates.clone()));
    }
    if facts.unchanged {
        return Decision::NothingToDo;
    }
    if !facts.missing.is_empty() {
        return Decision::Refuse(Why::Missing(facts.missing.clone()));
    }
    Decision::Publish
}

impl Base {
    fn refusal(&self, pipeline: &str) -> Option<Why> {
        match (&self.pipeline, &self.foreign) {
            (Some(owner), _) if owner != pipeline => Some(Why::Owner(owner.clone())),
            (_, Some(why)) => Some(Why::Foreign(why.clone())),
            (None, None) => Some(Why::Foreign("its table has no pipeline in its properties".to_owned())),
            (Some(_), None) => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner) => {
                write!(f, "the table belongs to pipeline `{owner}`; give this pipeline a result URL of its own")
            }
            Self::Foreign(why) | Self::Store(why) => write!(f, "{why}"),
            Self::Gates(gates) => write!(f, "{}", gates.join("; ")),
            Self::Missing(files) => {
                let first = files.first().map(String::as_str).unwrap_or_default();
                write!(
                    f,
                    "{} data files are not there as reported, such as {first}; run with --recompute all",
                    files.len()
                )
            }
        }
    }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(found) => write!(f, "run {} published plan {} meanwhile", found.run, found.plan),
            Self::Foreign => write!(f, "another program wrote to the table meanwhile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(plan: &str, write: &str) -> Box<Provenance> {
        Box::new(Provenance { plan: plan.to_owned(), write: write.to_owned(), ..Provenance::default() })
    }

    fn facts() -> Facts {
        Facts {
            pipeline: "p".to_owned(),
            plan: "plan".to_owned(),
            write: "write".to_owned(),
            base: Some(Base { pipeline: Some("p".to_owned()), foreign: None }),
            next: Next::Absent,
            unchanged: false,
            gates: Vec::new(),
            missing: Vec::new(),
            answer: None,
            in_time: true,
        }
    }

    #[test]
    fn a_first_put_needs_gates_files_and_a_difference() {
        assert_eq!(decide(&facts()), Decision::Publish);
        assert_eq!(decide(&Facts { base: None, ..facts() }), Decision::Publish);
        assert_eq!(decide(&Facts { unchanged: true, ..facts() }), Decision::NothingToDo);
        let gates = vec!["too much".to_owned()];
        let refused = Decision::Refuse(Why::Gates(gates.clone()));
        assert_eq!(decide(&Facts { gates, unchanged: true, missing: vec!["x".to_owned()], ..facts() }), refused);
        let missing = vec!["x".to_owned()];
        assert_eq!(decide(&Facts { missing: missing.clone(), ..facts() }), Decision::Refuse(Why::Missing(missing)));
    }

    #[test]
    fn what_lies_at_the_next_version_says_what_happened() {
        let answers = [None, Some(Answer::Unclear), Some(Answer::Hopeless("denied".to_owned()))];
        for answer in answers {
            let with =
                |next| decide(&Facts { next, answer: answer.clone(), gates: vec!["late".to_owned()], ..facts() });
            assert_eq!(with(Next::Ours(words("plan", "write"))), Decision::Published);
            assert_eq!(with(Next::Ours(words("plan", "other"))), Decision::AlreadyPublished(words("plan", "other")));
            assert_eq!(with(Next::Ours(words("other", "o"))), Decision::Conflict(Other::Plan(words("other", "o"))));
            assert_eq!(with(Next::Foreign), Decision::Conflict(Other::Foreign));
            assert_eq!(with(Next::Unread), Decision::Unknown);
        }
    }

    #[test]
    fn a_lost_answer_is_put_again_while_there_is_time() {
        let lost = Facts { answer: Some(Answer::Unclear), ..facts() };
        assert_eq!(decide(&lost), Decision::Publish);
        assert_eq!(decide(&Facts { in_time: false, ..lost.clone() }), Decision::Unknown);
        // The gates were passed before the first put; what was read since then cannot take that back.
        assert_eq!(decide(&Facts { unchanged: true, ..lost }), Decision::Publish);
    }

    #[test]
    fn an_answer_that_says_written_is_believed() {
        for next in [Next::Absent, Next::Unread] {
            assert_eq!(decide(&Facts { next, answer: Some(Answer::Written), ..facts() }), Decision::Published);
        }
    }

    #[test]
    fn a_store_that_refuses_is_not_asked_again() {
        let denied = Some(Answer::Hopeless("denied".to_owned()));
        assert_eq!(decide(&Facts { answer: denied, ..facts() }), Decision::Refuse(Why::Store("denied".to_owned())));
    }

    #[test]
    fn only_our_own_tables_are_written() {
        let base = |pipeline: Option<&str>, foreign: Option<&str>| {
            Some(Base { pipeline: pipeline.map(str::to_owned), foreign: foreign.map(str::to_owned) })
        };
        let other = Facts { base: base(Some("q"), None), next: Next::Ours(words("plan", "write")), ..facts() };
        assert_eq!(decide(&other), Decision::Refuse(Why::Owner("q".to_owned())));
        let foreign = Facts { base: base(Some("p"), Some("no ledger")), ..facts() };
        assert_eq!(decide(&foreign), Decision::Refuse(Why::Foreign("no ledger".to_owned())));
        assert!(matches!(decide(&Facts { base: base(None, None), ..facts() }), Decision::Refuse(Why::Foreign(_))));
    }
}
