//! Where mistakes are collected while one document after the other is checked.

use crate::mistake::{Mistake, Note, split};
use crate::name;
use crate::read::Document;
use crate::time::words;

/// The mistakes so far, and the document being checked.
pub(super) struct Desk<'w> {
    structural: &'w [Mistake],
    file: Option<String>,
    document: String,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) notes: Vec<Note>,
}

impl<'w> Desk<'w> {
    /// `structural` are the mistakes already found; nothing is added at or below their places.
    pub(super) fn new(structural: &'w [Mistake]) -> Self {
        Self { structural, file: None, document: String::new(), mistakes: Vec::new(), notes: Vec::new() }
    }

    /// What follows is about this document.
    pub(super) fn open(&mut self, document: &Document) {
        self.file.clone_from(&document.file);
        self.document.clone_from(&document.label);
    }

    /// Adds a mistake, unless its place holds a substitute for what the reader already refused.
    pub(super) fn report(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        if !self.is_substitute(path) {
            self.mistakes.push(Mistake {
                file: self.file.clone(),
                document: self.document.clone(),
                path: path.to_owned(),
                what: what.into(),
                remedy: remedy.into(),
            });
        }
    }

    /// Whether a place holds something harmless instead of what the reader refused there.
    pub(super) fn is_substitute(&self, path: &str) -> bool {
        self.structural.iter().any(|mistake| {
            let rest = path.strip_prefix(&mistake.path);
            mistake.document == self.document
                && mistake.file == self.file
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Adds a note.
    pub(super) fn note(&mut self, path: &str, text: impl Into<String>) {
        self.notes.push(Note { document: self.document.clone(), path: path.to_owned(), text: text.into() });
    }

    /// The value, or its sentence (`what; remedy`) as a mistake.
    pub(super) fn take<T>(&mut self, path: &str, parsed: Result<T, String>) -> Option<T> {
        parsed
            .map_err(|sentence| {
                let (what, remedy) = split(&sentence);
                self.report(path, what, remedy);
            })
            .ok()
    }

    /// A duration, ns; `default_ns` when it is absent or wrong.
    pub(super) fn duration(&mut self, path: &str, text: Option<&str>, default_ns: i64) -> i64 {
        match text {
            None => default_ns,
            Some(text) => self.take(path, words::duration_ns(text)).unwrap_or(default_ns),
        }
    }

    /// A duration of at least one nanosecond.
    pub(super) fn positive_duration(&mut self, path: &str, text: Option<&str>, default_ns: i64) -> i64 {
        let ns = self.duration(path, text, default_ns);
        if ns == 0 && text.is_some() {
            self.report(path, "is zero", "write a longer duration, such as 10s");
            return default_ns;
        }
        ns
    }

    /// The index of a name among known ones; a mistake with the nearest when it is not there. `noun` says what it names.
    pub(super) fn find(&mut self, path: &str, noun: &str, wanted: &str, known: &[&str]) -> Option<usize> {
        let index = known.iter().position(|name| *name == wanted);
        if index.is_none() {
            self.report(
                path,
                format!("is {wanted}, but there is no such {noun}"),
                name::suggest(wanted, known.iter().copied()),
            );
        }
        index
    }

    /// As [`Desk::find`]; after the mistake the index of the name that is probably meant, so that what is said about it elsewhere
    /// is no mistake too.
    pub(super) fn find_meant(&mut self, path: &str, noun: &str, wanted: &str, known: &[&str]) -> Option<usize> {
        let meant = || {
            let name = name::nearest(wanted, known.iter().copied())?;
            known.iter().position(|other| *other == name)
        };
        self.find(path, noun, wanted, known).or_else(meant)
    }

    /// Names of a list: identifiers, each once. `list` is the path of the list.
    pub(super) fn identifiers<'n>(&mut self, list: &str, noun: &str, names: impl IntoIterator<Item = &'n str>) {
        let mut seen = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            let path = format!("{}.name", entry(list, index, name));
            if !name::is_identifier(name) {
                self.report(
                    &path,
                    format!("is {name:?}, which cannot be a column name"),
                    "write letters, digits and _, not starting with a digit",
                );
            } else if seen.contains(&name) {
                self.report(
                    &path,
                    format!("is {name}, the name of another {noun} too"),
                    "give one of them another name",
                );
            }
            seen.push(name);
        }
    }

    /// A text that says something.
    pub(super) fn filled(&mut self, path: &str, text: &str, remedy: &str) {
        if text.trim().is_empty() {
            self.report(path, "is empty", remedy);
        }
    }
}

/// The path of an entry: `spec.signals[current]`, by its position where the name cannot stand in a path.
pub(super) fn entry(list: &str, index: usize, name: &str) -> String {
    format!("{list}[{}]", crate::read::entry(index, name))
}
