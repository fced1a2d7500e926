"""The YAML words as plain dictionaries with defaults filled in. Takes only files that `check` accepts."""

import datetime
import pathlib
import re
from decimal import Decimal
from fnmatch import fnmatchcase

import yaml

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
DAY = UNITS["d"]


def duration(text):
    """`42s`, `500ms`, `1h30m` as nanoseconds."""
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h|d)", text)
    return int(sum(Decimal(number) * UNITS[unit] for number, unit in parts))


def power(number):
    """The least power of two that is not less; 0 for 0."""
    return 1 << (number - 1).bit_length() if number else 0


def documents(path):
    """(kind, name) -> document of a YAML file."""
    with open(path, encoding="utf-8") as file:
        return {(d["kind"], d["metadata"]["name"]): d["spec"] for d in yaml.load_all(file, Loader=Words) if d}


class Words(yaml.SafeLoader):
    """YAML 1.2 scalars where it matters: dates and `on`/`off` stay text."""


Words.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if not tag.endswith((":timestamp", ":bool"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Words.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), "tf")


def pipeline(path, name=None):
    """The (first, or named) Pipeline of a file with its Archive under `archive`."""
    found = documents(path)
    chosen = next(spec for (kind, n), spec in found.items() if kind == "Pipeline" and name in (None, n))
    words = dict(chosen)
    words["archive"] = archive(found[("Archive", chosen["archive"])], pathlib.Path(path).parent)
    for event in words.setdefault("events", []):
        event.setdefault("edge", "Rise")
        event["refractory"] = duration(event.get("refractory", "0s"))
        event["memory"] = duration(event.get("memory", "10m"))
    for join in words.setdefault("join", []):
        join.setdefault("direction", "Nearest")
        join["tolerance"] = duration(join["tolerance"])
        signal = words["archive"]["signals"][join["signal"]]
        names = [c["name"] for c in signal["columns"]]
        join["columns"] = [n for n in names if n in join.get("columns", names)]
    for window in words.setdefault("windows", []):
        window.setdefault("over", "Rows")
        window.setdefault("suffix", window["span"])
        window["span"] = duration(window["span"])
        window.setdefault("excludes", [])
        requires = window.setdefault("requires", {})
        if "gap" in requires:
            requires["gap"] = duration(requires["gap"])
    words.setdefault("derive", [])
    days = words.get("range")
    words["range"] = [instant(days[end]) for end in ("from", "to")] if days else [-(2**63), 2**63]
    return words


def instant(day):
    """Midnight of a day `YYYY-MM-DD`, ns."""
    return (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days * DAY


def included(words, robot):
    """Whether `robots` lets a robot take part."""
    rules = words.get("robots", {})
    fits = any(fnmatchcase(robot, p) for p in rules.get("include") or ["*"])
    return fits and not any(fnmatchcase(robot, p) for p in rules.get("exclude", []))


def archive(spec, folder):
    """An Archive with its signals by name."""
    words = dict(spec)
    url = spec["store"]["url"]
    words["folder"] = pathlib.Path(url.removeprefix("file://")) if url.startswith("file://") else folder / url
    words["lateness"] = duration(spec.get("lateness", "10m"))
    words["covers"] = duration(spec.get("covers", "0s"))
    limits = spec.get("limits", {})
    words["depth"] = limits.get("depth", 64)
    words["records"] = limits.get("recordsPerMember", 1_000_000)
    words["signals"] = {s["name"]: dict(s) for s in spec["signals"]}
    for signal in words["signals"].values():
        signal.setdefault("duplicates", "Last")
        signal.setdefault("clock", signal["times"][0]["name"])
        for column in signal["columns"]:
            column.setdefault("type", "float64")
    return words
