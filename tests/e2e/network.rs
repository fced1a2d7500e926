//! A network between the program and its buckets that loses, doubles and delays requests and loses answers, processes that are
//! killed between them, and two runs on one table: what a reader finds at any time is a whole version, and what comes out are
//! the rows of a run that nothing happened to, published once. Every call of a run in one process is in the worker's own tests.

use crate::words::{SMALL, change, good};
use fleetloom_tests::bucket::{Server, Versions};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{Outcome, Running, fleetloom_with, start_with};
use fleetloom_tests::proxy::{Choice, Moment, Proxy, Request};
use fleetloom_tests::table::{Content, Table};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Of the points of a run where something is lost or a process is killed, one in so many is tried.
const EVERY: usize = 20;

/// A server with the small archive of two robots and three days, behind a proxy.
struct Field {
    server: Server,
    proxy: Proxy,
    place: Place,
}

impl Field {
    fn new() -> Self {
        let server = Server::versitygw();
        server.make("telemetry", Versions::Kept);
        server.make("features", Versions::None);
        for day in ["2024-05-01", "2024-05-02", "2024-05-03"] {
            server.put("telemetry", &format!("{day}.zip"), &pack::zip(&[good("r1", 0), good("r1", 1), good("r2", 1)]));
        }
        let proxy = server.behind_proxy();
        Self { server, proxy, place: Place::new() }
    }

    /// The words for a table, everything through the proxy.
    fn words(&self, table: &str) -> PathBuf {
        self.place.write(&format!("{table}.yaml"), self.text(table))
    }

    fn text(&self, table: &str) -> String {
        let store =
            |url: &str| format!("url: \"s3://{url}/\", endpoint: \"{}\", pathStyle: true", self.proxy.endpoint());
        let words = change(SMALL, "url: archive/", &store("telemetry"));
        change(&words, "url: result/", &store(&format!("features/{table}")))
    }

    fn run(&self, file: &Path) -> Outcome {
        fleetloom_with(&self.server.environment(), &["run".as_ref(), "-f".as_ref(), file.as_os_str()])
    }

    fn start(&self, file: &Path) -> Running {
        start_with(&self.server.environment(), &["run".as_ref(), "-f".as_ref(), file.as_os_str()])
    }

    fn table(&self, name: &str) -> Table {
        self.server.table("features", name)
    }

    fn quiet(&self) {
        self.proxy.choose(|_, _| Choice::Pass);
    }

    /// What a run that nothing happens to publishes, and how many requests it takes.
    fn whole(&self) -> (Content, usize) {
        self.quiet();
        self.run(&self.words("whole")).expect(0).says("published");
        (self.table("whole").content(), self.proxy.requests())
    }
}

/// Insists that a reader saw nothing and then that content, once.
fn saw(seen: &[Content], whole: &Content, point: &str) {
    let nothing = |content: &Content| content.versions == 0;
    let (before, after): (Vec<_>, Vec<_>) = seen.iter().partition(|content| nothing(content));
    assert!(before.len() <= 1 && after.iter().all(|content| *content == whole), "{point}: {seen:?}");
}

