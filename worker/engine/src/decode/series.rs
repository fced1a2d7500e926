//! Growing columns of one signal: plain vectors that can be cut back to any row, then one Arrow batch. The vectors are an arena:
//! what they hold is copied out once its size is known, and their memory is used again for what comes next.

use super::cell::Cell;
use super::plan::{SignalPlan, ValueKind};
use super::{Observations, Section, text};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampNanosecondArray, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Vectors of more bytes are given away as they are: a copy would hold them twice.
const ARENA_BYTES: usize = 4 << 20;

/// The observations of one signal, in archive order.
#[derive(Debug)]
pub(crate) struct Series {
    schema: SchemaRef,
    /// Whose the observations are; those behind the last section wait for their robot.
    sections: Vec<Section>,
    /// Observations in sections.
    named: usize,
    time: Vec<i64>,
    /// Only where the signal has a known clock: else an observation is known at its time.
    known: Option<Vec<i64>>,
    columns: Vec<Values>,
    /// Position of each observation's record in its member, where the plan asks for it; behind `time` while records of an array are
    /// read one after the other.
    records: Option<Vec<u64>>,
}

/// One column.
#[derive(Debug)]
struct Values {
    data: Data,
    /// Rows that are null, ascending; their data is a zero.
    nulls: Vec<usize>,
}

#[derive(Debug)]
enum Data {
    Float(Vec<f64>),
    Int(Vec<i64>),
    Time(Vec<i64>),
    Bool(Vec<bool>),
    /// UTF-8, one text after the other.
    Text {
        content: Vec<u8>,
        ends: Vec<usize>,
    },
}

impl Series {
    /// An empty series of a signal.
    pub(crate) fn new(plan: &SignalPlan) -> Self {
        let columns = plan.columns.iter().map(|column| Values { data: Data::new(&column.kind), nulls: Vec::new() });
        Self {
            schema: Arc::new(schema(plan)),
            sections: Vec::new(),
            named: 0,
            time: Vec::new(),
            known: plan.known.as_ref().map(|_| Vec::new()),
            columns: columns.collect(),
            records: None,
        }
    }

    /// An empty series whose observations keep their record's position.
    pub(crate) fn traced(plan: &SignalPlan) -> Self {
        let record = Arc::new(Field::new("record", DataType::UInt64, false));
        let fields = schema(plan).fields().iter().cloned().chain([record]).collect::<Vec<_>>();
        Self { schema: Arc::new(Schema::new(fields)), records: Some(Vec::new()), ..Self::new(plan) }
    }

    /// Number of whole observations.
    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Adds a cell of the observation that is being read.
    #[inline]
    pub(crate) fn cell(&mut self, column: usize, cell: Cell<'_>) {
        self.columns[column].push(self.time.len(), cell);
    }

    /// Adds the cell of a column of doubles.
    #[inline(always)]
    pub(crate) fn double(&mut self, column: usize, value: f64) {
        match &mut self.columns[column].data {
            Data::Float(values) => values.push(value),
            _ => self.cell(column, Cell::Float(value)),
        }
    }

    /// Adds the cell of a column of strings: UTF-8 without escapes.
    #[inline]
    pub(crate) fn text(&mut self, column: usize, text: &[u8]) {
        self.columns[column].push_text(self.time.len(), text);
    }

    /// Completes the observation, whose cells are all there.
    #[inline]
    pub(crate) fn complete(&mut self, time: i64, known: i64) {
        self.time.push(time);
        if let Some(knowns) = &mut self.known {
            knowns.push(known);
        }
    }

    /// Keeps the positions of the records that were completed last, which follow each other from `first` on, if they are asked for.
    #[inline]
    pub(crate) fn name_records(&mut self, first: u64, count: u64) {
        if let Some(records) = &mut self.records {
            records.extend(first..first + count);
        }
    }

    /// Says whose all observations are that are not named yet.
    pub(crate) fn name(&mut self, robot: u32, member: u32) {
        let rows = self.time.len() - self.named;
        self.named = self.time.len();
        match self.sections.last_mut() {
            Some(last) if last.robot == robot && last.member == member => last.rows += rows,
            _ if rows > 0 => self.sections.push(Section { robot, member, rows }),
            _ => {}
        }
    }

    /// Drops everything from a row on, cells of an incomplete observation too.
    pub(crate) fn truncate(&mut self, rows: usize) {
        while self.named > rows
            && let Some(last) = self.sections.last_mut()
        {
            let cut = last.rows.min(self.named - rows);
            last.rows -= cut;
            self.named -= cut;
            if last.rows == 0 {
                self.sections.pop();
            }
        }
        self.time.truncate(rows);
        if let Some(known) = &mut self.known {
            known.truncate(rows);
        }
        for column in &mut self.columns {
            column.truncate(rows);
        }
        if let Some(records) = &mut self.records {
            records.truncate(rows);
        }
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        let clocks = 1 + usize::from(self.known.is_some()) + usize::from(self.records.is_some());
        let sections = self.sections.len() * size_of::<Section>();
        self.time.len() * clocks * 8 + sections + self.columns.iter().map(Values::bytes).sum::<usize>()
    }

