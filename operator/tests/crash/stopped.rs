//! A client that stops: before its k-th call, or after the API server has carried that out and before its answer is read. From
//! then on no call goes through, as if the process were gone.

use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use std::sync::{Arc, Mutex, PoisonError};
use tower::BoxError;

/// When it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It does not.
    Never,
    /// Before that call, counted from 0.
    Before(usize),
    /// After that call, and before its answer is read.
    After(usize),
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: String,
    pub(crate) path: String,
    /// What was answered, whether that was read or not.
    pub(crate) code: Option<StatusCode>,
}

impl Call {
    /// Whether it created an object of that collection.
    pub(crate) fn created(&self, collection: &str) -> bool {
        self.verb == "POST" && self.path.ends_with(collection) && self.code == Some(StatusCode::CREATED)
    }
}

/// The life of a client.
pub(crate) struct Life {
    stop: Stop,
    calls: Mutex<Vec<Call>>,
}

/// A client with a life of its own.
pub(crate) fn client(inner: Client, stop: Stop) -> (Client, Arc<Life>) {
    let life = Arc::new(Life { stop, calls: Mutex::default() });
    let passing = Arc::clone(&life);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, life) = (inner.clone(), Arc::clone(&passing));
        async move { life.pass(&inner, request).await }
    });
    (Client::new(service, "default"), life)
}

impl Life {
    /// Every call of this life.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn pass(&self, inner: &Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let number = self.note(&request);
        let is_over = match self.stop {
            Stop::Never => false,
            Stop::Before(k) => number >= k,
            Stop::After(k) => number > k,
        };
        if is_over {
            return Err("the operator is stopped".into());
        }
        let response = inner.send(request).await?;
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)[number].code = Some(response.status());
        if self.stop == Stop::After(number) {
            Err("the operator is stopped before it hears".into())
        } else {
            Ok(response)
        }
    }

    fn note(&self, request: &Request<Body>) -> usize {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let (verb, path) = (request.method().to_string(), request.uri().path().to_owned());
        calls.push(Call { verb, path, code: None });
        calls.len() - 1
    }
}
