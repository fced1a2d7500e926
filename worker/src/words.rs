//! From `-f FILE…` to checked pipelines, or to all mistakes at once.

use crate::cli;
use crate::fault::{Fault, Result};
use crate::present;
use pipeline::check::{Checked, check};
use pipeline::mistake::Mistake;
use pipeline::name;
use pipeline::pipeline::Pipeline;
use pipeline::read::Words;
use std::io::{self, Read};
use std::path::Path;
use std::{env, fs, path};

/// Everything the files say.
///
/// Errors: a file that cannot be read; all mistakes, grouped by file (both [`crate::fault::Exit::Request`]).
pub(crate) fn checked(words: &cli::Words) -> Result<Checked> {
    let mut read = Words::default();
    for file in &words.files {
        read = read.and(read_file(file)?);
    }
    check(&read).map_err(|mistakes| refusal(&mistakes))
}

/// The pipelines to run: all of the files in their order, or the one asked for.
///
/// Errors: as [`checked`]; no pipeline, or none of that name.
pub(crate) fn pipelines(words: &cli::Words) -> Result<Vec<Pipeline>> {
    chosen(checked(words)?.pipelines, words.pipeline.as_deref())
}

/// The one pipeline that a verb is about.
///
/// Errors: as [`pipelines`]; several without `--pipeline`.
pub(crate) fn pipeline(words: &cli::Words) -> Result<Pipeline> {
    let mut pipelines = pipelines(words)?;
    match (pipelines.pop(), pipelines.is_empty()) {
        (Some(pipeline), true) => Ok(pipeline),
        (Some(last), false) => {
            let names: Vec<_> = pipelines.iter().chain([&last]).map(|pipeline| pipeline.name.as_str()).collect();
            let what = format!("the files hold several Pipelines; choose one with --pipeline: {}", names.join(", "));
            Err(Fault::request(what))
        }
        (None, _) => Err(Fault::request("the files hold no Pipeline; add one, or name its file with -f")),
    }
}

/// Those of `pipelines` that are asked for.
pub(crate) fn chosen(pipelines: Vec<Pipeline>, name: Option<&str>) -> Result<Vec<Pipeline>> {
    let Some(name) = name else {
        return if pipelines.is_empty() {
            Err(Fault::request("the files hold no Pipeline; add one, or name its file with -f"))
        } else {
            Ok(pipelines)
        };
    };
    let known: Vec<_> = pipelines.iter().map(|pipeline| pipeline.name.clone()).collect();
    let found: Vec<_> = pipelines.into_iter().filter(|pipeline| pipeline.name == name).collect();
    if found.is_empty() {
        let remedy = name::suggest(name, known.iter().map(String::as_str));
        return Err(Fault::request(format!("--pipeline {name}: no such Pipeline in the files; {remedy}")));
    }
    Ok(found)
}

/// A fault with every mistake under its file.
pub(crate) fn refusal(mistakes: &[Mistake]) -> Fault {
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
        let fault = checked(&words).unwrap_err();
        assert_eq!(fault.exit(), Exit::Request);
        assert!(fault.to_string().starts_with("no/such.yaml: cannot be read"));
    }
}
