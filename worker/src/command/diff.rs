//! `fleetloom diff`: what differs between two versions, as tables for people, JSON for programs, Parquet for all of it.

mod json;
mod text;

use crate::cli::DiffArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::Frame;
use crate::work::{runtime, table_of, version_of};
use archive::folder::{FolderStore, MissingRoot};
use archive::store::Store;
use std::path::Path;
use std::sync::Arc;
use table::diff::{Diff, LineWriter};

/// Compares the versions asked for.
pub(crate) fn diff(args: &DiffArgs) -> Result {
    let (_, store) = table_of(&args.words.words())?;
    let compared = runtime()?.block_on(Compared::make(&store, args))?;
    print(&if args.json { compared.json() } else { compared.text(Frame::of_stdout()) })?;
    Ok(Exit::Done)
}

/// Two versions, compared.
struct Compared<'a> {
    table: String,
    before: u64,
    after: u64,
    diff: Diff,
    args: &'a DiffArgs,
}

impl<'a> Compared<'a> {
    async fn make(store: &Arc<dyn Store>, args: &'a DiffArgs) -> Result<Self> {
        let before = version_of(store, &args.before).await?;
        let after = version_of(store, &args.after).await?;
        let versions = (before.version, after.version);
        let mut diff = Diff::open(store, before, after).await?;
        match &args.parquet {
            Some(path) => write(&mut diff, path).await?,
            None => while diff.next().await?.is_some() {},
        }
        Ok(Self { table: store.to_string(), before: versions.0, after: versions.1, diff, args })
    }

    /// The name of a compared column.
    fn column(&self, index: usize) -> &str {
        self.diff.columns().get(index).map_or("", |column| column.name.as_str())
    }
}

/// Compares to the end and writes a line per robot, day and column to a file of this machine.
async fn write(diff: &mut Diff, path: &Path) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Fault::request(format!("--parquet {}: name a file", path.display())))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Fault::request(format!("--parquet {}: its folder is not there; make it first", path.display())));
    }
    let folder = FolderStore::new(folder, MissingRoot::Refused);
    let mut lines = LineWriter::create(&folder, name).await?;
    while let Some(days) = diff.next().await? {
        lines.write(diff.columns(), &days).await?;
    }
    Ok(lines.finish().await?)
}
