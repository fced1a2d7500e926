//! Tests on a whole node. They share one, which ends with this process; those about its end start their own.

mod field;
mod life;
mod node;
mod runs;
mod shared;
mod worker;

use shared::{images, shared};
