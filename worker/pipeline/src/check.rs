//! Words to what is ready: every rule that needs no data, every mistake at once.
//!
//! ```text
//! Words (documents, structural mistakes) --archive, pipeline, run--> Checked  or  all mistakes
//! ```
//!
//! Each part of a document has its file below. They go on after a mistake with something harmless in its place, so that
//! one look finds everything; nothing of that leaves this module. Expressions stay text: the engine types them.

mod archive;
mod column;
mod cron;
mod desk;
mod event;
mod feature;
mod idle;
mod label;
mod pipeline;
mod result;
mod rows;
mod run;
mod signal;
mod store;

use crate::archive::Archive;
use crate::mistake::{Mistake, Note};
use crate::pipeline::Pipeline;
use crate::read::{Document, Spec, Words};
use crate::run::Run;
use crate::schema::Kind;
use desk::Desk;
use std::collections::BTreeMap;

/// Everything that the words say, with nothing left to check but expressions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// In the order written.
    pub archives: Vec<Archive>,
    /// In the order written, which is the order they run in.
    pub pipelines: Vec<Pipeline>,
    /// In the order written.
    pub runs: Vec<Run>,
    /// What is no mistake but worth knowing.
    pub notes: Vec<Note>,
}

/// Checks all documents together.
///
/// Errors: all mistakes, document by document.
pub fn check(words: &Words) -> Result<Checked, Vec<Mistake>> {
    let (checked, mistakes) = examine(words);
    if mistakes.is_empty() { Ok(checked) } else { Err(mistakes) }
}

/// Checks all documents together: what could be made of them, and all mistakes, document by document.
///
/// With mistakes, what was made of the words is good for one thing: to look for mistakes in the expressions of those
/// pipelines that could be made.
pub fn examine(words: &Words) -> (Checked, Vec<Mistake>) {
    let mut checked = Checked::default();
    let mut mistakes = words.mistakes.clone();
    let mut desk = Desk::new(&words.mistakes);
    unique_names(&words.documents, &mut desk);
    for document in &words.documents {
        if let Spec::Archive(spec) = &document.spec {
            desk.open(document);
            checked.archives.push(archive::check(document, spec, &mut desk));
        }
    }
    for document in &words.documents {
        if let Spec::Pipeline(spec) = &document.spec {
            desk.open(document);
            checked.pipelines.extend(pipeline::check(document, spec, &checked.archives, &mut desk));
        }
    }
    let pipelines: Vec<&str> = names(&words.documents, Kind::Pipeline);
    for document in &words.documents {
        if let Spec::Run(spec) = &document.spec {
            desk.open(document);
            checked.runs.push(run::check(document, spec, &pipelines, &mut desk));
        }
    }
    store::check_apart(&words.documents, &mut desk);
    mistakes.append(&mut desk.mistakes);
    checked.notes = desk.notes;
    // Together what belongs together: by document, within it structural ones first; what is no document comes last.
    mistakes.sort_by_key(|mistake| {
        let is_its = |d: &Document| d.label == mistake.document && d.file == mistake.file;
        words.documents.iter().position(is_its).unwrap_or(words.documents.len())
    });
    (checked, mistakes)
}

fn names(documents: &[Document], kind: Kind) -> Vec<&str> {
    documents.iter().filter(|d| d.kind() == kind).map(|d| d.metadata.name.as_str()).collect()
}

/// Two documents of one kind and name would be one object on a cluster.
fn unique_names(documents: &[Document], desk: &mut Desk) {
    let mut seen = BTreeMap::new();
    for document in documents {
        let key = (document.kind(), &document.metadata.name);
        if seen.insert(key, ()).is_some() && !document.metadata.name.is_empty() {
            desk.open(document);
            let what = format!("is {}, the name of another {} too", document.metadata.name, document.kind().word());
            desk.report("metadata.name", what, "give one of them another name");
        }
    }
}
