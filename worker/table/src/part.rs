//! Data files: a shard's rows, cut by date, streamed to the store.
//!
//! A shard of an archive without stamps holds many days and comes sorted by robot, so several days' files are open at a
//! time; their number and what they hold are bounded, and where a bound strikes depends on the rows alone.

use crate::error::TableError;
use crate::layout::{self, PARTITION};
use crate::statistics::statistics;
use crate::upload::{Finished, Layout, ParquetUpload};
use archive::store::Store;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Field, Schema, SchemaRef};
use engine::crew::Crew;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most days open at a time: beyond that, the one unused for longest is closed.
const OPEN_FILES_MAX: usize = 32;

/// Most bytes that unfinished row groups of all open files hold: beyond that, the largest is ended.
const PENDING_BYTES_MAX: usize = 32 << 20;

/// Layout of a data file, in its footer.
const LAYOUT: Layout = Layout { name: "data/1", unique: &[], dense: &[] };

/// A data file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFile {
    /// Its key under the result's URL.
    pub path: String,
    /// The UTC day of all its rows, `YYYY-MM-DD`.
    pub date: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Delta statistics as JSON: `numRecords`, `minValues`, `maxValues`, `nullCount`.
    pub stats: String,
}

/// Writes the rows of one attempt at one shard. Dropping it without [`PartWriter::finish`] leaves only files that no report
/// names: garbage for vacuum.
pub struct PartWriter {
    store: Arc<dyn Store>,
    shard_key: String,
    attempt: String,
    schema: SchemaRef,
    date: usize,
    open: BTreeMap<i32, Open>,
    numbers: BTreeMap<i32, u32>,
    writes: u64,
    done: Vec<DataFile>,
    crew: Option<Crew>,
}

struct Open {
    file: ParquetUpload,
    date: String,
    last_write: u64,
}

impl PartWriter {
    /// A writer of rows with columns `schema`, among them `date`, which goes into the file names. In the files every column may
    /// be null, as in the Delta schema.
    ///
    /// Errors: [`TableError::Unwritable`] when there is no `date`.
    pub fn new(store: &Arc<dyn Store>, schema: &SchemaRef, shard_key: &str, attempt: &str) -> Result<Self, TableError> {
        let date = schema.index_of(PARTITION).map_err(|error| TableError::writing(shard_key, &error))?;
        let others = schema.fields().iter().filter(|field| field.name() != PARTITION);
        let fields: Vec<Field> = others.map(|field| field.as_ref().clone().with_nullable(true)).collect();
        Ok(Self {
            store: Arc::clone(store),
            shard_key: shard_key.to_owned(),
            attempt: attempt.to_owned(),
            schema: Arc::new(Schema::new(fields)),
            date,
            open: BTreeMap::new(),
            numbers: BTreeMap::new(),
            writes: 0,
            done: Vec::new(),
            crew: None,
        })
    }

    /// The same, with columns encoded by a crew. The files' bytes do not depend on it.
    pub fn encoded_by(self, crew: Crew) -> Self {
        Self { crew: Some(crew), ..self }
    }

    /// Appends rows, sorted by robot and time over all calls. An empty batch adds nothing.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        if batch.num_columns() != self.schema.fields().len() + 1 {
            return Err(self.unwritable(&"their columns are not those of the table"));
        }
        let mut columns = batch.columns().to_vec();
        let date = columns.remove(self.date);
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns);
        let rows = rows.map_err(|error| self.unwritable(&error))?;
        let Some(days) = date.as_primitive_opt::<Date32Type>().filter(|days| days.null_count() == 0) else {
            return Err(self.unwritable(&"`date` is not a day in each row"));
        };
        let mut start = 0;
        for run in days.values().chunk_by(|left, right| left == right) {
            self.append(run[0], rows.slice(start, run.len())).await?;
            start += run.len();
        }
        Ok(())
    }

    /// Makes the files visible and names them, sorted by path.
    pub async fn finish(mut self) -> Result<Vec<DataFile>, TableError> {
        while let Some((_, open)) = self.open.pop_first() {
            self.close(open).await?;
        }
        self.done.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(self.done)
    }

    /// Removes what was written.
    pub async fn abort(self) -> Result<(), TableError> {
        for open in self.open.into_values() {
            open.file.abort().await?;
        }
        for file in &self.done {
            self.store.delete(&file.path).await?;
        }
        Ok(())
    }

    async fn append(&mut self, day: i32, rows: RecordBatch) -> Result<(), TableError> {
        if !self.open.contains_key(&day) {
            self.make_room().await?;
            let open = self.create(day).await?;
            self.open.insert(day, open);
        }
        self.writes += 1;
        if let Some(open) = self.open.get_mut(&day) {
            open.last_write = self.writes;
            open.file.write(rows).await?;
        }
        self.end_largest().await
    }

    async fn create(&mut self, day: i32) -> Result<Open, TableError> {
        let date = date_text(day).ok_or_else(|| self.unwritable(&"`date` is beyond the calendar"))?;
        let nth = self.numbers.entry(day).and_modify(|nth| *nth += 1).or_default();
        let key = layout::data(&date, &self.shard_key, &self.attempt, *nth);
        let file = ParquetUpload::create(self.store.as_ref(), &key, &self.schema, &LAYOUT).await?;
        Ok(Open { file: file.encoded_by(self.crew.clone()), date, last_write: 0 })
    }

    /// Closes the file unused for longest when there are too many.
    async fn make_room(&mut self) -> Result<(), TableError> {
        if self.open.len() < OPEN_FILES_MAX {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.last_write).map(|(day, _)| *day);
        match oldest.and_then(|day| self.open.remove(&day)) {
            Some(open) => self.close(open).await,
            None => Ok(()),
        }
    }

    /// Ends the largest row group when all together hold too much. One file alone is bounded by its row groups.
    async fn end_largest(&mut self) -> Result<(), TableError> {
        let pending: usize = self.open.values().map(|open| open.file.pending_bytes()).sum();
        if self.open.len() < 2 || pending <= PENDING_BYTES_MAX {
            return Ok(());
        }
        match self.open.values_mut().max_by_key(|open| open.file.pending_bytes()) {
            Some(open) => open.file.end_row_group().await,
            None => Ok(()),
        }
    }

    async fn close(&mut self, open: Open) -> Result<(), TableError> {
        let Finished { object, rows, footer, .. } = open.file.finish().await?;
        let stats = statistics(&footer, &self.schema);
        self.done.push(DataFile { path: object.key, date: open.date, rows, bytes: object.bytes, stats });
        Ok(())
    }

    fn unwritable(&self, why: &impl ToString) -> TableError {
        TableError::writing(&self.shard_key, why)
    }
}

/// A day since the epoch as `YYYY-MM-DD`; `None` beyond the calendar.
pub(crate) fn date_text(day: i32) -> Option<String> {
    let day = chrono::NaiveDate::from_epoch_days(day)?;
    Some(day.format("%Y-%m-%d").to_string())
}

/// The inverse of [`date_text`].
pub(crate) fn date_day(text: &str) -> Option<i32> {
    Some(text.parse::<chrono::NaiveDate>().ok()?.to_epoch_days())
}

#[cfg(test)]
mod tests;
