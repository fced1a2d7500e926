//! A stored Parquet object, read where it lies: ranged, pinned, a few blocks at a time.

use crate::error::TableError;
use archive::store::{Pin, READ_BYTES_MAX, Store, StoreError};
use arrow::datatypes::SchemaRef;
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, FutureExt};
use object_store::coalesce_ranges;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

/// Read with the footer at once: it saves a request, and most footers fit.
const FOOTER_BYTES: usize = 64 << 10;

/// One state of a stored Parquet object.
#[derive(Debug, Clone)]
pub(crate) struct ParquetObject {
    store: Arc<dyn Store>,
    pin: Pin,
}

impl ParquetObject {
    /// The current state of `key`.
    pub(crate) async fn open(store: &Arc<dyn Store>, key: &str) -> Result<Self, TableError> {
        let pin = store.head(key).await?.pin();
        Ok(Self { store: Arc::clone(store), pin })
    }

    /// A reader that gives columns as in `schema`. Errors when the object holds others.
    pub(crate) async fn reader(self, schema: SchemaRef) -> Result<ParquetRecordBatchStreamBuilder<Self>, TableError> {
        let key = self.pin.key.clone();
        let options = ArrowReaderOptions::new().with_schema(schema);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(self, options).await;
        builder.map_err(|error| TableError::reading(&key, error))
    }
}

impl AsyncFileReader for ParquetObject {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { read_range(self.store.as_ref(), &self.pin, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let gap = self.store.reading().gap_bytes;
            let read = |range| read_range(self.store.as_ref(), &self.pin, range);
            coalesce_ranges(&ranges, read, gap).await.map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let bytes = self.pin.bytes;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER_BYTES));
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

fn external(error: StoreError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The bytes of a range of any length, read in pieces of at most [`READ_BYTES_MAX`].
pub(crate) async fn read_range(store: &dyn Store, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
    let bytes = range.end.saturating_sub(range.start);
    if bytes <= READ_BYTES_MAX {
        return store.read(pin, range).await;
    }
    let mut whole = BytesMut::with_capacity(usize::try_from(bytes).unwrap_or_default());
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start.saturating_add(READ_BYTES_MAX));
        whole.extend_from_slice(&store.read(pin, start..end).await?);
        start = end;
    }
    Ok(whole.freeze())
}
