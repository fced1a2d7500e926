//! One request to the API server and its answer, as JSON: no more of an object is read than the caller names.

use http::{Method, Request};
use kube::Client;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

/// Reads an object.
pub(crate) async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> kube::Result<T> {
    send(client, Method::GET, path, &Value::Null).await
}

/// Reads a text.
pub(crate) async fn text(client: &Client, path: &str) -> kube::Result<String> {
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

/// Creates an object in a collection.
pub(crate) async fn post<T: DeserializeOwned>(client: &Client, path: &str, object: &Value) -> kube::Result<T> {
    send(client, Method::POST, path, object).await
}

/// Merges into an object, or into a part of it.
pub(crate) async fn patch(client: &Client, path: &str, change: &Value) -> kube::Result<()> {
    send(client, Method::PATCH, path, change).await.map(|IgnoredAny| ())
}

/// Deletes an object of that UID, at once.
pub(crate) async fn delete(client: &Client, path: &str, uid: &str) -> kube::Result<()> {
    let options = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background", "preconditions": {"uid": uid}});
    send(client, Method::DELETE, path, &options).await.map(|IgnoredAny| ())
}

/// Whether what was to be done was done before, or has nothing left to be done on; not where others wrote at the same time.
pub(crate) fn is_over(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    status.code == 404 || (status.code == 409 && !status.message.contains("has been modified"))
}

async fn send<T: DeserializeOwned>(client: &Client, method: Method, path: &str, body: &Value) -> kube::Result<T> {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, kind);
    client.request(request.body(body).map_err(kube::Error::HttpError)?).await
}
