//! What `install` prints: the operator's namespace, its rights and its Deployment. The CRDs are `crd`'s.
//!
//! Its rights are all it needs: its own kinds, Jobs and ConfigMaps to write, pods to look at, events to tell. No Secret, no
//! pod to create, and no Lease: this Deployment holds none (the chart's `lease.enabled` gives both).

use serde_json::{Value, json};

/// What may differ from cluster to cluster.
#[derive(Debug, Clone)]
pub struct Install {
    /// The operator's own namespace.
    pub namespace: String,
    /// Image of the operator.
    pub image: String,
    /// Image of the workers.
    pub worker_image: String,
    /// The only namespace that it looks at; `None`: all.
    pub watch_namespace: Option<String>,
}

/// Name of everything that is installed.
const NAME: &str = "fleetloom-operator";

/// The manifest, YAML documents with `---` between them.
pub fn yaml(install: &Install) -> String {
    let (role, binding) = rights(install);
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": install.namespace,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        }}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(Some(&install.namespace))}),
        role,
        binding,
        deployment(install),
    ];
    objects.iter().map(|object| format!("---\n{}", crate::yaml::of(object))).collect()
}

/// The rules of its rights.
pub fn rules() -> Vec<Value> {
    let all = ["get", "list", "watch"];
    let own = ["archives", "pipelines", "runs"];
    let statuses = own.map(|kind| format!("{kind}/status"));
    let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
    vec![
        rule(&["fleetloom.dev"], &["archives", "pipelines"], &all),
        rule(&["fleetloom.dev"], &["runs"], &[&all[..], &["create", "delete"]].concat()),
        rule(&["fleetloom.dev"], &statuses, &["update"]),
        rule(&["batch"], &["jobs"], &[&all[..], &["create", "patch", "delete"]].concat()),
        rule(&[""], &["configmaps"], &["get", "create", "patch"]),
        rule(&[""], &["pods"], &["get", "list"]),
        rule(&["events.k8s.io"], &["events"], &["create", "patch"]),
    ]
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

fn metadata(namespace: Option<&str>) -> Value {
    let mut metadata = json!({"name": NAME, "labels": {"app.kubernetes.io/name": NAME}});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

fn rights(install: &Install) -> (Value, Value) {
    let namespace = install.watch_namespace.as_deref();
    let (role, binding) = match namespace {
        Some(_) => ("Role", "RoleBinding"),
        None => ("ClusterRole", "ClusterRoleBinding"),
    };
    let rights = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": role, "metadata": metadata(namespace), "rules": rules(),
    });
    (rights, bound(binding, role, namespace, install))
}

fn bound(kind: &str, role: &str, namespace: Option<&str>, install: &Install) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata(namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": install.namespace}],
    })
}

fn deployment(install: &Install) -> Value {
    let labels = json!({"app.kubernetes.io/name": NAME});
    let probe =
        |path: &str| json!({"httpGet": {"path": path, "port": "health"}, "periodSeconds": 10, "timeoutSeconds": 5});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(Some(&install.namespace)),
        "spec": {
            "replicas": 1,
            // Never two at a time.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": NAME,
                    "enableServiceLinks": false,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "operator",
                        "image": install.image,
                        "args": ["run"],
                        "env": [
                            {"name": "WORKER_IMAGE", "value": install.worker_image},
                            {"name": "WATCH_NAMESPACE", "value": install.watch_namespace.clone().unwrap_or_default()},
                        ],
                        "ports": [{"name": "metrics", "containerPort": 8080}, {"name": "health", "containerPort": 8081}],
                        "livenessProbe": probe("/healthz"),
                        "readinessProbe": probe("/readyz"),
                        "resources": {
                            "requests": {"cpu": "100m", "memory": "128Mi"},
                            "limits": {"memory": "512Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install() -> Install {
        Install {
            namespace: "fleetloom-system".into(),
            image: format!("ghcr.io/fleetloom/fleetloom-operator:{}", env!("CARGO_PKG_VERSION")),
            worker_image: format!("ghcr.io/fleetloom/fleetloom:{}", env!("CARGO_PKG_VERSION")),
            watch_namespace: None,
        }
    }

    #[test]
    fn its_rights_end_before_secrets_and_pods() {
        for rule in rules() {
            let resources = rule["resources"].to_string();
            let verbs = rule["verbs"].to_string();
            assert!(!resources.contains("secrets") && !resources.contains('*') && !verbs.contains('*'), "{rule}");
            if resources.contains("pods") {
                assert_eq!(rule["verbs"], json!(["get", "list"]));
            }
        }
    }

    #[test]
    fn it_holds_no_lease_and_gets_no_right_on_one() {
        let all = yaml(&install());
        assert!(!all.contains("lease"), "{all}");
    }

    #[test]
    fn one_namespace_needs_no_right_over_the_cluster() {
        let one = yaml(&Install { watch_namespace: Some("fleet".into()), ..install() });
        assert!(!one.contains("ClusterRole"), "{one}");
        assert!(yaml(&install()).contains("ClusterRoleBinding"));
    }

    #[test]
    fn the_committed_manifest_is_what_the_program_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, yaml(&install())).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), yaml(&install()), "BLESS=1 writes it anew");
    }
}
