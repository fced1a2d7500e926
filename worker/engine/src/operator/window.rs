//! Look-back windows: features, what of validity a window decides, and how far its values move `known_at`.
//!
//! ```text
//! rows ------------------------------> t: [ window )       frame = where values come from: the rows themselves, the base
//! frame 0 (rows, or base rows)    v  v    v   v            rows (event rows), or a signal's observations
//! frame 1 (observations of b)      v v v v v v v           group = one signal or derived column: what `requires` judges
//! ```

use super::layout::{KNOWN, KNOWN_AT, MARKS, TIME};
use super::{Robot, Step, event, values};
use crate::sorted::Unsorted;
use crate::statistic::{Output, Series, View, compute};
use crate::steps;
use crate::validity::{Presence, Validity};
use crate::window::{Bounds, End, Window, bounds, latest_known};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt8Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, UInt8Type};
use datafusion::common::{Result, exec_err};
use pipeline::pipeline::Requires;
use pipeline::spec::{Over, Statistic};
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// A window with its places resolved.
#[derive(Debug, Clone)]
pub(crate) struct WindowRule {
    pub(crate) span_ns: i64,
    pub(crate) over: Over,
    pub(crate) frames: Vec<FrameRule>,
    pub(crate) features: Vec<FeatureRule>,
    pub(crate) requires: Option<Requires>,
    /// Indices of events.
    pub(crate) excludes: Vec<usize>,
    /// Of the row with this window's features.
    pub(crate) schema: SchemaRef,
}

/// Where values of a window come from.
#[derive(Debug, Clone)]
pub(crate) struct FrameRule {
    /// Whose observations; `None`: base rows.
    pub(crate) signal: Option<usize>,
    /// Columns of the frame's batch, by signal or derived column.
    pub(crate) groups: Vec<Vec<usize>>,
}

/// The statistics of one column.
#[derive(Debug, Clone)]
pub(crate) struct FeatureRule {
    /// Index of its frame.
    pub(crate) frame: usize,
    /// Column of the frame's batch.
    pub(crate) column: usize,
    pub(crate) statistics: Vec<Statistic>,
    /// As `explain` shows it.
    pub(crate) name: String,
}

/// Which rows look back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Rows that see `(t - span, t]`; `known` says whether values may be known later than their time.
    AtRow { known: bool },
    /// Event and control rows: `[t - span, t)`, only what was known before `t`.
    BeforeRow,
}

/// Computes one window. Children: the rows, a frame each (but none for frames that are the rows), a table per excluded event.
#[derive(Debug)]
pub(super) struct WindowStep {
    pub(super) rule: WindowRule,
    pub(super) look: Look,
    pub(super) excluded: Vec<String>,
}

impl WindowStep {
    /// Whether a frame is the rows themselves.
    pub(super) fn is_rows(&self, frame: &FrameRule) -> bool {
        frame.signal.is_none() && self.look != Look::BeforeRow
    }

    pub(super) fn window(&self) -> Window {
        let end = if self.look == Look::BeforeRow { End::BeforeRow } else { End::AtRow };
        Window { span_ns: self.rule.span_ns, end }
    }
}

impl fmt::Display for WindowStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = if self.look == Look::BeforeRow { "before the row" } else { "at the row" };
        write!(f, "span={}, over={:?}, ends={ends}, features=[", duration_text(self.rule.span_ns), self.rule.over)?;
        for (index, feature) in self.rule.features.iter().enumerate() {
            let words: Vec<&str> = feature.statistics.iter().map(|statistic| statistic.word()).collect();
            write!(f, "{}{}: {}", if index == 0 { "" } else { ", " }, feature.name, words.join(" "))?;
        }
        f.write_str("]")?;
        if let Some(Requires { count, gap_ns }) = self.rule.requires {
            count.map_or(Ok(()), |count| write!(f, ", count>={count}"))?;
            gap_ns.map_or(Ok(()), |gap| write!(f, ", gap<={}", duration_text(gap)))?;
        }
        if self.excluded.is_empty() { Ok(()) } else { write!(f, ", excludes=[{}]", self.excluded.join(", ")) }
    }
}

impl Step for WindowStep {
    const NAME: &'static str = "WindowExec";
    const STEP: steps::Step = steps::Step::Window;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rule.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let rows = &inputs[0];
        let mut others = inputs[1..].iter();
        let frames = self.rule.frames.iter().map(|frame| if self.is_rows(frame) { Some(rows) } else { others.next() });
        let frames: Vec<&RecordBatch> = frames.flatten().collect();
        let tables: Vec<&RecordBatch> = others.collect();
        let mut judged = Judged::of(rows);
        let features = self.look_back(&mut judged, &frames, &tables);
        let features = features.map_err(values::unsorted(robot, "window"))??;
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns[KNOWN_AT] = values::time_array(judged.known_at, None);
        columns[MARKS] = Arc::new(UInt8Array::from(judged.validity.into_marks()));
        columns.extend(features);
        Ok(RecordBatch::try_new(Arc::clone(&self.rule.schema), columns)?)
    }
}

/// What a window changes of rows.
struct Judged<'a> {
    times: &'a [i64],
    known_at: Vec<i64>,
    validity: Validity,
}

impl<'a> Judged<'a> {
    fn of(rows: &'a RecordBatch) -> Self {
        let marks = rows.column(MARKS).as_primitive::<UInt8Type>().values().to_vec();
        Self {
            times: values::times(rows, TIME),
            known_at: values::times(rows, KNOWN_AT).to_vec(),
            validity: Validity::from_marks(marks),
        }
    }
}

