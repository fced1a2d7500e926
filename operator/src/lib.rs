//! The operator: turns Archives, Pipelines and Runs of a cluster into Jobs, and Jobs into status.
//!
//! ```text
//!              observe ──► decide ──► build ──► apply ──► status          pure: decide, build, timetable, schedule
//!  Run            life looks until there is nothing left to do            a client: observe, apply, status
//!  Pipeline       upkeep, with timetable for decide
//! ```
//! It links no Arrow and no bucket client, and reads no Secret: everything it knows of data is what pods say at their end.
//! The client and the clock are passed in, so that tests drive all of it with ones that fail, stop or stand still.

pub mod api;
pub mod apply;
pub mod build;
pub mod condition;
pub mod context;
pub mod controller;
pub mod crd;
pub mod decide;
pub mod facts;
pub mod glance;
pub mod indexes;
pub mod install;
pub mod job;
pub mod lease;
pub mod life;
pub mod metrics;
pub mod moment;
pub mod observe;
pub mod others;
mod pace;
pub mod quantity;
pub mod reason;
pub mod schedule;
pub mod server;
pub mod settle;
pub mod status;
pub mod timetable;
pub mod upkeep;
pub mod yaml;

#[cfg(test)]
mod testing;
