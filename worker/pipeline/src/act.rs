//! What the acts of a Run say at their end: a pod's termination message, which the worker writes and the operator reads.
//!
//! ```text
//! plan ──► Planned | Published | NothingToDo      shard ──► Computed      commit ──► Published | NothingToDo
//!      └─► Failed, whatever the act               poll  ──► Listed
//! ```
//! Kubernetes keeps [`MESSAGE_BYTES_MAX`] of it, so it names no shard but a few that failed.

use serde::{Deserialize, Serialize};

/// Most bytes of a termination message: Kubernetes cuts off what is longer.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// Most failures that a message names.
pub const FAILURES_MAX: usize = 10;

/// Most characters of a failed act's sentence: of four bytes each they are half a message.
const SENTENCE_MAX: usize = 512;

/// Most characters of why a shard failed: of one byte each, ten of them fit.
const REASON_MAX: usize = 256;

/// Most characters of where it failed.
const PLACE_MAX: usize = 96;

/// The end of an act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase")]
pub enum Message {
    /// A plan lies ready; its stale shards, if any, are to be computed, and it is to be committed.
    Planned(Planned),
    /// Shards of a batch have reports.
    Computed(Computed),
    /// A version is published.
    Published(Published),
    /// The newest version holds what the plan would publish.
    NothingToDo(NothingToDo),
    /// The archive was listed for a poll.
    Listed(Source),
    /// It ended without what was asked.
    Failed(Failed),
}

/// An archive as it was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Its version.
    pub version: String,
    /// Objects that `objects` matches.
    pub objects: u64,
    /// Members that the plan's shards read as their own; 0 where no plan was made.
    pub members: u64,
    /// Stored bytes of the objects.
    pub bytes: u64,
}

/// A plan that lies ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its hash.
    pub plan: String,
    /// Where it lies.
    pub uri: String,
    /// What it was made from.
    pub source: Source,
    /// The version that it was made against; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// All of its shards.
    pub shards: u64,
    /// Those to be computed.
    pub stale: u64,
    /// Stored bytes that those read.
    pub bytes: u64,
    /// What they take, seconds of one core; a guess where nothing was measured.
    pub seconds: u64,
}

/// What a batch of shards came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Computed {
    /// Shards with a report.
    pub shards: u64,
    /// Their rows.
    pub rows: u64,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The plan that it publishes.
    pub plan: String,
    /// What that was made from.
    pub source: Source,
    /// Where the table lies.
    pub url: String,
    /// The version.
    pub version: u64,
    /// Shards of its plan, whatever else the version carries over.
    pub shards: u64,
    /// Those whose reports were there before.
    pub reused: u64,
    /// Rows of the version.
    pub rows: u64,
    /// Those of them that are not valid.
    pub invalid: u64,
    /// Observations in quarantine.
    pub quarantined: u64,
    /// Bytes of its data files.
    pub bytes: u64,
    /// How many shards failed, as the pipeline tolerates.
    pub failed: u64,
    /// Some of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A run that had nothing to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NothingToDo {
    /// The plan that changes nothing.
    pub plan: String,
    /// What it was made from.
    pub source: Source,
    /// Where the table lies.
    pub url: String,
    /// Its newest version.
    pub version: u64,
    /// Shards of the plan, all of them reused.
    pub shards: u64,
    /// Rows of the version.
    pub rows: u64,
}

/// An act that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The exit code, as `fleetloom` documents it.
    pub code: u8,
    /// What failed, on which thing, what to do.
    pub sentence: String,
    /// How many shards failed.
    #[serde(default)]
    pub failed: u64,
    /// Some of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A shard that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its index in the plan.
    pub shard: u64,
    /// Why, in a sentence.
    pub reason: String,
    /// Robot, day or member, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Message {
    /// One line of JSON of at most [`MESSAGE_BYTES_MAX`] bytes: sentences are cut, then failures left out.
    pub fn to_json(&self) -> String {
        let mut message = self.clone();
        if let Self::Failed(failed) = &mut message {
            failed.sentence = cut(&failed.sentence, SENTENCE_MAX);
        }
        if let Some(failures) = message.failures() {
            failures.truncate(FAILURES_MAX);
            for failure in failures.iter_mut() {
                failure.reason = cut(&failure.reason, REASON_MAX);
                failure.place = failure.place.as_deref().map(|place| cut(place, PLACE_MAX));
            }
        }
        loop {
            let json = serde_json::to_string(&message).expect("plain data has a JSON text");
            if json.len() <= MESSAGE_BYTES_MAX {
                return json;
            }
            let shortened = message.failures().and_then(Vec::pop);
            assert!(shortened.is_some(), "a message without failures fits: {json}");
        }
    }

    fn failures(&mut self) -> Option<&mut Vec<Failure>> {
        match self {
            Self::Published(published) => Some(&mut published.failures),
            Self::Failed(failed) => Some(&mut failed.failures),
            Self::Planned(_) | Self::Computed(_) | Self::NothingToDo(_) | Self::Listed(_) => None,
        }
    }
}

/// The text, or its beginning and `…`, at most so many characters, none of which JSON writes as six bytes.
fn cut(text: &str, characters_max: usize) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    match text.char_indices().nth(characters_max) {
        None => shown.collect(),
        Some(_) => shown.take(characters_max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let computed = Message::Computed(Computed { shards: 3, rows: 7 });
        assert_eq!(computed.to_json(), r#"{"act":"computed","shards":3,"rows":7}"#);
        assert_eq!(serde_json::from_str::<Message>(&computed.to_json()).unwrap(), computed);
        let nothing = r#"{"act":"nothingToDo","plan":"p","source":{"version":"s","objects":1,"members":2,"bytes":3},"url":"u","version":6,"shards":0,"rows":0}"#;
        assert_eq!(serde_json::from_str::<Message>(nothing).unwrap().to_json(), nothing);
    }

    #[test]
    fn whatever_failed_it_fits() {
        let failure = |shard| Failure { shard, reason: "\u{1}é\"".repeat(500), place: Some("\\".repeat(500)) };
        let failures: Vec<Failure> = (0..40).map(failure).collect();
        let failed = Failed { code: 7, sentence: "🤖".repeat(600), failed: 40, failures };
        let json = Message::Failed(failed).to_json();
        assert!(json.len() <= MESSAGE_BYTES_MAX, "{}", json.len());
        let Message::Failed(read) = serde_json::from_str(&json).unwrap() else { panic!("{json}") };
        assert!((1..FAILURES_MAX).contains(&read.failures.len()), "{}", read.failures.len());
        assert_eq!((read.code, read.failed, read.failures[0].reason.chars().last()), (7, 40, Some('…')));
    }
}
