//! YAML text to documents of the three kinds, with every structural mistake at once.
//!
//! ```text
//! text --node--> tree --walk (schema)--> mistakes + a tree that fits --serde--> spec
//! ```
//!
//! What does not fit is reported and replaced by something that does, so that [`crate::check`] can go on and find the
//! other mistakes of the same file; what it would say about a replaced place is left out there. Nothing is computed
//! from words with a mistake.

mod node;
mod walk;

use crate::mistake::Mistake;
use crate::name;
use crate::schema::{self, Kind};
use crate::spec::{API_VERSION, ArchiveSpec, Metadata, PipelineSpec, RunSpec};
use node::Node;
use serde::de::DeserializeOwned;
use serde_json::Value;
use walk::Walk;

/// U+FEFF, which some editors put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';
pub(crate) use walk::entry;

/// What Kubernetes adds to `metadata` of a stored object; ignored, so that `kubectl get -o yaml` can be read back.
const STORED_METADATA: [&str; 9] = [
    "annotations",
    "creationTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// The documents of one or several files, and what is wrong with their structure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// In the order written. Where there is a mistake, something that fits stands in its place.
    pub documents: Vec<Document>,
    /// All structural mistakes; [`crate::check::check`] reports them with its own.
    pub mistakes: Vec<Mistake>,
}

/// One document as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The file, as it was named.
    pub file: Option<String>,
    /// How mistakes name it: `Archive ur3`, or `document 2` where kind or name are missing.
    pub label: String,
    /// Absolute folder that relative URLs start from; `None` where there is no folder (on a cluster).
    pub folder: Option<String>,
    /// `metadata`.
    pub metadata: Metadata,
    /// `spec`.
    pub spec: Spec,
}

/// The words of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// An Archive.
    Archive(Box<ArchiveSpec>),
    /// A Pipeline.
    Pipeline(Box<PipelineSpec>),
    /// A Run.
    Run(Box<RunSpec>),
}

impl Document {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.spec {
            Spec::Archive(_) => Kind::Archive,
            Spec::Pipeline(_) => Kind::Pipeline,
            Spec::Run(_) => Kind::Run,
        }
    }
}

impl Words {
    /// Reads one file: any number of documents between `---`. Empty documents are skipped.
    ///
    /// `file` names it in mistakes; relative URLs start from the absolute `folder`. After a syntax error nothing more is
    /// read: what follows could mean anything.
    pub fn read(text: &str, file: Option<&str>, folder: Option<&str>) -> Self {
        let mut words = Self::default();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let trees = node::documents(text).enumerate().take_while(|_| !is_blank(text));
        for (position, tree) in trees {
            match tree {
                Ok(Node::Null) => {}
                Ok(tree) => words.push(tree, position + 1, file, folder),
                Err(error) => words.mistakes.push(syntax(&error, text, file)),
            }
        }
        if words.documents.is_empty() && words.mistakes.is_empty() {
            words.mistakes.push(Mistake {
                file: file.map(str::to_owned),
                document: String::new(),
                path: String::new(),
                what: "holds no document".into(),
                remedy: format!("write an Archive and a Pipeline, each starting with apiVersion: {API_VERSION}"),
            });
        }
        words
    }

    /// The documents and mistakes of both, in order.
    pub fn and(mut self, more: Self) -> Self {
        self.documents.extend(more.documents);
        self.mistakes.extend(more.mistakes);
        self
    }

    fn push(&mut self, tree: Node, position: usize, file: Option<&str>, folder: Option<&str>) {
        let label = label(&tree, position);
        let mut walk = Walk::new(file, label.clone());
        if let Some((metadata, spec)) = document(&mut walk, tree) {
            self.documents.push(Document {
                file: file.map(str::to_owned),
                label,
                folder: folder.map(str::to_owned),
                metadata,
                spec,
            });
        }
        self.mistakes.append(&mut walk.mistakes);
    }
}

/// `Archive ur3`, else `document 2`.
fn label(tree: &Node, position: usize) -> String {
    let kind = tree.get("kind").and_then(Node::text);
    let name = tree.get("metadata").and_then(|metadata| metadata.get("name")).map(Node::scalar).unwrap_or_default();
    match kind {
        Some(kind) if !name.is_empty() => format!("{kind} {name}"),
        _ => format!("document {position}"),
    }
}

