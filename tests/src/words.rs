//! The words of the examples, and changes to words.

use crate::python;
use std::fs;

/// The words of an example of `manifests/examples`.
pub fn example(name: &str) -> String {
    let path = python::repository().join(format!("manifests/examples/{name}.yaml"));
    fs::read_to_string(path).expect("the example is there")
}

/// The words with each `from` replaced.
///
/// # Panics
/// When there is none: the words moved on and the test did not.
pub fn change(words: &str, from: &str, to: &str) -> String {
    assert!(words.contains(from), "the words do not hold {from:?}:\n{words}");
    words.replace(from, to)
}
