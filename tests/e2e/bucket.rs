//! Archives and results in buckets of a real server: the same rows as in folders, few requests, and one line for what is wrong.

use crate::words::{SMALL, change, example, fleet, good};
use fleetloom_tests::bucket::{Certificate, Server, Versions};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom_with};
use fleetloom_tests::python;
use fleetloom_tests::table::data_files;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A server with a versioned bucket `telemetry` and a plain one `features`.
fn server() -> Server {
    let server = Server::versitygw();
    server.make("telemetry", Versions::Kept);
    server.make("features", Versions::None);
    server
}

/// Words for a store of a server, to stand between braces.
fn store(server: &Server, bucket: &str, prefix: &str) -> String {
    format!("url: \"s3://{bucket}/{prefix}/\", endpoint: \"{}\", pathStyle: true", server.endpoint())
}

fn run(server: &Server, file: &Path) -> Outcome {
    fleetloom_with(&server.environment(), &["run", "-f", &file.display().to_string()])
}

/// How often each kind of request was sent since `before`.
fn asked(server: &Server, before: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for verb in server.requests().split_off(before) {
        *counts.entry(verb).or_default() += 1;
    }
    counts
}

/// An example through buckets: its tables as from a folder, few requests, and no second version of what did not change.
fn example_through_buckets(name: &str, tables: &[&str], requests_max: [usize; 2]) {
    let (place, server) = (Place::new(), server());
    let folder = python::repository().join("manifests/examples").join(name);
    let words = example(&place, name);
    program::run(&place.words(&words)).expect(0);
    server.put_folder("telemetry", &format!("{name}/"), &folder);
    let words = change(&words, &format!("url: \"file://{}/\"", folder.display()), &store(&server, "telemetry", name));
    let words = tables.iter().fold(words, |words, table| {
        let from = format!("url: file://{}/{table}/", place.folder().display());
        change(&words, &from, &store(&server, "features", table))
    });
    let file = place.words(&words);
    for (said, most) in ["published", "nothing"].into_iter().zip(requests_max) {
        let before = server.requests().len();
        run(&server, &file).expect(0).says(said);
        let asked = asked(&server, before);
        eprintln!("{name}, {said}: {asked:?}");
        assert!(asked.values().sum::<usize>() <= most, "{asked:?}");
    }
    for table in tables {
        let through_bucket = server.files("features").join(table);
        assert_eq!(python::digest(&through_bucket), python::digest(&place.path(table)), "{table}");
        let versions = std::fs::read_dir(through_bucket.join("_delta_log")).expect("a table").flatten();
        assert_eq!(versions.filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count(), 1);
    }
}

// Each new table tries its store out, in some 40 requests.
#[test]
fn the_ur3_example_through_buckets_gives_the_rows_of_the_folder_and_a_second_run_publishes_nothing() {
    example_through_buckets("ur3", &["ur3-stops", "ur3-before-stops"], [170, 80]);
}

#[test]
fn the_comma_example_through_buckets_gives_the_rows_of_the_folder_and_a_second_run_publishes_nothing() {
    example_through_buckets("comma", &["comma-drive"], [90, 40]);
}

#[test]
fn a_day_of_twenty_robots_through_buckets_gives_the_bytes_of_the_folder() {
    let ((place, file), server) = (fleet(20, 24, 9, false), server());
    let words = std::fs::read_to_string(&file).expect("the words");
    let folder = program::run(&file).expect(0);
    server.put_folder("telemetry", "day/", &place.path("archive"));
    let words = change(&words, "url: archive/", &store(&server, "telemetry", "day"));
    let file = place.words(&change(&words, "url: result/", &store(&server, "features", "day")));
    let before = server.requests().len();
    let bucket = run(&server, &file).expect(0);
    let asked = asked(&server, before);
    let through_bucket = data_files(&server.files("features").join("day"));
    assert_eq!(through_bucket, data_files(&place.result()), "the same files, byte for byte");
    assert!(!through_bucket.is_empty());
    let (folder, bucket) = (folder.elapsed.as_secs_f64(), bucket.elapsed.as_secs_f64());
    let mb = 20.0 * 24.0 * 2.025; // 720 documents an hour of 2.81 KB each
    println!("{mb} MB of JSON: {folder:.1} s from a folder, {bucket:.1} s from a bucket; {asked:?}");
    // 295 MB of zip in reads of at most 8 MiB, some shards, no request per member.
    assert!(asked.values().sum::<usize>() <= 400, "{asked:?}");
}

/// The small archive in buckets, with its words.
fn small(server: &Server, place: &Place) -> PathBuf {
    server.put("telemetry", "small/2024-05-01.zip", &pack::zip(&[good("r1", 0), good("r1", 1)]));
    let words = change(SMALL, "url: archive/", &store(server, "telemetry", "small"));
    place.words(&change(&words, "url: result/", &store(server, "features", "small")))
}

