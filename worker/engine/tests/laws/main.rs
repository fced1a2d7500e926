//! Laws of the kernels: each equals a slow oracle written straight from the semantics, whatever the input. A failing case
//! prints its seed and its shrunken input.

mod event;
mod nearest;
mod rows;
mod statistic;
