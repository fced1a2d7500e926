//! The three kinds as OpenAPI schemas, generated from [`crate::spec`]: for the CRDs, for editors, and for
//! [`crate::read`], which walks them to find every mistake at once.
//!
//! Structural as Kubernetes wants it: no references, one `type` per value, no `additionalProperties: false`; null only
//! where it means the word `Null`.

use crate::spec::{ArchiveSpec, Metadata, PipelineSpec, RunSpec};
use crate::time::words;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The three kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Where telemetry lies and how to read it.
    Archive,
    /// What is computed.
    Pipeline,
    /// One execution.
    Run,
}

impl Kind {
    /// All of them, in the order a file is read.
    pub const ALL: [Self; 3] = [Self::Archive, Self::Pipeline, Self::Run];

    /// As written under `kind`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "Archive",
            Self::Pipeline => "Pipeline",
            Self::Run => "Run",
        }
    }
}

/// The schema of a whole document: `apiVersion`, `kind`, `metadata` (an open object, as CRDs demand) and `spec`.
pub fn schema(kind: Kind) -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"type": "object"},
            "spec": spec_schema(kind),
        },
    })
}

/// The schema of `spec` alone.
pub fn spec_schema(kind: Kind) -> Value {
    match kind {
        Kind::Archive => generate::<ArchiveSpec>(),
        Kind::Pipeline => generate::<PipelineSpec>(),
        Kind::Run => generate::<RunSpec>(),
    }
}

/// The schema of our part of `metadata`.
pub(crate) fn metadata_schema() -> Value {
    generate::<Metadata>()
}

/// The structural schema of any type of words or statuses.
pub fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    structural(settings.into_generator().into_root_schema_for::<T>().to_value())
}

/// Rewrites one generated schema, and all below it, into the structural form.
fn structural(schema: Value) -> Value {
    let Value::Object(mut object) = schema else { return json!({"x-kubernetes-preserve-unknown-fields": true}) };
    without_null(&mut object);
    flatten_words(&mut object);
    for field in ["$schema", "title", "default"] {
        object.remove(field);
    }
    plain_numbers(&mut object);
    describe_text(&mut object);
    match object.remove("additionalProperties") {
        Some(Value::Bool(true)) => {
            object.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
        }
        Some(values @ Value::Object(_)) => {
            object.insert("additionalProperties".into(), structural(values));
        }
        _ => {}
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(|property| *property = structural(property.take()));
    }
    if let Some(items) = object.get_mut("items") {
        *items = structural(items.take());
    }
    Value::Object(object)
}

