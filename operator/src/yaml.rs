//! Kubernetes objects as YAML text.

use serde::Serialize;

/// The object as YAML, a newline at its end.
pub fn of(object: &impl Serialize) -> String {
    // By way of JSON, so that keys stand in the order of the type and text never depends on tags.
    let value = serde_json::to_value(object).expect("plain data has a JSON text");
    serde_yaml_ng::to_string(&value).expect("JSON has a YAML text")
}
