"""laws.py FILE...: what holds for every set of values of the chart. Each file is YAML as `helm template` prints it.

One case never shows that nobody reads Secrets: these laws are tried on everything that any set of values renders.
"""

import sys

import yaml

# What people and the operator may do with what is not ours, whatever the values.
ALLOWED = {
    ("batch", "jobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "configmaps"): {"get", "create", "patch"},
    ("", "pods"): {"get", "list"},
    ("events.k8s.io", "events"): {"create", "patch"},
    ("coordination.k8s.io", "leases"): {"get", "create", "update"},
}
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
OF_A_RUN = {"app.kubernetes.io/name": "fleetloom", "app.kubernetes.io/managed-by": "fleetloom-operator"}


def rights(thing):
    """No rule gives more than the list above: no Secret, no creating of pods, no star."""
    for rule in thing.get("rules", []):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                given = set(rule["verbs"])
                yield not {"*"} & {group, resource, *given}, f"a star in {rule}"
                if group == "fleetloom.dev":
                    yield resource.split("/")[0] in {"archives", "pipelines", "runs"}, f"{resource} is no kind of ours"
                else:
                    more = given - ALLOWED.get((group, resource), set())
                    yield not more, f"{sorted(more)} of {resource} in {group!r}"
    yield not thing.get("aggregationRule"), "gathers rights of others"


def restricted(thing):
    """The restricted Pod Security Standard, and a root that cannot be written to."""
    pod = thing["spec"]["template"]["spec"]
    context = pod["securityContext"]
    yield context["runAsNonRoot"] is True, "may run as root"
    yield context.get("runAsUser") != 0, "runs as root"
    yield context["seccompProfile"]["type"] == "RuntimeDefault", "has no seccomp profile"
    yield not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & set(pod), "shares something with its node"
    for container in pod["containers"]:
        own = container["securityContext"]
        yield own["allowPrivilegeEscalation"] is False, "may gain privileges"
        yield own["readOnlyRootFilesystem"] is True, "may write to its root"
        yield own["capabilities"] == {"drop": ["ALL"]}, "keeps capabilities"
        yield not {"runAsUser", "privileged", "seccompProfile"} & set(own), "says otherwise than its pod"
        ports = {port["name"] for port in container["ports"]}
        probes = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
        yield probes <= ports, "is probed on a port that it does not name"
    yield thing["spec"]["replicas"] == 1 and thing["spec"]["strategy"] == {"type": "Recreate"}, "may run twice"
    labels = thing["spec"]["template"]["metadata"]["labels"]
    yield thing["spec"]["selector"]["matchLabels"].items() <= labels.items(), "does not select its pod"


def selects(selector, things):
    """A selector finds the operator's pod and no pod of a Run."""
    for pod in (thing["spec"]["template"]["metadata"]["labels"] for thing in things if thing["kind"] == "Deployment"):
        yield selector.items() <= pod.items(), f"{selector} does not select the operator"
    yield not selector.items() <= OF_A_RUN.items(), f"{selector} selects the pods of Runs"


def bound(binding, things):
    """A binding names a role that is there, and the account that the Deployment runs with."""
    where = binding["metadata"].get("namespace")
    there = {(thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in things}
    role = binding["roleRef"]
    yield (role["kind"], where, role["name"]) in there, f"names {role['kind']} {role['name']}, which is not there"
    deployments = [thing for thing in things if thing["kind"] == "Deployment"]
    accounts = {(it["spec"]["template"]["spec"]["serviceAccountName"], it["metadata"]["namespace"]) for it in deployments}
    yield {(subject["name"], subject["namespace"]) for subject in binding["subjects"]} == accounts, "binds another account"


def broken(things):
    """(thing, what is wrong with it)."""
    names = [(thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in things]
    for thing in things:
        kind, where, name = thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]
        checks = [
            (names.count((kind, where, name)) == 1, "is there twice"),
            ((where is None) == (kind in CLUSTER_WIDE), "is in no namespace, or should be in none"),
            (kind not in {"Secret", "Pod", "Job"}, "is nothing that a chart of ours makes"),
            (thing["metadata"]["labels"]["app.kubernetes.io/part-of"] == "fleetloom", "is not labelled as ours"),
        ]
        if kind in {"Role", "ClusterRole"}:
            checks += rights(thing)
        if kind in {"RoleBinding", "ClusterRoleBinding"}:
            checks += bound(thing, things)
        if kind == "Deployment":
            checks += restricted(thing)
        if kind == "Service":
            checks += selects(thing["spec"]["selector"], things)
        if kind == "NetworkPolicy":
            checks += selects(thing["spec"]["podSelector"]["matchLabels"], things)
        if kind == "PodDisruptionBudget":
            checks += selects(thing["spec"]["selector"]["matchLabels"], things)
        if kind == "ServiceMonitor":
            labels = [other["metadata"]["labels"].items() for other in things if other["kind"] == "Service"]
            wanted = thing["spec"]["selector"]["matchLabels"].items()
            checks.append((any(wanted <= of_one for of_one in labels), "finds no Service"))
        yield from ((f"{kind} {name}", wrong) for holds, wrong in checks if not holds)


def main(files):
    count, wrong = 0, []
    for file in files:
        with open(file, encoding="utf-8") as text:
            things = [thing for thing in yaml.safe_load_all(text) if thing]
        count += len(things)
        wrong += [f"{file}: {thing} {sentence}" for thing, sentence in broken(things)]
    print("\n".join(wrong) or f"laws: {count} things in {len(files)} renderings keep them")
    sys.exit(bool(wrong) or not count)


main(sys.argv[1:])
