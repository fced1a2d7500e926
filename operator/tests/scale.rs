//! What many Runs, and a Run of many indexes, cost a real API server: calls are counted there, and statuses measured as they
//! are stored. Rates, lag and memory are the benchmark's.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

#[allow(dead_code, reason = "each test binary uses a part of the harness")]
mod real;

use real::count::{Calls, Counts};
use real::offer::{Audience, offer};
use real::player::{Fate, Job, Player, finish, go_on};
use real::program::Operator;
use real::watch::{Change, watch};
use real::{World, apply_fleet, apply_run, apply_words, message, published};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch as channel;

/// Until what a test waits for must be so.
const DEADLINE: Duration = Duration::from_secs(180);
/// Runs of a kind.
const RUNS: u32 = 40;
/// Bytes of a status, as README and operator say.
const STATUS_BYTES_MAX: usize = 8 * 1024;

/// What the API server counts while so many Runs come to their end.
async fn calls(kind: &str, fate: impl Fn(&str) -> Value + Send + Sync + 'static) -> Calls {
    let world = World::start();
    let client = world.client().await;
    apply_fleet(&client, RUNS).await;
    let operator = Operator::start(&world, &world.install());
    let audience = Audience::start(world.client().await);
    let _player = Player::start(world.client().await, move |job| fate(job.act()));
    let (server, own) = (Counts::of_server(&client).await, operator.counts());
    offer(&client, kind, RUNS, RUNS).await;
    audience.until_ended(RUNS as usize, DEADLINE).await;
    let (server_after, own_after) = (Counts::of_server(&client).await, operator.counts());
    let (counted, told) = (Calls::counted(&server, &server_after), Calls::told(&own, &own_after));
    eprintln!("{kind}: {:?}", counted.per(RUNS));
    assert_eq!((counted.words, counted.jobs), (told.words, told.jobs), "server and operator count alike");
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_run_is_at_most_five_writes_as_the_api_server_counts() {
    let calls = calls("inline", |_| published()).await;
    assert!(calls.writes() <= f64::from(5 * RUNS), "{calls:?}");
    assert_eq!((calls.words, calls.jobs), (f64::from(RUNS), f64::from(RUNS)), "one ConfigMap and one Job each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_three_jobs_is_at_most_twelve_writes_as_the_api_server_counts() {
    let calls = calls("three", |act| message(act, 30)).await;
    assert!(calls.writes() <= f64::from(12 * RUNS), "{calls:?}");
    assert_eq!((calls.words, calls.jobs), (f64::from(RUNS), f64::from(3 * RUNS)), "one ConfigMap and three Jobs each");
}

/// A plan of so much work that its shard Job has 5,000 indexes.
fn large_plan() -> Value {
    let mut plan = message("plan", 100_000);
    plan["shards"] = json!(100_000);
    plan["seconds"] = json!(10_000_000);
    plan
}

/// What the commit of it says: ten failures are named.
fn published_with_failures() -> Value {
    let mut published = published();
    let place = "arm-17/2026-11-24T18:00:00Z";
    let failure = |shard: u32| json!({"shard": shard, "reason": "a document is no JSON ".repeat(9), "place": place});
    published["shards"] = json!(100_000);
    published["failed"] = json!(20_000);
    published["failures"] = (0..10).map(failure).collect();
    published
}

/// Every fifth index below `to` failed, and of the others every second one is complete: nothing can be written as a range.
fn scattered(to: u32) -> (String, String) {
    let joined = |wanted: fn(&u32) -> bool| {
        let texts: Vec<String> = (0..to).filter(wanted).map(|index| index.to_string()).collect();
        texts.join(",")
    };
    (joined(|index| index % 2 == 0 && index % 5 != 0), joined(|index| index % 5 == 0))
}

/// The newest Run, and the most bytes that its status ever had.
struct Stored {
    newest: channel::Receiver<Value>,
    most_bytes: Arc<Mutex<usize>>,
}

impl Stored {
    async fn of(world: &World) -> Self {
        let (tell, newest) = channel::channel(Value::Null);
        let most_bytes = Arc::new(Mutex::new(0));
        let (client, most) = (world.client().await, Arc::clone(&most_bytes));
        tokio::spawn(async move {
            watch(client, "/apis/fleetloom.dev/v1alpha1/runs", "", |change, run: Value| {
                assert_eq!(change, Change::There);
                let mut most = most.lock().unwrap();
                *most = run["status"].to_string().len().max(*most);
                tell.send_replace(run);
            })
            .await;
        });
        Self { newest, most_bytes }
    }

    /// Waits until the Run is so.
    async fn until(&mut self, what: &str, holds: impl FnMut(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(DEADLINE, self.newest.wait_for(holds)).await;
        let found = found.map(|found| found.unwrap().clone());
        found.unwrap_or_else(|_| panic!("{what}: not so, but {}", *self.newest.borrow()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_five_thousand_scattered_indexes_keeps_its_status_below_eight_kibibytes() {
    let world = World::start();
    let client = world.client().await;
    apply_words(&client, &json!({})).await;
    let (begun, mut begins) = channel::channel(None::<Job>);
    let _player = Player::start(world.client().await, move |job| match job.act() {
        "plan" => Fate::Done(large_plan()),
        "shards" => {
            begun.send_replace(Some(job.clone()));
            Fate::Goes
        }
        _ => Fate::Done(published_with_failures()),
    });
    let mut stored = Stored::of(&world).await;
    let _operator = Operator::start(&world, &world.install());
    apply_run(&client, "large").await;

    let job = begins.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(job.indexes(), 5_000);
    stored.until("the Job is at work", |run| run["status"]["shards"]["active"] != json!(0)).await;
    for to in [2_500, 5_000] {
        let (completed, failed) = scattered(to);
        let before = stored.newest.borrow()["status"]["shards"]["done"].clone();
        go_on(&client, &job, &completed, &failed).await.unwrap();
        let shown = stored.until("progress is told", |run| run["status"]["shards"]["done"] != before).await;
        let indexes = shown["status"]["shards"]["completedIndexes"].as_str().unwrap();
        assert!(indexes.starts_with("2,4,6,8,12") && indexes.ends_with('…'), "{indexes}");
    }
    let (completed, failed) = scattered(5_000);
    finish(&client, &job, &Fate::Indexes { completed, failed, message: message("shards", 1) }).await.unwrap();
    let run = stored.until("it ends", |run| run["status"]["phase"] == json!("Complete")).await;
    assert_eq!(run["status"]["failures"].as_array().unwrap().len(), 10);
    let most = *stored.most_bytes.lock().unwrap();
    eprintln!("the largest status of 5,000 indexes: {most} bytes");
    assert!((4_000..STATUS_BYTES_MAX).contains(&most), "{most}");
}
