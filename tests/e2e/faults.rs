//! SIGKILL at moments spread over a whole run: what a reader finds is no version or the whole one, and the next run publishes
//! the rows of a run that was left alone, once. Every call of a run in one process is in the worker's own tests.

use crate::words::{change, fleet};
use fleetloom_tests::{program, python};
use rustix::process::Signal;
use std::fs;
use std::path::Path;

/// Kills of a run: one in twenty of the calls that the worker's tests count.
const MOMENTS: usize = 8;

/// Files below a folder, those that are being written too.
fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_killed_run_leaves_no_half_version_and_the_next_one_publishes_once() {
    let (place, file) = fleet(2, 8, 31, false);
    let words = fs::read_to_string(&file).expect("the words are there");
    let file = place.words(&change(&words, "\n  result:", "\n  shards: {bytes: 1Mi}\n  result:"));
    program::run(&file).expect(0);
    let (whole, all) = (python::digest(&place.result()), files(&place.result()));
    let mut killed = 0;
    for moment in 0..MOMENTS {
        fs::remove_dir_all(place.result()).expect("the table can be removed");
        let wanted = 1 + all * moment / MOMENTS;
        let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
        run.wait_until(|| files(&place.result()) >= wanted);
        run.signal(Signal::KILL);
        killed += usize::from(run.finish().code() == 128 + 9);
        if !place.versions().is_empty() {
            assert_eq!(python::digest(&place.result()), whole, "a version is whole or not there");
        }
        program::run(&file).expect(0);
        assert_eq!((place.versions().len(), python::digest(&place.result())), (1, whole.clone()), "file {wanted}");
    }
    eprintln!("{killed} of {MOMENTS} runs were killed, at files spread over all {all}");
    assert!(killed > 0, "no run was killed");
}