#[test]
fn whatever_goes_wrong_with_a_request_or_its_answer_the_version_is_published_once() {
    let field = Field::new();
    let (whole, requests) = field.whole();
    let harms = [
        (Moment::Request, Choice::Lose),
        (Moment::Request, Choice::Tear),
        (Moment::Request, Choice::Busy),
        (Moment::Request, Choice::Twice),
        (Moment::Request, Choice::Late),
        (Moment::Answer, Choice::Lose),
        (Moment::Answer, Choice::Tear),
        (Moment::Answer, Choice::Busy),
    ];
    let points = (0..requests).flat_map(|number| harms.map(|harm| (number, harm)));
    let mut tried = 0;
    for (number, (moment, choice)) in points.step_by(EVERY + 1) {
        let (name, point) = (format!("wronged-{tried}"), format!("{choice:?} the {moment:?} {number} of {requests}"));
        let (file, reader) = (field.words(&name), field.table(&name).watch());
        field
            .proxy
            .choose(move |at, request| if request.number == number && at == moment { choice } else { Choice::Pass });
        field.run(&file).expect(0);
        let content = field.table(&name).content();
        saw(&reader.seen(), &whole, &point);
        assert_eq!(content, whole, "{point}");
        tried += 1;
    }
    eprintln!("{tried} of {} points of {requests} requests were tried", requests * harms.len());
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_listing_whose_answer_breaks_off_is_asked_for_again() {
    let field = Field::new();
    let (whole, _) = field.whole();
    let file = field.words("listed");
    let torn = Mutex::new(BTreeSet::new());
    field.proxy.choose(move |at, request| {
        let lists = at == Moment::Answer && ["list-type=2", "versions"].iter().any(|word| request.path.contains(word));
        let first = || torn.lock().expect("nobody panics here").insert(request.path.clone());
        if lists && first() { Choice::Tear } else { Choice::Pass }
    });
    field.run(&file).expect(0);
    assert_eq!(field.table("listed").content(), whole);
}

/// Holds whom it is asked to hold: the test is told of each, and lets each go.
struct Gate {
    tell: SyncSender<()>,
    go: Mutex<Receiver<()>>,
}

/// The test's side of a gate.
struct Keeper {
    held: Receiver<()>,
    go: SyncSender<()>,
}

fn gate() -> (Gate, Keeper) {
    let ((tell, held), (go, gone)) = (sync_channel(1), sync_channel(1));
    (Gate { tell, go: Mutex::new(gone) }, Keeper { held, go })
}

impl Gate {
    /// Waits until the test lets go.
    fn hold(&self) {
        self.tell.send(()).expect("the test waits");
        let go = self.go.lock().expect("one is held at a time");
        go.recv().expect("the test lets go");
    }
}

#[test]
fn a_run_killed_at_a_request_leaves_no_half_version_and_the_next_one_publishes_once() {
    let field = Field::new();
    let (whole, requests) = field.whole();
    let points = (0..requests).flat_map(|number| [(number, Moment::Request), (number, Moment::Answer)]);
    let (mut tried, mut killed) = (0, 0);
    for (number, moment) in points.step_by(EVERY - 1) {
        let (name, point) = (format!("killed-{tried}"), format!("killed at the {moment:?} {number} of {requests}"));
        let (file, reader) = (field.words(&name), field.table(&name).watch());
        let (gate, keeper) = gate();
        field.proxy.choose(move |at, request| {
            if request.number == number && at == moment {
                gate.hold();
                return Choice::Lose;
            }
            Choice::Pass
        });
        let run = field.start(&file);
        if run.wait_until(|| keeper.held.try_recv().is_ok()) {
            run.signal(Signal::KILL);
            assert_eq!(run.finish().code(), 128 + 9, "{point}");
            keeper.go.send(()).expect("the request is held");
            killed += 1;
        } else {
            // Requests that are sent at a time, and tried again, make some runs a little shorter than others.
            run.finish().expect(0);
            assert!(number + 10 > requests, "{point}: the run never came there");
        }
        field.quiet();
        field.run(&file).expect(0);
        saw(&reader.seen(), &whole, &point);
        assert_eq!(field.table(&name).content(), whole, "{point}");
        tried += 1;
    }
    eprintln!("{killed} runs were killed at {tried} of {} points of {requests} requests", requests * 2);
    assert!(killed >= requests / 10, "{killed}");
}

/// Whether a request puts a version of the log.
fn publishes(request: &Request) -> bool {
    request.verb == "PUT" && request.path.contains("/_delta_log/0")
}

#[test]
fn of_two_runs_at_once_with_the_same_words_one_publishes_and_the_other_finds_that_done() {
    let field = Field::new();
    let (whole, _) = field.whole();
    let file = field.words("same");
    let (held, other) = overtaken(&field, &file, &file);
    other.expect(0).says("published");
    held.expect(0).says("version 0");
    assert_eq!(field.table("same").content(), whole);
}

#[test]
fn of_two_runs_at_once_with_other_words_the_later_one_plans_anew_and_publishes_on_top() {
    let field = Field::new();
    let file = field.words("other");
    let more = change(&field.text("other"), "statistics: [count, mean]", "statistics: [count, mean, max]");
    let more = field.place.write("more.yaml", more);
    let (held, other) = overtaken(&field, &more, &file);
    other.expect(0).says("published");
    held.expect(0).says("planning anew").says("version 1");
    field.quiet();
    let alone = change(&std::fs::read_to_string(&more).expect("the words"), "features/other", "features/alone");
    field.run(&field.place.write("alone.yaml", alone)).expect(0);
    let (content, alone) = (field.table("other").content(), field.table("alone").content());
    assert_eq!((content.versions, content.files), (2, alone.files));
}

/// Runs `first` until it puts its version, then `second` to its end, then `first` to its end.
fn overtaken(field: &Field, first: &Path, second: &Path) -> (Outcome, Outcome) {
    let (gate, keeper) = gate();
    let once = Mutex::new(Some(gate));
    field.proxy.choose(move |at, request| {
        if at == Moment::Request && publishes(request) {
            let gate = once.lock().expect("no holder panics").take();
            if let Some(gate) = gate {
                gate.hold();
            }
        }
        Choice::Pass
    });
    let held = field.start(first);
    keeper.held.recv().expect("it comes to put its version");
    let other = field.run(second);
    keeper.go.send(()).expect("the request is held");
    (held.finish(), other)
}
