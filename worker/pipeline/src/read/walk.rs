//! Walks a tree along a schema: reports what does not fit, and leaves a tree that does.

use super::node::Node;
use crate::mistake::Mistake;
use crate::{name, schema};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The walk through one document.
pub(super) struct Walk {
    file: Option<String>,
    document: String,
    pub(super) mistakes: Vec<Mistake>,
}

impl Walk {
    pub(super) fn new(file: Option<&str>, document: String) -> Self {
        Self { file: file.map(str::to_owned), document, mistakes: Vec::new() }
    }

    pub(super) fn report(&mut self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(Mistake {
            file: self.file.clone(),
            document: self.document.clone(),
            path: path.to_owned(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// The known fields of a map. A field that is not known is reported; where it means a known one that is missing, it
    /// is taken as that, so that its inside is looked at too. Of keys written twice the last stays.
    pub(super) fn fields(
        &mut self,
        entries: Vec<(String, Node)>,
        known: &[&str],
        path: &str,
    ) -> BTreeMap<String, Node> {
        let mut fields = BTreeMap::new();
        let mut unknown = Vec::new();
        for (key, node) in entries {
            if !known.contains(&key.as_str()) {
                unknown.push((key, node));
            } else if fields.insert(key.clone(), node).is_some() {
                self.report(&below(path, &key), "is written twice", "keep one of them");
            }
        }
        for (key, node) in unknown {
            let place = below(path, &key);
            if key == "<<" {
                self.report(&place, "is a merge key, which is not read", "write the fields out");
                continue;
            }
            let meant = name::nearest(&key, known.iter().copied());
            self.report(&place, "is not known", name::suggest(&key, known.iter().copied()));
            if let Some(meant) = meant {
                fields.entry(meant.to_owned()).or_insert(node);
            }
        }
        fields
    }

    /// A value that fits the schema: the tree's where it does.
    pub(super) fn fit(&mut self, node: Node, schema: &Value, path: &str) -> Value {
        match schema["type"].as_str() {
            Some("object") => self.object(node, schema, path),
            Some("array") => self.list(node, schema, path),
            Some("string") => self.string(node, schema, path),
            Some("integer") => self.integer(&node, schema, path),
            Some("number") => self.number(&node, schema, path),
            Some("boolean") => self.boolean(&node, schema, path),
            _ => node.into_json(),
        }
    }

    fn object(&mut self, node: Node, schema: &Value, path: &str) -> Value {
        let Node::Map(entries) = node else {
            let remedy = match (schema["required"].as_array().map(Vec::as_slice), node.text()) {
                (Some([Value::String(field)]), Some(text)) => format!("write {{{field}: {text}}}"),
                _ => "write its fields below it".to_owned(),
            };
            self.report(path, format!("is {}, not a group of fields", node.shown()), remedy);
            return placeholder(schema);
        };
        if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
            return Node::Map(entries).into_json();
        }
        if let Some(values) = schema.get("additionalProperties") {
            return self.open_map(entries, values, path);
        }
        let no_fields = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&no_fields);
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut fields = self.fields(entries, &known, path);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fitting = Map::new();
        for (field, inner) in properties {
            let place = below(path, field);
            match fields.remove(field) {
                Some(Node::Null) if inner["nullable"] == true => {
                    fitting.insert(field.clone(), Value::Null);
                }
                Some(Node::Null) => {
                    let or_not = if required.contains(&field.as_str()) { "" } else { ", or leave it out" };
                    self.report(&place, "is empty", format!("{}{or_not}", what_to_write(inner, field)));
                    fitting.insert(field.clone(), placeholder(inner));
                }
                Some(node) => {
                    fitting.insert(field.clone(), self.fit(node, inner, &place));
                }
                None if required.contains(&field.as_str()) => {
                    self.report(&place, "is missing", what_to_write(inner, field));
                    fitting.insert(field.clone(), placeholder(inner));
                }
                None => {}
            }
        }
        Value::Object(fitting)
    }

    /// A map with keys of the user's own.
    fn open_map(&mut self, entries: Vec<(String, Node)>, values: &Value, path: &str) -> Value {
        let mut map = Map::new();
        for (key, node) in entries {
            let place = format!("{path}[{key}]");
            let value = self.fit(node, values, &place);
            if map.insert(key, value).is_some() {
                self.report(&place, "is written twice", "keep one of them");
            }
        }
        Value::Object(map)
    }

    fn list(&mut self, node: Node, schema: &Value, path: &str) -> Value {
        let items = match node {
            Node::List(items) => items,
            other => {
                // One entry without its dash or brackets: look inside all the same.
                let is_entry = match &other {
                    Node::Null => false,
                    Node::Map(_) => schema["items"]["type"] == "object",
                    _ => true,
                };
                let remedy = match &other {
                    Node::Map(_) if is_entry => "start each entry with \"- \"".to_owned(),
                    Node::Map(_) | Node::Null => what_to_write(schema, path),
                    Node::Text(text) => format!("write [{text:?}]"),
                    scalar => format!("write [{}]", scalar.scalar()),
                };
                self.report(path, format!("is {}, not a list", other.shown()), remedy);
                if is_entry { vec![other] } else { Vec::new() }
            }
        };
        let named = schema["x-kubernetes-list-map-keys"][0].as_str();
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let name = named.and_then(|key| item.get(key)).and_then(Node::text);
                let place = format!("{path}[{}]", entry(index, name.unwrap_or_default()));
                self.fit(item, &schema["items"], &place)
            })
            .collect()
    }

