//! `tolerate.drift`: may the columns of the next version differ so much from those of its base?
//!
//! Whole versions are compared: all rows that the next version will hold (those carried over and reused among them) with all
//! rows of its base. Only the columns of the gates are read, each file once, however many versions hold it. A table's first
//! version has nothing to differ from; nor has a column that is new, gone or of another type, for that was asked for by the
//! words.

use crate::diff::Column;
use crate::error::TableError;
use crate::ledger::Ledger;
use crate::moments::{Moments, mean_shift};
use crate::rows::some_columns;
use crate::state::TableState;
use archive::store::Store;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::{self, StreamExt, TryStreamExt};
use pipeline::pattern::glob;
use pipeline::pipeline::Drift;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Files read at a time.
const READS: usize = 4;

/// Rows of a batch.
const BATCH_ROWS: usize = 8 << 10;

/// What is known of each judged column, in their order.
type Figures = Vec<Moments>;

/// A sentence for each column and gate that the next version does not pass. `schema` and `ledger` are the next version's.
///
/// Equal files are not read: then nothing drifted.
pub async fn judge(
    store: &Arc<dyn Store>,
    gates: &[Drift],
    base: &TableState,
    schema: &SchemaRef,
    ledger: &Ledger,
) -> Result<Vec<String>, TableError> {
    let columns = judged(gates, base, schema);
    let before: BTreeSet<&str> = base.files.iter().map(|file| file.path.as_str()).collect();
    let after: BTreeSet<&str> = ledger.files().map(|file| file.path.as_str()).collect();
    if columns.is_empty() || before == after {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut known = BTreeMap::new();
    read(store, &base.schema, &names, before.iter().copied(), &mut known).await?;
    read(store, schema, &names, after.difference(&before).copied(), &mut known).await?;
    Ok(sentences(gates, &names, &sum(&known, &before, names.len()), &sum(&known, &after, names.len())))
}

/// The columns of both versions that some gate is about.
fn judged(gates: &[Drift], base: &TableState, schema: &SchemaRef) -> Vec<Column> {
    let (columns, _) = crate::diff::common(&base.schema, schema);
    columns.into_iter().filter(|column| gates.iter().any(|gate| covers(gate, &column.name))).collect()
}

fn covers(gate: &Drift, name: &str) -> bool {
    gate.columns.iter().any(|pattern| glob(pattern, name))
}

/// Adds what is known of each of the files.
async fn read<'a>(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    names: &[&str],
    files: impl Iterator<Item = &'a str>,
    known: &mut BTreeMap<String, Figures>,
) -> Result<(), TableError> {
    let reads = files
        .map(|path| async move { Ok::<_, TableError>((path.to_owned(), figures(store, schema, names, path).await?)) });
    let reads: Vec<_> = reads.collect();
    let mut found = stream::iter(reads).buffered(READS);
    while let Some((path, figures)) = found.try_next().await? {
        known.insert(path, figures);
    }
    Ok(())
}

async fn figures(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    names: &[&str],
    path: &str,
) -> Result<Figures, TableError> {
    let mut figures = vec![Moments::default(); names.len()];
    let mut batches = some_columns(store, schema, path, names, BATCH_ROWS).await?;
    while let Some(batch) = batches.try_next().await? {
        add(&batch, names, &mut figures)
            .ok_or_else(|| TableError::malformed(path, "its columns are not those of the table"))?;
    }
    Ok(figures)
}

/// Adds the rows of a batch; `None` when a column is missing.
fn add(batch: &RecordBatch, names: &[&str], figures: &mut Figures) -> Option<()> {
    for (name, moments) in names.iter().zip(figures) {
        moments.add_all(batch.column_by_name(name)?)?;
    }
    Some(())
}

/// What is known of all files of a version together, in the order of their names.
fn sum(known: &BTreeMap<String, Figures>, files: &BTreeSet<&str>, columns: usize) -> Figures {
    let mut sums = vec![Moments::default(); columns];
    for figures in files.iter().filter_map(|path| known.get(*path)) {
        sums.iter_mut().zip(figures).for_each(|(sum, one)| *sum = sum.join(*one));
    }
    sums
}

