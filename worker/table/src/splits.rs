//! Parts that are cut in two: what workers whose memory did not suffice leave to the next plan.

use crate::error::{TableError, placed};
use crate::layout::{self, SPLITS};
use archive::store::{Put, Store};
use futures::TryStreamExt;
use pipeline::plan::{Part, digest};
use std::collections::BTreeSet;

/// Leaves word that a part is too large. The object is named by what it holds, so saying it twice is saying it once, and a put
/// whose answer is lost may be sent again.
pub async fn write_split(store: &dyn Store, part: Part) -> Result<(), TableError> {
    let json = serde_json::to_vec(&part).map_err(|error| TableError::writing(SPLITS, &error))?;
    store.put(&layout::split(&digest(&json)), json.into(), Put::Always).await?;
    Ok(())
}

/// The parts that were found too large.
///
/// Errors: [`TableError::Malformed`] for an object that is none of ours, with what to do.
pub async fn read_splits(store: &dyn Store) -> Result<BTreeSet<Part>, TableError> {
    let mut parts = BTreeSet::new();
    let mut objects = store.list(SPLITS);
    while let Some(object) = objects.try_next().await? {
        let (_, bytes) = store.get(&object.key).await?;
        let odd = |error| {
            TableError::malformed(&placed(store, &object.key), format!("not a part of ours ({error}); remove it"))
        };
        parts.insert(serde_json::from_slice(&bytes).map_err(odd)?);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;
    use pipeline::plan::Bucket;
    use pipeline::time::Span;

    #[tokio::test]
    async fn a_part_is_told_once_however_often_it_is_written() {
        let store = memory();
        let part = |to_ns| Part { span: Span { from_ns: -1, to_ns }, bucket: Bucket { bits: 2, value: 3 } };
        for to_ns in [5, 6, 5] {
            write_split(store.as_ref(), part(to_ns)).await.unwrap();
        }
        assert_eq!(read_splits(store.as_ref()).await.unwrap(), BTreeSet::from([part(5), part(6)]));
    }

    #[tokio::test]
    async fn something_else_in_its_place_says_what_to_do() {
        let store = memory();
        store.put(&layout::split("x"), "{}".into(), Put::Always).await.unwrap();
        assert!(read_splits(store.as_ref()).await.unwrap_err().to_string().contains("remove it"));
    }
}
