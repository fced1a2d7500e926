//! Key patterns such as `{date}/{robot}.zip`: which keys belong to an archive and what they say.

/// A key pattern: literals, `{captures}`, `*` (within one path segment) and `**` (over segments).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As written.
    pub text: String,
}
