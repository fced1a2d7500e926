"""generated.py [--check]: writes what is generated of the chart, or says what differs from what is committed.

    manifests/crds.yaml ──► helm/files/crds.yaml       the same bytes (a chart can hold no link)
    helm/values.schema.json, values.yaml ──► the table in helm/README.md

manifests/ itself is what `fleetloom-operator crd` and `install` print; tests of the operator compare.
"""

import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
BEGIN, END = "<!-- values: generated -->\n", "<!-- end of values -->\n"


def leaves(schema, path=""):
    """(path, description) of every value, in the order of the schema."""
    for name, value in schema["properties"].items():
        if "properties" in value and "description" not in value:
            yield from leaves(value, f"{path}{name}.")
        elif f"{path}{name}" != "global":
            yield f"{path}{name}", value["description"]


def default(values, path):
    """What values.yaml says of a path."""
    for name in path.split("."):
        values = values[name]
    return values


def paths(values, known, path=""):
    """Every path of values.yaml, no deeper than the schema describes."""
    for name, value in values.items():
        if f"{path}{name}" in known:
            yield f"{path}{name}"
        elif isinstance(value, dict):
            yield from paths(value, known, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def table():
    """README's table: a line per value."""
    known = dict(leaves(json.loads((CHART / "values.schema.json").read_text())))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    odd = set(known) ^ set(paths(values, known))
    if odd:
        sys.exit(f"only one of values.yaml and values.schema.json knows {', '.join(sorted(odd))}")
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for path, description in known.items():
        shown = json.dumps(default(values, path), ensure_ascii=False)
        lines.append(f"| `{path}` | `{shown}` | {description} |")
    return "\n".join(lines) + "\n"


def readme():
    """README with the table in its place."""
    text = (CHART / "README.md").read_text()
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


def main(mode=None):
    makers = {
        CHART / "files/crds.yaml": lambda: (ROOT / "manifests/crds.yaml").read_text(),
        CHART / "README.md": readme,
    }
    old = []
    for path, make in makers.items():
        text = make()
        if mode != "--check":
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            old.append(str(path.relative_to(ROOT)))
    if old:
        sys.exit(f"not what would be generated: {', '.join(old)}; run `make chart` and look at the diff")


main(*sys.argv[1:])
