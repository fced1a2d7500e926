//! A bucket of a real server keeps every promise of a store, and what it refuses is said in one line.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod common;

use bytes::Bytes;
use common::s3::{SHORT, environment, store, words};
use fleetloom_archive::conformance::{conforms, keeps_versions};
use fleetloom_archive::counting::Counting;
use fleetloom_archive::members::Members;
use fleetloom_archive::open::Side;
use fleetloom_archive::s3::S3Store;
use fleetloom_archive::s3::settings::{Environment, Limits};
use fleetloom_archive::store::{Object, Put, Store, StoreError};
use fleetloom_tests::bucket::{Certificate, Server, Versions};
use fleetloom_tests::signed::Keys;
use futures::TryStreamExt;
use futures::future::join_all;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zip::CompressionMethod;

async fn listed(store: &dyn Store) -> Result<Vec<Object>, StoreError> {
    store.list("").try_collect().await
}

/// What the store says to a listing and to a put, which fail in this test.
async fn said(store: &S3Store) -> String {
    let list = listed(store).await.unwrap_err().to_string();
    let put = store.put("key", Bytes::from_static(b"x"), Put::IfAbsent).await.unwrap_err().to_string();
    assert!(!list.contains('\n') && !put.contains('\n'), "one line each: {list} | {put}");
    format!("{list} | {put}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms_on_both_sides_with_and_without_a_prefix() {
    let server = Server::versitygw();
    server.make("plain", Versions::None);
    // Not `conforms` on the versioned one: where versions are kept, versitygw 1.8 takes a deleted key for one that exists.
    server.make("versioned", Versions::Kept);
    for side in [Side::Source, Side::Result] {
        for url in ["s3://plain/", "s3://plain/a/b/"] {
            conforms(&store(&server, url, side)).await;
        }
    }
    keeps_versions(&store(&server, "s3://versioned/kept/", Side::Source)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_after_a_thousand_and_names_only_what_is_there_now() {
    let server = Server::versitygw();
    server.make("many", Versions::Kept);
    let source = store(&server, "s3://many/p/", Side::Source);
    for n in 0..3 {
        source.put("replaced", Bytes::from(vec![b'x'; n]), Put::Always).await.unwrap();
    }
    let result = store(&server, "s3://many/p/", Side::Result);
    let keys: Vec<String> = (0..2100).map(|n| format!("k/{n:05}")).collect();
    for keys in keys.chunks(64) {
        join_all(keys.iter().map(|key| result.put(key, Bytes::new(), Put::Always))).await;
    }
    source.delete("k/00001").await.unwrap();
    for store in [&source, &result] {
        let mut found: Vec<String> = listed(store).await.unwrap().into_iter().map(|object| object.key).collect();
        found.sort();
        let named = found.len();
        found.dedup();
        assert_eq!((named, found.len()), (2100, 2100), "each is named once");
        assert!(!found.contains(&"k/00001".to_owned()), "a deleted one is not named");
    }
    assert!(listed(&source).await.unwrap().iter().all(|object| object.version.is_some()));
    assert!(listed(&result).await.unwrap().iter().all(|object| object.version.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_of_a_hundred_thousand_members_is_planned_in_few_requests() {
    let server = Server::versitygw();
    server.make("zips", Versions::Kept);
    let names: Vec<String> = (0..100_000).map(|n| format!("r{}/{n}.json", n % 50)).collect();
    let members = names.iter().map(|name| (name.as_str(), b"{}".as_slice()));
    let zip = Bytes::from(common::zip_of(members, CompressionMethod::Stored));
    let inner = store(&server, "s3://zips/", Side::Source);
    let mut upload = inner.upload("2024-05-01.zip").await.unwrap();
    upload.write(zip).await.unwrap();
    upload.finish().await.unwrap();
    let counting = Counting::around(Arc::new(inner));
    let before = server.requests().len();
    let archive = common::archive("{date}.zip", Some("{robot}/{millis}.json"));
    let objects = listed(&counting).await.unwrap();
    let dynamic: Arc<dyn Store> = Arc::new(counting.clone());
    let mut members = Members::open(dynamic, &archive, 0, &objects[0]).await.unwrap();
    let mut count = 0;
    while let Some(found) = members.next().await.unwrap() {
        count += found.len();
    }
    assert_eq!(count, 100_000);
    let counts = counting.counts();
    assert!(counts.list == 1 && counts.head == 0 && counts.get == 0 && counts.read <= 4, "{counts:?}");
    let asked = server.requests().split_off(before);
    assert!((4..=7).contains(&asked.len()), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_uploads_are_put_together_and_given_up_ones_leave_no_parts() {
    let server = Server::versitygw();
    server.make("parts", Versions::None);
    let store = store(&server, "s3://parts/", Side::Result);
    let piece = Bytes::from(vec![7_u8; 5 << 20]);
    let mut upload = store.upload("whole").await.unwrap();
    for _ in 0..7 {
        upload.write(piece.clone()).await.unwrap();
    }
    let object = upload.finish().await.unwrap();
    assert_eq!((object.bytes, store.head("whole").await.unwrap().bytes), (35 << 20, 35 << 20));
    for give_up in [true, false] {
        let mut upload = store.upload("half").await.unwrap();
        for _ in 0..7 {
            upload.write(piece.clone()).await.unwrap();
        }
        if give_up {
            upload.abort().await.unwrap();
        } else {
            drop(upload);
        }
    }
    let begun = |word: &str| server.requests().iter().filter(|line| line.contains(word)).count();
    let until = Instant::now() + Duration::from_secs(30);
    while begun("s3_AbortMultipartUpload") < 2 && Instant::now() < until {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun("s3_AbortMultipartUpload"), 2, "{:?}", server.requests());
    assert!(store.head("half").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_the_servers_authority() {
    let (server, certificate) = (Server::versitygw(), Certificate::new());
    server.make("safe", Versions::None);
    let secure = server.with_tls(&certificate);
    let words = words("s3://safe/", &secure.endpoint());
    let open = |authority: &str| S3Store::new(&words, Side::Result, &environment(server.keys(), authority)).unwrap();
    let trusting = open(&certificate.authority().display().to_string());
    trusting.put("a", Bytes::from_static(b"x"), Put::IfAbsent).await.unwrap();
    assert_eq!(trusting.get("a").await.unwrap().1, "x");
    let said = said(&open("")).await;
    assert!(said.contains("is not trusted") && said.contains("FLEETLOOM_RESULT_CA"), "{said}");
    for (authority, why) in [("/nowhere.pem", "cannot be read"), ("/proc/self/cmdline", "holds no PEM certificate")] {
        let said = listed(&open(authority)).await.unwrap_err().to_string();
        assert!(said.contains(why) && said.contains(authority) && said.contains("FLEETLOOM_RESULT_CA"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_said_with_what_to_do_and_without_keys() {
    let server = Server::versitygw();
    server.make("own", Versions::None);
    let stranger = server.stranger();
    let unknown = Keys { id: "AKIAUNKNOWN".to_owned(), secret: "hush-unknown".to_owned() };
    let forged = Keys { id: server.keys().id.clone(), secret: "hush-forged".to_owned() };
    for (keys, url, region, expected) in [
        (&stranger, "s3://own/", None, "no permission to list"),
        (&unknown, "s3://own/", None, "refuses the access key (InvalidAccessKeyId)"),
        (&forged, "s3://own/", None, "refuses the access key (SignatureDoesNotMatch)"),
        (server.keys(), "s3://missing/", None, "no bucket missing at http://127.0.0.1"),
        (server.keys(), "s3://own/", Some("eu-west-9"), "lies in another region; write"),
    ] {
        let words = pipeline::spec::StoreSpec { region: region.map(str::to_owned), ..words(url, &server.endpoint()) };
        for side in [Side::Source, Side::Result] {
            let store = S3Store::with_limits(&words, side, &environment(keys, ""), SHORT).unwrap();
            let said = said(&store).await + &format!("{store:?}");
            assert!(said.contains(expected), "{expected}: {said}");
            for secret in [&keys.secret, &keys.id] {
                assert!(!said.contains(secret.as_str()), "{said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_or_never_answers_is_given_up() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = Keys { id: "id".to_owned(), secret: "secret".to_owned() };
    let open = |endpoint: String, limits: Limits| {
        S3Store::with_limits(&words("s3://b/", &endpoint), Side::Result, &environment(&keys, ""), limits).unwrap()
    };
    let started = Instant::now();
    let gone = open(format!("http://{nobody}"), Limits::default());
    let StoreError::Unavailable { source, .. } = listed(&gone).await.unwrap_err() else { panic!("it is unavailable") };
    assert!(source.to_string().contains("cannot connect to http://127.0.0.1"), "{source}");
    let deaf = open(format!("http://{}", silent.local_addr().unwrap()), SHORT);
    assert!(matches!(listed(&deaf).await, Err(StoreError::Unavailable { .. })));
    let put = deaf.put("a", Bytes::new(), Put::IfAbsent).await;
    assert!(matches!(put, Err(StoreError::Unknown { .. })), "it may have been written: {put:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_where_tls_is_spoken_is_said() {
    let (server, certificate) = (Server::versitygw(), Certificate::new());
    let plain = words("s3://b/", &server.endpoint().replace("http:", "https:"));
    let store = S3Store::with_limits(&plain, Side::Source, &environment(server.keys(), ""), SHORT).unwrap();
    let text = said(&store).await;
    assert!(text.contains("do not speak the same protocol") && text.contains("try http://"), "{text}");
    let secure = server.with_tls(&certificate);
    let words = words("s3://b/", &secure.endpoint().replace("https:", "http:"));
    let store = S3Store::with_limits(&words, Side::Source, &environment(server.keys(), ""), SHORT).unwrap();
    said(&store).await;
}

#[test]
fn half_a_key_is_no_key() {
    let half = Environment::from([("FLEETLOOM_RESULT_AWS_ACCESS_KEY_ID", "x")]);
    assert!(S3Store::new(&words("s3://b/", "http://127.0.0.1:1"), Side::Result, &half).is_err());
}
