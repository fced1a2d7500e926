//! What is made of answers that a sound server seldom gives: conflicts, redirects, lost and torn ones. The server here is a
//! script; the real ones are in `s3.rs`.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod common;

use bytes::Bytes;
use common::s3::{SHORT, environment, words};
use fleetloom_archive::open::Side;
use fleetloom_archive::s3::S3Store;
use fleetloom_archive::store::{Object, Pin, Put, Store, StoreError};
use fleetloom_tests::signed::Keys;
use futures::TryStreamExt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with a request.
#[derive(Debug, Clone)]
enum Say {
    /// Answers with a status, further headers and a body.
    Answer(u16, &'static str, &'static str),
    /// Promises ten bytes, sends five and hangs up.
    Torn,
    /// Hangs up.
    Nothing,
}

/// A server that answers one request after the other as it was told, the last answer for ever.
struct Script {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn new(answers: &[Say]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) = (answers.to_vec(), Arc::clone(&asked));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let answer = answers.get(number).or(answers.last()).unwrap();
                // A client that went away is no matter of ours.
                let _gone = serve(&stream.unwrap(), answer, &log);
            }
        });
        Self { endpoint, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn store(&self, side: Side) -> S3Store {
        let keys = Keys { id: "AKIATEST".to_owned(), secret: "hush-hush".to_owned() };
        S3Store::with_limits(&words("s3://b/", &self.endpoint), side, &environment(&keys, ""), SHORT).unwrap()
    }
}

fn serve(mut stream: &TcpStream, say: &Say, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        head += &line;
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    match say {
        Say::Nothing => Ok(()),
        Say::Torn => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n01234"),
        Say::Answer(status, headers, body) => {
            write!(stream, "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\n", body.len())?;
            write!(stream, "Connection: close\r\n\r\n{body}")
        }
    }
}

/// An error document with a code.
macro_rules! code {
    ($status:expr, $code:literal) => {
        Say::Answer($status, "", concat!("<Error><Code>", $code, "</Code><Message>m</Message></Error>"))
    };
}

const DONE: Say = Say::Answer(200, "ETag: \"e\"\r\n", "");

async fn create(script: &Script) -> Result<Object, StoreError> {
    script.store(Side::Result).put("key", Bytes::from_static(b"x"), Put::IfAbsent).await
}

async fn list(script: &Script, side: Side) -> Result<Vec<Object>, StoreError> {
    script.store(side).list("").try_collect().await
}

#[tokio::test]
async fn a_conflict_is_asked_again_and_never_means_exists() {
    let script = Script::new(&[code!(409, "ConditionalRequestConflict"), code!(503, "SlowDown"), DONE]);
    assert_eq!(create(&script).await.unwrap().etag.as_deref(), Some("e"));
    assert_eq!(script.asked().len(), 3);
    let script = Script::new(&[code!(409, "ConditionalRequestConflict"), code!(412, "PreconditionFailed")]);
    assert!(matches!(create(&script).await, Err(StoreError::Exists { .. })));
    let script = Script::new(&[code!(409, "OperationAborted")]);
    let said = create(&script).await;
    assert!(matches!(said, Err(StoreError::Unavailable { .. })), "{said:?}");
    assert!(script.asked().len() > 2, "{:?}", script.asked());
}

#[tokio::test]
async fn a_lost_answer_of_a_conditional_put_is_unknown_and_not_asked_again() {
    for lost in [Say::Nothing, code!(500, "InternalError"), Say::Answer(503, "", ""), Say::Answer(502, "", "<html>")] {
        let script = Script::new(&[lost.clone(), DONE]);
        let said = create(&script).await;
        assert!(matches!(said, Err(StoreError::Unknown { .. })), "{lost:?}: {said:?}");
        assert_eq!(script.asked().len(), 1, "{lost:?}");
        let script = Script::new(&[lost.clone(), DONE]);
        script.store(Side::Result).put("key", Bytes::from_static(b"x"), Put::Always).await.unwrap();
        assert_eq!(script.asked().len(), 2, "a put without a condition may be repeated: {lost:?}");
    }
}

