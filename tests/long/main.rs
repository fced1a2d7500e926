//! Tests that take long, by `make test-all`: many Runs on a crowd of nodes that kwok plays, without root.

mod crowd;
