//! Tests on a whole node. They share one, which ends with this process; those about its end start their own.

mod again;
mod base;
mod cannot_start;
mod changes;
mod field;
mod fleet;
mod gate;
mod hands;
mod install;
mod life;
mod limits;
mod node;
mod partial;
mod queue;
mod runs;
mod secrets;
mod shared;
mod siblings;
mod template;
mod twin;
mod worker;

use shared::{images, shared};
