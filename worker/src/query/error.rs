//! Between our faults and DataFusion's errors, in both directions: a fault travels through DataFusion whole, and what DataFusion
//! says of the SQL becomes a wrong request.

use crate::fault::{Exit, Fault};
use datafusion::common::{Column, DataFusionError, SchemaError};
use pipeline::name::suggest;

/// A fault on its way through DataFusion.
pub(super) fn passing(fault: impl Into<Fault>) -> DataFusionError {
    DataFusionError::External(Box::new(fault.into()))
}

/// What a person can do about an error of a query.
pub(crate) fn fault_of(error: DataFusionError) -> Fault {
    match error {
        DataFusionError::External(source) => match source.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(source) => match source.downcast::<DataFusionError>() {
                Ok(error) => fault_of(*error),
                Err(source) => Fault::broken(source.to_string()),
            },
        },
        DataFusionError::Context(_, error) | DataFusionError::Diagnostic(_, error) => fault_of(*error),
        DataFusionError::Shared(error) => match std::sync::Arc::try_unwrap(error) {
            Ok(error) => fault_of(error),
            Err(error) => shared(&error),
        },
        DataFusionError::Collection(mut errors) if !errors.is_empty() => fault_of(errors.swap_remove(0)),
        DataFusionError::ArrowError(error, _) => match *error {
            arrow::error::ArrowError::ExternalError(source) => fault_of(DataFusionError::External(source)),
            error => Fault::request(error.to_string()),
        },
        DataFusionError::SchemaError(error, _) => Fault::request(of_schema(&error)),
        DataFusionError::ResourcesExhausted(why) => Fault::new(
            Exit::Memory,
            format!(
                "the query needs more memory than it was given; ask for less, or give it more with --memory ({why})"
            ),
        ),
        DataFusionError::Internal(why) => Fault::broken(why),
        DataFusionError::IoError(error) => error.into(),
        DataFusionError::SQL(error, _) => Fault::request(of_syntax(&error.to_string())),
        DataFusionError::Plan(why)
        | DataFusionError::Execution(why)
        | DataFusionError::NotImplemented(why)
        | DataFusionError::Configuration(why) => Fault::request(why),
        other => Fault::request(other.strip_backtrace()),
    }
}

/// An error that several readers were given: a fault in it keeps its words and its code.
fn shared(error: &DataFusionError) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            return Fault::new(fault.exit(), fault.to_string());
        }
        cause = error.source();
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(why) => fault_of(DataFusionError::ResourcesExhausted(why.clone())),
        root => Fault::request(root.strip_backtrace()),
    }
}

fn of_syntax(error: &str) -> String {
    let remedy = if error.contains("found: -") { "; a name with - stands in double quotes: \"ur3-stops\"" } else { "" };
    format!("the SQL cannot be read: {error}{remedy}")
}

fn of_schema(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<&str> = valid_fields.iter().map(Column::name).collect();
            let joined = known.iter().find(|known| known.strip_suffix(&field.name).is_some_and(|of| of.ends_with('_')));
            let meant = match (suggest(&field.name, known.iter().copied()), joined) {
                (meant, _) if meant.starts_with("did") => format!("{meant} The"),
                (_, Some(joined)) => format!("did you mean {joined}? The"),
                _ => "the".to_owned(),
            };
            format!("there is no column {}; {meant} columns are {}", field.quoted_flat_name(), known.join(", "))
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_fault_passes_through_whole() {
        let fault = || Fault::new(Exit::Changed, "an object was replaced");
        let wrapped = DataFusionError::Context("scan".into(), Box::new(passing(fault())));
        assert_eq!((fault_of(wrapped).exit(), fault().to_string()), (Exit::Changed, "an object was replaced".into()));
        let error = Arc::new(passing(fault()));
        let other = Arc::clone(&error);
        let shared = fault_of(DataFusionError::Shared(error));
        assert_eq!((shared.exit(), shared.to_string()), (Exit::Changed, "an object was replaced".into()));
        drop(other);
    }

    #[test]
    fn a_name_with_a_dash_is_told_to_stand_in_quotes() {
        assert!(of_syntax("Expected: end of statement, found: - at Line: 1, Column: 18").contains("double quotes"));
        assert!(!of_syntax("Expected: an expression, found: FROM at Line: 1, Column: 8").contains("double quotes"));
    }

    #[test]
    fn a_column_that_is_not_there_is_told_with_those_that_are() {
        let said = |name: &str| {
            let valid_fields = ["robot", "speed", "drive_current"].map(|name| Column::new(Some("pose"), name)).to_vec();
            let error = SchemaError::FieldNotFound { field: Box::new(Column::from_name(name)), valid_fields };
            fault_of(DataFusionError::SchemaError(Box::new(error), Box::new(None))).to_string()
        };
        let columns = "columns are robot, speed, drive_current";
        assert_eq!(said("spede"), format!("there is no column spede; did you mean speed? The {columns}"));
        assert_eq!(said("current"), format!("there is no column current; did you mean drive_current? The {columns}"));
        assert_eq!(said("w"), format!("there is no column w; the {columns}"));
    }
}
