//! The right side of a nearest join while rows pass by: of one robot, what rows to come may still match.
//!
//! ```text
//! read  │ a a a a a a │ a a a b b │ …        left row at t of robot a
//!             [== t ± tolerance ==]
//!  dropped ───┘ held              └─── next: begins beyond, or with another robot
//! ```

use super::place::{Place, Run};
use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use std::collections::VecDeque;
use std::sync::Arc;

/// The right side.
pub(super) struct Held {
    stream: SendableRecordBatchStream,
    place: Place,
    robot: Option<Arc<str>>,
    /// Consecutive rows of the robot.
    pieces: VecDeque<RecordBatch>,
    /// Their times, ns.
    times: VecDeque<i64>,
    /// Runs that were read and not looked at.
    waiting: VecDeque<(Arc<str>, RecordBatch, Vec<i64>)>,
    /// One row of nulls, for those without a match.
    nulls: Vec<ArrayRef>,
    ended: bool,
}

impl Held {
    /// Nothing is read yet. Only `columns` of the stream are kept.
    pub(super) fn new(stream: SendableRecordBatchStream, place: Place, columns: &SchemaRef) -> Self {
        let nulls = columns.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let (pieces, times, waiting) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { stream, place, robot: None, pieces, times, waiting, nulls, ended: false }
    }

    /// Reads on until all rows of `robot` with times in `[from_ns, to_ns]` are held, and drops those before.
    pub(super) async fn reach(&mut self, robot: &Arc<str>, from_ns: i64, to_ns: i64) -> Result<()> {
        if self.robot.as_ref() != Some(robot) {
            (self.robot, self.pieces, self.times) = (Some(Arc::clone(robot)), VecDeque::new(), VecDeque::new());
        }
        while self.times.back().is_none_or(|last| *last <= to_ns) {
            match self.waiting.front() {
                None if self.ended => break,
                None => self.read().await?,
                Some((next, _, _)) if **next > **robot => break,
                Some(_) => self.take(robot),
            }
        }
        self.drop_before(from_ns);
        Ok(())
    }

    /// Takes the next run, if it is the robot's; one of an earlier robot serves no row.
    fn take(&mut self, robot: &Arc<str>) {
        let Some((of, piece, times)) = self.waiting.pop_front() else { return };
        if of == *robot {
            self.pieces.push_back(piece);
            self.times.extend(times);
        }
    }

    async fn read(&mut self) -> Result<()> {
        let Some(batch) = self.stream.try_next().await? else {
            self.ended = true;
            return Ok(());
        };
        let keys = self.place.keys(&batch)?;
        for run in keys.runs() {
            let Run { robot: Some(robot), rows } = &run else { continue };
            if self.waiting.back().is_some_and(|(last, _, _)| **last > **robot) {
                return internal_err!("the right rows of a nearest join are not sorted by robot");
            }
            let piece = batch.slice(rows.start, rows.len());
            self.waiting.push_back((Arc::clone(robot), piece, keys.times(&run).to_vec()));
        }
        Ok(())
    }

    fn drop_before(&mut self, from_ns: i64) {
        let mut before = self.times.iter().take_while(|time| **time < from_ns).count();
        self.times.drain(..before);
        while before > 0 {
            let Some(piece) = self.pieces.pop_front() else { return };
            let gone = before.min(piece.num_rows());
            before -= gone;
            if gone < piece.num_rows() {
                self.pieces.push_front(piece.slice(gone, piece.num_rows() - gone));
            }
        }
    }

    /// Times (ns, ascending) of the rows that are held.
    pub(super) fn times(&mut self) -> &[i64] {
        self.times.make_contiguous()
    }

    /// The values of `columns` at positions among the held rows; null where there is none.
    pub(super) fn gather(&self, columns: &[usize], positions: &[Option<usize>]) -> Result<Vec<ArrayRef>> {
        let mut ends = Vec::with_capacity(self.pieces.len());
        let mut rows = 0;
        for piece in &self.pieces {
            rows += piece.num_rows();
            ends.push(rows);
        }
        let place = |position: &Option<usize>| match position {
            None => (self.pieces.len(), 0),
            Some(at) => {
                let piece = ends.partition_point(|end| end <= at);
                (piece, at - piece.checked_sub(1).map_or(0, |before| ends[before]))
            }
        };
        let places: Vec<(usize, usize)> = positions.iter().map(place).collect();
        let gathered = columns.iter().zip(&self.nulls).map(|(column, null)| {
            let held = self.pieces.iter().map(|piece| piece.column(*column).as_ref());
            let arrays: Vec<&dyn Array> = held.chain([null.as_ref()]).collect();
            Ok(interleave(&arrays, &places)?)
        });
        gathered.collect()
    }

    /// Bytes of the rows that are held or were read.
    pub(super) fn bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|(_, piece, _)| piece);
        let slice = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
        let pieces = self.pieces.iter().chain(waiting);
        pieces.flat_map(|piece| piece.columns().iter().map(slice)).sum::<usize>() + self.times.len() * size_of::<i64>()
    }
}
