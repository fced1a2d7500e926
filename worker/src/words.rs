//! From `-f FILE…` to pipelines ready to compute, or to all mistakes at once.

use crate::cli;
use crate::fault::{Fault, Result};
use crate::present;
use engine::compile::{Compiled, compile};
use pipeline::check::{Checked, examine};
use pipeline::mistake::{Mistake, Note};
use pipeline::name;
use pipeline::read::Words;
use pipeline::run::Run;
use std::io::{self, Read};
use std::path::Path;
use std::{env, fs, path};

/// What the files say, checked to the last expression.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The pipelines asked for, in the order they run in.
    pub(crate) compiled: Vec<Compiled>,
    /// The Runs of the files, of any pipeline.
    pub(crate) runs: Vec<Run>,
    /// What is no mistake but worth knowing.
    pub(crate) notes: Vec<Note>,
}

/// Reads and checks everything that the files say, whichever pipeline is asked for.
///
/// Errors: a file that cannot be read; all mistakes, grouped by file; no pipeline, or none of the name asked for.
pub(crate) fn ready(words: &cli::Words) -> Result<Ready> {
    let Whole { compiled, checked, .. } = whole(words)?;
    Ok(Ready { compiled: chosen(compiled, words.pipeline.as_deref())?, runs: checked.runs, notes: checked.notes })
}

/// Everything that the files say, Archives without a Pipeline too.
#[derive(Debug)]
pub(crate) struct Whole {
    /// As written.
    pub(crate) read: Words,
    /// As checked.
    pub(crate) checked: Checked,
    /// All pipelines, in the order they run in.
    pub(crate) compiled: Vec<Compiled>,
}

/// Reads and checks everything that the files say.
///
/// Errors: a file that cannot be read; all mistakes, grouped by file.
pub(crate) fn whole(words: &cli::Words) -> Result<Whole> {
    let mut read = Words::default();
    for file in &words.files {
        read = read.and(read_file(file)?);
    }
    let (mut checked, mut mistakes) = examine(&read);
    let mut compiled = Vec::new();
    for pipeline in &checked.pipelines {
        match compile(pipeline) {
            Ok(one) => {
                checked.notes.extend_from_slice(one.notes());
                compiled.push(one);
            }
            Err(more) => add_untold(&mut mistakes, more.into_iter().map(|mistake| with_file(mistake, &read))),
        }
    }
    if !mistakes.is_empty() {
        return Err(refusal(&mistakes));
    }
    Ok(Whole { read, checked, compiled })
}

/// The pipelines to run: all of the files in their order, or the one asked for. At least one.
///
/// Errors: as [`ready`].
pub(crate) fn compiled(words: &cli::Words) -> Result<Vec<Compiled>> {
    Ok(ready(words)?.compiled)
}

/// The one pipeline that a verb is about.
///
/// Errors: as [`ready`]; several without `--pipeline`.
pub(crate) fn only(words: &cli::Words) -> Result<Compiled> {
    let mut compiled = compiled(words)?;
    if compiled.len() > 1 {
        let names = names(&compiled).join(", ");
        return Err(Fault::request(format!("the files hold several Pipelines; choose one with --pipeline: {names}")));
    }
    compiled.pop().ok_or_else(no_pipeline)
}

fn names(compiled: &[Compiled]) -> Vec<&str> {
    compiled.iter().map(|one| one.pipeline().name.as_str()).collect()
}

fn no_pipeline() -> Fault {
    Fault::request("the files hold no Pipeline; add one, or name its file with -f")
}

/// Adds the mistakes whose places were not told before: an expression that is missing or empty is one mistake, whoever finds it.
fn add_untold(told: &mut Vec<Mistake>, more: impl Iterator<Item = Mistake>) {
    let known = told.len();
    for mistake in more {
        let is_told = |other: &Mistake| {
            (&other.file, &other.document, &other.path) == (&mistake.file, &mistake.document, &mistake.path)
        };
        if !told[..known].iter().any(is_told) {
            told.push(mistake);
        }
    }
}

/// The engine knows documents, not files.
fn with_file(mistake: Mistake, words: &Words) -> Mistake {
    let document = words.documents.iter().find(|document| document.label == mistake.document);
    Mistake { file: mistake.file.or_else(|| document.and_then(|document| document.file.clone())), ..mistake }
}

/// Those that are asked for.
fn chosen(compiled: Vec<Compiled>, name: Option<&str>) -> Result<Vec<Compiled>> {
    if compiled.is_empty() {
        return Err(no_pipeline());
    }
    let Some(name) = name else { return Ok(compiled) };
    match compiled.iter().position(|one| one.pipeline().name == name) {
        Some(at) => Ok(compiled.into_iter().skip(at).take(1).collect()),
        None => {
            let remedy = name::suggest(name, names(&compiled));
            Err(Fault::request(format!("--pipeline {name}: no such Pipeline in the files; {remedy}")))
        }
    }
}