#[tokio::test]
async fn a_torn_body_is_read_again_whole() {
    let script = Script::new(&[Say::Torn, Say::Nothing, Say::Answer(206, "ETag: \"e\"\r\n", "0123456789")]);
    let pin = Pin { key: "key".to_owned(), version: None, etag: Some("e".to_owned()), bytes: 10 };
    assert_eq!(script.store(Side::Source).read(&pin, 0..10).await.unwrap(), "0123456789");
    assert_eq!(script.asked().len(), 3);
    let whole = Script::new(&[Say::Answer(200, "", "0123456789 and more")]);
    let said = whole.store(Side::Source).read(&pin, 0..10).await.unwrap_err().to_string();
    assert!(said.contains("does not keep to a range"), "{said}");
    let short = Script::new(&[Say::Answer(206, "", "012")]);
    assert!(matches!(short.store(Side::Source).read(&pin, 0..10).await, Err(StoreError::Changed { .. })));
}

#[tokio::test]
async fn what_is_out_of_date_is_said_as_that() {
    for (answer, words) in [
        (code!(403, "RequestTimeTooSkewed"), "the clock of this machine is wrong"),
        (code!(400, "ExpiredToken"), "its keys have expired"),
    ] {
        let script = Script::new(&[answer]);
        let error = list(&script, Side::Result).await.unwrap_err();
        assert!(matches!(error, StoreError::Expired { .. }) && error.to_string().contains(words), "{error}");
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test]
async fn another_region_is_named_when_the_answer_names_it() {
    let redirect = "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>";
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-south-2</Region></Error>";
    for (answer, region) in [
        (Say::Answer(301, "x-amz-bucket-region: eu-central-1\r\n", redirect), "write `region: eu-central-1`"),
        (Say::Answer(400, "", malformed), "write `region: eu-south-2`"),
        (Say::Answer(301, "", redirect), "write it as `region`"),
        (Say::Answer(301, "x-amz-bucket-region: <b>no region</b>\r\n", redirect), "write it as `region`"),
    ] {
        let said = list(&Script::new(&[answer]), Side::Result).await.unwrap_err().to_string();
        assert!(said.contains(region), "{said}");
    }
}

#[tokio::test]
async fn what_a_server_echoes_of_a_request_is_not_repeated() {
    let echo = "<Error><Code>SignatureDoesNotMatch</Code><Message>AKIATEST</Message><AWSAccessKeyId>AKIATEST</AWSAccessKeyId>\
                <StringToSign>AWS4-HMAC-SHA256 hush-hush</StringToSign></Error>";
    let script = Script::new(&[Say::Answer(403, "", echo)]);
    let error = list(&script, Side::Result).await.unwrap_err();
    let said = format!("{error} {error:?} {:?}", script.store(Side::Result));
    assert!(said.contains("refuses the access key (SignatureDoesNotMatch)"), "{said}");
    assert!(!said.contains("AKIATEST") && !said.contains("hush"), "{said}");
}

const VERSIONS: &str = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
    <Version><Key>a</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><Size>1</Size><ETag>\"x\"</ETag></Version>\
    <Version><Key>a</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><Size>1</Size><ETag>\"y\"</ETag></Version>\
    <Version><Key>b</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><Size>1</Size><ETag>\"z\"</ETag></Version>\
    <DeleteMarker><Key>c</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest></DeleteMarker></ListVersionsResult>";
const OBJECTS: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
    <Contents><Key>a</Key><Size>1</Size><ETag>\"x\"</ETag></Contents><Contents><Key>d/</Key><Size>0</Size></Contents>\
    </ListBucketResult>";
const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// Keys with version ids, as a source is listed.
async fn versions(script: &Script) -> Vec<(String, Option<String>)> {
    let objects = list(script, Side::Source).await.unwrap();
    objects.into_iter().map(|object| (object.key, object.version)).collect()
}

#[tokio::test]
async fn versions_are_listed_as_far_as_the_keys_may_ask() {
    let (denied, xml) = (code!(403, "AccessDenied"), |body| Say::Answer(200, "", body));
    let [a, a2, b, null] = ["a", "v2", "b", "null"].map(str::to_owned);
    let kept = Script::new(&[xml(ENABLED), xml(VERSIONS)]);
    assert_eq!(versions(&kept).await, [(a.clone(), Some(a2.clone())), (b.clone(), Some(null))]);
    let untold = Script::new(&[denied.clone(), xml(VERSIONS)]);
    assert_eq!(versions(&untold).await, [(a.clone(), Some(a2)), (b, None)]);
    assert_eq!(untold.asked().len(), 3);
    let by_tag = Script::new(&[denied.clone(), denied, xml(OBJECTS)]);
    assert_eq!(versions(&by_tag).await, [(a.clone(), None)]);
    let unknown = Script::new(&[code!(501, "NotImplemented"), xml(OBJECTS)]);
    assert_eq!(versions(&unknown).await, [(a, None)]);
}
