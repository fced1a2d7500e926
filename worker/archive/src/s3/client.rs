//! The client of a bucket: TLS, time limits, keys, region. Made at a store's first call, because most of it may have to be
//! asked for.
//!
//! The client never tries again by itself: [`super::call`] does, and knows which calls may be repeated.

use super::settings::Settings;
use super::trouble::{Kind, Trouble};
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::time::Duration;

/// Where there is an endpoint and nobody names a region: what S3-compatible stores answer to.
const REGION_OF_ENDPOINTS: &str = "us-east-1";

/// The instance metadata service is one hop away or not there at all: off a cloud, nobody should wait for it.
const METADATA: Duration = Duration::from_secs(1);

/// Makes the client.
///
/// Errors: [`Kind::Setting`] when there is no region, or the CA file is none.
pub(super) async fn connect(settings: &Settings) -> Result<Client, Trouble> {
    let http = http(settings)?;
    let region = region(settings).await?;
    let provider = match &settings.keys {
        Some(keys) => SharedCredentialsProvider::new(keys.clone()),
        None => chain(&http, &region).await,
    };
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(region)
        .credentials_provider(provider)
        .force_path_style(settings.path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(settings.limits.connect).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &settings.endpoint {
        // Many compatible stores refuse the trailing checksums that AWS takes.
        config = config
            .endpoint_url(endpoint)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Ok(Client::from_conf(config.build()))
}

/// Connections that trust the system's authorities and those of the CA file.
fn http(settings: &Settings) -> Result<SharedHttpClient, Trouble> {
    let mut trust = TrustStore::default();
    if let Some(file) = &settings.ca {
        let named = settings.ca_named();
        let wrong = |why: String| Trouble::new(Kind::Setting, format!("{}: {why}; {named}", file.display()));
        let pem = std::fs::read(file).map_err(|error| wrong(format!("the CA file cannot be read ({error})")))?;
        if !holds_authorities(&pem) {
            return Err(wrong("the CA file holds no PEM certificate that can be used".to_owned()));
        }
        trust.add_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trust).build();
    let context = context.map_err(|error| Trouble::new(Kind::Setting, error.to_string()))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

/// Whether every certificate in a PEM text can be an authority, and there is one: the TLS layer would panic otherwise.
fn holds_authorities(pem: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    CertificateDer::pem_slice_iter(pem).all(|found| found.is_ok_and(|found| roots.add(found).is_ok()))
        && !roots.is_empty()
}

/// The region of the words, else of the environment, else of the profile, else that of endpoints.
async fn region(settings: &Settings) -> Result<Region, Trouble> {
    if let Some(region) = &settings.region {
        return Ok(Region::new(region.clone()));
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().configure(&ProviderConfig::without_region()).build());
    match (chain.region().await, &settings.endpoint) {
        (Some(region), _) => Ok(region),
        (None, Some(_)) => Ok(Region::from_static(REGION_OF_ENDPOINTS)),
        (None, None) => Err(Trouble::new(Kind::Setting, "its region is not known; write `region`, or set AWS_REGION")),
    }
}

/// The usual AWS chain: environment, profile, web identity, container, instance.
async fn chain(http: &SharedHttpClient, region: &Region) -> SharedCredentialsProvider {
    let config = ProviderConfig::without_region().with_http_client(http.clone()).with_region(Some(region.clone()));
    let metadata = imds::Client::builder()
        .configure(&config)
        .max_attempts(1)
        .connect_timeout(METADATA)
        .read_timeout(METADATA)
        .build();
    let chain = DefaultCredentialsChain::builder().imds_client(metadata).configure(config).region(region.clone());
    SharedCredentialsProvider::new(chain.build().await)
}
