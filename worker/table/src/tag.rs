//! Tags: names that people give to versions. A tagged version is kept by vacuum.
//!
//! A tag is one small object. It is put where none is, so that of two people who use a name at a time one is told; only who
//! asks for it moves a tag.

use crate::error::TableError;
use crate::layout::{self, TAGS};
use archive::store::{Object, Put, Store, StoreError};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use pipeline::name;
use serde::{Deserialize, Serialize};

/// Longest name: it is part of an object's name, and a column of the history.
const NAME_MAX: usize = 64;

/// The word for the newest version, which no tag may have.
pub(crate) const LATEST: &str = "latest";

/// Tags read at a time.
const READS: usize = 16;

/// A name of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: u64,
    /// When it was set, ms since the epoch.
    pub tagged_ms: i64,
}

/// What a tag's object holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    version: u64,
    tagged_ms: i64,
}

/// What to do with a tag of that name that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and say so.
    Keep,
    /// Move it to the new version.
    Move,
}

/// What became of a wish to tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// The tag is new.
    New,
    /// The version had it already.
    Already,
    /// It was moved from this version.
    Moved(u64),
}

/// Refuses what cannot be a tag, with what to write: letters, digits, `.`, `_` and `-`, a letter first (so that no tag looks
/// like a number or a date), at most 64, and not `latest`.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.eq_ignore_ascii_case(LATEST) {
        return Err(format!("{name:?} always means the newest version; write another name"));
    }
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if !first || !name.bytes().all(fits) || name.len() > NAME_MAX {
        return Err(format!(
            "{name:?} cannot be a tag; write a letter, then letters, digits, `.`, `_` or `-`, at most {NAME_MAX}, such as \
             trained-2026-11"
        ));
    }
    Ok(())
}

