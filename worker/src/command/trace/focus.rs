//! What of a row is told: all of it, or what one column of the result came from.

use crate::fault::{Fault, Result};
use pipeline::columns::{Meaning, result_columns};
use pipeline::name::suggest;
use pipeline::pipeline::Pipeline;

/// All columns, or one.
#[derive(Debug, Clone)]
pub(super) struct Focus(Option<(String, Meaning)>);

impl Focus {
    /// On the column of that name; `None`: on all.
    ///
    /// Errors: the result has no such column.
    pub(super) fn on(pipeline: &Pipeline, column: Option<&str>) -> Result<Self> {
        let Some(name) = column else { return Ok(Self(None)) };
        let columns = result_columns(pipeline);
        match columns.iter().find(|column| column.name == name) {
            Some(column) => Ok(Self(Some((column.name.clone(), column.meaning)))),
            None => {
                let remedy = suggest(name, columns.iter().map(|column| column.name.as_str()));
                Err(Fault::request(format!("--column {name}: the result has no such column; {remedy}")))
            }
        }
    }

    /// Whether one column alone is told.
    pub(super) fn is_narrow(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the value of a column of the result is told.
    pub(super) fn column(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|(known, _)| known == name)
    }

    /// Whether it is told why there is a row.
    pub(super) fn base(&self) -> bool {
        self.is(|meaning| {
            use Meaning::{Date, KnownAt, Own, Robot, RowKind, Time};
            matches!(meaning, Robot | Date | Time | RowKind | KnownAt | Own { .. })
        })
    }

    /// Whether a join's match is told.
    pub(super) fn join(&self, index: usize) -> bool {
        self.is(|meaning| match meaning {
            Meaning::Joined { join, .. } | Meaning::JoinDt { join } => join == index,
            meaning => meaning == Meaning::KnownAt,
        })
    }

    /// Whether a derived column is told.
    pub(super) fn derived(&self, index: usize) -> bool {
        self.is(|meaning| meaning == Meaning::Derived(index))
    }

    /// Whether a statistic is told; the values of a window are when one of its column's is.
    pub(super) fn statistic(&self, window: usize, feature: usize, statistic: usize) -> bool {
        self.is(|meaning| meaning == Meaning::Feature { window, feature, statistic })
    }

    /// Whether the label is told.
    pub(super) fn label(&self) -> bool {
        self.is(|meaning| matches!(meaning, Meaning::Label | Meaning::LabelEventTime))
    }

    /// Whether validity is told.
    pub(super) fn validity(&self) -> bool {
        self.is(|meaning| matches!(meaning, Meaning::Valid | Meaning::InvalidReason))
    }

    fn is(&self, told: impl Fn(Meaning) -> bool) -> bool {
        self.0.as_ref().is_none_or(|(_, meaning)| told(*meaning))
    }
}
