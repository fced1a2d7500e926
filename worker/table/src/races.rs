//! Committers that race on a bucket of a real server: one version per plan, the very first one included, whoever is faster.

use crate::commit::{Outcome, Publication, publish};
use crate::decide::Other;
use crate::history::history;
use crate::patience::Patience;
use crate::state::TableState;
use crate::testing::{publication, shard};
use archive::open::Side;
use archive::s3::S3Store;
use archive::s3::settings::Environment;
use archive::store::Store;
use fleetloom_tests::bucket::{Server, Versions};
use futures::future::join_all;
use pipeline::spec::StoreSpec;
use std::sync::Arc;

/// Races of each number of committers.
const ROUNDS: usize = 100;
/// Rows of a plan's shard.
const ROWS: usize = 4;

/// A client of its own for a folder of the bucket.
fn client(server: &Server, folder: &str) -> Arc<dyn Store> {
    let words = StoreSpec {
        url: format!("s3://results/{folder}/"),
        endpoint: Some(server.endpoint()),
        path_style: Some(true),
        region: None,
        ca: None,
        credentials_secret: None,
    };
    Arc::new(S3Store::new(&words, Side::Result, &Environment::from(server.environment())).unwrap())
}

/// A plan with a shard of its own.
async fn plan(store: &Arc<dyn Store>, name: &str, base: Option<TableState>) -> Publication {
    publication(name, base, vec![shard(store, name, 19_000, ROWS).await])
}

/// Lets each committer publish with a client of its own, all at once.
async fn race(server: &Server, folder: &str, plans: &[Publication]) -> Vec<Outcome> {
    let racers: Vec<_> = plans
        .iter()
        .map(|plan| {
            let (store, plan) = (client(server, folder), plan.clone());
            tokio::spawn(async move { publish(&store, &plan, Patience::default()).await.unwrap() })
        })
        .collect();
    join_all(racers).await.into_iter().map(Result::unwrap).collect()
}

/// Insists on one version more than `before`, with the rows of one plan.
async fn one_more_version(store: &Arc<dyn Store>, before: usize, outcomes: &[Outcome]) {
    let made = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Published { .. })).count();
    assert_eq!(made, 1, "{outcomes:?}");
    let state = TableState::open(store, None).await.unwrap().unwrap();
    assert_eq!((state.rows(), state.files.len()), (Some(ROWS as u64), 1), "no row is lost, none doubled");
    assert!(state.ledger(store).await.is_ok());
    assert_eq!(history(store.as_ref(), 9).await.unwrap().len(), before + 1, "{outcomes:?}");
}

/// Races of `committers`: for one plan that makes the table, then for plans of each their own.
async fn races(committers: usize) {
    let server = Server::versitygw();
    server.make("results", Versions::None);
    for round in 0..ROUNDS {
        let folder = format!("t{round}");
        let store = client(&server, &folder);
        let first = plan(&store, "first", None).await;
        let outcomes = race(&server, &folder, &vec![first; committers]).await;
        let same = |outcome: &Outcome| {
            matches!(outcome, Outcome::Published { version: 0 } | Outcome::AlreadyPublished { version: 0 })
        };
        assert!(outcomes.iter().all(same), "{outcomes:?}");
        one_more_version(&store, 0, &outcomes).await;

        let base = TableState::open(&store, None).await.unwrap();
        let mut plans = Vec::new();
        for number in 0..committers {
            plans.push(plan(&store, &format!("p{number}"), base.clone()).await);
        }
        let outcomes = race(&server, &folder, &plans).await;
        let told = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Published { version: 1 } | Outcome::Conflict { version: 1, other: Other::Plan(_) }
            )
        };
        assert!(outcomes.iter().all(told), "{outcomes:?}");
        one_more_version(&store, 1, &outcomes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_committers_make_one_version_per_plan() {
    races(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_committers_make_one_version_per_plan() {
    races(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_committers_make_one_version_per_plan() {
    races(8).await;
}
