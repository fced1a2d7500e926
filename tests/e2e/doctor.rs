//! The doctor: what it says of folders and of buckets with and without versions, and that it leaves nothing behind.

use crate::words::{SMALL, change, good, small};
use fleetloom_tests::bucket::{Server, Versions};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{Outcome, fleetloom, fleetloom_with};
use serde_json::Value;
use std::fs;

/// The results of the checks whose name holds these words, `yes` or `no`.
fn result(outcome: &Outcome, words: &str) -> String {
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    let checks = said["checks"].as_array().expect("a list of checks");
    let check = checks.iter().find(|check| check["check"].as_str().is_some_and(|check| check.contains(words)));
    check.unwrap_or_else(|| panic!("no {words:?}\n{outcome}"))["result"]
        .as_str()
        .expect("a check has a result")
        .to_owned()
}

#[test]
fn folders_are_sound_and_left_as_they_were() {
    let (place, file) = small(&[good("r1", 0)]);
    place.write("archive/notes.txt", "x");
    let file = file.display().to_string();
    fleetloom(&["doctor", "-f", &file]).expect(0).says("sixteen creators").says("what it means");
    let said = fleetloom(&["doctor", "-f", &file, "--json"]).expect(0);
    assert!(result(&said, "is listed").starts_with("1 match"), "{said}");
    assert_eq!(
        said.stdout.matches("\"result\": \"no\"").count(),
        1,
        "a folder keeps no versions, and that is all\n{said}"
    );
    assert_eq!(place.names("result/_fleetloom"), [""; 0]);
    fs::remove_file(place.path("archive/2024-05-01.zip")).unwrap();
    fleetloom(&["doctor", "-f", &file]).expect(2).says("no object matches").says("notes.txt");
}

#[test]
fn a_bucket_without_versions_is_sound_for_results_and_a_versioned_one_is_refused_with_what_to_do() {
    let server = Server::versitygw();
    server.make("plain", Versions::None);
    server.make("kept", Versions::Kept);
    let store = |bucket: &str, prefix: &str| {
        format!("url: \"s3://{bucket}/{prefix}/\", endpoint: \"{}\", pathStyle: true", server.endpoint())
    };
    for bucket in ["plain", "kept"] {
        server.put(bucket, "small/2024-05-01.zip", &pack::zip(&[good("r1", 0)]));
    }
    for (archive, table, code) in [("plain", "plain", 0), ("kept", "plain", 0), ("plain", "kept", 2)] {
        let place = Place::new();
        let words = change(SMALL, "url: archive/", &store(archive, "small"));
        let file = place.words(&change(&words, "url: result/", &store(table, "table"))).display().to_string();
        let ask =
            |verb: &str, more: &[&str]| fleetloom_with(&server.environment(), &[&[verb, "-f", &file], more].concat());
        let said = ask("doctor", &["--json"]).expect(code);
        assert_eq!(result(&said, "versions are kept"), if archive == "kept" { "yes" } else { "no" }, "{said}");
        assert_eq!(result(&said, "a pinned read gives"), "yes", "{said}");
        assert_eq!(result(&said, "created again"), if table == "kept" { "no" } else { "yes" }, "{said}");
        if code == 2 {
            said.says("use an unversioned bucket for results");
            for verb in ["plan", "run"] {
                ask(verb, &[]).expect(2).says("use an unversioned bucket for results");
            }
            let rows = fs::read_dir(server.files(table).join("table")).into_iter().flatten().flatten();
            let rows: Vec<_> = rows.map(|entry| entry.file_name()).filter(|name| name != "_fleetloom").collect();
            assert!(rows.is_empty(), "refused before anything was computed: {rows:?}");
        }
        if table == "plain" {
            // Where versions are kept, the server keeps a marker of what was deleted.
            let left = fs::read_dir(server.files(table).join("table/_fleetloom")).into_iter().flatten().flatten();
            let left: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert!(!left.iter().any(|name| name.starts_with("probe-")), "{left:?}");
        }
    }
}
