//! What the operator answers: to Prometheus `/metrics` on one port, to probes `/healthz` and `/readyz` on another, so that
//! whoever may read the one need not reach the other.

use crate::api::{Archive, Pipeline, Run};
use crate::context::Context;
use crate::controller::Scope;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::api::ListParams;
use kube::{Api, CustomResourceExt, Resource};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What Prometheus is told that the text is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long the server waits after it could not take a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a check of one kind may take: probes wait little longer.
const CHECK: Duration = Duration::from_secs(2);

/// Who asks on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Prometheus: `/metrics`.
    Metrics,
    /// The kubelet: `/healthz` and `/readyz`.
    Health,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Alive,
    Ready,
    Metrics,
    NotThere,
    NotAllowed,
}

/// Begins to answer on a listener, for as long as the program runs.
pub fn start(context: Arc<Context>, scope: Scope, door: Door, listener: TcpListener) {
    tokio::spawn(serve(context, scope, door, listener));
}

async fn serve(context: Arc<Context>, scope: Scope, door: Door, listener: TcpListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or a client that is gone: probes and scrapes come again.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (context, scope) = (Arc::clone(&context), scope.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (context, scope) = (Arc::clone(&context), scope.clone());
                async move { Ok::<_, Infallible>(answer(&context, &scope, door, &request).await) }
            });
            // Whoever hung up needs no answer.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(context: &Context, scope: &Scope, door: Door, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match wanted(door, request.method(), request.uri().path()) {
        Answer::Alive => said(StatusCode::OK, "text/plain", "ok\n".into()),
        Answer::Ready => match ready(context, scope).await {
            Ok(()) => said(StatusCode::OK, "text/plain", "ok\n".into()),
            Err(why) => said(StatusCode::SERVICE_UNAVAILABLE, "text/plain", format!("{why}\n")),
        },
        Answer::Metrics => said(StatusCode::OK, OPEN_METRICS, metrics(context)),
        Answer::NotThere => said(StatusCode::NOT_FOUND, "text/plain", format!("try {}\n", door.paths())),
        Answer::NotAllowed => said(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered\n".into()),
    }
}

fn wanted(door: Door, method: &Method, path: &str) -> Answer {
    match (door, path) {
        _ if method != Method::GET => Answer::NotAllowed,
        (Door::Health, "/healthz") => Answer::Alive,
        (Door::Health, "/readyz") => Answer::Ready,
        (Door::Metrics, "/metrics") => Answer::Metrics,
        _ => Answer::NotThere,
    }
}

impl Door {
    fn paths(self) -> &'static str {
        match self {
            Self::Metrics => "/metrics",
            Self::Health => "/healthz or /readyz",
        }
    }
}

fn metrics(context: &Context) -> String {
    if let Some(runs) = context.runs.get() {
        context.metrics.runs(runs.standing(), context.now());
    }
    context.metrics.text()
}

fn said(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// Whether the operator can do its work: all three kinds are known to the API server and may be listed.
///
/// Errors: a sentence for each that is not.
pub async fn ready(context: &Context, scope: &Scope) -> Result<(), String> {
    let checks = futures::join!(
        listed::<Archive>(context, scope),
        listed::<Pipeline>(context, scope),
        listed::<Run>(context, scope)
    );
    let wrong: Vec<String> = [checks.0, checks.1, checks.2].into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

async fn listed<K>(context: &Context, scope: &Scope) -> Result<(), String>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + CustomResourceExt,
    K: Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = match &scope.namespace {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => Api::all(context.client.clone()),
    };
    let crd = K::crd_name();
    let one = ListParams::default().limit(1).match_any();
    match tokio::time::timeout(CHECK, api.list_metadata(&one)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
            Err(format!("the CustomResourceDefinition {crd} is missing; apply what `fleetloom-operator crd` prints"))
        }
        Ok(Err(kube::Error::Api(status))) => {
            Err(format!("{crd} cannot be listed: {} ({})", status.message, status.code))
        }
        Ok(Err(error)) => Err(format!("{crd} cannot be listed: {error}")),
        Err(_) => Err(format!("{crd} cannot be listed: the API server did not answer in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_answers_for_itself_alone() {
        let get = |door, path| wanted(door, &Method::GET, path);
        assert_eq!(get(Door::Metrics, "/metrics"), Answer::Metrics);
        assert_eq!((get(Door::Health, "/healthz"), get(Door::Health, "/readyz")), (Answer::Alive, Answer::Ready));
        for (door, path) in [
            (Door::Metrics, "/healthz"),
            (Door::Metrics, "/readyz"),
            (Door::Health, "/metrics"),
            (Door::Metrics, "/"),
            (Door::Health, "/metrics/"),
        ] {
            assert_eq!(get(door, path), Answer::NotThere, "{door:?} {path}");
        }
        assert_eq!(wanted(Door::Metrics, &Method::POST, "/metrics"), Answer::NotAllowed);
    }
}