#[test]
fn an_object_replaced_after_the_plan_is_read_as_planned_where_versions_are_kept_and_is_a_changed_input_elsewhere() {
    let server = server();
    server.make("unversioned", Versions::None);
    let object = pack::zip(&[good("r1", 0), good("r1", 1)]);
    let other = pack::zip(&[good("r1", 2), good("r1", 3), good("r1", 4)]);
    for (bucket, code, rows) in [("telemetry", 0, 2), ("unversioned", 5, 0)] {
        let place = Place::new();
        server.put(bucket, "small/2024-05-01.zip", &object);
        let words = change(SMALL, "url: archive/", &store(&server, bucket, "small"));
        let file = place.words(&change(&words, "url: result/", &store(&server, "features", bucket)));
        let file = file.display().to_string();
        let asked = |arguments: &[&str]| fleetloom_with(&server.environment(), arguments);
        let plan = asked(&["plan", "-f", &file, "--json"]).expect(0).stdout;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        let hash = plan["hash"].as_str().unwrap();
        server.put(bucket, "small/2024-05-01.zip", &other);
        asked(&["shard", "-f", &file, "--plan", hash, "--index", "0"]).expect(code);
        let table = server.files("features").join(bucket);
        if code == 0 {
            asked(&["commit", "-f", &file, "--plan", hash]).expect(0);
            assert_eq!(python::rows(&table).lines().filter(|line| line.contains("r1")).count(), rows);
        }
        asked(&["run", "-f", &file]).expect(0).says("published");
        assert_eq!(python::rows(&table).lines().filter(|line| line.contains("r1")).count(), 3, "the next run takes it");
    }
}

/// Insists on the exit code and on one line of complaint, which says this and none of these secrets.
fn complains(outcome: Outcome, code: i32, said: &[&str], secrets: &[&str]) {
    let outcome = said.iter().fold(outcome.expect(code), |outcome, words| outcome.says(words));
    let complaints = outcome.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(complaints, 1, "{outcome}");
    assert!(outcome.stderr.lines().count() <= 3, "{outcome}");
    for secret in secrets {
        assert!(!outcome.stdout.contains(secret) && !outcome.stderr.contains(secret), "{outcome}");
    }
    assert!(outcome.elapsed < Duration::from_secs(30), "{:?}\n{outcome}", outcome.elapsed);
}

/// A server on this machine that answers 403 to everything, for as long as the test's process lives.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Until the empty line: the request has no body.
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let _head = lines.take_while(|line| !line.is_empty()).count();
            let _gone =
                (&stream).write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    format!("http://{address}")
}

#[test]
fn without_keys_or_with_wrong_ones_the_run_ends_with_what_to_do() {
    let (place, server) = (Place::new(), server());
    let file = small(&server, &place).display().to_string();
    let run = |environment: &[(&str, &str)]| fleetloom_with(environment, &["run", "-f", &file]);
    let no_keys = ["no keys to reach it were found", "AWS_PROFILE", "FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID"];
    complains(run(&[]), 2, &no_keys, &[]);
    // Metadata services of this machine: one that never answers, and one that refuses.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for service in [format!("http://{}", silent.local_addr().unwrap()), refusing()] {
        let environment = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service)];
        complains(run(&environment), 2, &no_keys, &[]);
    }
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN"), ("AWS_SECRET_ACCESS_KEY", "hush-hush")];
    complains(run(&wrong), 2, &["s3://telemetry/small/", "refuses the access key"], &["AKIAUNKNOWN", "hush"]);
    place.write("credentials", "[default]\naws_access_key_id AKIAODD\n");
    let odd = place.path("credentials").display().to_string();
    complains(run(&[("AWS_SHARED_CREDENTIALS_FILE", &odd)]), 2, &["no keys to reach it were found"], &["AKIAODD"]);
    let keys = server.keys();
    let usual = [("AWS_ACCESS_KEY_ID", keys.id.as_str()), ("AWS_SECRET_ACCESS_KEY", keys.secret.as_str())];
    run(&usual).expect(0).says("published");
}

#[test]
fn a_missing_bucket_a_wrong_region_and_a_dead_endpoint_are_told_apart() {
    let (place, server) = (Place::new(), server());
    let words = std::fs::read_to_string(small(&server, &place)).unwrap();
    let keys = [server.keys().id.as_str(), server.keys().secret.as_str()];
    let run = |words: &str| run(&server, &place.words(words));
    complains(run(&change(&words, "s3://telemetry/", "s3://telemetri/")), 2, &["no bucket telemetri"], &keys);
    complains(run(&change(&words, "s3://features/", "s3://featurs/")), 2, &["no bucket featurs"], &keys);
    let elsewhere = change(&words, "pathStyle: true", "pathStyle: true, region: eu-west-9");
    complains(run(&elsewhere), 2, &["lies in another region"], &keys);
    let port = server.endpoint().rsplit(':').next().unwrap().to_owned();
    let dead = change(&words, &format!("127.0.0.1:{port}"), "127.0.0.1:1");
    complains(run(&dead), 4, &["cannot connect to http://127.0.0.1:1", "check the endpoint"], &keys);
    let secure = server.with_tls(&Certificate::new());
    let untrusted = change(&words, &server.endpoint(), &secure.endpoint());
    complains(run(&untrusted), 2, &["is not trusted", "FLEETLOOM_SOURCE_CA"], &keys);
}

#[test]
fn an_authority_and_keys_are_taken_for_each_side_alone() {
    let (place, server, certificate) = (Place::new(), server(), Certificate::new());
    let secure = server.with_tls(&certificate);
    let words = std::fs::read_to_string(small(&server, &place)).unwrap();
    let file = place.words(&change(&words, &server.endpoint(), &secure.endpoint())).display().to_string();
    let authority = certificate.authority().display().to_string();
    let mut environment = server.environment().to_vec();
    environment.push(("FLEETLOOM_SOURCE_CA", &authority));
    let half = fleetloom_with(&environment, &["run", "-f", &file]);
    complains(half, 2, &["s3://features/small/", "FLEETLOOM_RESULT_CA"], &[]);
    environment.push(("FLEETLOOM_RESULT_CA", &authority));
    fleetloom_with(&environment, &["run", "-f", &file]).expect(0).says("published");
}
