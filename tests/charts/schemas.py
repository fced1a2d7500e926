"""schemas.py FROM INTO: JSON schemas that kubeconform reads, one file per kind, strict: unknown fields are refused.

FROM is Kubernetes' own `api/openapi-spec/swagger.json`, or YAML with CustomResourceDefinitions (`.yaml`). Rules of the common
expression language are not among what a JSON schema can say: an API server keeps those.
"""

import json
import pathlib
import sys

import yaml

EITHER = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}
PREFIX = "#/definitions/"


def strict(schema):
    """The schema and all below it, with unknown fields refused wherever the known ones are listed."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "description"}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = strict(made[key])
    if "properties" in made:
        made["properties"] = {name: strict(value) for name, value in made["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["string", "integer"]
    # Of no meaning here, and an example may look like a date to this reader of YAML.
    for key in ("format", "default", "example"):
        made.pop(key, None)
    return made


def references(schema):
    """The names of definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(PREFIX)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def closure(name, definitions):
    """The named definition and all that it needs."""
    found, waiting = {}, [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting.extend(references(definitions[name]))
    return found


def of_kubernetes(swagger):
    """(file name, schema) of every kind."""
    raw = swagger["definitions"]
    definitions = {name: EITHER.get(name) or strict(schema) for name, schema in raw.items()}
    for name, schema in raw.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            words = [kind["kind"].lower(), group, kind["version"]]
            needed = closure(name, definitions)
            yield "-".join(filter(None, words)), {"$ref": PREFIX + name, "definitions": needed}


def of_custom_resources(documents):
    """(file name, schema) of every version of every CustomResourceDefinition."""
    for crd in filter(None, documents):
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {name: {"type": "string"} for name in ("apiVersion", "kind")}
            schema["properties"]["metadata"] = {"type": "object"}
            schema["required"] = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata"})
            words = [spec["names"]["kind"].lower(), spec["group"].split(".")[0], version["name"]]
            yield "-".join(words), schema


def main(source, into):
    text = pathlib.Path(source).read_text()
    made = of_custom_resources(yaml.safe_load_all(text)) if source.endswith(".yaml") else of_kubernetes(json.loads(text))
    folder = pathlib.Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in made:
        schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        (folder / f"{name}.json").write_text(json.dumps(schema))


main(*sys.argv[1:])