/// All tags, by name.
pub async fn tags(store: &dyn Store) -> Result<Vec<Tag>, TableError> {
    let objects: Vec<Object> = store.list(TAGS).try_collect().await?;
    let mut names: Vec<&str> = objects.iter().filter_map(|object| layout::tag_name(&object.key)).collect();
    names.sort_unstable();
    let reads = stream::iter(names).map(|name| read(store, name));
    let found: Vec<Option<Tag>> = reads.buffered(READS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The tag of that name; `None`: there is none.
pub async fn read(store: &dyn Store, name: &str) -> Result<Option<Tag>, TableError> {
    let key = layout::tag(name);
    let bytes = match store.get(&key).await {
        Ok((_, bytes)) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let odd = |error| TableError::malformed(&key, format!("not a tag ({error}); remove it and tag again"));
    let Content { version, tagged_ms } = serde_json::from_slice(&bytes).map_err(odd)?;
    Ok(Some(Tag { name: name.to_owned(), version, tagged_ms }))
}

/// Sets a tag. The caller knows that the version is there.
///
/// Errors: [`TableError::Refused`] when another version has it and it is to be kept.
pub async fn set(store: &dyn Store, tag: &Tag, existing: Existing) -> Result<Tagged, TableError> {
    let before = read(store, &tag.name).await?;
    match (&before, existing) {
        (Some(before), _) if before.version == tag.version => return Ok(Tagged::Already),
        (Some(before), Existing::Keep) => return Err(taken(tag, before)),
        _ => {}
    }
    let content = Content { version: tag.version, tagged_ms: tag.tagged_ms };
    let bytes: Bytes =
        serde_json::to_vec(&content).map_err(|error| TableError::writing(&layout::tag(&tag.name), &error))?.into();
    let when = if existing == Existing::Move { Put::Always } else { Put::IfAbsent };
    if let Err(answer) = store.put(&layout::tag(&tag.name), bytes, when).await {
        // The answer may be lost, or somebody was faster: what is there decides.
        match read(store, &tag.name).await? {
            Some(found) if found.version == tag.version => {}
            Some(found) if matches!(answer, StoreError::Exists { .. }) => return Err(taken(tag, &found)),
            _ => return Err(answer.into()),
        }
    }
    Ok(before.map_or(Tagged::New, |before| Tagged::Moved(before.version)))
}

/// Removes a tag. Returns the version that had it.
///
/// Errors: [`TableError::Refused`] when there is no such tag.
pub async fn remove(store: &dyn Store, name: &str) -> Result<u64, TableError> {
    let Some(tag) = read(store, name).await? else { return Err(unknown(store, name).await?) };
    store.delete(&layout::tag(name)).await?;
    Ok(tag.version)
}

/// The error of a tag that is not there, with those that are.
pub(crate) async fn unknown(store: &dyn Store, name: &str) -> Result<TableError, TableError> {
    let tags = tags(store).await?;
    let remedy = match tags.as_slice() {
        [] => "no version is tagged".to_owned(),
        tags => name::suggest(name, tags.iter().map(|tag| tag.name.as_str())),
    };
    Ok(TableError::Refused(format!("{store} has no tag `{name}`; {remedy}")))
}

fn taken(tag: &Tag, there: &Tag) -> TableError {
    TableError::Refused(format!(
        "tag `{}` is at version {}; choose another name, or move it to version {} with --force",
        tag.name, there.version, tag.version
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;
    use archive::faulty::{Fault, Faults};

    fn tag(name: &str, version: u64) -> Tag {
        Tag { name: name.to_owned(), version, tagged_ms: 1_700_000_000_000 }
    }

    #[test]
    fn names_begin_with_a_letter_and_are_never_numbers_dates_or_latest() {
        for name in ["a", "v1.2", "trained_2026-11", "Z9"] {
            assert_eq!(check_name(name), Ok(()));
        }
        let long = "a".repeat(65);
        for name in ["", "7", "2026-11-01", "-a", ".a", "a/b", "a b", "é", "a\u{e9}", "latest", "LATEST", &long] {
            assert!(check_name(name).unwrap_err().contains("write"), "{name}");
        }
    }

    #[tokio::test]
    async fn a_tag_is_set_once_and_moved_only_when_asked() {
        let store = memory();
        let set = |tag, existing| {
            let store = &store;
            async move { super::set(store.as_ref(), &tag, existing).await }
        };
        assert_eq!(set(tag("good", 3), Existing::Keep).await.unwrap(), Tagged::New);
        assert_eq!(set(tag("good", 3), Existing::Keep).await.unwrap(), Tagged::Already);
        let error = set(tag("good", 4), Existing::Keep).await.unwrap_err().to_string();
        assert!(error.contains("is at version 3") && error.contains("--force"), "{error}");
        assert_eq!(set(tag("good", 4), Existing::Move).await.unwrap(), Tagged::Moved(3));
        assert_eq!(set(tag("best", 1), Existing::Move).await.unwrap(), Tagged::New);
        assert_eq!(tags(store.as_ref()).await.unwrap(), [tag("best", 1), tag("good", 4)]);
        assert_eq!(remove(store.as_ref(), "good").await.unwrap(), 4);
        let error = remove(store.as_ref(), "god").await.unwrap_err().to_string();
        assert!(error.contains("no tag `god`") && error.contains("best"), "{error}");
    }

    #[tokio::test]
    async fn a_lost_answer_is_read_back_and_a_busy_store_says_so() {
        let inner = memory();
        let store = Faults::of_creates(TAGS, &[Fault::Lost]).around(&inner);
        assert_eq!(set(store.as_ref(), &tag("a", 1), Existing::Keep).await.unwrap(), Tagged::New);
        let store = Faults::of_creates(TAGS, &[Fault::Busy]).around(&inner);
        assert!(matches!(set(store.as_ref(), &tag("b", 1), Existing::Keep).await, Err(TableError::Store(_))));
        assert_eq!(tags(inner.as_ref()).await.unwrap(), [tag("a", 1)]);
    }
}
