//! What is computed: bytes to observations ([`decode`]), observations to rows (kernels and DataFusion operators).
//!
//! Kernels are plain functions on sorted slices. No stores, no files, no clock.

pub mod account;
pub mod arrange;
pub mod compile;
pub mod compute;
pub mod control;
pub mod crew;
pub mod decode;
pub mod event;
pub mod explain;
mod expression;
pub mod grid;
pub mod label;
pub mod nearest;
mod operator;
pub mod relation;
mod schema;
pub mod sorted;
pub mod statistic;
pub mod steps;
pub mod trace;
pub mod validity;
pub mod window;
