//! tmp
/// tmp
pub fn differences(_: &serde_json::Value, _: &serde_json::Value) -> Vec<String> { vec![] }
