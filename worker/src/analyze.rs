//! The analysis: a pipeline's rows computed and thrown away, to see which operator gives how many, and what it takes.

use crate::fault::Fault;
use crate::query::Reading;
use crate::shard::{Traces, cuts, scan};
use crate::stop::Stop;
use crate::work::Effort;
use engine::compile::Compiled;
use engine::explain::Analysis;
use pipeline::time::Span;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What computing came to.
#[derive(Debug)]
pub(crate) struct Analyzed {
    /// By operator.
    pub(crate) analysis: Analysis,
    /// Members that were read, those that are only context too.
    pub(crate) members: u64,
    /// Their stored bytes.
    pub(crate) read_bytes: u64,
    /// Reading and decoding them.
    pub(crate) reading: Duration,
    /// Everything else.
    pub(crate) computing: Duration,
}

/// Computes the rows of a span. Nothing is written. Blocks: call it outside the runtime's threads.
pub(crate) fn analyze(
    compiled: &Compiled,
    (effort, stop): (Effort, &Stop),
    runtime: &Handle,
    span: Span,
) -> Result<Analyzed, Fault> {
    let reading = Arc::new(Reading::of_pipeline(compiled.clone(), (effort, stop), runtime)?);
    let known = runtime.block_on(reading.known())?;
    let work = reading.work(&known, None, stop.clone())?;
    let cuts = cuts(&work, runtime, &known.sources, span)?;
    let mut analyzed = Analyzed {
        analysis: Analysis::of(compiled),
        members: 0,
        read_bytes: 0,
        reading: Duration::ZERO,
        computing: Duration::ZERO,
    };
    let mut since = Instant::now();
    for part in &cuts.parts {
        scan(&work, runtime, &known.sources, (*part, Traces::Dropped), &mut |scanned| {
            analyzed.reading += since.elapsed();
            let computing = Instant::now();
            for member in &scanned.members {
                analyzed.members += 1;
                analyzed.read_bytes = analyzed.read_bytes.saturating_add(member.stored_bytes);
            }
            for robot in scanned.robots {
                stop.check()?;
                compiled.analyze(robot, part.span, &mut analyzed.analysis)?;
            }
            analyzed.computing += computing.elapsed();
            since = Instant::now();
            Ok(())
        })?;
    }
    analyzed.reading += since.elapsed();
    Ok(analyzed)
}
