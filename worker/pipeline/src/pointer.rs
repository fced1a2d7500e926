//! JSON pointers as the archive words use them: a walk to the records (`at`) and places relative to a record.
//!
//! ```text
//! at: /robots[*]/poses[*]        steps: Key(robots) Each Key(poses) Each
//!      document                   level 2 (outermost)
//!        robots[i]                level 1   ../
//!          poses[j]               level 0   the record
//! ```

/// A JSON pointer (RFC 6901): object keys or array positions, unescaped. Empty = the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pointer {
    /// Reference tokens from the outside in.
    pub tokens: Vec<String>,
}

/// The walk from the document to the records of a signal. No steps: the document is the one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct At {
    /// Steps from the outside in; at most two of them are `Each` or `Values`.
    pub steps: Vec<Step>,
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into the value of an object's key.
    Key(String),
    /// `[*]`: each element of an array.
    Each,
    /// `/*`: each value of an object.
    Values,
}

/// Where a time, column or match value stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Below the element `up` walks out from the record (0 = the record itself; the document is outermost).
    Record {
        /// Number of `../`.
        up: u32,
        /// Pointer below that element.
        pointer: Pointer,
    },
    /// Below the document.
    Document(Pointer),
    /// `@key`: the object key at which the element `up` walks out was found.
    Key {
        /// Number of `../`.
        up: u32,
    },
    /// `@index`: the array position (or ordinal among an object's values) of that element.
    Index {
        /// Number of `../`.
        up: u32,
    },
}
