//! Where each value stands in the batches that travel between the operators. Columns are only ever appended, so a position
//! holds for every later operator, and an operator's output is a prefix of [`Layout::schema`].
//!
//! ```text
//! time known known_at marks [row_kind] | own | per join: columns, dt | derived | per window: features | label, its time
//! ```

use crate::expression::Scope;
use crate::schema::{arrow_type, column_type, time_type};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use pipeline::columns::Meaning;
use pipeline::pipeline::{Pipeline, Rows, Source};
use std::sync::Arc;

/// The row's time, ns.
pub(crate) const TIME: usize = 0;
/// When the base row was known: its own observation and its matches, ns.
pub(crate) const KNOWN: usize = 1;
/// When everything in the row was known, its windows included, ns.
pub(crate) const KNOWN_AT: usize = 2;
/// Reasons against the row, see [`crate::validity::Validity`].
pub(crate) const MARKS: usize = 3;
/// `event` or `control`; event rows only.
pub(crate) const ROW_KIND: usize = 4;

/// Position of the first column of a signal in its batch, after time and known time.
pub(crate) const OBSERVED: usize = 2;

/// The columns of a row, by meaning.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    fields: Vec<Field>,
    places: Vec<(Meaning, usize)>,
    row_signal: Option<usize>,
    is_event: bool,
}

/// What [`Layout::append`] adds.
pub(crate) struct Appended {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) meaning: Meaning,
}

impl Layout {
    /// The columns of joined rows: everything before the first derived column.
    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        let is_event = matches!(pipeline.rows, Rows::Event { .. });
        let mut layout = Self {
            fields: ["time", "known", "known_at"].map(|name| Field::new(name, time_type(), false)).to_vec(),
            places: vec![(Meaning::Time, TIME), (Meaning::KnownAt, KNOWN_AT)],
            row_signal: pipeline.row_signal(),
            is_event,
        };
        layout.fields.push(Field::new("marks", DataType::UInt8, false));
        if is_event {
            layout.append([Appended {
                name: "row_kind".to_owned(),
                data_type: DataType::Utf8,
                meaning: Meaning::RowKind,
            }]);
        }
        let own = layout
            .row_signal
            .into_iter()
            .flat_map(|signal| (0..pipeline.archive.signals[signal].columns.len()).map(move |column| (signal, column)));
        let own: Vec<Appended> =
            own.map(|(signal, column)| observed(pipeline, signal, column, Meaning::Own { signal, column })).collect();
        layout.append(own);
        for (join, words) in pipeline.joins.iter().enumerate() {
            let columns = words
                .columns
                .iter()
                .map(|&column| observed(pipeline, words.signal, column, Meaning::Joined { join, column }));
            layout.append(columns);
            let name = format!("{}_dt_us", pipeline.archive.signals[words.signal].name);
            layout.append([Appended { name, data_type: DataType::Int64, meaning: Meaning::JoinDt { join } }]);
        }
        layout
    }

    /// Adds columns behind the others.
    pub(crate) fn append(&mut self, columns: impl IntoIterator<Item = Appended>) {
        for column in columns {
            self.places.push((column.meaning, self.fields.len()));
            self.fields.push(Field::new(column.name, column.data_type, true));
        }
    }

    /// How many columns there are so far.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The schema of the first `columns` columns.
    pub(crate) fn schema(&self, columns: usize) -> SchemaRef {
        Arc::new(Schema::new(self.fields[..columns].to_vec()))
    }

    /// Where a value of the result stands; `None` for what rows do not hold (robot, date, validity).
    pub(crate) fn find(&self, meaning: Meaning) -> Option<usize> {
        self.places.iter().find(|(known, _)| *known == meaning).map(|(_, place)| *place)
    }

    /// What a column of the rows holds; `None` for the marks and the base row's known time.
    pub(crate) fn meaning(&self, place: usize) -> Option<Meaning> {
        self.places.iter().find(|(_, known)| *known == place).map(|(meaning, _)| *meaning)
    }

    /// Where a column that a window looks at stands in a base row: the row's own, joined, or derived.
    pub(crate) fn source(&self, pipeline: &Pipeline, source: Source) -> Option<usize> {
        match source {
            Source::Derived(index) => self.find(Meaning::Derived(index)),
            Source::Signal { signal, column } if self.row_signal == Some(signal) => {
                self.find(Meaning::Own { signal, column })
            }
            Source::Signal { signal, column } => {
                let join = pipeline.joins.iter().position(|join| join.signal == signal)?;
                self.find(Meaning::Joined { join, column })
            }
        }
    }

    /// The type of a column.
    pub(crate) fn data_type(&self, place: usize) -> &DataType {
        self.fields[place].data_type()
    }

    /// Whether the row at hand may not see this column: the own columns of an event row are known only with the row.
    pub(crate) fn is_unseen(&self, place: usize) -> bool {
        let own = |(meaning, at): &(Meaning, usize)| *at == place && matches!(meaning, Meaning::Own { .. });
        self.is_event && self.places.iter().any(own)
    }

    /// A column's name as expressions write it.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.fields[place].name()
    }

    /// What expressions over rows may name: `time`, columns as `<signal>.<column>`, `<signal>_dt_us` and derived names.
    pub(crate) fn scope(&self) -> Scope {
        let fields = self.fields.iter().map(|field| (field.name().clone(), field.data_type().clone()));
        let mut scope = Scope::new(fields.collect());
        for (place, field) in self.fields.iter().enumerate() {
            if place == TIME || place > if self.is_event { ROW_KIND } else { MARKS } {
                scope.name(field.name(), place);
            }
        }
        scope
    }
}

fn observed(pipeline: &Pipeline, signal: usize, column: usize, meaning: Meaning) -> Appended {
    let signal = &pipeline.archive.signals[signal];
    let column = &signal.columns[column];
    let name = format!("{}.{}", signal.name, column.name);
    Appended { name, data_type: arrow_type(column_type(&column.kind)), meaning }
}

/// The schema of a signal's observations: `time` and `known` in ns, then its columns as `<signal>.<column>`.
pub(crate) fn observations_schema(pipeline: &Pipeline, signal: usize) -> SchemaRef {
    let mut fields = ["time", "known"].map(|name| Field::new(name, time_type(), false)).to_vec();
    for column in 0..pipeline.archive.signals[signal].columns.len() {
        let column = observed(pipeline, signal, column, Meaning::Own { signal, column });
        fields.push(Field::new(column.name, column.data_type, true));
    }
    Arc::new(Schema::new(fields))
}

/// What a `when` may name: the signal's columns, bare or qualified, and `time` unless a column has that name.
pub(crate) fn observations_scope(pipeline: &Pipeline, signal: usize) -> Scope {
    let schema = observations_schema(pipeline, signal);
    let fields = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
    let mut scope = Scope::new(fields.collect());
    for (column, words) in pipeline.archive.signals[signal].columns.iter().enumerate() {
        scope.name(schema.field(OBSERVED + column).name(), OBSERVED + column);
        scope.name(&words.name, OBSERVED + column);
    }
    scope.name("time", TIME);
    scope
}
