//! A byte range of one object as a stream of pieces, in order, a little ahead of whoever reads it.

use crate::store::{Pin, Store, StoreError};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::ops::Range;
use std::sync::Arc;

/// Pieces read ahead of their use: enough to hide a request behind the work on the piece before.
const AHEAD: usize = 2;

/// Bytes in order, in pieces of at most [`crate::store::Reading::block_bytes`].
pub type Pieces = BoxStream<'static, Result<Bytes, StoreError>>;

/// The bytes `range` of a pinned object. A range past the end is cut at the end.
pub fn pieces(store: Arc<dyn Store>, pin: Pin, range: Range<u64>) -> Pieces {
    let step = store.reading().block_bytes.max(1);
    let end = range.end.min(pin.bytes);
    let starts = stream::unfold(range.start, move |at| async move {
        (at < end).then(|| (at..end.min(at.saturating_add(step)), at.saturating_add(step)))
    });
    let pin = Arc::new(pin);
    let reads = starts.map(move |range| {
        let (store, pin) = (Arc::clone(&store), Arc::clone(&pin));
        async move { store.read(&pin, range).await }
    });
    reads.buffered(AHEAD).boxed()
}

/// Collects the bytes `range`, which the caller knows to be small.
pub(crate) async fn read_small(store: &dyn Store, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
    store.read(pin, range.start..range.end.min(pin.bytes)).await
}
