//! Flags of `fleetloom query`.

use super::budget::Budget;
use super::results::AtVersion;
use super::words::Words;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `fleetloom query`.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The statement; - reads it from stdin
    #[arg(
        value_name = "SQL",
        required_unless_present = "sql_file",
        conflicts_with = "sql_file",
        allow_hyphen_values = true
    )]
    pub(crate) sql: Option<String>,
    /// Read the statement from this file; - is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sql_file: Option<PathBuf>,
    /// YAML file with Archives and Pipelines; - is stdin; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) at: AtVersion,
    /// How rows are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) budget: Budget,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; a heading every 1,000 rows
    Table,
    /// RFC 4180, with a header; null is empty
    Csv,
    /// An object a line
    Json,
}

impl QueryArgs {
    /// The same as the words of other verbs.
    pub(crate) fn words(&self) -> Words {
        Words { files: self.files.clone(), pipeline: None }
    }
}
