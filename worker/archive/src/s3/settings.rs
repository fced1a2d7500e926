//! What a bucket's client is made of, from the words of a store and the process's environment. Reads no file and no network.
//!
//! ```text
//! words         url, endpoint, region, pathStyle
//! environment   FLEETLOOM_<SIDE>_AWS_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY, …_SESSION_TOKEN: keys of one side, before the AWS chain
//!               FLEETLOOM_<SIDE>_SECRET: the Secret that is to give those keys; without them nothing else is tried
//!               FLEETLOOM_<SIDE>_CA, else AWS_CA_BUNDLE: a file of certificate authorities
//! ```

use crate::open::Side;
use crate::store::StoreError;
use aws_credential_types::Credentials;
use pipeline::location::Location;
use pipeline::spec::StoreSpec;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The variables of a process, as far as a store reads them itself. The usual AWS variables are read by the AWS chain.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// Those of this process. Values that are not UTF-8 are left out: none of ours can be.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The value; an empty one counts as absent, which is what an optional `secretKeyRef` may leave.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How long a bucket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// One request with its whole answer: 8 MiB at 190 KB/s.
    pub attempt: Duration,
    /// All tries of one call, pauses included.
    pub call: Duration,
    /// Before the second try, at most; it doubles with each, up to fifty times as long.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(45),
            call: Duration::from_secs(120),
            pause: Duration::from_millis(200),
        }
    }
}

/// A bucket's prefix and how it is reached.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) bucket: String,
    /// Before every key: empty, or ending with `/`.
    pub(crate) prefix: String,
    pub(crate) side: Side,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: bool,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Where a cluster takes that from: a key of a ConfigMap.
    pub(crate) ca_of: Option<String>,
    /// Keys of this side; absent: the usual AWS chain.
    pub(crate) keys: Option<Credentials>,
    /// The Secret that gives them on a cluster.
    pub(crate) secret: Option<String>,
    pub(crate) limits: Limits,
}

impl Settings {
    /// Reads the words of a store whose URL is `s3://`.
    ///
    /// Errors: [`StoreError::Invalid`] when the URL is no bucket, or a key of this side comes without its other half.
    pub(crate) fn read(spec: &StoreSpec, side: Side, environment: &Environment) -> Result<Self, StoreError> {
        let invalid = |why: String| StoreError::Invalid { place: spec.url.clone(), why };
        let Location::S3 { bucket, prefix } = Location::parse(&spec.url, None).map_err(invalid)? else {
            return Err(invalid("is no bucket; write s3://bucket/prefix/".to_owned()));
        };
        let ca = environment.get(&format!("FLEETLOOM_{}_CA", word(side))).or_else(|| environment.get("AWS_CA_BUNDLE"));
        Ok(Self {
            bucket,
            prefix: if prefix.is_empty() { prefix } else { prefix + "/" },
            side,
            endpoint: spec.endpoint.clone(),
            region: spec.region.clone(),
            path_style: spec.path_style.unwrap_or(false),
            ca: ca.map(PathBuf::from),
            ca_of: spec.ca.as_ref().map(|ca| format!("{} of the ConfigMap {}", ca.key, ca.config_map)),
            keys: keys(side, environment).map_err(invalid)?,
            secret: spec.credentials_secret.clone(),
            limits: Limits::default(),
        })
    }

    /// What errors call the key.
    pub(crate) fn place(&self, key: &str) -> String {
        format!("{self}{key}")
    }

    /// The variable that names the CA file of this side.
    pub(crate) fn ca_variable(&self) -> String {
        format!("FLEETLOOM_{}_CA", word(self.side))
    }

    /// Who says which CA file is meant, for a file that is wrong.
    pub(crate) fn ca_named(&self) -> String {
        let on_a_cluster =
            self.ca_of.as_ref().map(|of| format!("; on a cluster it is {of}, in the namespace of the Run"));
        format!("{} or AWS_CA_BUNDLE names it{}", self.ca_variable(), on_a_cluster.unwrap_or_default())
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The place, and nothing that a log should not hold.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Settings").field(&self.to_string()).field(&self.endpoint).finish()
    }
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Source => "SOURCE",
        Side::Result => "RESULT",
    }
}

/// The keys given to one side alone.
fn keys(side: Side, environment: &Environment) -> Result<Option<Credentials>, String> {
    let name = |end: &str| format!("FLEETLOOM_{}_AWS_{end}", word(side));
    let (id, secret) = (name("ACCESS_KEY_ID"), name("SECRET_ACCESS_KEY"));
    let from = environment.get(&format!("FLEETLOOM_{}_SECRET", word(side)));
    match (environment.get(&id), environment.get(&secret)) {
        // Whoever names a Secret does not mean whatever identity the pod or its node has.
        (key, value) if from.is_some() && (key.is_none() || value.is_none()) => {
            Err(missing_secret(from.unwrap_or_default()))
        }
        (None, None) => Ok(None),
        (Some(key), Some(value)) => {
            let token = environment.get(&name("SESSION_TOKEN")).map(str::to_owned);
            Ok(Some(Credentials::new(key, value, token, None, "fleetloom")))
        }
        (Some(_), None) => Err(format!("{id} is set and {secret} is not; set both, or neither")),
        (None, Some(_)) => Err(format!("{secret} is set and {id} is not; set both, or neither")),
    }
}

