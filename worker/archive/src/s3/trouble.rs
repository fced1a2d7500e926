//! What went wrong with one request, told apart by what a caller can do about it, in words that hold no secret.
//!
//! Nothing of a request enters these words, and of an answer only its code, its message when the code is none we know, and
//! the region it names.

use super::settings::Settings;
use crate::store::StoreError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy;
use std::error::Error;
use std::io;

/// Longest text taken from an answer or a library, bytes.
const SAID_BYTES: usize = 300;

/// One request that failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    /// Details for a person; may be empty.
    pub(crate) said: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the client is made of cannot be right; `said` says why and what to do.
    Setting,
    /// No such key or upload.
    Missing,
    /// That version, or that many bytes, are not there any more.
    Gone,
    /// A condition did not hold (412).
    Precondition,
    /// Another conditional write is under way (409): this one had no effect.
    Conflict,
    /// 403.
    Denied,
    /// The key is unknown to the store, or its secret is another.
    WrongKey,
    /// The keys were good once.
    Expired,
    /// Our clock and the store's differ too much.
    Skewed,
    /// No keys found anywhere, or what should give them is not set up right.
    NoKeys,
    /// What gives keys failed or did not answer.
    KeysUnavailable,
    /// The bucket lies in another region; `said` is its name, if known.
    Region,
    /// No such bucket.
    NoBucket,
    /// No room.
    Full,
    /// The store does not know this request.
    Unsupported,
    /// The server's certificate is not trusted, or not the server's.
    Untrusted,
    /// TLS was spoken to a server that does not, or the other way round.
    NotTls,
    /// No connection: nothing was sent.
    Unreachable,
    /// Too many requests: nothing was done.
    Busy,
    /// Something was sent, and no answer says what became of it.
    Lost,
    /// The store refuses the request for a reason of its own.
    Refused,
}

impl Trouble {
    /// A failure with what it says.
    pub(super) fn new(kind: Kind, said: impl Into<String>) -> Self {
        let mut said: String = said.into().replace(char::is_control, " ");
        said.truncate(said.floor_char_boundary(SAID_BYTES));
        Self { kind, said }
    }

    /// No answer within its time.
    pub(super) fn late() -> Self {
        Self::new(Kind::Lost, "no answer in time")
    }

    /// An answer that broke off.
    pub(super) fn torn(error: &(dyn Error + 'static)) -> Self {
        Self::new(Kind::Lost, format!("the answer broke off: {}", root(error)))
    }

    /// What the SDK says.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match (error, error.raw_response()) {
            (SdkError::ServiceError(service), Some(answer)) => {
                let code = service.err().code().unwrap_or_default();
                let senseless = code.is_empty() && answer.status().is_success();
                let message = if senseless { Some("an answer that is no S3") } else { service.err().message() };
                answered(answer, code, message.unwrap_or_default())
            }
            (SdkError::TimeoutError(_), _) => Self::late(),
            (SdkError::ConstructionFailure(_), _) => Self::new(Kind::Refused, root(error)),
            // Its body could not be read to the end: one that was read and makes no sense is the service's error.
            (SdkError::ResponseError(_), _) => Self::torn(error),
            _ => unsent(error),
        }
    }

    /// The error for a caller, about `place` (bucket and key), met while wanting to `verb`.
    pub(super) fn into_error(self, settings: &Settings, place: String, verb: &'static str) -> StoreError {
        let said = self.said;
        let source = |text: String| text.into();
        let bucket = settings.to_string();
        let invalid = |why: String| StoreError::Invalid { place: bucket.clone(), why };
        match self.kind {
            Kind::Setting => invalid(said),
            Kind::Missing => StoreError::NotFound { place },
            Kind::Gone => StoreError::Changed { place },
            Kind::Precondition if verb == "write" => StoreError::Exists { place },
            Kind::Precondition => StoreError::Changed { place },
            Kind::Denied => StoreError::Denied { place, verb },
            Kind::Full => StoreError::Full { place },
            Kind::Expired => {
                StoreError::Expired { place: bucket, why: format!("its keys have expired ({said}); get new ones") }
            }
            Kind::Skewed => {
                let why =
                    "the clock of this machine is wrong by more than the store allows; set it (NTP) and run again";
                StoreError::Expired { place: bucket, why: why.to_owned() }
            }
            Kind::WrongKey => invalid(format!(
                "the store refuses the access key ({said}); check the key, its secret and the endpoint"
            )),
            Kind::NoKeys => invalid(no_keys(settings, &said)),
            Kind::KeysUnavailable => {
                StoreError::Unavailable { place: bucket, source: source(format!("its keys could not be got ({said})")) }
            }
            Kind::Region => invalid(wrong_region(&said)),
            Kind::NoBucket => {
                invalid(format!("no bucket {}{}; make it, or check the spelling", settings.bucket, at(settings)))
            }
            Kind::Untrusted => invalid(untrusted(settings, &said)),
            Kind::NotTls => invalid(format!(
                "{} and the server do not speak the same protocol ({said}); try {}",
                endpoint(settings),
                other_scheme(settings)
            )),
            Kind::Unsupported => invalid(format!(
                "the store does not know how to {verb} this way ({said}); use one that keeps S3's promises"
            )),
            Kind::Refused => StoreError::Invalid { place, why: format!("the store refuses to {verb} it ({said})") },
            Kind::Unreachable => {
                StoreError::Unavailable { place: bucket, source: source(unreachable(settings, &said)) }
            }
            Kind::Busy | Kind::Conflict => {
                StoreError::Unavailable { place, source: source(format!("{said}; run again later")) }
            }
            Kind::Lost if verb == "write" => StoreError::Unknown { place, source: source(said) },
            Kind::Lost => StoreError::Unavailable { place, source: source(said) },
        }
    }
}

