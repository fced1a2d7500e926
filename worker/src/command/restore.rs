//! `fleetloom restore`: a new version that holds what an old one held.

use crate::cli::RestoreArgs;
use crate::commit::{Made, make_version};
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::present::count;
use crate::work::{now_ms, runtime, table_of, version_of};
use archive::store::Store;
use pipeline::pipeline::Pipeline;
use pipeline::time::SECOND_NS;
use serde_json::json;
use std::sync::Arc;
use table::restore::{Wish, restoration};
use table::version::VersionName;
use uuid::Uuid;

/// Publishes the version asked for once more, on top of the latest.
pub(crate) fn restore(args: &RestoreArgs) -> Result {
    let (compiled, store) = table_of(&args.words.words())?;
    let restored = runtime()?.block_on(Restored::make(&store, compiled.pipeline(), &args.version))?;
    print(&if args.json { restored.json(&store) } else { restored.text(&store) })?;
    Ok(Exit::Done)
}

/// What became of it.
struct Restored {
    from: u64,
    version: u64,
    published: bool,
    rows: u64,
    files: usize,
}

impl Restored {
    async fn make(store: &Arc<dyn Store>, pipeline: &Pipeline, name: &VersionName) -> Result<Self> {
        let old = version_of(store, name).await?;
        let latest = version_of(store, &VersionName::Latest).await?;
        let wish = Wish {
            run: format!("restore-{}", Uuid::new_v4().simple()),
            pipeline: pipeline.name.clone(),
            retention_s: u64::try_from(pipeline.retention_ns() / SECOND_NS).unwrap_or_default(),
            now_ms: now_ms(),
        };
        let publication = restoration(store, latest, &old, wish).await?;
        let Made { version, published, .. } = make_version(store, &publication).await?;
        Ok(Self {
            from: old.version,
            version,
            published,
            rows: publication.ledger.files().map(|file| file.rows).sum(),
            files: old.files.len(),
        })
    }

    fn text(&self, store: &Arc<dyn Store>) -> String {
        let holds = format!("{} rows in {} files", count(self.rows), count(self.files as u64));
        match self.published {
            true => format!("{store} version {}: restored from version {}, {holds}\n", self.version, self.from),
            false => format!(
                "{store} version {} holds what version {} held: nothing to do, {holds}\n",
                self.version, self.from
            ),
        }
    }

    fn json(&self, store: &Arc<dyn Store>) -> String {
        let json = json!({
            "table": store.to_string(),
            "version": self.version,
            "restored": self.from,
            "published": self.published,
            "rows": self.rows,
            "files": self.files,
        });
        format!("{json:#}\n")
    }
}
