//! What is wrong with the words: where, what, and what to write instead.

use std::fmt;

/// One mistake. Everything that is wrong is reported at once, so mistakes come in lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: Option<String>,
    /// The document: `Archive ur3`, or `document 2` where kind or name are missing. Empty for the file as a whole.
    pub document: String,
    /// YAML path, such as `spec.signals[current].times[0].unit`. Empty for the document as a whole.
    pub path: String,
    /// What is wrong, to be read after the path: `is missing`.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

/// `fleet.yaml: Archive ur3: spec.lateness: "10" has no unit; write 10m`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = [self.file.as_deref().unwrap_or(""), &self.document, &self.path];
        for part in place.iter().filter(|part| !part.is_empty()) {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// Something worth knowing that is no mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The document: `Pipeline ur3-stops`.
    pub document: String,
    /// YAML path.
    pub path: String,
    /// One sentence.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.document, self.path, self.text)
    }
}

/// Splits `what; remedy`, the form in which parsers of single texts report.
pub(crate) fn split(sentence: &str) -> (String, String) {
    match sentence.split_once("; ") {
        Some((what, remedy)) => (what.to_owned(), remedy.to_owned()),
        None => (sentence.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_reads_as_one_line() {
        let mistake = Mistake {
            file: Some("fleet.yaml".into()),
            document: "Archive ur3".into(),
            path: "spec.lateness".into(),
            what: "is missing".into(),
            remedy: "write 10m".into(),
        };
        assert_eq!(mistake.to_string(), "fleet.yaml: Archive ur3: spec.lateness: is missing; write 10m");
        let bare =
            Mistake { file: None, document: String::new(), path: String::new(), remedy: String::new(), ..mistake };
        assert_eq!(bare.to_string(), "is missing");
    }
}
