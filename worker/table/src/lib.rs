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
pub mod error;
pub mod layout;

#[cfg(test)]
mod testing;
