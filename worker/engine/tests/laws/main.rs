//! Laws of the kernels: each equals a slow oracle written straight from the semantics, whatever the input. A failing case
//! prints its seed and its shrunken input.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "in tests an unwrap is an assertion, and the numbers are small"
)]

mod event;
mod nearest;
mod rows;
mod statistic;