/// Takes a document apart; `None` when not even its kind is known.
fn document(walk: &mut Walk, tree: Node) -> Option<(Metadata, Spec)> {
    let Node::Map(entries) = tree else {
        walk.report(
            "",
            "is not a document of fields",
            format!("write apiVersion: {API_VERSION}, kind, metadata, spec"),
        );
        return None;
    };
    let mut fields = walk.fields(entries, &["apiVersion", "kind", "metadata", "spec", "status"], "");
    api_version(walk, fields.remove("apiVersion").as_ref());
    let kind = kind(walk, fields.remove("kind").as_ref())?;
    let mut metadata = fields.remove("metadata").unwrap_or(Node::Map(Vec::new()));
    if let Node::Map(entries) = &mut metadata {
        entries.retain(|(key, _)| key == "annotations" || !STORED_METADATA.contains(&key.as_str()));
    }
    let metadata = fit(walk, metadata, &schema::metadata_schema(), "metadata")?;
    let spec = match fields.remove("spec") {
        Some(spec) => spec,
        None => {
            walk.report("spec", "is missing", format!("write what the {} is", kind.word()));
            return None;
        }
    };
    let schema = schema::spec_schema(kind);
    let spec = match kind {
        Kind::Archive => Spec::Archive(Box::new(fit(walk, spec, &schema, "spec")?)),
        Kind::Pipeline => Spec::Pipeline(Box::new(fit(walk, spec, &schema, "spec")?)),
        Kind::Run => Spec::Run(Box::new(fit(walk, spec, &schema, "spec")?)),
    };
    Some((metadata, spec))
}

fn api_version(walk: &mut Walk, found: Option<&Node>) {
    match found.map(|node| (node.text() == Some(API_VERSION), node)) {
        Some((true, _)) => {}
        Some((false, node)) => {
            let what = format!("is {}, which is not read here", node.shown());
            walk.report("apiVersion", what, format!("write {API_VERSION}"));
        }
        None => walk.report("apiVersion", "is missing", format!("write {API_VERSION}")),
    }
}

fn kind(walk: &mut Walk, found: Option<&Node>) -> Option<Kind> {
    let words = Kind::ALL.map(Kind::word);
    let Some(node) = found else {
        walk.report("kind", "is missing", format!("write one of {}", words.join(", ")));
        return None;
    };
    let word = node.text().unwrap_or_default();
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    if kind.is_none() {
        walk.report("kind", format!("is {}, which is not known", node.shown()), name::suggest(word, words));
    }
    kind
}

/// Walks a tree into its type. The walk leaves a tree that fits; should schema and type ever disagree, that is told.
fn fit<T: DeserializeOwned>(walk: &mut Walk, tree: Node, schema: &Value, path: &str) -> Option<T> {
    let value = walk.fit(tree, schema, path);
    serde_json::from_value(value).map_err(|error| walk.report(path, error.to_string(), String::new())).ok()
}

/// Whether a text has nothing but comments, blanks and lines between documents.
fn is_blank(text: &str) -> bool {
    let nothing = |line: &str| line.is_empty() || line.starts_with('#') || line == "---";
    text.lines().map(str::trim).all(nothing)
}

/// A YAML error as a mistake at its line and column.
fn syntax(error: &serde_yaml_ng::Error, text: &str, file: Option<&str>) -> Mistake {
    let place = error.location().map(|at| (at.line(), at.column()));
    let line = place.and_then(|(line, _)| text.lines().nth(line.saturating_sub(1))).unwrap_or("");
    let tab = line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    let message = error.to_string();
    let (what, remedy) = if message.contains("invalid type: enum") {
        ("has a tag such as !name".to_owned(), "leave the tag out")
    } else {
        let what = format!("is not YAML: {}", message.split(" at line ").next().unwrap_or_default());
        (what, if tab { "indent with spaces, not tabs" } else { "check indentation, colons and quotes there" })
    };
    Mistake {
        file: file.map(str::to_owned),
        document: String::new(),
        path: place.map(|(line, column)| format!("line {line}, column {column}")).unwrap_or_default(),
        what,
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        Words::read(text, None, None).mistakes.iter().map(|mistake| mistake.what.clone()).collect()
    }

    #[test]
    fn a_text_without_anything_holds_no_document() {
        for text in ["", "\n \n", "# later\n", "---\n# later\n---\n", "\u{feff}"] {
            assert_eq!(said(text), ["holds no document"], "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let run = "apiVersion: fleetloom.dev/v1alpha1\nkind: Run\nmetadata: {name: a}\nspec: {pipeline: b}\n";
        assert_eq!(said(run), said(&format!("\u{feff}{run}")));
        assert_eq!(Words::read(&format!("\u{feff}{run}"), None, None).documents.len(), 1);
    }
}
