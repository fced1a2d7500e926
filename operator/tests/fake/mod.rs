//! An API server in memory, as far as the operator speaks to one, and the part of the Job controller, the garbage collector
//! and the pods. Any one call can go wrong: not carried out, carried out without an answer, answered with an error.

#[path = "../given/mod.rs"]
mod given;

pub(crate) use given::*;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use operator::context::Context;
use operator::moment::Moment;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The time at which everything begins.
pub(crate) const NOW: i64 = 1_795_543_200;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not carried out, no answer.
    Before,
    /// Carried out, no answer.
    After,
    /// Not carried out, answered with that code.
    Answer(u16),
}

/// Which calls go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// None.
    None,
    /// The k-th.
    Once(usize, Fault),
    /// The k-th and all after it: the operator is dead.
    From(usize, Fault),
    /// All of that method on paths that hold that text; a blank ends a path.
    Each(Method, &'static str, Fault),
}

/// What is stored, by path.
pub(crate) struct Store {
    pub(crate) objects: BTreeMap<String, Value>,
    /// Every call, as `POST /apis/…`, and whether it was carried out.
    pub(crate) calls: Vec<(String, bool)>,
    /// Every event that was told.
    pub(crate) events: Vec<Value>,
    pub(crate) plan: Plan,
    /// Patches on paths that hold this are taken and change nothing: somebody else changes them back.
    pub(crate) deaf: Option<&'static str>,
    version: u64,
}

/// The server, for several clients.
#[derive(Clone)]
pub(crate) struct Server(pub(crate) Arc<Mutex<Store>>);

impl Server {
    pub(crate) fn new() -> Self {
        let store = Store {
            objects: BTreeMap::new(),
            calls: Vec::new(),
            events: Vec::new(),
            plan: Plan::None,
            deaf: None,
            version: 1,
        };
        Self(Arc::new(Mutex::new(store)))
    }

    /// An operator that has just started, at a time that stands still.
    pub(crate) fn operator(&self, now: i64) -> Context {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.answer(request).await }
        });
        Context::new(Client::new(service, "fleet"), "worker:1".into(), Arc::new(move || Moment(now)))
    }

    /// Stores an object as a person would.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut store = self.0.lock().unwrap();
        store.version += 1;
        let version = store.version;
        let meta = &mut object["metadata"];
        meta["name"] = json!(path.rsplit('/').next());
        meta["namespace"] = json!("fleet");
        meta["uid"] = json!(format!("uid-{version}"));
        meta["generation"] = json!(1);
        meta["creationTimestamp"] = json!("2026-11-24T18:00:00Z");
        meta["resourceVersion"] = json!(version.to_string());
        store.objects.insert(path.into(), object);
    }

    /// Changes an object as somebody else would.
    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut store = self.0.lock().unwrap();
        store.version += 1;
        let version = store.version.to_string();
        let object = store.objects.get_mut(path).unwrap_or_else(|| panic!("{path}"));
        change(object);
        object["metadata"]["resourceVersion"] = json!(version);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Names of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let store = self.0.lock().unwrap();
        let of_kind = store.objects.keys().filter(|path| path.contains(&format!("/{kind}/")));
        of_kind.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Calls that changed something, events aside.
    pub(crate) fn writes(&self) -> Vec<String> {
        let store = self.0.lock().unwrap();
        let carried =
            store.calls.iter().filter(|(call, done)| *done && !call.starts_with("GET") && !call.contains("/events"));
        carried.map(|(call, _)| call.clone()).collect()
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Full<bytes::Bytes>>, tower::BoxError> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let mut store = self.0.lock().unwrap();
        let call = format!("{} {}", parts.method, parts.uri.path());
        let index = store.calls.len();
        let fault = match &store.plan {
            Plan::Once(k, fault) if *k == index => Some(*fault),
            Plan::From(k, fault) if *k == index => Some(*fault),
            Plan::From(k, _) if *k < index => Some(Fault::Before),
            Plan::Each(method, text, fault) if *method == parts.method && format!("{call} ").contains(text) => {
                Some(*fault)
            }
            _ => None,
        };
        let done = matches!(fault, None | Some(Fault::After));
        store.calls.push((call, done));
        let (code, answer) = match fault {
            Some(Fault::Before) => return Err("the connection is gone".into()),
            Some(Fault::Answer(code)) => refuse(code, "as the test wants it"),
            None | Some(Fault::After) => store.carry_out(&parts.method, &parts.uri, body),
        };
        if fault == Some(Fault::After) {
            return Err("the answer is lost".into());
        }
        let mut response = Response::new(Full::new(bytes::Bytes::from(answer.to_string())));
        *response.status_mut() = StatusCode::from_u16(code)?;
        Ok(response)
    }
}