/// An optional field is left out, never null: on a cluster `null` would be refused.
fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get("type")
        && let Some(one) = types.iter().find(|name| *name != "null").cloned()
    {
        object.insert("type".into(), one);
    }
    let branches = object.get_mut("anyOf").and_then(Value::as_array_mut);
    if let Some(Value::Object(one)) = branches.and_then(|branches| branches.first_mut()).map(Value::take) {
        object.remove("anyOf");
        for (field, value) in one {
            object.entry(field).or_insert(value);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

/// `oneOf` of documented words becomes one `enum`; the words' own descriptions join the field's.
fn flatten_words(object: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = object.remove("oneOf") else { return };
    let mut words = Vec::new();
    let mut meanings = Vec::new();
    for branch in &branches {
        let found: Vec<Value> = match (branch.get("const"), branch.get("enum")) {
            (Some(word), _) => vec![word.clone()],
            (None, Some(Value::Array(list))) => list.clone(),
            _ => Vec::new(),
        };
        if let (Some(word), Some(meaning)) =
            (found.first().and_then(Value::as_str), branch.get("description").and_then(Value::as_str))
        {
            meanings.push(format!("{word}: {meaning}"));
        }
        words.extend(found);
    }
    let description = object.get("description").and_then(Value::as_str).unwrap_or("").to_owned();
    let meanings = meanings.join(" ");
    object.insert("description".into(), format!("{description} {meanings}").trim().into());
    object.insert("type".into(), "string".into());
    // Kubernetes takes null for a word only where the words name it too.
    if object.get("nullable") == Some(&Value::Bool(true)) {
        words.push(Value::Null);
    }
    object.insert("enum".into(), words.into());
}

/// Kubernetes knows `int32`, `int64` and `double`; unsigned is a minimum.
fn plain_numbers(object: &mut Map<String, Value>) {
    let format = object.get("format").and_then(Value::as_str).unwrap_or("").to_owned();
    if format == "uint32" {
        object.insert("maximum".into(), u32::MAX.into());
    }
    if format.starts_with("uint") {
        object.insert("format".into(), "int64".into());
        object.insert("minimum".into(), 0.into());
    }
}

/// Durations, sizes, shares and days are text of one shape, which their example tells.
fn describe_text(object: &mut Map<String, Value>) {
    let Some(pattern) = object.get("example").and_then(Value::as_str).and_then(shape).map(|shape| shape.1) else {
        return;
    };
    object.insert("pattern".into(), pattern.into());
}

/// What a text like the example is called, and its pattern; `None` where any text will do.
pub(crate) fn shape(example: &str) -> Option<(&'static str, &'static str)> {
    if words::duration_ns(example).is_ok() {
        Some(("a duration", "^[0-9]+(ns|us|ms|s|m|h|d)$"))
    } else if words::size_bytes(example).is_ok() {
        Some(("a size in bytes", "^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)?$"))
    } else if words::share(example).is_ok() {
        Some(("a percentage", "^[0-9]+([.][0-9]+)?%$"))
    } else if crate::time::Day::parse(example).is_ok() {
        Some(("a day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(value: &Value, see: &mut impl FnMut(&Map<String, Value>)) {
        match value {
            Value::Object(object) => {
                see(object);
                object.values().for_each(|value| all(value, see));
            }
            Value::Array(items) => items.iter().for_each(|value| all(value, see)),
            _ => {}
        }
    }

    #[test]
    fn schemas_are_structural() {
        for kind in Kind::ALL {
            all(&schema(kind), &mut |object| {
                for field in ["$ref", "$defs", "oneOf", "anyOf", "$schema"] {
                    assert!(!object.contains_key(field), "{kind:?} has {field}: {object:?}");
                }
                assert_ne!(object.get("additionalProperties"), Some(&Value::Bool(false)));
                assert!(!matches!(object.get("type"), Some(Value::Array(_))), "{object:?}");
            });
        }
    }

    #[test]
    fn words_become_one_enum_and_durations_a_pattern() {
        let join = &spec_schema(Kind::Pipeline)["properties"]["join"]["items"]["properties"];
        assert_eq!(join["direction"]["enum"], json!(["Nearest", "Backward", "Forward"]));
        assert_eq!(join["direction"]["type"], "string");
        assert_eq!(join["tolerance"]["pattern"], "^[0-9]+(ns|us|ms|s|m|h|d)$");
        let signals = &spec_schema(Kind::Archive)["properties"]["signals"];
        assert_eq!(signals["x-kubernetes-list-map-keys"], json!(["name"]));
        let column = &signals["items"]["properties"]["columns"]["items"]["properties"];
        assert_eq!(column["onMismatch"]["enum"], json!(["Quarantine", "Null", null]));
        assert_eq!(signals["items"]["properties"]["times"]["items"]["properties"]["unit"]["enum"][5], "Format");
    }

    #[test]
    fn free_objects_stay_free() {
        let pod = &spec_schema(Kind::Pipeline)["properties"]["workers"]["properties"]["pod"]["properties"];
        assert_eq!(pod["affinity"]["x-kubernetes-preserve-unknown-fields"], true);
        assert_eq!(pod["nodeSelector"]["additionalProperties"], json!({"type": "string"}));
    }
}