fn missing_secret(name: &str) -> String {
    format!(
        "cannot be reached: the Secret {name} is not there, or holds no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY; create \
         it in the namespace of the Run, or leave `credentialsSecret` out to use the pod's own identity"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(url: &str) -> StoreSpec {
        let url = url.to_owned();
        StoreSpec { url, endpoint: None, path_style: None, region: None, ca: None, credentials_secret: None }
    }

    #[test]
    fn each_side_has_keys_and_authorities_of_its_own() {
        let environment = Environment::from([
            ("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", "reader"),
            ("FLEETLOOM_SOURCE_AWS_SECRET_ACCESS_KEY", "r"),
            ("FLEETLOOM_RESULT_AWS_ACCESS_KEY_ID", "writer"),
            ("FLEETLOOM_RESULT_AWS_SECRET_ACCESS_KEY", "w"),
            ("FLEETLOOM_RESULT_AWS_SESSION_TOKEN", "t"),
            ("FLEETLOOM_RESULT_CA", "/result.pem"),
            ("AWS_CA_BUNDLE", "/both.pem"),
        ]);
        let read = |side| Settings::read(&spec("s3://b/p/"), side, &environment).unwrap();
        let (source, result) = (read(Side::Source), read(Side::Result));
        let names = [&source, &result].map(|side| side.keys.as_ref().unwrap().access_key_id().to_owned());
        assert_eq!(names, ["reader", "writer"]);
        assert_eq!(result.keys.unwrap().session_token(), Some("t"));
        assert_eq!((source.ca.unwrap(), result.ca.unwrap()), ("/both.pem".into(), "/result.pem".into()));
    }

    #[test]
    fn a_ca_file_that_is_wrong_is_traced_to_the_config_map_of_the_words() {
        let ca = pipeline::spec::CaSpec { config_map: "objects-ca".to_owned(), key: "ca.crt".to_owned() };
        let read = |ca| Settings::read(&StoreSpec { ca, ..spec("s3://b/") }, Side::Source, &Environment::from([]));
        let named = |ca| read(ca).unwrap().ca_named();
        assert_eq!(named(None), "FLEETLOOM_SOURCE_CA or AWS_CA_BUNDLE names it");
        assert!(named(Some(ca)).ends_with("it is ca.crt of the ConfigMap objects-ca, in the namespace of the Run"));
    }

    #[test]
    fn half_a_key_is_refused_with_the_name_of_the_other_half() {
        let environment = Environment::from([("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", "reader")]);
        let said = Settings::read(&spec("s3://b/"), Side::Source, &environment).unwrap_err().to_string();
        assert!(said.contains("FLEETLOOM_SOURCE_AWS_SECRET_ACCESS_KEY is not") && !said.contains("reader"), "{said}");
        assert!(Settings::read(&spec("s3://b/"), Side::Result, &environment).unwrap().keys.is_none());
    }

    #[test]
    fn a_secret_that_gives_no_keys_is_named_and_no_other_identity_is_taken() {
        for keys in [[("A", "a"), ("B", "b")], [("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", "reader"), ("B", "b")]] {
            let environment = Environment::from([("FLEETLOOM_SOURCE_SECRET", "telemetry-read"), keys[0], keys[1]]);
            let said = Settings::read(&spec("s3://b/"), Side::Source, &environment).unwrap_err().to_string();
            assert!(said.contains("the Secret telemetry-read is not there"), "{said}");
            assert!(Settings::read(&spec("s3://b/"), Side::Result, &environment).is_ok(), "the other side has its own");
        }
    }

    #[test]
    fn empty_variables_are_absent_and_a_whole_bucket_has_no_prefix() {
        let environment = Environment::from([("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", ""), ("AWS_CA_BUNDLE", "")]);
        let settings = Settings::read(&spec("s3://b"), Side::Source, &environment).unwrap();
        assert!(settings.keys.is_none() && settings.ca.is_none());
        assert_eq!((settings.prefix.as_str(), settings.place("a/b")), ("", "s3://b/a/b".to_owned()));
        assert!(Settings::read(&spec("/folder"), Side::Source, &environment).is_err());
    }

    #[test]
    fn nothing_secret_is_in_the_debug_text() {
        let environment = Environment::from([
            ("FLEETLOOM_SOURCE_AWS_ACCESS_KEY_ID", "AKIAHIDDEN"),
            ("FLEETLOOM_SOURCE_AWS_SECRET_ACCESS_KEY", "hush"),
        ]);
        let settings = Settings::read(&spec("s3://b/"), Side::Source, &environment).unwrap();
        let said = format!("{settings:?} {environment:?}");
        assert!(!said.contains("AKIAHIDDEN") && !said.contains("hush"), "{said}");
    }
}
