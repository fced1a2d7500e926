//! Tests that take long, by `make test-all`: many Runs on a crowd of nodes (`kwok`, without root), and everything that goes wrong
//! at once on a real node (root).

mod chance;
mod chaos;
mod crowd;
#[allow(dead_code, reason = "each test binary uses a part of the harness")]
#[path = "../cluster/as_root/field.rs"]
mod field;
#[path = "../cluster/as_root/shared.rs"]
mod shared;

use shared::{images, shared};