/// A fault with every mistake under its file.
fn refusal(mistakes: &[Mistake]) -> Fault {
    let mut files: Vec<Option<&str>> = Vec::new();
    for mistake in mistakes {
        if !files.contains(&mistake.file.as_deref()) {
            files.push(mistake.file.as_deref());
        }
    }
    let mut details = Vec::new();
    for file in &files {
        details.push(format!("{}:", file.unwrap_or("the files together")));
        for mistake in mistakes.iter().filter(|mistake| mistake.file.as_deref() == *file) {
            let bare = Mistake { file: None, ..mistake.clone() };
            details.push(format!("  {bare}"));
        }
    }
    let number = mistakes.len() as u64;
    let what =
        format!("{} {}; nothing was run", present::count(number), if number == 1 { "mistake" } else { "mistakes" });
    Fault::request(what).with_details(details)
}

fn read_file(file: &Path) -> Result<Words> {
    let wrong = |error: io::Error| Fault::request(format!("{}: cannot be read: {error}", file.display()));
    let (text, name, folder) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map_err(wrong)?;
        (bytes, "stdin".to_owned(), env::current_dir().map_err(wrong)?)
    } else {
        let bytes = fs::read(file).map_err(wrong)?;
        let absolute = path::absolute(file).map_err(wrong)?;
        let folder = absolute.parent().map_or_else(|| absolute.clone(), Path::to_owned);
        (bytes, file.display().to_string(), folder)
    };
    let text =
        String::from_utf8(text).map_err(|_| Fault::request(format!("{name}: is not UTF-8 text; save it as UTF-8")))?;
    let folder = folder
        .to_str()
        .ok_or_else(|| Fault::request(format!("{}: the folder's name is not UTF-8; rename it", folder.display())))?;
    Ok(Words::read(&text, Some(&name), Some(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Exit;

    fn mistake(file: Option<&str>, path: &str) -> Mistake {
        Mistake {
            file: file.map(str::to_owned),
            document: "Archive a".into(),
            path: path.into(),
            what: "is missing".into(),
            remedy: "write it".into(),
        }
    }

    #[test]
    fn mistakes_stand_under_their_file() {
        let fault =
            refusal(&[mistake(Some("a.yaml"), "x"), mistake(Some("b.yaml"), "y"), mistake(Some("a.yaml"), "z")]);
        assert_eq!(fault.exit(), Exit::Request);
        assert_eq!(fault.to_string(), "3 mistakes; nothing was run");
        let expected = [
            "a.yaml:",
            "  Archive a: x: is missing; write it",
            "  Archive a: z: is missing; write it",
            "b.yaml:",
            "  Archive a: y: is missing; write it",
        ];
        assert_eq!(fault.details(), expected);
    }

    #[test]
    fn a_missing_file_is_a_wrong_request_that_names_it() {
        let words = cli::Words { files: vec!["no/such.yaml".into()], pipeline: None };
        let fault = ready(&words).unwrap_err();
        assert_eq!(fault.exit(), Exit::Request);
        assert!(fault.to_string().starts_with("no/such.yaml: cannot be read"));
    }

    #[test]
    fn a_place_is_told_by_the_first_who_finds_it() {
        let mut told = vec![mistake(None, "x")];
        let more = [mistake(None, "x"), mistake(Some("b.yaml"), "x"), mistake(None, "y"), mistake(None, "y")];
        add_untold(&mut told, more.clone().into_iter());
        // Two unknown names of one expression are two mistakes.
        assert_eq!(told[1..], more[1..]);
    }

    #[test]
    fn what_a_misspelt_join_brings_is_no_mistake_elsewhere() {
        let text = include_str!("simulate/fleetloom.yaml");
        let misspelt = text.replacen("- {signal: pose,", "- {signal: psoe,", 1);
        assert_ne!(misspelt, text);
        let (checked, mistakes) = examine(&Words::read(&misspelt, None, Some("/fleet")));
        assert_eq!(mistakes.iter().map(|mistake| mistake.path.as_str()).collect::<Vec<_>>(), ["spec.join[0].signal"]);
        compile(&checked.pipelines[0]).unwrap();
    }

    #[test]
    fn the_simulated_fleets_file_has_no_mistake() {
        let words = Words::read(include_str!("simulate/fleetloom.yaml"), None, Some("/fleet"));
        let checked = pipeline::check::check(&words).unwrap();
        assert_eq!((checked.pipelines.len(), checked.notes.len()), (1, 0));
        compile(&checked.pipelines[0]).unwrap();
    }
}