/// What an answer says: its code, else its status. Answers to HEAD have no body, so no code.
fn answered(answer: &HttpResponse, code: &str, message: &str) -> Trouble {
    let status = answer.status().as_u16();
    let kind = of_code(code).unwrap_or_else(|| of_status(status));
    let said = match kind {
        Kind::Region => region_named(answer).unwrap_or_default(),
        Kind::Refused | Kind::Unsupported | Kind::Lost | Kind::Full if !message.is_empty() => {
            format!("{status} {code}: {message}")
        }
        _ if code.is_empty() => status.to_string(),
        _ => code.to_owned(),
    };
    Trouble::new(kind, said)
}

/// Codes of AWS, and those that compatible stores add.
fn of_code(code: &str) -> Option<Kind> {
    Some(match code {
        "NoSuchKey" | "NoSuchUpload" => Kind::Missing,
        "NoSuchVersion" | "InvalidRange" => Kind::Gone,
        "PreconditionFailed" => Kind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => Kind::Conflict,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Kind::Denied,
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "InvalidClientTokenId" => Kind::WrongKey,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Kind::Expired,
        "RequestTimeTooSkewed" | "RequestExpired" => Kind::Skewed,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => Kind::Region,
        "NoSuchBucket" => Kind::NoBucket,
        "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "InsufficientStorage" => Kind::Full,
        "NotImplemented" | "MethodNotAllowed" => Kind::Unsupported,
        "SlowDown" | "SlowDownRead" | "SlowDownWrite" | "Throttling" | "TooManyRequests" | "RequestLimitExceeded" => {
            Kind::Busy
        }
        "InternalError" | "RequestTimeout" => Kind::Lost,
        _ => return None,
    })
}

fn of_status(status: u16) -> Kind {
    match status {
        301 | 307 => Kind::Region,
        401 | 403 => Kind::Denied,
        404 => Kind::Missing,
        409 => Kind::Conflict,
        412 => Kind::Precondition,
        416 => Kind::Gone,
        429 => Kind::Busy,
        501 => Kind::Unsupported,
        507 => Kind::Full,
        408 | 500..=599 => Kind::Lost,
        _ => Kind::Refused,
    }
}

/// The region that an answer names, in a header or in its body.
fn region_named(answer: &HttpResponse) -> Option<String> {
    let body = || {
        let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
        Some(text.split_once("<Region>")?.1.split_once("</Region>")?.0)
    };
    let named = answer.headers().get("x-amz-bucket-region").or_else(body)?;
    // A region is a word: what is none is not repeated.
    let is_word = |text: &str| text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_word(named).then(|| named.to_owned())
}

/// A request that got no answer: it may not have been sent at all.
fn unsent(error: &(dyn Error + 'static)) -> Trouble {
    if let Some(keys) = find::<CredentialsError>(error) {
        // The chain's own words say which of its links failed; the values themselves are not in them.
        return match keys {
            CredentialsError::CredentialsNotLoaded(_) => Trouble::new(Kind::NoKeys, ""),
            CredentialsError::InvalidConfiguration(_) => Trouble::new(Kind::NoKeys, root(keys)),
            // The last link of the chain is there and gives nothing; asking again changes nothing.
            _ if root(keys).contains("IMDS is disabled") => Trouble::new(Kind::NoKeys, root(keys)),
            _ => Trouble::new(Kind::KeysUnavailable, root(keys)),
        };
    }
    let said = root(error);
    if let Some(tls) = find::<rustls::Error>(error) {
        let kind = match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Kind::Untrusted,
            _ => Kind::NotTls,
        };
        return Trouble::new(kind, said);
    }
    let connecting = find::<legacy::Error>(error).is_some_and(legacy::Error::is_connect);
    Trouble::new(if connecting { Kind::Unreachable } else { Kind::Lost }, said)
}

/// The first error of a type in a chain; an [`io::Error`] hides one inside that is not its source.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map_or_else(|| error.source(), |inside| Some(inside as &(dyn Error + 'static)));
    }
    None
}

/// What the innermost error says: those around it say that something failed.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn endpoint(settings: &Settings) -> &str {
    settings.endpoint.as_deref().unwrap_or("AWS S3")
}

fn at(settings: &Settings) -> String {
    settings.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default()
}

fn other_scheme(settings: &Settings) -> &'static str {
    match settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("https:")) {
        true => "http://",
        false => "https://",
    }
}

fn no_keys(settings: &Settings, said: &str) -> String {
    let because = if said.is_empty() { String::new() } else { format!(" ({said})") };
    let side = settings.ca_variable().replace("_CA", "_AWS_ACCESS_KEY_ID");
    let secret = match &settings.secret {
        Some(secret) => format!("on a cluster, put them into the Secret {secret}"),
        None => "on a cluster, name a Secret as `credentialsSecret`".to_owned(),
    };
    format!(
        "no keys to reach it were found{because}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (for this \
         side alone: {side}, …); {secret}"
    )
}

fn wrong_region(named: &str) -> String {
    match named {
        "" => "the bucket lies in another region; write it as `region`".to_owned(),
        named => format!("the bucket lies in another region; write `region: {named}`"),
    }
}

fn untrusted(settings: &Settings, said: &str) -> String {
    let variable = settings.ca_variable();
    format!(
        "the certificate of {} is not trusted ({said}); name the file of its authority with {variable} or AWS_CA_BUNDLE (on a \
         cluster: `ca`)",
        endpoint(settings)
    )
}

fn unreachable(settings: &Settings, said: &str) -> String {
    let style = if settings.endpoint.is_some() && !settings.path_style { ", or write `pathStyle: true`" } else { "" };
    format!("cannot connect to {} ({said}); check the endpoint and the network{style}", endpoint(settings))
}
