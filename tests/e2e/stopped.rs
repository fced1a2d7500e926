//! Ctrl-C and SIGTERM at many moments: 143, the table as before, and the next run does only what is left.

use crate::words::{SMALL, change, fleet};
use fleetloom_tests::place::Place;
use fleetloom_tests::{program, python};
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// A fleet cut into many shards, with its words.
fn many_shards() -> (Place, PathBuf) {
    let (place, file) = fleet(6, 26, 31, false);
    let words = fs::read_to_string(&file).expect("the words are there");
    let file = place.words(&change(&words, "\n  result:", "\n  shards: {bytes: 1Mi}\n  result:"));
    (place, file)
}

/// Starts a run, signals it when `reports` shards are done, and judges what it leaves.
fn stopped(signal: Signal, moments: &[usize]) {
    let (place, file) = many_shards();
    program::run(&file).expect(0);
    let (whole, shards) = (python::digest(&place.result()), place.reports().len());
    assert!(shards >= 7, "{shards} shards");
    for &reports in moments {
        fs::remove_dir_all(place.result()).expect("the table can be removed");
        let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
        assert!(run.wait_until(|| place.reports().len() >= reports), "the run ended before its shard {reports}");
        run.signal(signal);
        let outcome = run.finish().expect(143);
        assert!(place.versions().is_empty(), "{outcome}");
        let done = place.reports();
        assert!(done.len() >= reports, "what was done is kept: {outcome}");
        program::run(&file).expect(0);
        assert_eq!((place.versions().len(), python::digest(&place.result())), (1, whole.clone()));
        assert!(done.iter().all(|report| place.reports().contains(report)));
        assert_eq!(place.reports().len(), shards, "no shard is computed twice under another key");
    }
}

#[test]
fn sigterm_before_the_first_shard_is_done() {
    let (place, file) = many_shards();
    let began: [&dyn Fn() -> bool; 3] = [&|| true, &|| !place.names("result/_fleetloom/members").is_empty(), &|| {
        !place.names("result/_fleetloom/plans").is_empty()
    }];
    for has_begun in began {
        let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
        assert!(run.wait_until(has_begun), "the run ended before it began");
        run.signal(Signal::TERM);
        let outcome = run.finish().expect(143);
        assert!(place.versions().is_empty(), "{outcome}");
    }
    program::run(&file).expect(0);
    assert_eq!(place.versions().len(), 1);
}

#[test]
fn sigterm_between_shards() {
    stopped(Signal::TERM, &[1, 4]);
}

#[test]
fn ctrl_c_between_shards() {
    stopped(Signal::INT, &[1, 2]);
}

#[test]
fn a_signal_at_any_time_leaves_the_version_before_or_the_new_one() {
    let (place, file) = many_shards();
    let whole = program::run(&file).expect(0).elapsed;
    let before = python::digest(&place.result());
    let words = fs::read_to_string(&file).expect("the words are there");
    place.words(&change(&words, "[mean, std, min, max]", "[mean, std]"));
    for moment in 0..12u32 {
        let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
        run.let_pass(whole * moment / 12);
        run.signal(Signal::TERM);
        let outcome = run.finish();
        if outcome.code() == 0 {
            assert_eq!(place.versions().len(), 2, "{outcome}");
            return;
        }
        let outcome = outcome.expect(143);
        assert_eq!((place.versions().len(), python::digest(&place.result())), (1, before.clone()), "{outcome}");
        assert!(outcome.elapsed < whole + Duration::from_secs(10), "it stops at once: {outcome}");
    }
    program::run(&file).expect(0);
    assert_eq!(place.versions().len(), 2);
}

#[test]
fn who_waits_for_a_store_that_never_answers_is_stopped_too() {
    let (place, silent) = (Place::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let store =
        format!("url: \"s3://telemetry/\", endpoint: \"http://{}\", pathStyle: true", silent.local_addr().unwrap());
    let file = place.words(&change(SMALL, "url: archive/", &store)).display().to_string();
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let run = program::start_with(&keys, &["run", "-f", &file]);
    // From here on it waits for an answer. Left alone it would say after two minutes that there is none, and end with 4.
    let _asked = silent.accept().unwrap();
    run.signal(Signal::TERM);
    run.finish().expect(143).says("asked to stop");
}
