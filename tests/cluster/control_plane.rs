//! etcd and an API server alone, as tests of the operator use them.

use fleetloom_tests::cluster::ControlPlane;
use std::fs;

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
    kubectl
        .until("crd", "gauges.test.fleetloom.dev", |kind| fleetloom_tests::cluster::has_condition(kind, "Established"))
        .unwrap();
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
    let ours = |path: &std::path::Path| {
        let started_with = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&started_with).contains(&*folder.to_string_lossy())
    };
    let left: Vec<_> = fs::read_dir("/proc").unwrap().flatten().map(|it| it.path()).filter(|it| ours(it)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn two_control_planes_live_side_by_side() {
    let planes = [ControlPlane::start().unwrap(), ControlPlane::start().unwrap()];
    planes[0].kubectl().run(&["create", "namespace", "mine"]).unwrap();
    assert!(planes[0].kubectl().get("namespace", "mine").unwrap().is_some());
    assert_eq!(planes[1].kubectl().get("namespace", "mine").unwrap(), None);
}
