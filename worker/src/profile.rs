//! `run --profile FILE`: what each thread did when, for a trace viewer (Perfetto, `chrome://tracing`).
//!
//! The spans are those of [`PROFILE`]: they cost nothing unless somebody asks for them, and say nothing in logs.

use crate::fault::Fault;
use engine::steps::PROFILE;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// What writes the file, and what completes it when it is dropped.
///
/// Errors: the file cannot be created.
pub(crate) fn layer<S>(path: &Path) -> Result<(impl Layer<S> + use<S>, FlushGuard), Fault>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let failed = |error| Fault::request(format!("--profile {}: the file cannot be created: {error}", path.display()));
    let file = File::create(path).map_err(failed)?;
    let (layer, guard) = ChromeLayerBuilder::new().writer(BufWriter::new(file)).include_args(true).build();
    Ok((layer.with_filter(Targets::new().with_target(PROFILE, LevelFilter::TRACE)), guard))
}
