//! Shard keys: a name made of everything that a shard's rows depend on, and of nothing else.
//!
//! Same key, same rows, whatever run or machine made them: BLAKE3 over the words that touch rows, the engine's semantic
//! version, the part, and every member in span and context in archive order.

use super::digest::Digest;
use super::part::{Part, Role};
use crate::member::{Member, Stamp};
use serde::{Deserialize, Serialize};

/// What a shard reads, as far as it is known without reading: digests and sums of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Digest of the members it owns.
    pub own: String,
    /// Digest of the members it reads besides.
    pub context: String,
    /// Members it owns.
    pub members: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Members it reads besides.
    pub context_members: u64,
    /// Their stored bytes.
    pub context_bytes: u64,
}

impl Inputs {
    /// Whether there is anything to read: a part that reads no member has no row.
    pub fn is_empty(&self) -> bool {
        self.members == 0 && self.context_members == 0
    }
}

/// Digests the members of one part as they pass by in archive order.
#[derive(Debug, Default)]
pub(super) struct InputsHasher {
    own: Digest,
    context: Digest,
    sums: Inputs,
}

impl InputsHasher {
    pub(super) fn add(&mut self, role: Role, object_key: &str, member: &Member, content: &[u8]) {
        let (digest, members, bytes) = match role {
            Role::Own => (&mut self.own, &mut self.sums.members, &mut self.sums.bytes),
            Role::Context => (&mut self.context, &mut self.sums.context_members, &mut self.sums.context_bytes),
        };
        *members += 1;
        *bytes = bytes.saturating_add(member.stored_bytes);
        digest.text(object_key.as_bytes());
        feed_member(digest, member, content);
    }

    pub(super) fn finish(self) -> Inputs {
        Inputs { own: self.own.hex(), context: self.context.hex(), ..self.sums }
    }
}

/// Feeds what rows depend on of a member. Members come in archive order, so its position is said by its turn: a number would make
/// everything behind a removed member another member.
pub(super) fn feed_member(digest: &mut Digest, member: &Member, content: &[u8]) {
    digest.text(member.robot.as_deref().unwrap_or_default().as_bytes());
    digest.text(member.name.as_bytes());
    let (kind, stamp) = match member.stamp {
        Stamp::At(ns) => (0u8, ns),
        Stamp::Day(day) => (1, i64::from(day.0)),
        Stamp::Absent => (2, 0),
    };
    digest.bytes(&[kind]);
    digest.bytes(&stamp.to_le_bytes());
    digest.text(content);
}

/// The key of a shard. `meaning` and `engine` say how rows are made; `salt` is the run's id when all is recomputed.
pub fn shard_key(meaning: &str, engine: &str, part: &Part, inputs: &Inputs, salt: Option<&str>) -> String {
    let mut digest = Digest::default();
    for word in [meaning, engine, &inputs.own, &inputs.context, salt.unwrap_or_default()] {
        digest.text(word.as_bytes());
    }
    digest.bytes(&part.span.from_ns.to_le_bytes());
    digest.bytes(&part.span.to_ns.to_le_bytes());
    digest.bytes(&[part.bucket.bits]);
    digest.bytes(&part.bucket.value.to_le_bytes());
    digest.hex()
}
