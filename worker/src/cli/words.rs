//! Which words a verb is about: files, and a pipeline of theirs.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Which words a verb is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Words {
    /// YAML files with an Archive and Pipelines; - is stdin
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Only this Pipeline of the files
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
}

/// Which table a verb is about: as [`Words`], but one file a flag, so that the verb's own words may follow.
#[derive(Debug, Clone, Args)]
pub(crate) struct TableWords {
    /// YAML file with an Archive and Pipelines; - is stdin; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The Pipeline whose table is meant, where the files hold several
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

impl TableWords {
    /// The same as the words of other verbs.
    pub(crate) fn words(&self) -> Words {
        Words { files: self.files.clone(), pipeline: self.pipeline.clone() }
    }
}
