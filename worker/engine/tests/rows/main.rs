//! Rows from words and observations: joins, expressions, windows, events, labels, validity and the account together, and the
//! law that it does not matter where a shard is cut.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod event_rows;
mod expression;
mod fixture;
mod join;
mod label;
mod sharding;
mod trace;
mod window;
