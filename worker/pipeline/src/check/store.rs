//! Store words: where an archive lies and a table goes, how a bucket is reached, and that no two are in each other's way.

use super::desk::Desk;
use crate::location::Location;
use crate::read::{Document, Spec};
use crate::spec::StoreSpec;

/// The store words with the URL in its one spelling.
pub(super) fn check(words: &StoreSpec, path: &str, folder: Option<&str>, desk: &mut Desk) -> StoreSpec {
    let mut store = words.clone();
    match desk.take(&format!("{path}.url"), Location::parse(&words.url, folder)) {
        Some(location @ Location::S3 { .. }) => {
            check_bucket(words, &location, path, desk);
            store.url = location.to_string();
            store.endpoint = words.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/').to_owned());
        }
        Some(location @ Location::Folder(_)) => {
            refuse_bucket_words(words, path, desk);
            store.url = location.to_string();
        }
        None => {}
    }
    if let Some(secret) = &words.credentials_secret {
        desk.filled(&format!("{path}.credentialsSecret"), secret, "write the name of a Secret, or leave it out");
    }
    store
}

/// A folder is not reached over a network.
fn refuse_bucket_words(words: &StoreSpec, path: &str, desk: &mut Desk) {
    for (field, written) in [
        ("endpoint", words.endpoint.is_some()),
        ("region", words.region.is_some()),
        ("pathStyle", words.path_style.is_some()),
        ("ca", words.ca.is_some()),
    ] {
        if written {
            desk.report(&format!("{path}.{field}"), "is only for s3://, and the url is a folder", "leave it out");
        }
    }
}

fn check_bucket(words: &StoreSpec, location: &Location, path: &str, desk: &mut Desk) {
    if let Location::S3 { bucket, .. } = location
        && !is_bucket(bucket)
    {
        // Not repeated: what stands there may be keys.
        let what = "has no bucket's name before its first /";
        desk.report(
            &format!("{path}.url"),
            what,
            "write s3://bucket/prefix/, the server as `endpoint`, and keys nowhere",
        );
    }
    if let Some(endpoint) = &words.endpoint
        && let Err(what) = check_endpoint(endpoint)
    {
        desk.report(&format!("{path}.endpoint"), what, "write https://host, or https://host:port");
    }
    if let Some(region) = &words.region {
        desk.filled(&format!("{path}.region"), region, "write a region such as eu-central-1, or leave it out");
    }
    let Some(ca) = &words.ca else { return };
    if !words.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("https://")) {
        let what = "is only for an https:// endpoint";
        desk.report(&format!("{path}.ca"), what, "leave it out, or write the endpoint with https://");
    }
    desk.filled(&format!("{path}.ca.configMap"), &ca.config_map, "write the name of a ConfigMap");
    desk.filled(&format!("{path}.ca.key"), &ca.key, "write the key of the certificate, such as ca.crt");
}

/// A bucket's name, as old ones may be too.
fn is_bucket(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(is_word)
}

/// What is wrong with an endpoint. Its text is not repeated where it may hold keys.
fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let host = rest.ok_or("does not begin with https:// or http://")?.trim_end_matches('/');
    match host {
        "" => Err("names no host"),
        host if host.contains('@') => Err("holds a user or a key"),
        host if host.contains(['/', '?', '#', ' ']) => Err("holds more than a host and a port"),
        _ => Ok(()),
    }
}

/// Where a store lies: equal buckets of two servers are two places.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    location: Location,
    endpoint: Option<String>,
}

impl Place {
    fn of(document: &Document, words: &StoreSpec) -> Option<Self> {
        let location = Location::parse(&words.url, document.folder.as_deref()).ok()?;
        let endpoint = words.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/').to_ascii_lowercase());
        Some(Self { location, endpoint })
    }

    fn holds(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.location.holds(&other.location)
    }
}

/// A result in an archive would become its own input, and two tables in one place would destroy each other.
pub(super) fn check_apart(documents: &[Document], desk: &mut Desk) {
    let mut results: Vec<(&Document, Place)> = Vec::new();
    for document in documents {
        let Spec::Pipeline(spec) = &document.spec else { continue };
        let Some(place) = Place::of(document, &spec.result.store) else { continue };
        let result = &place.location;
        desk.open(document);
        for other in documents {
            let Spec::Archive(archive) = &other.spec else { continue };
            let Some(source) = Place::of(other, &archive.store) else { continue };
            if source.holds(&place) || place.holds(&source) {
                let lies = if source.holds(&place) { "lies inside" } else { "holds" };
                let what = format!("is {result}, which {lies} the {} ({})", other.label, source.location);
                desk.report("spec.result.store.url", what, "write a place apart from every archive");
            }
        }
        if let Some((other, theirs)) = results.iter().find(|(_, theirs)| theirs.holds(&place) || place.holds(theirs)) {
            let what = format!("is {result}, where {} writes its table ({})", other.label, theirs.location);
            desk.report("spec.result.store.url", what, "give each pipeline a place of its own");
        }
        results.push((document, place));
    }
}
