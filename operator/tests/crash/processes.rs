//! The operator as a process, behind a proxy: killed while a call is held that the API server has not seen, or an answer that the
//! operator has not, and started again.

use crate::real::JOBS;
use crate::stage::{DEADLINE, LARGE, Place, SMALL, has_ended, stage};
use fleetloom_tests::cluster::Door;
use fleetloom_tests::place::Place as Folder;
use fleetloom_tests::program::Running;
use fleetloom_tests::proxy::{Choice, Moment, Proxy, Request};
use operator::api::Run;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Of the points of a life, one in so many is tried.
const EVERY: usize = 20;

/// Points that are tried at a time: mostly they wait.
const AT_A_TIME: usize = 4;

/// How often a Run is looked at while the operator may still come to the point.
const POLL: Duration = Duration::from_millis(100);

/// Starts an operator that looks at one namespace, as a pod of that name.
pub(crate) fn start(kubeconfig: &Path, namespace: &str, pod: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetloom-operator"));
    command.args(["run", "--watch-namespace", namespace, "--worker-image", "worker:1", "--metrics-port", "0"]);
    command.args(arguments).env("KUBECONFIG", kubeconfig).env("HOSTNAME", pod).env_remove("RUST_LOG");
    Running::start(command)
}

/// A namespace and an operator for it, which sees the API server through a proxy.
struct Field {
    place: Place,
    proxy: Proxy,
    folder: Folder,
}

impl Field {
    fn new(door: &Door, namespace: &str) -> Self {
        let place = stage().block_on(stage().place(namespace, &json!({})));
        let (proxy, folder) = (Proxy::new(Ipv4Addr::LOCALHOST, door.at()), Folder::new());
        let words = format!(
            "{{apiVersion: v1, kind: Config, current-context: proxy, users: [{{name: nobody, user: {{}}}}],\n\
             clusters: [{{name: proxy, cluster: {{server: \"{}\"}}}}],\n\
             contexts: [{{name: proxy, context: {{cluster: proxy, user: nobody}}}}]}}\n",
            proxy.endpoint()
        );
        folder.write("kubeconfig", words);
        Self { place, proxy, folder }
    }

    fn operator(&self) -> Running {
        start(&self.folder.path("kubeconfig"), &self.place.namespace, "operator", &["--health-port", "0"])
    }

    fn has_ended(&self, run: &str) -> bool {
        let run = stage().block_on(self.place.api::<Run>().get(run));
        has_ended(&run.expect("the Run is there"))
    }

    /// Waits for the Run's end, lets the operator end too, and says what came of it.
    fn end(&self, operator: Running, run: &str) -> Value {
        stage().block_on(Box::pin(self.place.ended(run)));
        operator.signal(Signal::TERM);
        operator.finish().expect(0);
        stage().block_on(async {
            let jobs = self.place.names(JOBS).await;
            stage().seen.created_once(&self.place, &jobs.iter().map(String::as_str).collect::<Vec<_>>()).await;
            self.place.outcome(run).await
        })
    }
}

/// Numbers the calls that are no watch and no first list of one, so that the same number is about the same place in a life.
#[derive(Default)]
struct Numbers {
    next: usize,
    of: HashMap<usize, usize>,
}

impl Numbers {
    fn number(&mut self, request: &Request) -> Option<usize> {
        if request.path.contains("watch=true")
            || request.path.contains("limit=50&")
            || request.path.ends_with("limit=50")
        {
            return None;
        }
        let Self { next, of } = self;
        let number = of.entry(request.number).or_insert_with(|| {
            *next += 1;
            *next - 1
        });
        Some(*number)
    }
}

/// Calls of a life that nothing happens to, and what comes of it.
fn whole(door: &Door, run: &str) -> (Value, usize) {
    let field = Field::new(door, &format!("{run}-process"));
    let numbers = Arc::<Mutex<Numbers>>::default();
    let counting = Arc::clone(&numbers);
    field.proxy.choose(move |_, request| {
        counting.lock().expect("no holder panics").number(request);
        Choice::Pass
    });
    stage().block_on(field.place.run(run));
    let operator = field.operator();
    stage().block_on(Box::pin(field.place.ended(run)));
    let calls = numbers.lock().expect("no holder panics").next;
    (field.end(operator, run), calls)
}

/// Whoever waits until one is held, and lets it go.
struct Keeper {
    held: Receiver<()>,
    go: SyncSender<()>,
}

/// Holds one call, or its answer, and loses it when the test lets go.
fn hold(proxy: &Proxy, wanted: usize, at: Moment) -> Keeper {
    let ((tell, held), (go, gone)) = (sync_channel(1), sync_channel(1));
    let (numbers, gone) = (Mutex::<Numbers>::default(), Mutex::new(gone));
    proxy.choose(move |moment, request| {
        let number = numbers.lock().expect("no holder panics").number(request);
        if (number, moment) != (Some(wanted), at) {
            return Choice::Pass;
        }
        // Where the test does not wait any more, nobody is held.
        let _told = tell.send(());
        let _gone = gone.lock().expect("one is held").recv();
        Choice::Lose
    });
    Keeper { held, go }
}

/// Kills the operator at a point, and starts another one: whether it came there, and what came of the Run.
fn killed(door: &Door, run: &str, number: usize, at: Moment) -> (bool, Value) {
    let field = Field::new(door, &format!("{run}-process-{number}-{at:?}").to_lowercase());
    let keeper = hold(&field.proxy, number, at);
    stage().block_on(field.place.run(run));
    let operator = field.operator();
    let began = Instant::now();
    let came = loop {
        match keeper.held.recv_timeout(POLL) {
            Ok(()) => break true,
            Err(RecvTimeoutError::Disconnected) => break false,
            // Looks at the Pipeline that come together make some lives a little shorter than others.
            Err(RecvTimeoutError::Timeout) if field.has_ended(run) => break keeper.held.recv_timeout(POLL).is_ok(),
            Err(RecvTimeoutError::Timeout) => {
                assert!(began.elapsed() < DEADLINE, "{number} {at:?}: the Run has no end")
            }
        }
    };
    operator.signal(Signal::KILL);
    assert_eq!(operator.finish().code(), 128 + 9, "{number} {at:?}");
    field.proxy.choose(|_, _| Choice::Pass);
    if came {
        keeper.go.send(()).expect("a call is held");
    }
    (came, field.end(field.operator(), run))
}

#[test]
fn an_operator_that_is_killed_at_a_call_is_followed_by_one_that_comes_to_the_same_end() {
    let door = stage().world.door();
    for run in [SMALL, LARGE] {
        let (expected, calls) = whole(&door, run);
        let all = (0..calls).flat_map(|number| [(number, Moment::Request), (number, Moment::Answer)]);
        let points: Vec<_> = all.step_by(EVERY - 1).collect();
        let mut came = 0;
        for some in points.chunks(AT_A_TIME) {
            thread::scope(|scope| {
                let tried: Vec<_> =
                    some.iter().map(|(number, at)| scope.spawn(|| killed(&door, run, *number, *at))).collect();
                for ((number, at), tried) in some.iter().zip(tried) {
                    let (was_killed, outcome) = tried.join().expect("a point holds");
                    assert_eq!(outcome, expected, "{run}: killed at the {at:?} {number} of {calls}");
                    assert!(was_killed || number + 10 > calls, "{run}: it never came to {number} of {calls}");
                    came += usize::from(was_killed);
                }
            });
        }
        eprintln!("{run}: killed at {came} of {} points of {calls} calls", calls * 2);
        assert!(came >= calls * 2 / EVERY, "{came}");
    }
}
