//! Who holds the keys of the buckets, and where none may ever be seen; whom a pod believes to be a bucket; what the operator tells on
//! which of its ports.

use super::field::{Field, OPERATOR, condition, hands_on};
use super::fleet::{Fleet, workers};
use super::shared;
use fleetloom_tests::bucket::Certificate;
use fleetloom_tests::cluster::{on_network, variables};
use fleetloom_tests::words::change;
use serde_json::{Value, json};
use std::fs;

/// A key that no store knows, and a secret that fits none.
const UNKNOWN: (&str, &str) = ("AKIAUNKNOWNTOANYBODY", "hush-this-is-nobodys-secret");

/// Makes a Secret with a key.
fn secret(field: &Field, name: &str, (id, secret): (&str, &str)) {
    let data = json!({"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    field.kubectl.apply(&secret.to_string()).expect("a Secret can be made");
}

/// The sentence with which a Run failed.
fn failed(run: &Value) -> &str {
    assert_eq!(condition(run, "Failed")["reason"], "RequestWrong", "{run:#}");
    condition(run, "Failed")["message"].as_str().expect("a sentence")
}

#[test]
fn runs_that_fail_with_what_a_store_says_tell_what_to_do_and_no_key() {
    let field = Field::new("refused");
    let fleet = Fleet::new(&field, 1, 1);
    let keys = shared().store().keys();
    secret(&field, "unknown", UNKNOWN);
    secret(&field, "forged", (&keys.id, UNKNOWN.1));
    let good = field.result("fleet");
    let endpoint = shared().store().endpoint();
    let with_secret =
        |name: &str| change(&good, "credentialsSecret: features-write", &format!("credentialsSecret: {name}"));
    let wrong = [
        ("unknown", with_secret("unknown"), "refuses the access key"),
        ("forged", with_secret("forged"), "refuses the access key"),
        ("nobody", with_secret("nobody"), "the Secret nobody is not there"),
        ("elsewhere", change(&good, "s3://features/", "s3://no-such-bucket/"), "no bucket no-such-bucket"),
        ("protocol", change(&good, &endpoint, &endpoint.replace("http:", "https:")), "do not speak the same protocol"),
    ];
    for (name, result, _) in &wrong {
        fleet.pipeline(&field, name, &[&workers("inline: 1m, retries: 0")], result);
        field.start(name, name, &json!({}));
    }
    for (name, _, said) in &wrong {
        let run = field.ended(name);
        assert!(failed(&run).contains(said), "{name}: {run:#}");
    }
    // One that ends well tells no more.
    fleet.pipeline(&field, "good", &[&workers("inline: 1m")], &good);
    field.start("good", "good", &json!({}));
    field.complete("good");
    field.keeps_secrets(&[UNKNOWN.0, UNKNOWN.1]);
}

/// The operator's pod.
fn operator(field: &Field) -> Value {
    let pods = field.kubectl.within(OPERATOR).list("pod", "app.kubernetes.io/name=fleetloom-operator");
    let is_up = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["phase"] == "Running";
    pods.expect("pods can be listed").into_iter().find(is_up).expect("an operator is at work")
}

/// The whole answer to a GET on a pod's network.
fn asked(pod: &Value, at: &str, path: &str) -> String {
    let (host, port) = at.split_once(':').expect("a host and a port");
    let ask = format!(
        "exec 3<>/dev/tcp/{host}/{port}; \
         printf 'GET {path} HTTP/1.1\\r\\nHost: {at}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    );
    on_network(pod, &["bash", "-c", &ask]).unwrap_or_else(|error| panic!("{at}{path}: {error}"))
}

/// The status of an answer.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_bucket_says_403_to_the_operator_which_has_no_key() {
    let field = Field::new("keyless");
    // Nobody takes it away meanwhile.
    let _hands = hands_on();
    let pod = operator(&field);
    let variables = variables(&pod).unwrap();
    assert!(variables.iter().any(|variable| variable.starts_with("WORKER_IMAGE=")), "{variables:?}");
    let named = variables.iter().find(|variable| variable.contains("AWS") || variable.contains("SECRET"));
    assert_eq!(named, None, "no key in its environment");
    let at = shared().store().endpoint().replace("http://", "");
    for path in ["/telemetry?list-type=2", "/features?list-type=2", "/"] {
        let answer = asked(&pod, &at, path);
        assert_eq!(status(&answer), "403", "{path}: {answer}");
    }
}

#[test]
fn who_may_read_the_operators_probes_may_not_read_its_metrics() {
    let field = Field::new("doors");
    // Nobody takes it away meanwhile.
    let _hands = hands_on();
    let pod = operator(&field);
    for (port, path, code) in [
        (8080, "/metrics", "200"),
        (8080, "/healthz", "404"),
        (8080, "/readyz", "404"),
        (8081, "/metrics", "404"),
        (8081, "/healthz", "200"),
        (8081, "/readyz", "200"),
    ] {
        let answer = asked(&pod, &format!("127.0.0.1:{port}"), path);
        assert_eq!(status(&answer), code, "{port}{path}: {answer}");
        let tells = answer.contains("fleetloom_oldest_run_seconds{phase=\"Running\"}");
        assert_eq!(tells, path == "/metrics" && code == "200", "{port}{path}: {answer}");
    }
}

#[test]
fn a_bucket_with_a_private_authority_is_believed_by_its_config_map_and_by_nothing_else() {
    let field = Field::new("private");
    let fleet = Fleet::new(&field, 1, 1);
    let certificate = Certificate::of(shared().machine());
    let secure = shared().store().with_tls(&certificate);
    let pem = fs::read_to_string(certificate.authority()).unwrap();
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "objects-ca"}, "data": {"ca.crt": pem}});
    field.kubectl.apply(&map.to_string()).unwrap();
    // An Archive, a Pipeline and a Run of a name, with further words of both stores.
    let start = |name: &str, more: &str| {
        let [source, result] = [field.source_at(&secure.endpoint()), field.result_at(&secure.endpoint(), name)];
        field.kubectl.apply(&fleet.archive(&field, name, &format!("{source}{more}"))).unwrap();
        let words = fleet.words(name, &[&workers("inline: 1m, retries: 0")], &format!("{result}{more}"));
        field.kubectl.apply(&change(&words, "archive: simulated", &format!("archive: {name}"))).unwrap();
        field.start(name, name, &json!({}));
    };
    start("believed", ", ca: {configMap: objects-ca, key: ca.crt}");
    start("unknown", "");
    start("missing", ", ca: {configMap: nobodys-ca, key: ca.crt}");
    field.complete("believed");
    assert_eq!(field.digest("believed"), fleet.digest);
    let run = field.ended("unknown");
    assert!(failed(&run).contains("is not trusted") && failed(&run).contains("on a cluster: `ca`"), "{run:#}");
    let run = field.ended("missing");
    assert!(failed(&run).contains("ca.crt of the ConfigMap nobodys-ca, in the namespace of the Run"), "{run:#}");
    field.keeps_secrets(&[]);
}
