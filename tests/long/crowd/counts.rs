//! What the API server was asked, as it counts itself, and what the operator says that it wrote.

use fleetloom_tests::cluster::Crowd;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Sub;

/// Calls that were carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Jobs that were created: nobody but the operator does.
    pub(super) jobs: u64,
    /// Jobs that were suspended, resumed or scaled.
    pub(super) patched: u64,
    /// Statuses of Runs that were written.
    pub(super) statuses: u64,
    /// ConfigMaps that were created.
    pub(super) words: u64,
    /// Everything that the operator says that it wrote, events aside.
    pub(super) told: u64,
}

impl Counts {
    /// Until now.
    pub(super) fn of(crowd: &Crowd, metrics: u16) -> Self {
        let server = crowd.kubectl().raw("/metrics").unwrap_or_else(|error| panic!("{error}"));
        let of = |resource: &str, subresource: &str, verb: &str| {
            let labels = [("resource", resource), ("subresource", subresource), ("verb", verb)];
            sum(&server, "apiserver_request_total", |line| {
                let answered_well = [",code=\"2", "{code=\"2"].iter().any(|code| line.contains(code));
                answered_well && labels.iter().all(|(name, value)| has(line, name, value))
            })
        };
        let operator = scraped(metrics);
        Self {
            jobs: of("jobs", "", "POST"),
            patched: of("jobs", "", "PATCH"),
            statuses: of("runs", "status", "PUT"),
            words: of("configmaps", "", "POST"),
            told: sum(&operator, "fleetloom_writes_total", |line| !has(line, "call", "Event")),
        }
    }

    /// What came to it since then.
    pub(super) fn since(self, before: &Self) -> Self {
        let of = |count: fn(&Self) -> u64| count(&self).sub(count(before));
        Self {
            jobs: of(|it| it.jobs),
            patched: of(|it| it.patched),
            statuses: of(|it| it.statuses),
            words: of(|it| it.words),
            told: of(|it| it.told),
        }
    }
}

/// Whether a sample has a label of that value.
fn has(line: &str, name: &str, value: &str) -> bool {
    [format!("{{{name}=\"{value}\""), format!(",{name}=\"{value}\"")].iter().any(|label| line.contains(label))
}

/// The sum of a metric's samples that are wanted.
fn sum(text: &str, metric: &str, wanted: impl Fn(&str) -> bool) -> u64 {
    let samples = text.lines().filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{')));
    samples.filter(|line| wanted(line)).map(value).sum()
}

fn value(sample: &str) -> u64 {
    let text = sample.rsplit_once("} ").map_or("", |(_, value)| value);
    // 1.2e+06 is how the API server writes a million.
    let number: f64 = text.trim().parse().unwrap_or_else(|error| panic!("{sample}: {error}"));
    format!("{number:.0}").parse().unwrap_or_else(|error| panic!("{sample}: {error}"))
}

/// What the operator says at a port.
fn scraped(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the operator listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it takes a request");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    said
}
