//! Why an object cannot be opened. What is wrong with a single member is no error but a [`crate::refusal::Refusal`].

use crate::store::StoreError;

/// Why the members of an object cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object is shorter than it says, or its directory is damaged.
    #[error("{object}: {what} at byte {offset}: the object is torn; store it again, whole")]
    Torn {
        /// Key of the object.
        object: String,
        /// Where, from the start of the object.
        offset: u64,
        /// What was met or missing there.
        what: &'static str,
    },
    /// It may be whole, but it is nothing we read members from.
    #[error("{object}: {why}")]
    NotReadable {
        /// Key of the object.
        object: String,
        /// What it is and what to do.
        why: &'static str,
    },
}

impl ArchiveError {
    /// The kind of the object's trouble is its own bytes, not the store: reading it again helps nobody.
    pub fn is_bad_data(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}
