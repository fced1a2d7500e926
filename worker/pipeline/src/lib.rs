//! The words and rules of Fleetloom: what a person writes, what it means, and how an archive is cut into shards.
//!
//! ```text
//! text --read--> Words (spec) --check--> Archive, Pipeline, Run --> columns, reach, meaning --plan--> shards
//! ```
//!
//! Pure: no I/O, no async, no Arrow, no clock. [`spec`] is what was written, [`archive`], [`pipeline`] and [`run`] are
//! what is ready: nothing left to check but expressions, which the engine types.

pub mod act;
pub mod archive;
pub mod check;
pub mod columns;
pub mod location;
pub mod meaning;
pub mod member;
pub mod mistake;
pub mod name;
pub mod pattern;
pub mod pipeline;
pub mod plan;
pub mod pointer;
pub mod reach;
pub mod read;
pub mod run;
pub mod schema;
pub mod spec;
pub mod time;
