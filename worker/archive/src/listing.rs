//! The listing of an archive: which objects it has now, and the name of that state.

use crate::store::{Object, Store, StoreError};
use futures::stream::TryStreamExt;
use pipeline::archive::Archive;
use pipeline::pattern::Pattern;

/// Keys that do not belong to the archive, kept to be shown.
const EXAMPLES: usize = 3;

/// Keys looked at to say why a pattern matches nothing.
const LOOKED_AT_MAX: usize = 1000;

/// The objects of an archive at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Those whose key matches the pattern, by key (bytewise). [`pipeline::member::Member::object`] is an index here.
    pub objects: Vec<Object>,
    /// The name of this state, 64 hex digits: see [`source_version`].
    pub source_version: String,
    /// Keys met that do not match. Only keys that start like the pattern are met, unless none matches.
    pub ignored: u64,
    /// The first few of them, in the order of the store.
    pub ignored_examples: Vec<String>,
}

impl Listing {
    /// Bytes of all objects.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().fold(0, |sum, object| sum.saturating_add(object.bytes))
    }
}

/// Lists the objects of an archive.
///
/// Where none matches, up to a thousand others are looked at, so that somebody can be told what is there instead.
pub async fn list(store: &dyn Store, archive: &Archive) -> Result<Listing, StoreError> {
    let mut listing = gather(store, &archive.objects, archive.objects.literal_prefix(), usize::MAX).await?;
    if listing.objects.is_empty() {
        let others = gather(store, &archive.objects, "", LOOKED_AT_MAX).await?;
        (listing.ignored, listing.ignored_examples) = (others.ignored, others.ignored_examples);
    }
    listing.objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    listing.source_version = source_version(&listing.objects);
    Ok(listing)
}

async fn gather(store: &dyn Store, pattern: &Pattern, prefix: &str, keys_max: usize) -> Result<Listing, StoreError> {
    let mut listing =
        Listing { objects: Vec::new(), source_version: String::new(), ignored: 0, ignored_examples: Vec::new() };
    let mut found = store.list(prefix);
    let mut met = 0;
    while let Some(object) = found.try_next().await? {
        met += 1;
        if pattern.matches(&object.key).is_some() {
            listing.objects.push(object);
        } else {
            listing.ignored += 1;
            if listing.ignored_examples.len() < EXAMPLES {
                listing.ignored_examples.push(object.key);
            }
        }
        if met == keys_max {
            break;
        }
    }
    Ok(listing)
}

/// BLAKE3 over key, size, entity tag and version id of each object, in the order given (sorted by key).
pub fn source_version(objects: &[Object]) -> String {
    let mut hasher = blake3::Hasher::new();
    for object in objects {
        object.feed(&mut hasher);
    }
    hasher.finalize().to_hex().to_string()
}
