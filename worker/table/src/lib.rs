//! What is published: Parquet data files, reports, ledgers, quarantine, and the Delta log that makes a version of them.
//!
//! ```text
//! rows ─► part ─► report ─┐                       ┌─ state (what a version holds)
//!         quarantine      ├─► gates, decide ─► commit ─► checkpoint
//! members, sources, plans ┘    (pure)          (one put at exactly base+1)
//! ```
//!
//! All bytes go through [`archive::store::Store`]; names are spelled in [`layout`]. Nothing here computes a row.

pub mod bridge;
pub mod cell;
pub mod checkpoint;
mod columns;
pub mod commit;
pub mod decide;
pub mod delta;
pub mod diff;
pub mod drift;
pub mod error;
pub mod estimate;
pub mod gates;
pub mod history;
pub mod layout;
pub mod ledger;
pub mod members;
pub mod moments;
mod object;
pub mod part;
pub mod patience;
pub mod probe;
pub mod quarantine;
pub mod report;
pub mod restore;
mod row_group;
pub mod rows;
pub mod scan;
pub mod sources;
pub mod splits;
pub mod state;
mod statistics;
pub mod tag;
mod upload;
pub mod vacuum;
pub mod version;

#[cfg(test)]
mod races;
#[cfg(test)]
mod testing;