fn refuse(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code});
    (code, status)
}

impl Store {
    fn carry_out(&mut self, method: &Method, uri: &http::Uri, body: Value) -> (u16, Value) {
        let path = uri.path().to_owned();
        if path.contains("/events") {
            self.events.push(body.clone());
            return (201, body);
        }
        self.version += 1;
        let version = json!(self.version.to_string());
        match method.as_str() {
            "GET" => match self.objects.get(&path) {
                Some(object) => (200, object.clone()),
                None if is_list(&path) => (200, self.list(&path, uri.query().unwrap_or_default())),
                None => refuse(404, "not found"),
            },
            "POST" => {
                let mut object = body;
                let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) {
                    let (code, mut answer) = refuse(409, "already exists");
                    answer["reason"] = json!("AlreadyExists");
                    return (code, answer);
                }
                object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
                object["metadata"]["resourceVersion"] = version;
                object["metadata"]["creationTimestamp"] = json!("2026-11-24T18:00:00Z");
                self.objects.insert(path, object.clone());
                (201, object)
            }
            "PUT" => {
                let path = path.trim_end_matches("/status").to_owned();
                let Some(stored) = self.objects.get_mut(&path) else { return refuse(404, "not found") };
                if body["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"] {
                    return refuse(409, "the object has been modified");
                }
                stored["status"] = body["status"].clone();
                stored["metadata"]["resourceVersion"] = version;
                (200, stored.clone())
            }
            "PATCH" => {
                let Some(stored) = self.objects.get_mut(&path) else { return refuse(404, "not found") };
                let onto = &body["metadata"]["resourceVersion"];
                if !onto.is_null() && *onto != stored["metadata"]["resourceVersion"] {
                    return refuse(409, "the object has been modified");
                }
                if self.deaf.is_none_or(|deaf| !path.contains(deaf)) {
                    merge(stored, &body);
                    stored["metadata"]["resourceVersion"] = version;
                }
                (200, stored.clone())
            }
            "DELETE" => {
                let Some(stored) = self.objects.get(&path) else { return refuse(404, "not found") };
                let uid = stored["metadata"]["uid"].clone();
                let wanted = &body["preconditions"]["uid"];
                if !wanted.is_null() && *wanted != uid {
                    return refuse(409, "another object of that name");
                }
                self.remove(&path, &uid);
                (200, json!({"kind": "Status", "status": "Success"}))
            }
            _ => refuse(405, "no such method"),
        }
    }

    /// Removes an object and, as the garbage collector does, what belongs to it.
    fn remove(&mut self, path: &str, uid: &Value) {
        self.objects.remove(path);
        let owned = |object: &Value| {
            object["metadata"]["ownerReferences"]
                .as_array()
                .is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
        };
        let gone: Vec<(String, Value)> = self
            .objects
            .iter()
            .filter(|(_, object)| owned(object))
            .map(|(path, object)| (path.clone(), object["metadata"]["uid"].clone()))
            .collect();
        for (path, uid) in gone {
            self.remove(&path, &uid);
        }
    }

    /// A page of a list; its token is how many came before the next.
    fn list(&self, path: &str, query: &str) -> Value {
        let number =
            |name: &str| query.split(['&', '?']).find_map(|part| part.strip_prefix(name)?.parse::<usize>().ok());
        let (limit, before) = (number("limit=").unwrap_or(usize::MAX), number("continue=").unwrap_or(0));
        let below = format!("{path}/");
        let wanted = |object: &Value| {
            let pipeline =
                query.split("spec.pipeline%3D").nth(1).map(|rest| rest.split(['&', '%']).next().unwrap_or_default());
            let job = query.split("controller-uid%3D").nth(1).map(|rest| rest.split('&').next().unwrap_or_default());
            pipeline.is_none_or(|name| object["spec"]["pipeline"] == json!(name))
                && job
                    .is_none_or(|uid| object["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == json!(uid))
        };
        let items: Vec<Value> = self
            .objects
            .iter()
            .filter(|(path, object)| path.starts_with(&below) && wanted(object))
            .map(|(_, object)| object.clone())
            .collect();
        let page: Vec<&Value> = items.iter().skip(before).take(limit).collect();
        let next = (before + page.len() < items.len()).then(|| (before + page.len()).to_string());
        let metadata = json!({"resourceVersion": self.version.to_string(), "continue": next.unwrap_or_default()});
        json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page})
    }
}

