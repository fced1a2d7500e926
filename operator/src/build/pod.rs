//! The pod of every act: restricted, with the words, a scratch folder and the keys of two stores.

use crate::settle::{Settled, Workers};
use pipeline::spec::StoreSpec;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name of the one container.
pub(crate) const CONTAINER: &str = "worker";
/// Where the words are mounted.
pub(super) const WORDS_PATH: &str = "/etc/fleetloom/words.yaml";
/// Where a pod may write.
const SCRATCH: &str = "/scratch";
/// Size of that, where the words set no limit of ephemeral storage.
const SCRATCH_SIZE: &str = "10Gi";
/// Where the message of an act is written, and read by the kubelet.
const MESSAGE: &str = "/dev/termination-log";
/// The user of the image.
const USER: i64 = 65532;
/// What a store may need, as the Secret and the worker name it.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What differs from pod to pod.
pub(super) struct Pod<'a> {
    /// Name of the ConfigMap with the words.
    pub(super) words: String,
    pub(super) settled: &'a Settled,
    pub(super) image: &'a str,
    pub(super) memory_bytes: u64,
    pub(super) args: Vec<String>,
    pub(super) labels: &'a BTreeMap<String, String>,
}

impl Pod<'_> {
    /// The pod template, in JSON: the person's own parts are in it unread.
    pub(super) fn template(&self) -> Value {
        let asked = &self.settled.workers.pod;
        let mut labels = asked.labels.clone();
        labels.extend(self.labels.clone());
        let mut spec = json!({
            "restartPolicy": "Never",
            "enableServiceLinks": false,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self.container()],
            "volumes": self.volumes(),
        });
        let parts = [
            ("nodeSelector", json!(asked.node_selector)),
            ("tolerations", json!(asked.tolerations)),
            ("affinity", json!(asked.affinity)),
            ("topologySpreadConstraints", json!(asked.topology_spread_constraints)),
            ("priorityClassName", json!(asked.priority_class_name)),
            ("serviceAccountName", json!(asked.service_account_name)),
            ("imagePullSecrets", json!(asked.image_pull_secrets)),
        ];
        for (name, value) in parts.into_iter().filter(|(_, value)| !is_empty(value)) {
            spec[name] = value;
        }
        json!({"metadata": {"labels": labels, "annotations": asked.annotations}, "spec": spec})
    }

    fn container(&self) -> Value {
        json!({
            "name": CONTAINER,
            "image": self.image,
            "args": self.args,
            "env": self.env(),
            "resources": resources(&self.settled.workers, self.memory_bytes),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
            "terminationMessagePath": MESSAGE,
            "terminationMessagePolicy": "File",
            "volumeMounts": self.mounts(),
        })
    }

    /// The person's own first: of two of one name the later holds.
    fn env(&self) -> Vec<Value> {
        let mut env: Vec<Value> = self.settled.workers.pod.env.iter().cloned().map(Value::Object).collect();
        env.push(json!({"name": "FLEETLOOM_MESSAGE", "value": MESSAGE}));
        env.push(json!({"name": "FLEETLOOM_LOG_FORMAT", "value": "json"}));
        env.push(json!({"name": "TMPDIR", "value": SCRATCH}));
        if let Some(run) = self.labels.get(super::RUN) {
            env.push(json!({"name": "FLEETLOOM_RUN", "value": run}));
        }
        for (side, store) in self.stores() {
            let side = side.to_uppercase();
            if let Some(secret) = &store.credentials_secret {
                // Without keys from it the worker names it, and takes no other identity.
                env.push(json!({"name": format!("FLEETLOOM_{side}_SECRET"), "value": secret}));
                env.extend(KEYS.map(|key| {
                    let from = json!({"secretKeyRef": {"name": secret, "key": key, "optional": true}});
                    json!({"name": format!("FLEETLOOM_{side}_{key}"), "valueFrom": from})
                }));
            }
            if let Some(ca) = &store.ca {
                let path = format!("/etc/fleetloom/{}-ca/{}", side.to_lowercase(), ca.key);
                env.push(json!({"name": format!("FLEETLOOM_{side}_CA"), "value": path}));
            }
        }
        env
    }

    fn volumes(&self) -> Vec<Value> {
        let size = self.settled.workers.resources.limits.get("ephemeral-storage").map_or(SCRATCH_SIZE, String::as_str);
        let mut volumes = vec![
            json!({"name": "words", "configMap": {"name": self.words}}),
            json!({"name": "scratch", "emptyDir": {"sizeLimit": size}}),
        ];
        for (side, store) in self.stores() {
            if let Some(ca) = &store.ca {
                let items = json!([{"key": ca.key, "path": ca.key}]);
                volumes
                    .push(json!({"name": format!("{side}-ca"), "configMap": {"name": ca.config_map, "items": items, "optional": true}}));
            }
        }
        volumes
    }

    fn mounts(&self) -> Vec<Value> {
        let mut mounts = vec![
            json!({"name": "words", "mountPath": WORDS_PATH, "subPath": super::WORDS_KEY, "readOnly": true}),
            json!({"name": "scratch", "mountPath": SCRATCH}),
        ];
        for (side, _) in self.stores().into_iter().filter(|(_, store)| store.ca.is_some()) {
            let name = format!("{side}-ca");
            mounts.push(json!({"name": name, "mountPath": format!("/etc/fleetloom/{name}"), "readOnly": true}));
        }
        mounts
    }

    fn stores(&self) -> [(&'static str, &StoreSpec); 2] {
        [("source", &self.settled.source), ("result", &self.settled.result)]
    }
}

/// Memory is requested as it is limited: a pod that may grow beyond its request is the first to be evicted.
fn resources(workers: &Workers, memory_bytes: u64) -> Value {
    let mut requests = workers.resources.requests.clone();
    let mut limits = workers.resources.limits.clone();
    requests.entry("cpu".into()).or_insert_with(|| limits.get("cpu").cloned().unwrap_or_else(|| "1".into()));
    for side in [&mut requests, &mut limits] {
        side.insert("memory".into(), memory_bytes.to_string());
    }
    json!({"requests": requests, "limits": limits})
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields == &Map::new(),
        _ => false,
    }
}
