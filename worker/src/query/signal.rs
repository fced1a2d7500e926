//! A signal as a table: robot, time, known time, the signal's columns, and where each observation was read.

use super::apart;
use super::archive::Reading;
use super::error::passing;
use super::observations::{Part, SignalExec};
use crate::shard::cuts;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use engine::arrange::observed_type;
use engine::relation::Wanted;
use pipeline::archive::Signal;
use pipeline::time::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// The observations of one signal.
#[derive(Debug)]
pub(super) struct SignalTable {
    archive: Arc<Reading>,
    signal: usize,
    schema: SchemaRef,
    parts: Vec<Part>,
}

impl SignalTable {
    pub(super) fn new(archive: Arc<Reading>, signal: usize) -> Self {
        let columns = columns(&archive.archive().signals[signal]);
        let (parts, fields): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        Self { archive, signal, schema: Arc::new(Schema::new(fields)), parts }
    }
}

/// What each column holds, and its field. A column of the signal that has the name of one of ours begins with the signal's name,
/// as in results.
fn columns(signal: &Signal) -> Vec<(Part, Field)> {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from("UTC")));
    let field = |name: &str, kind: &DataType| Field::new(name, kind.clone(), false);
    let before = vec![
        (Part::Robot, field("robot", &DataType::Utf8)),
        (Part::Time, field("time", &time)),
        (Part::Known, field("known", &time)),
    ];
    let after = vec![
        (Part::Object, field("object", &DataType::Utf8)),
        (Part::Member, field("member", &DataType::Utf8)),
        (Part::Record, field("record", &DataType::Int64)),
    ];
    let ours: Vec<String> = before.iter().chain(&after).map(|(_, field)| field.name().clone()).collect();
    let own = signal.columns.iter().enumerate().map(|(index, column)| {
        let name =
            if ours.contains(&column.name) { format!("{}_{}", signal.name, column.name) } else { column.name.clone() };
        let field = Field::new(name, observed_type(&column.kind), true);
        let unit = column.unit.iter().map(|unit| ("unit".to_owned(), unit.clone()));
        (Part::Column(index), field.with_metadata(unit.collect::<HashMap<_, _>>()))
    });
    before.into_iter().chain(own).chain(after).collect()
}

#[async_trait]
impl TableProvider for SignalTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushed(filter)).collect())
    }

    /// Lists the archive and looks through the members' names; no observation is read yet.
    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.parts.len()).collect();
        let projection = projection.unwrap_or(&all);
        let schema: SchemaRef = Arc::new(self.schema.project(projection)?);
        let wanted = Wanted::by(filters);
        let is_never = wanted.span.from_ns >= wanted.span.to_ns && wanted.span != Span::ALL;
        if is_never || wanted.robots.as_ref().is_some_and(std::collections::BTreeSet::is_empty) {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let known = self.archive.known().await.map_err(passing)?;
        let work = self.archive.work(&known, wanted.robots.as_ref(), self.archive.stop()).map_err(passing)?;
        let (sources, runtime, span) = (Arc::clone(&known.sources), self.archive.runtime().clone(), wanted.span);
        let cuts = apart(move || cuts(&work, &runtime, &sources, span)).await.map_err(passing)?;
        let parts = projection.iter().map(|column| self.parts[*column]).collect();
        let exec = SignalExec::new((Arc::clone(&self.archive), self.signal), known, wanted, cuts, (parts, schema))?;
        Ok(Arc::new(exec))
    }
}

/// What is understood of a condition leaves members or files unread; the condition itself is asked above.
pub(super) fn pushed(filter: &Expr) -> TableProviderFilterPushDown {
    match Wanted::understands(filter) {
        true => TableProviderFilterPushDown::Inexact,
        false => TableProviderFilterPushDown::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::archive::{Column, ColumnKind, TextRule};
    use pipeline::pointer::{At, Place, Pointer};
    use pipeline::spec::{Duplicates, Infinite, OnMismatch};

    #[test]
    fn a_column_with_one_of_our_names_begins_with_its_signals() {
        let place = || Place::Document(Pointer { tokens: Vec::new() });
        let column = |name: &str| Column {
            name: name.into(),
            place: place(),
            kind: ColumnKind::Float64,
            unit: None,
            scale: 1.0,
            offset: 0.0,
            text: TextRule::Refuse,
            nulls: Vec::new(),
            infinite: Infinite::Keep,
            on_mismatch: OnMismatch::Null,
        };
        let signal = Signal {
            name: "pose".into(),
            at: At::default(),
            matches: Vec::new(),
            clocks: Vec::new(),
            join_clock: 0,
            known_clock: None,
            columns: vec![column("x"), column("time")],
            duplicates: Duplicates::Last,
        };
        let names: Vec<String> = columns(&signal).into_iter().map(|(_, field)| field.name().clone()).collect();
        assert_eq!(names, ["robot", "time", "known", "x", "pose_time", "object", "member", "record"]);
    }
}