    /// What was gathered, without the room that vectors grow into; the series is empty afterwards.
    ///
    /// Errors: more than 2 GiB of text in one column.
    pub(crate) fn take(&mut self) -> Result<Observations, ArrowError> {
        let time: ArrayRef = Arc::new(Int64Array::from(fitted(&mut self.time)));
        let known = self.known.as_mut().map(|known| Arc::new(Int64Array::from(fitted(known))) as ArrayRef);
        let known = known.unwrap_or_else(|| Arc::clone(&time));
        let mut arrays = vec![time, known];
        for column in &mut self.columns {
            arrays.push(column.take()?);
        }
        arrays.extend(self.records.as_mut().map(|records| Arc::new(UInt64Array::from(fitted(records))) as ArrayRef));
        self.named = 0;
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        Ok(Observations { sections: fitted(&mut self.sections), rows })
    }
}

impl Values {
    #[inline]
    fn push(&mut self, row: usize, cell: Cell<'_>) {
        match (&mut self.data, cell) {
            (Data::Float(values), Cell::Float(value)) => values.push(value),
            (Data::Int(values) | Data::Time(values), Cell::Int(value)) => values.push(value),
            (Data::Bool(values), Cell::Bool(value)) => values.push(value),
            (_, Cell::Text(raw, escaped)) => self.push_text(row, text::content(raw, escaped).as_bytes()),
            (_, _) => self.push_null(row),
        }
    }

    #[inline]
    fn push_text(&mut self, row: usize, text: &[u8]) {
        match &mut self.data {
            Data::Text { content, ends } => {
                content.extend_from_slice(text);
                ends.push(content.len());
            }
            _ => self.push_null(row),
        }
    }

    fn push_null(&mut self, row: usize) {
        self.data.push_null();
        self.nulls.push(row);
    }

    fn truncate(&mut self, rows: usize) {
        match &mut self.data {
            Data::Float(values) => values.truncate(rows),
            Data::Int(values) | Data::Time(values) => values.truncate(rows),
            Data::Bool(values) => values.truncate(rows),
            Data::Text { content, ends } => {
                ends.truncate(rows);
                content.truncate(ends.last().copied().unwrap_or(0));
            }
        }
        let keep = self.nulls.partition_point(|row| *row < rows);
        self.nulls.truncate(keep);
    }

    fn bytes(&self) -> usize {
        let data = match &self.data {
            Data::Float(values) => values.len() * 8,
            Data::Int(values) | Data::Time(values) => values.len() * 8,
            Data::Bool(values) => values.len(),
            Data::Text { content, ends } => content.len() + ends.len() * 8,
        };
        data + self.nulls.len() * 8
    }

    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = null_buffer(self.data.len(), &self.nulls);
        self.nulls.clear();
        Ok(match &mut self.data {
            Data::Float(values) => Arc::new(Float64Array::new(ScalarBuffer::from(fitted(values)), nulls)),
            Data::Int(values) => Arc::new(Int64Array::new(ScalarBuffer::from(fitted(values)), nulls)),
            Data::Time(values) => {
                let array = TimestampNanosecondArray::new(ScalarBuffer::from(fitted(values)), nulls);
                Arc::new(array.with_timezone("UTC"))
            }
            Data::Bool(values) => {
                let bits = BooleanBuffer::from(values.as_slice());
                values.clear();
                Arc::new(BooleanArray::new(bits, nulls))
            }
            Data::Text { content, ends } => {
                let array = strings(fitted(content), ends, nulls)?;
                ends.clear();
                Arc::new(array)
            }
        })
    }
}

impl Data {
    fn new(kind: &ValueKind) -> Self {
        match kind {
            ValueKind::Float64 => Self::Float(Vec::new()),
            ValueKind::Int64 => Self::Int(Vec::new()),
            ValueKind::Bool => Self::Bool(Vec::new()),
            ValueKind::Text => Self::Text { content: Vec::new(), ends: Vec::new() },
            ValueKind::Timestamp(_) => Self::Time(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Int(values) | Self::Time(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text { ends, .. } => ends.len(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Float(values) => values.push(0.0),
            Self::Int(values) | Self::Time(values) => values.push(0),
            Self::Bool(values) => values.push(false),
            Self::Text { content, ends } => ends.push(content.len()),
        }
    }
}

/// The values, in no more memory than they need: many batches are held at a time. The vector is empty afterwards, and keeps its
/// memory unless it is large.
fn fitted<T: Copy>(values: &mut Vec<T>) -> Vec<T> {
    if size_of_val(values.as_slice()) > ARENA_BYTES {
        let mut values = std::mem::take(values);
        values.shrink_to_fit();
        return values;
    }
    let copy = values.to_vec();
    values.clear();
    copy
}

/// Text with its ends as Arrow holds it: 32-bit offsets.
///
/// Errors: more than 2 GiB.
fn strings(content: Vec<u8>, ends: &[usize], nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
    let too_long = |_| ArrowError::OffsetOverflowError(content.len());
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0i32);
    for end in ends {
        offsets.push(i32::try_from(*end).map_err(too_long)?);
    }
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(content), nulls)
}

/// Validity with these rows null; none without nulls.
fn null_buffer(rows: usize, nulls: &[usize]) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut nulls = nulls.iter().copied().peekable();
    Some(NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| nulls.next_if_eq(&row).is_none())))
}

/// `time`, `known`, then the signal's columns.
fn schema(plan: &SignalPlan) -> Schema {
    let mut fields = vec![Field::new("time", DataType::Int64, false), Field::new("known", DataType::Int64, false)];
    for column in &plan.columns {
        let kind = match column.kind {
            ValueKind::Float64 => DataType::Float64,
            ValueKind::Int64 => DataType::Int64,
            ValueKind::Bool => DataType::Boolean,
            ValueKind::Text => DataType::Utf8,
            ValueKind::Timestamp(_) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        };
        fields.push(Field::new(&column.name, kind, true));
    }
    Schema::new(fields)
}