    fn string(&mut self, node: Node, schema: &Value, path: &str) -> Value {
        if let Some(words) = schema["enum"].as_array() {
            return self.word(&node, words, path);
        }
        match node {
            Node::Text(text) => text.into(),
            Node::Bool(_) | Node::Int(_) | Node::Float(_) => {
                let remedy = match example(schema).and_then(schema::shape) {
                    Some(_) => what_to_write(schema, path),
                    None => format!("write it in quotes: \"{}\"", node.scalar()),
                };
                self.report(path, format!("is {}, not text", node.shown()), remedy);
                node.scalar().into()
            }
            Node::Null | Node::List(_) | Node::Map(_) => {
                self.report(path, format!("is {}, not text", node.shown()), what_to_write(schema, path));
                placeholder(schema)
            }
        }
    }

    fn word(&mut self, node: &Node, words: &[Value], path: &str) -> Value {
        let known: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let text = node.text().unwrap_or_default();
        if known.contains(&text) {
            return text.into();
        }
        let what =
            if text.is_empty() { format!("is {}", node.shown()) } else { format!("is {text:?}, which is not known") };
        self.report(path, what, name::suggest(text, known.iter().copied()));
        name::nearest(text, known.iter().copied()).or(known.first().copied()).unwrap_or_default().into()
    }

    fn integer(&mut self, node: &Node, schema: &Value, path: &str) -> Value {
        let least = schema["minimum"].as_f64().map_or(0, |_| schema["minimum"].as_i64().unwrap_or(0));
        let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
        let remedy = match node {
            Node::Int(value) => match u64::try_from(*value) {
                Ok(value) if value <= most => return value.into(),
                _ => format!("write a whole number from {least} to {most}"),
            },
            Node::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("write {value:.0}"),
            Node::Text(text) if text.parse::<u64>().is_ok() => format!("write {text} without quotes"),
            _ => "write a whole number".into(),
        };
        self.report(path, format!("is {}", node.shown()), remedy);
        1.into()
    }

    fn number(&mut self, node: &Node, _: &Value, path: &str) -> Value {
        let remedy = match node {
            Node::Float(value) if value.is_finite() => return (*value).into(),
            Node::Int(value) => return (*value as f64).into(),
            Node::Text(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => format!("write {text} without quotes"),
            _ => "write a finite number".into(),
        };
        self.report(path, format!("is {}", node.shown()), remedy);
        1.into()
    }

    fn boolean(&mut self, node: &Node, _: &Value, path: &str) -> Value {
        if let Node::Bool(value) = node {
            return (*value).into();
        }
        self.report(path, format!("is {}", node.shown()), "write true or false");
        false.into()
    }
}

fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// How a path names an entry of a named list: by its name where that can be read in a path, else by its position.
pub(crate) fn entry(index: usize, name: &str) -> String {
    if name::is_identifier(name) || name::is_label(name, name::LABEL_MAX) { name.to_owned() } else { index.to_string() }
}

fn example(schema: &Value) -> Option<&str> {
    schema["example"].as_str()
}

/// The remedy for a value that is not there.
fn what_to_write(schema: &Value, field: &str) -> String {
    let field = field.rsplit('.').next().unwrap_or(field);
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return format!("write one of {}", words.join(", "));
    }
    match (example(schema), schema["type"].as_str()) {
        (Some(example), _) => match schema::shape(example) {
            Some((kind, _)) => format!("write {kind} such as {example}"),
            None => format!("write {field}, such as {example}"),
        },
        (None, Some("array")) => format!("write {field} as a list"),
        (None, Some("object")) => {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if required.is_empty() {
                format!("write {field}")
            } else {
                format!("write {field} with {}", required.join(", "))
            }
        }
        (None, Some("integer" | "number")) => "write a number".into(),
        (None, Some("boolean")) => "write true or false".into(),
        _ => format!("write {field}"),
    }
}

/// Something that fits, where there is nothing to take.
fn placeholder(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("string") => schema["enum"][0].as_str().unwrap_or_default().into(),
        Some("integer" | "number") => 1.into(),
        Some("boolean") => false.into(),
        Some("array") => Value::Array(Vec::new()),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            Value::Object(required.map(|field| (field.to_owned(), placeholder(&schema["properties"][field]))).collect())
        }
    }
}
