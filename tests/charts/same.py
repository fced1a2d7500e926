"""same.py INSTALL CRDS RENDERED: whether `manifests/install.yaml` and `crds.yaml`, which `fleetloom-operator install` and `crd` print,
and the chart's default values install the same. INSTALL may say less (helm has labels of its own, people's roles, a Service), never
otherwise.
"""

import itertools
import sys

import yaml


class Reader(yaml.SafeLoader):
    """Reads dates as texts, as Kubernetes does."""


Reader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def things(path):
    with open(path, encoding="utf-8") as text:
        return [thing for thing in yaml.load_all(text, Reader) if thing]


def one(kind, of):
    """The only thing of that kind."""
    found = [thing for thing in of if thing["kind"] == kind]
    if len(found) != 1:
        sys.exit(f"there are {len(found)} of {kind}, not one")
    return found[0]


def rights(of, account):
    """What an account may do: (group, resource, verb)."""
    given = set()
    bindings = [thing for thing in of if thing["kind"].endswith("RoleBinding")]
    for binding in bindings:
        if account in [subject["name"] for subject in binding["subjects"]]:
            kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
            roles = [thing for thing in of if thing["kind"] == kind and thing["metadata"]["name"] == name]
            if not roles:
                sys.exit(f"{binding['metadata']['name']} binds {kind} {name}, which is not there")
            for rule in roles[0]["rules"]:
                given |= set(itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]))
    return given


def otherwise(said, found, path):
    """Where `found` does not say what `said` does: fields by name, lists of named things by name, other lists whole."""
    if isinstance(said, dict) and isinstance(found, dict):
        for key, value in said.items():
            yield from otherwise(value, found.get(key), f"{path}.{key}")
    elif isinstance(said, list) and all(isinstance(item, dict) and "name" in item for item in said):
        named = {item["name"]: item for item in found or []}
        for item in said:
            yield from otherwise(item, named.get(item["name"]), f"{path}[{item['name']}]")
    elif said != found:
        yield f"{path}: install.yaml says {said!r}, the chart {found!r}"


def main(install, crds, rendered):
    plain, chart = things(install), things(rendered)
    said, found = one("Deployment", plain), one("Deployment", chart)
    wrong = []
    for part in ("replicas", "strategy"):
        wrong += otherwise(said["spec"][part], found["spec"][part], f"spec.{part}")
    wrong += otherwise(said["spec"]["template"]["spec"], found["spec"]["template"]["spec"], "spec.template.spec")
    accounts = [thing["spec"]["template"]["spec"]["serviceAccountName"] for thing in (said, found)]
    given = [rights(of, account) for of, account in zip((plain, chart), accounts)]
    wrong += [f"only install.yaml gives the operator {right}" for right in sorted(given[0] - given[1])]
    wrong += [f"only the chart gives the operator {right}" for right in sorted(given[1] - given[0])]
    ours = {thing["metadata"]["name"]: thing["spec"] for thing in chart if thing["kind"] == "CustomResourceDefinition"}
    theirs = {thing["metadata"]["name"]: thing["spec"] for thing in things(crds)}
    wrong += [f"the chart's {name} is not that of crds.yaml" for name in theirs if ours.get(name) != theirs[name]]
    print("\n".join(wrong) or "manifests/ and the chart install the same")
    sys.exit(bool(wrong))


main(*sys.argv[1:])
