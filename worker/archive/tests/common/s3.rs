//! Stores over the servers of the harness.

use fleetloom_archive::open::Side;
use fleetloom_archive::s3::S3Store;
use fleetloom_archive::s3::settings::{Environment, Limits};
use fleetloom_tests::bucket::Server;
use fleetloom_tests::signed::Keys;
use pipeline::spec::StoreSpec;
use std::time::Duration;

/// Limits under which a hanging server is given up within a test's patience.
pub(crate) const SHORT: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(1),
    call: Duration::from_secs(3),
    pause: Duration::from_millis(5),
};

/// The words of a store at an endpoint.
pub(crate) fn words(url: &str, endpoint: &str) -> StoreSpec {
    let (url, endpoint) = (url.to_owned(), Some(endpoint.to_owned()));
    StoreSpec { url, endpoint, path_style: Some(true), region: None, ca: None, credentials_secret: None }
}

/// An environment with keys for both sides, and an authority.
pub(crate) fn environment(keys: &Keys, authority: &str) -> Environment {
    Environment::from([
        ("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", keys.id.as_str()),
        ("FLEETLOOM_SOURCE_AWS_SECRET_ACCESS_KEY", keys.secret.as_str()),
        ("FLEETLOOM_RESULT_AWS_ACCESS_KEY_ID", keys.id.as_str()),
        ("FLEETLOOM_RESULT_AWS_SECRET_ACCESS_KEY", keys.secret.as_str()),
        ("AWS_CA_BUNDLE", authority),
    ])
}

/// The store of a URL on a server, with its keys.
pub(crate) fn store(server: &Server, url: &str, side: Side) -> S3Store {
    S3Store::new(&words(url, &server.endpoint()), side, &environment(server.keys(), "")).unwrap()
}
