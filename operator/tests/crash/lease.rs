//! Two operators and one Lease: the second takes over when the first is killed, and whoever loses it ends.

use crate::processes::start;
use crate::real::JOBS;
use crate::stage::{stage, until};
use fleetloom_tests::program::Running;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use operator::lease::NAME;
use rustix::process::Signal;
use serde_json::json;

/// Starts an operator that has to hold the Lease.
fn holding(pod: &str) -> Running {
    start(stage().world.kubeconfig(), "lease", pod, &["--health-port", "0", "--lease", "lease"])
}

async fn held(leases: &Api<Lease>, by: &str) -> Option<()> {
    let lease = leases.get_opt(NAME).await.unwrap()?;
    (lease.spec?.holder_identity.as_deref() == Some(by)).then_some(())
}

#[test]
fn the_second_operator_takes_over_from_one_that_is_killed_and_ends_when_it_loses_the_lease() {
    let place = stage().block_on(stage().place("lease", &json!({})));
    let leases = place.api::<Lease>();
    let first = holding("first");
    stage().block_on(until("the first holds the lease", || held(&leases, "first")));
    let second = holding("second");
    stage().block_on(Box::pin(async {
        place.run("small-one").await;
        place.ended("small-one").await;
    }));
    first.signal(Signal::KILL);
    assert_eq!(first.finish().code(), 128 + 9);
    stage().block_on(Box::pin(async {
        place.run("small-two").await;
        until("the second holds the lease", || held(&leases, "second")).await;
        place.ended("small-two").await;
        stage().seen.created_once(&place, &["small-one-1-plan", "small-two-1-plan"]).await;
        assert_eq!(place.names(JOBS).await.len(), 2);
        let now = jiff::Timestamp::now();
        let stolen = json!({"spec": {"holderIdentity": "thief", "renewTime": format!("{now:.6}")}});
        leases.patch(NAME, &PatchParams::default(), &Patch::Merge(stolen)).await.unwrap();
    }));
    second.finish().expect(4).says("the lease is lost");
}
