//! Laws of the kernels: each equals a slow oracle written straight from the semantics, whatever the input. A failing case
//! prints its seed and its shrunken input.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "in tests an unwrap is an assertion, and the numbers are small"
)]

mod counts;
mod event;
mod nearest;
mod rows;
mod statistic;

use proptest::test_runner::Config;

/// As many cases as `PROPTEST_CASES` says (`make fuzz`), else so many.
fn cases(usual: u32) -> Config {
    let said = std::env::var("PROPTEST_CASES").ok();
    Config::with_cases(said.and_then(|cases| cases.parse().ok()).unwrap_or(usual))
}
