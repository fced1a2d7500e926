//! The three CustomResourceDefinitions: names and columns from [`crate::api`], schemas from the words, and here what only a
//! cluster asks for: defaults, and rules that the API server itself keeps. What needs more than one object is `check`'s.

use crate::api::{Archive, ArchiveStatus, Pipeline, PipelineStatus, Run, RunStatus};
use crate::settle::{INLINE, KEEP_FAILED, KEEP_SUCCEEDED, PARALLELISM, RETRIES};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps,
};
use kube::CustomResourceExt;
use pipeline::name::{PIPELINE_MAX, RUN_MAX};
use pipeline::schema::{Kind, generate, schema};
use serde_json::{Value, json};

/// Most bytes of a CRD as YAML: larger ones do not fit into the annotation of `kubectl apply`, with room to grow.
pub const CRD_BYTES_MAX: usize = 100 * 1024;

/// The three of them, in the order of a file of words.
pub fn crds() -> [CustomResourceDefinition; 3] {
    [with_schema(Archive::crd(), archive()), with_schema(Pipeline::crd(), pipeline()), with_schema(Run::crd(), run())]
}

/// All of them as one YAML text, `---` between them.
pub fn yaml() -> String {
    crds().iter().map(|crd| format!("---\n{}", crate::yaml::of(crd))).collect()
}

fn with_schema(mut crd: CustomResourceDefinition, schema: Value) -> CustomResourceDefinition {
    let schema: JSONSchemaProps = serde_json::from_value(schema).expect("a generated schema is one of Kubernetes'");
    for version in &mut crd.spec.versions {
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(schema.clone()) });
    }
    crd
}

fn archive() -> Value {
    let mut schema = schema(Kind::Archive);
    describe(&mut schema, "Where telemetry lies and how to read it.", generate::<ArchiveStatus>());
    let spec = &mut schema["properties"]["spec"]["properties"];
    let robot = "has(self.capture) || has(self.document)";
    rule(&mut spec["robot"], robot, "write capture, document, or both: where the robot's name comes from");
    spec["signals"]["minItems"] = json!(1);
    schema
}

fn pipeline() -> Value {
    let mut schema = schema(Kind::Pipeline);
    describe(
        &mut schema,
        "What a row is, what is joined to it, what is computed, what is to be learnt.",
        generate::<PipelineStatus>(),
    );
    name_rules(&mut schema, PIPELINE_MAX, "a schedule's Runs are named after it");
    let spec = &mut schema["properties"]["spec"]["properties"];
    let rows = &mut spec["rows"];
    let kinds = "[has(self.signal), has(self.every), has(self.event)].filter(given, given).size() == 1";
    rule(rows, kinds, "write exactly one of signal, every and event");
    rule(rows, "!has(self.controls) || has(self.event)", "controls are drawn for the onsets of an event: write event");
    let beside = "has(self.every) || (!has(self.during) && !has(self.alive))";
    rule(rows, beside, "during and alive shape the grid of every: write every, or leave them out");
    let workers = &mut spec["workers"]["properties"];
    workers["parallelism"]["minimum"] = json!(1);
    workers["parallelism"]["default"] = json!(PARALLELISM);
    workers["retries"]["default"] = json!(RETRIES);
    workers["retries"]["maximum"] = json!(100);
    workers["inline"]["default"] = json!(INLINE);
    let schedule = &mut spec["schedule"]["properties"];
    schedule["cron"]["minItems"] = json!(1);
    schedule["timeZone"]["default"] = json!("Etc/UTC");
    schedule["concurrency"]["default"] = json!("Forbid");
    schedule["suspend"]["default"] = json!(false);
    schedule["keepSucceeded"]["default"] = json!(KEEP_SUCCEEDED);
    schedule["keepFailed"]["default"] = json!(KEEP_FAILED);
    schema
}

fn run() -> Value {
    let mut schema = schema(Kind::Run);
    describe(
        &mut schema,
        "One execution of a Pipeline: one version of an archive becomes one version of a table.",
        generate::<RunStatus>(),
    );
    name_rules(&mut schema, RUN_MAX, "its Jobs and pods are named after it");
    let spec = &mut schema["properties"]["spec"];
    spec["properties"]["parallelism"]["minimum"] = json!(1);
    spec["properties"]["suspend"]["default"] = json!(false);
    spec["properties"]["recompute"]["default"] = json!("Stale");
    let frozen = "only suspend, parallelism and ttlSecondsAfterFinished of a Run can be changed: make a new Run";
    rule(spec, "self.pipeline == oldSelf.pipeline", frozen);
    rule(spec, "self.recompute == oldSelf.recompute", frozen);
    let range = "has(self.range) == has(oldSelf.range) && (!has(self.range) || self.range == oldSelf.range)";
    rule(spec, range, frozen);
    rule(&mut spec["properties"]["range"], "self.from < self.to", "to is the day after the last: write one after from");
    schema
}

