//! etcd and an API server alone, as tests of the operator use them.

use fleetloom_tests::cluster::{ControlPlane, Kubectl, has_condition};
use fleetloom_tests::program::Running;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A kind that counts what it is told to, with a rule of its own.
const KIND: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.test.fleetloom.dev}
spec:
  group: test.fleetloom.dev
  scope: Namespaced
  names: {kind: Gauge, plural: gauges, singular: gauge}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {most: {type: integer}}
            x-kubernetes-validations: [{rule: self.most < 10, message: most is below 10}]
";

#[test]
fn a_control_plane_keeps_its_own_kinds_judges_their_rules_and_leaves_nothing() {
    let plane = ControlPlane::start().unwrap();
    let folder = plane.folder().to_owned();
    let kubectl = plane.kubectl();
    kubectl.apply(KIND).unwrap();
    kubectl.until("crd", "gauges.test.fleetloom.dev", |kind| has_condition(kind, "Established")).unwrap();
    let gauge = |most: u32| {
        format!("{{apiVersion: test.fleetloom.dev/v1, kind: Gauge, metadata: {{name: one}}, spec: {{most: {most}}}}}")
    };
    let refused = kubectl.apply(&gauge(10)).unwrap_err().to_string();
    assert!(refused.contains("most is below 10"), "{refused}");
    assert_eq!(kubectl.get("gauge", "one").unwrap(), None);
    kubectl.apply(&gauge(9)).unwrap();
    assert_eq!(kubectl.list("gauge", "").unwrap()[0]["spec"]["most"], 9);
    kubectl.delete("gauge", "one").unwrap();
    assert_eq!(kubectl.get("gauge", "one").unwrap(), None);
    plane.end().unwrap();
    assert!(!folder.exists());
    assert_eq!(started_with(&folder), Vec::<PathBuf>::new());
}

/// The processes that were started with a folder.
fn started_with(folder: &Path) -> Vec<PathBuf> {
    let with = |process: &PathBuf| {
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&*folder.to_string_lossy())
    };
    fs::read_dir("/proc").expect("/proc is there").flatten().map(|it| it.path()).filter(with).collect()
}

#[test]
fn a_control_plane_goes_with_its_starter_even_when_that_one_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetloom-cluster"));
    command.arg("api").env("TMPDIR", folder.path());
    let starter = Running::start(command);
    let kubeconfig = || {
        let run = fs::read_dir(folder.path()).ok()?.flatten().next()?.path();
        Some(run.join("certificates/admin.kubeconfig")).filter(|path| path.exists())
    };
    assert!(starter.wait_until(|| kubeconfig().is_some()));
    let kubectl = Kubectl::new(&kubeconfig().unwrap()).unwrap();
    kubectl.until("namespace", "default", |_| true).unwrap();
    assert!(started_with(folder.path()).len() >= 2, "etcd and the API server");
    starter.signal(Signal::KILL);
    assert_eq!(starter.finish().code(), 137);
    let until = Instant::now() + Duration::from_secs(60);
    let left = || (started_with(folder.path()), fs::read_dir(folder.path()).unwrap().count());
    while left() != (Vec::new(), 0) && Instant::now() < until {
        thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(left(), (Vec::new(), 0));
}

#[test]
fn two_control_planes_live_side_by_side() {
    let planes = [ControlPlane::start().unwrap(), ControlPlane::start().unwrap()];
    planes[0].kubectl().run(&["create", "namespace", "mine"]).unwrap();
    assert!(planes[0].kubectl().get("namespace", "mine").unwrap().is_some());
    assert_eq!(planes[1].kubectl().get("namespace", "mine").unwrap(), None);
}
