//! What is computed: bytes to observations ([`decode`]), observations to rows (kernels and DataFusion operators).
//!
//! Kernels are plain functions on sorted slices. No stores, no files, no clock.

pub mod account;
pub mod event;
pub mod label;
pub mod nearest;
pub mod sorted;
pub mod statistic;
pub mod window;
pub mod decode;
mod expression;
mod schema;
