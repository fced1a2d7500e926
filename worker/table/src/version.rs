//! How people say which version they mean: a number, `latest`, a tag, a day or an instant. Every verb reads them here.

use crate::error::TableError;
use crate::history::committed_before;
use crate::state::latest_version;
use crate::tag::{self, LATEST};
use archive::store::Store;
use pipeline::archive::TimeUnit;
use pipeline::time::Day;
use pipeline::time::instant::InstantReader;
use std::fmt;

/// A version as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionName {
    /// By its number.
    Number(u64),
    /// The newest.
    Latest,
    /// By a tag.
    Tag(String),
    /// The newest that was committed before an instant: the end of a UTC day, or just after the instant that was written.
    Before {
        /// ns since the epoch.
        end_ns: i64,
        /// As it was written.
        text: String,
    },
}

impl VersionName {
    /// Reads `7`, `latest`, a tag's name, `2026-11-01` (the end of that UTC day), or RFC 3339 (at or before that instant).
    ///
    /// Errors: a sentence with what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let version = text.parse().map_err(|_| format!("{text} is more versions than a table can have"))?;
            return Ok(Self::Number(version));
        }
        if text == LATEST {
            return Ok(Self::Latest);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Self::Before { end_ns: end_ns(text)?, text: text.to_owned() });
        }
        tag::check_name(text).map_err(|why| format!("{why}; or a number, latest, or a date"))?;
        Ok(Self::Tag(text.to_owned()))
    }

    /// The version's number.
    ///
    /// Errors: [`TableError::Refused`] when there is no table, version or tag of that name, or no version that old.
    pub async fn resolve(&self, store: &dyn Store) -> Result<u64, TableError> {
        let Some(latest) = latest_version(store).await? else {
            let why = format!("{store}: no table is there yet; `fleetloom run -f FILE` publishes its first version");
            return Err(TableError::Refused(why));
        };
        match self {
            Self::Latest => Ok(latest),
            Self::Number(version) => known(store, *version, latest),
            Self::Tag(name) => match tag::read(store, name).await? {
                Some(tag) => known(store, tag.version, latest),
                None => Err(tag::unknown(store, name).await?),
            },
            Self::Before { end_ns, text } => committed_before(store, *end_ns).await?.ok_or_else(|| {
                let why =
                    format!("{store} has no version that was committed by {text}; `fleetloom history` lists them");
                TableError::Refused(why)
            }),
        }
    }
}

fn known(store: &dyn Store, version: u64, latest: u64) -> Result<u64, TableError> {
    if version <= latest {
        return Ok(version);
    }
    Err(TableError::Refused(format!("{store} has no version {version}; its latest is {latest}")))
}

/// The first instant after what a day or a time means.
fn end_ns(text: &str) -> Result<i64, String> {
    if let Ok(day) = Day::parse(text) {
        return Ok(day.next().start_ns());
    }
    let reader = InstantReader::new(&TimeUnit::Iso8601 { zone: None })?;
    let wrong = |why| {
        format!(
            "{text:?} is no version: {why}; write a number, a tag, latest, a day (2026-11-01) or a time (2026-11-01T12:00:00Z)"
        )
    };
    let at_ns = reader.read(text.as_bytes()).map_err(wrong)?;
    Ok(at_ns.saturating_add(1))
}

/// As a person would write it.
impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(version) => write!(f, "{version}"),
            Self::Latest => f.write_str(LATEST),
            Self::Tag(text) | Self::Before { text, .. } => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(end_ns: i64, text: &str) -> Result<VersionName, String> {
        Ok(VersionName::Before { end_ns, text: text.to_owned() })
    }

    #[test]
    fn numbers_tags_days_and_instants_are_told_apart() {
        assert_eq!(VersionName::parse("7"), Ok(VersionName::Number(7)));
        assert_eq!(VersionName::parse("latest"), Ok(VersionName::Latest));
        assert_eq!(VersionName::parse("v7"), Ok(VersionName::Tag("v7".to_owned())));
        assert_eq!(VersionName::parse("1970-01-01"), before(86_400_000_000_000, "1970-01-01"));
        assert_eq!(VersionName::parse("1970-01-01T00:00:01Z"), before(1_000_000_001, "1970-01-01T00:00:01Z"));
        assert_eq!(VersionName::parse("1970-01-01T01:00:00+01:00"), before(1, "1970-01-01T01:00:00+01:00"));
    }

    #[test]
    fn what_is_no_version_says_what_to_write() {
        for text in ["", "-1", "1.5", "2026-13-01", "1970-01-01T00:00:01", "99999999999999999999", "a b", "7th"] {
            let error = VersionName::parse(text).unwrap_err();
            assert!(error.contains("write") || error.contains("more versions"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_is_shown_as_it_was_written() {
        for text in ["7", "latest", "good", "2026-11-01", "2026-11-01T12:00:00Z"] {
            assert_eq!(VersionName::parse(text).unwrap().to_string(), text);
        }
    }
}