fn is_list(path: &str) -> bool {
    ["runs", "pods", "jobs", "configmaps", "pipelines", "archives"]
        .iter()
        .any(|kind| path.ends_with(&format!("/{kind}")))
}

/// An Archive and the Pipeline that reads it.
pub(crate) fn apply_words(server: &Server, more: &Value) {
    server.put(&format!("{ARCHIVES}/ur3"), archive());
    server.put(&format!("{PIPELINES}/stops"), pipeline("stops", more));
}

pub(crate) fn apply_run(server: &Server, name: &str) {
    server.put(&format!("{RUNS}/{name}"), run(name, "stops"));
}

/// The part of the Job controller: every Job that has not ended does, and its pod says `tell(act)`.
pub(crate) fn play(server: &Server, tell: impl Fn(&str) -> Value) {
    for name in server.names("jobs") {
        let path = format!("{JOBS}/{name}");
        let job = server.get(&path).unwrap();
        if job["spec"]["suspend"] == json!(true) || !job["status"]["conditions"].is_null() {
            continue;
        }
        let act = job["metadata"]["labels"]["fleetloom.dev/act"].as_str().unwrap().to_owned();
        finish(server, &name, 0, "Completed", &tell(&act));
        server.change(&path, |job| {
            let end = json!({"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-24T18:00:30Z"});
            job["status"] = json!({"succeeded": 1, "conditions": [end]});
            if job["spec"]["completionMode"] == json!("Indexed") {
                let last = job["spec"]["completions"].as_u64().unwrap() - 1;
                job["status"]["completedIndexes"] = json!(format!("0-{last}"));
            }
        });
    }
}

/// The one pod of a Job that has ended.
pub(crate) fn finish(server: &Server, job: &str, exit: i32, reason: &str, message: &Value) {
    finish_pod(server, job, "x", (exit, reason), message);
}

/// One of the pods of a Job that has ended, with its exit code and Kubernetes' word for it.
pub(crate) fn finish_pod(server: &Server, job: &str, pod: &str, (exit, reason): (i32, &str), message: &Value) {
    let uid = server.get(&format!("{JOBS}/{job}")).unwrap()["metadata"]["uid"].clone();
    let status = exited(exit, reason, message, "2026-11-24T18:00:29Z");
    server.put(&format!("{PODS}/{job}-{pod}"), json!({"apiVersion": "v1", "kind": "Pod", "status": status}));
    server.change(&format!("{PODS}/{job}-{pod}"), |pod| {
        pod["metadata"]["labels"] = json!({"batch.kubernetes.io/controller-uid": uid});
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid}]);
    });
}