/// The sentences. Exactly at a gate passes.
fn sentences(gates: &[Drift], names: &[&str], before: &[Moments], after: &[Moments]) -> Vec<String> {
    let mut sentences = Vec::new();
    for gate in gates {
        for ((name, before), after) in names.iter().zip(before).zip(after) {
            if covers(gate, name) {
                sentences.extend(gate.null_share.and_then(|most| too_many_nulls(name, before, after, most)));
                sentences.extend(gate.mean_shift.and_then(|most| too_far(name, before, after, most)));
            }
        }
    }
    sentences
}

fn too_many_nulls(name: &str, before: &Moments, after: &Moments, most: f64) -> Option<String> {
    let (then, now) = before.null_share().zip(after.null_share())?;
    ((now - then).abs() > most).then(|| {
        let [then, now, most] = [then, now, most].map(crate::gates::percent);
        format!("`{name}` was null in {then} of the base's rows and is in {now}, tolerate.drift.nullShare is {most}")
    })
}

fn too_far(name: &str, before: &Moments, after: &Moments, most: f64) -> Option<String> {
    let shift = mean_shift(before, after)?;
    let (then, now) = (before.mean()?, after.mean()?);
    (shift > most).then(|| {
        let measure = match before.std().filter(|std| *std > 0.0) {
            Some(std) => format!("{shift:.4} of the base's standard deviations ({std})"),
            None if shift.is_finite() => {
                format!("{shift:.4} of its own standard deviations, for the base was constant")
            }
            None => "and both were constant".to_owned(),
        };
        format!("the mean of `{name}` went from {then} to {now}, {measure}, tolerate.drift.meanShift is {most}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float64Array};

    fn of(values: &[Option<f64>]) -> Moments {
        let mut moments = Moments::default();
        let array: ArrayRef = Arc::new(values.iter().copied().collect::<Float64Array>());
        moments.add_all(&array).unwrap();
        moments
    }

    fn gate(columns: &str, null_share: Option<f64>, mean_shift: Option<f64>) -> Drift {
        Drift { columns: vec![columns.to_owned()], null_share, mean_shift }
    }

    fn told(gate: Drift, before: &[Option<f64>], after: &[Option<f64>]) -> Vec<String> {
        sentences(&[gate], &["current_j0"], &[of(before)], &[of(after)])
    }

    const BASE: [Option<f64>; 4] = [Some(-1.0), Some(1.0), Some(0.0), None];

    #[test]
    fn exactly_at_a_gate_passes_and_other_columns_are_not_judged() {
        let after = [Some(2.0), None, None, Some(2.0)];
        assert!(told(gate("current_*", Some(0.25), Some(2.0)), &BASE, &after).is_empty());
        assert!(told(gate("speed_*", Some(0.0), Some(0.1)), &BASE, &after).is_empty());
    }

    #[test]
    fn beyond_a_gate_a_sentence_names_column_before_after_and_limit() {
        let after = [Some(2.0), None, None, Some(2.0)];
        let wanted = [
            "`current_j0` was null in 25% of the base's rows and is in 50%, tolerate.drift.nullShare is 24%",
            "the mean of `current_j0` went from 0 to 2, 2.0000 of the base's standard deviations (1), \
             tolerate.drift.meanShift is 1.9",
        ];
        assert_eq!(told(gate("current_*", Some(0.24), Some(1.9)), &BASE, &after), wanted);
        assert_eq!(told(gate("*", Some(0.2), None), &BASE, &[Some(0.0)]).len(), 1, "fewer nulls drift too");
    }

    #[test]
    fn a_column_that_was_constant_is_measured_by_its_own_spread() {
        let constant = [Some(5.0), Some(5.0)];
        let drift = || gate("*", None, Some(3.0));
        assert!(told(drift(), &constant, &constant).is_empty());
        assert!(told(drift(), &constant, &[Some(4.0), Some(7.0)]).is_empty());
        assert!(told(drift(), &constant, &[Some(104.0), Some(105.0)])[0].contains("for the base was constant"));
        assert!(told(drift(), &constant, &[Some(6.0), Some(6.0)])[0].contains("both were constant"));
    }

    #[test]
    fn without_rows_or_values_nothing_is_judged() {
        let drift = || gate("*", Some(0.0), Some(0.1));
        assert!(told(drift(), &[], &BASE).is_empty());
        assert!(told(drift(), &BASE, &[]).is_empty());
        assert_eq!(told(drift(), &BASE, &[None]).len(), 1, "only the nulls can be judged");
    }
}
