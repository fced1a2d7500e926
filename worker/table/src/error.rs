//! What a table could not do, by what a caller can do about it.

use archive::store::{Store, StoreError};
use deltalake_core::DeltaTableError;
use parquet::errors::ParquetError;
use std::error::Error;

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The store said no; its own words say what to do.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored object is not what its name promises.
    #[error("{place}: {why}")]
    Malformed {
        /// The object.
        place: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// Rows do not fit the file they are for: a broken promise of ours.
    #[error("{place}: these rows cannot be written: {why}")]
    Unwritable {
        /// The object.
        place: String,
        /// What does not fit.
        why: String,
    },
    /// The request is wrong for this table or store.
    #[error("{0}")]
    Refused(String),
    /// Parquet bytes could not be read.
    #[error("{place}: not a readable Parquet file; remove it and run again")]
    Parquet {
        /// The object.
        place: String,
        /// The cause.
        #[source]
        source: ParquetError,
    },
    /// The Delta log could not be read.
    #[error(
        "the Delta log of {place} cannot be read; restore the file named below from a backup, or write the result to another URL"
    )]
    Delta {
        /// The table.
        place: String,
        /// The cause.
        #[source]
        source: Box<DeltaTableError>,
    },
}

impl TableError {
    /// The store's error at the root of this one, if any: it tells what may pass from what will not.
    pub fn store_error(&self) -> Option<&StoreError> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(found) = find_store_error(error) {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// An error of a Parquet reader over `place`; the store's own error where that was the cause.
    pub(crate) fn reading(place: &str, error: ParquetError) -> Self {
        match error {
            ParquetError::External(cause) => match cause.downcast::<StoreError>() {
                Ok(cause) => Self::Store(*cause),
                Err(cause) => Self::Parquet { place: place.to_owned(), source: ParquetError::External(cause) },
            },
            source => Self::Parquet { place: place.to_owned(), source },
        }
    }

    /// An error of a writer over `place`.
    pub(crate) fn writing(place: &str, error: &impl ToString) -> Self {
        Self::Unwritable { place: place.to_owned(), why: error.to_string() }
    }

    /// An object that is not what its name promises.
    pub(crate) fn malformed(place: &str, why: impl Into<String>) -> Self {
        Self::Malformed { place: place.to_owned(), why: why.into() }
    }

    /// An error of deltalake over the table at `place`.
    pub(crate) fn delta(place: &impl ToString, source: DeltaTableError) -> Self {
        Self::Delta { place: place.to_string(), source: Box::new(source) }
    }
}

/// What an error calls an object: its store and its key.
pub(crate) fn placed(store: &dyn Store, key: &str) -> String {
    format!("{}/{key}", store.to_string().trim_end_matches('/'))
}

/// The store's error behind one link of a chain: errors in boxes are links too.
fn find_store_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a StoreError> {
    if let Some(found) = error.downcast_ref::<StoreError>() {
        return Some(found);
    }
    match error.downcast_ref::<TableError>() {
        Some(TableError::Store(found)) => Some(found),
        _ => None,
    }
}
