//! tmp
use crate::pipeline::Pipeline;
/// tmp
pub struct Reach { /** b */ pub back_ns: i64, /** f */ pub forward_ns: i64 }
/// tmp
pub fn reach(_: &Pipeline) -> Reach { Reach { back_ns: 0, forward_ns: 0 } }