fn describe(schema: &mut Value, description: &str, status: Value) {
    schema["description"] = json!(description);
    schema["properties"]["status"] = status;
    schema["properties"]["status"]["description"] = json!("Written by the operator.");
}

/// Adds a rule of the common expression language.
fn rule(schema: &mut Value, rule: &str, message: &str) {
    let rules = &mut schema["x-kubernetes-validations"];
    if rules.is_null() {
        *rules = json!([]);
    }
    if let Value::Array(rules) = rules {
        rules.push(json!({"rule": rule, "message": message}));
    }
}

/// Names are DNS labels, short enough for what is appended to them. The API server itself keeps them to subdomains.
fn name_rules(schema: &mut Value, bytes_max: usize, why: &str) {
    let long = format!("a name has at most {bytes_max} characters: {why}");
    rule(schema, &format!("self.metadata.name.size() <= {bytes_max}"), &long);
    rule(schema, "!self.metadata.name.contains('.')", "a name has no dot: write lower case letters, digits and -");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema below one, each with its path.
    fn below<'s>(schema: &'s JSONSchemaProps, path: &str, see: &mut impl FnMut(&str, &'s JSONSchemaProps)) {
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
            JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
        };
        see(path, schema);
        for (name, property) in schema.properties.iter().flatten() {
            below(property, &format!("{path}.{name}"), see);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            below(items, &format!("{path}[]"), see);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            below(values, &format!("{path}{{}}"), see);
        }
    }

    fn root(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
        crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()
    }

    #[test]
    fn each_is_small_enough_for_kubectl_apply() {
        for crd in crds() {
            let bytes = crate::yaml::of(&crd).len();
            assert!(bytes < CRD_BYTES_MAX, "{:?} has {bytes} bytes", crd.metadata.name);
        }
    }

    #[test]
    fn every_value_has_one_type_and_lists_that_are_maps_require_their_key() {
        for crd in crds() {
            below(root(&crd), "", &mut |path, schema| {
                let free = schema.x_kubernetes_preserve_unknown_fields == Some(true);
                assert!(schema.type_.is_some() || free, "{path} has no type");
                assert!(schema.one_of.is_none() && schema.any_of.is_none() && schema.ref_path.is_none(), "{path}");
                if schema.x_kubernetes_list_type.as_deref() == Some("map") {
                    let Some(k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema(items)) =
                        &schema.items
                    else {
                        panic!("{path} has no items")
                    };
                    for key in schema.x_kubernetes_list_map_keys.iter().flatten() {
                        assert!(items.required.iter().flatten().any(|field| field == key), "{path} by {key}");
                    }
                }
            });
        }
    }

    #[test]
    fn free_objects_keep_what_they_hold() {
        let [_, pipeline, _] = crds();
        let mut free = Vec::new();
        below(root(&pipeline), "", &mut |path, schema| {
            if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
                assert_eq!(schema.type_.as_deref(), Some("object"), "{path}");
                free.push(path.to_owned());
            }
        });
        let pod = ".spec.workers.pod";
        for field in ["affinity", "env[]", "imagePullSecrets[]", "tolerations[]", "topologySpreadConstraints[]"] {
            assert!(free.contains(&format!("{pod}.{field}")), "{field}: {free:?}");
        }
    }

    #[test]
    fn a_run_is_frozen_scales_and_is_selected_by_pipeline_and_phase() {
        let [_, _, run] = crds();
        let version = &run.spec.versions[0];
        let scale = version.subresources.as_ref().unwrap().scale.as_ref().unwrap();
        assert_eq!(scale.spec_replicas_path, ".spec.parallelism");
        assert_eq!(scale.status_replicas_path, ".status.parallelism");
        let selectable: Vec<&str> =
            version.selectable_fields.iter().flatten().map(|field| field.json_path.as_str()).collect();
        assert_eq!(selectable, [".spec.pipeline", ".status.phase"]);
        let spec = &root(&run).properties.as_ref().unwrap()["spec"];
        let rules = spec.x_kubernetes_validations.as_ref().unwrap();
        assert_eq!(rules.iter().filter(|rule| rule.message.as_ref().unwrap().contains("make a new Run")).count(), 3);
        assert_eq!(run.spec.names.short_names.as_deref(), Some(&["flrun".to_owned()][..]));
        assert_eq!(run.spec.names.categories.as_deref(), Some(&["fleetloom".to_owned()][..]));
    }

    #[test]
    fn the_committed_manifest_is_what_the_program_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/crds.yaml");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, yaml()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert_eq!(committed, yaml(), "run `BLESS=1 cargo test --release -p fleetloom-operator` and look at the diff");
    }
}