impl WindowStep {
    fn look_back(
        &self,
        judged: &mut Judged<'_>,
        frames: &[&RecordBatch],
        tables: &[&RecordBatch],
    ) -> Result<Result<Vec<ArrayRef>>, Unsorted> {
        let window = self.window();
        for table in tables {
            judged.validity.exclude(judged.times, &event::all_times(table), window)?;
        }
        let mut reaches = Vec::with_capacity(frames.len());
        for (frame, batch) in self.rule.frames.iter().zip(frames) {
            let reach = bounds(judged.times, values::times(batch, TIME), window)?;
            self.judge(judged, frame, batch, &reach)?;
            reaches.push(reach);
        }
        let features = self.rule.features.iter().map(|feature| {
            let (batch, reach) = (frames[feature.frame], &reaches[feature.frame]);
            let view = View {
                rows: judged.times,
                times: values::times(batch, TIME),
                known: self.sees_known_only().then(|| values::times(batch, KNOWN)),
                bounds: reach,
                window,
            };
            statistics(&view, batch.column(feature.column), &feature.statistics)
        });
        let features: Result<Vec<Vec<ArrayRef>>> = features.collect();
        Ok(features.map(|features| features.into_iter().flatten().collect()))
    }

    /// `requires` for each group of a frame, and how late its values were known.
    fn judge(
        &self,
        judged: &mut Judged<'_>,
        frame: &FrameRule,
        batch: &RecordBatch,
        reach: &Bounds,
    ) -> Result<(), Unsorted> {
        let known = values::times(batch, KNOWN);
        let present: Vec<BooleanBuffer> = frame.groups.iter().map(|columns| present(batch, columns)).collect();
        if self.look == (Look::AtRow { known: true }) {
            let any = |at: usize| present.iter().any(|group| group.value(at));
            for (known_at, latest) in judged.known_at.iter_mut().zip(latest_known(reach, known, any)) {
                *known_at = latest.map_or(*known_at, |latest| latest.max(*known_at));
            }
        }
        let Some(requires) = self.rule.requires else { return Ok(()) };
        for group in &present {
            let (kept, seen) = self.kept(batch, group);
            let presence = Presence { times: &kept, known: seen.as_deref() };
            judged.validity.require(judged.times, presence, self.window(), requires)?;
        }
        Ok(())
    }
}

impl WindowStep {
    /// Whether rows see only what was known before them.
    pub(super) fn sees_known_only(&self) -> bool {
        self.look == Look::BeforeRow
    }

    /// The times (ns) at which a group has a value and, for rows that see only what is known, when each was known (ns).
    pub(super) fn kept(&self, batch: &RecordBatch, group: &BooleanBuffer) -> (Vec<i64>, Option<Vec<i64>>) {
        let kept = |column: usize| {
            let times = values::times(batch, column);
            group.set_indices().map(|at| times[at]).collect()
        };
        (kept(TIME), self.sees_known_only().then(|| kept(KNOWN)))
    }
}

/// Where at least one of the columns is not null.
pub(super) fn present(batch: &RecordBatch, columns: &[usize]) -> BooleanBuffer {
    let mut present = BooleanBuffer::new_unset(batch.num_rows());
    for &column in columns {
        match batch.column(column).nulls() {
            None => return BooleanBuffer::new_set(batch.num_rows()),
            Some(valid) => present = &present | valid.inner(),
        }
    }
    present
}

/// The wanted statistics of one column, an array each.
pub(crate) fn statistics(view: &View<'_>, column: &ArrayRef, wanted: &[Statistic]) -> Result<Vec<ArrayRef>> {
    let valid = column.nulls();
    let outputs = match column.data_type() {
        DataType::Float64 => {
            compute(view, Series::Number(column.as_primitive::<Float64Type>().values()), valid, wanted)
        }
        DataType::Int64 => {
            let integers = column.as_primitive::<Int64Type>().values();
            #[allow(clippy::cast_precision_loss, reason = "statistics of int64 are float64: above 2^53 they round")]
            let numbers: Vec<f64> = integers.iter().map(|&value| value as f64).collect();
            compute(view, Series::Number(&numbers), valid, wanted)
        }
        DataType::Boolean => {
            let truths: Vec<bool> = column.as_boolean().values().iter().collect();
            compute(view, Series::Bool(&truths), valid, wanted)
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            let texts: Vec<&str> = (0..texts.len()).map(|at| texts.value(at)).collect();
            compute(view, Series::Text(&texts), valid, wanted)
        }
        other => return exec_err!("no statistics of {other}"),
    };
    outputs.into_iter().map(|output| array(output, column)).collect()
}

fn array(output: Output, column: &ArrayRef) -> Result<ArrayRef> {
    let checked = |valid: Option<NullBuffer>| valid.filter(|valid| valid.null_count() > 0);
    Ok(match output {
        Output::Number(values, valid) => Arc::new(Float64Array::new(values.into(), checked(valid))),
        Output::Integer(values, valid) => Arc::new(Int64Array::new(values.into(), checked(valid))),
        Output::Take(places) => values::gathered(column, &values::places(places))?,
    })
}

/// The type of a statistic of a column; `None` where it does not apply.
pub(crate) fn feature_type(column: &DataType, statistic: Statistic) -> Option<DataType> {
    use Statistic::{Changes, Count, First, FractionTrue, Last, TimeSinceChange};
    let is_number = matches!(column, DataType::Float64 | DataType::Int64);
    let is_state = matches!(column, DataType::Boolean | DataType::Utf8);
    match statistic {
        Count if is_number || is_state => Some(DataType::Int64),
        Changes if is_state => Some(DataType::Int64),
        First | Last if is_state => Some(column.clone()),
        TimeSinceChange if is_state => Some(DataType::Float64),
        FractionTrue if *column == DataType::Boolean => Some(DataType::Float64),
        Changes | TimeSinceChange | FractionTrue => None,
        _ => is_number.then_some(DataType::Float64),
    }
}
