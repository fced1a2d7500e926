"""From documents to observations: the walk, clocks, typed values, refusals, lateness, duplicates."""

import datetime
import math
import zoneinfo
from collections import Counter, defaultdict
from decimal import ROUND_FLOOR, Decimal

from .read import Bad, Number, members, texts
from .words import UNITS, included, power

EARLIEST = int(datetime.datetime(1990, 1, 1, tzinfo=datetime.UTC).timestamp()) * 10**9
LATEST = int(datetime.datetime(2101, 1, 1, tzinfo=datetime.UTC).timestamp()) * 10**9
MISSING = object()


class Observation:
    """One record: `time` and `known` in ns, `values` by column; whether it is accounted."""

    __slots__ = ("time", "known", "values", "own")

    def __init__(self, time, known, values):
        self.time, self.known, self.values, self.own = time, known, values, True


class Decoded:
    """Observations by robot and signal, the account of reading, and the quarantine's lines."""

    def __init__(self):
        self.observations = defaultdict(lambda: defaultdict(list))
        self.account = Counter()
        self.quarantine = []

    def refuse(self, key, name, kind, signal="", column=""):
        """One line of the quarantine."""
        self.quarantine.append((key, name, signal, column, kind))
        self.account[f"signals.{signal}.quarantined.{kind}" if signal else f"members.quarantined.{kind}"] += 1


def archive(pipeline):
    """Everything in a pipeline's archive. Members outside its range and robots are read, but not accounted."""
    words, out = pipeline["archive"], Decoded()
    for key, name, captures, stamp, data in members(words):
        own = stamp is None or pipeline["range"][0] <= stamp[0] < pipeline["range"][1]
        own = own and included(pipeline, captures.get(words["robot"].get("capture"), ""))
        into = out if own else Decoded()
        member(into, words, captures, stamp, data, (key, name))
        if not own:
            for robot, signals in into.observations.items():
                for signal, found in signals.items():
                    for observation in found:
                        observation.own = False
                    out.observations[robot][signal] += found
    for robot in [r for r in out.observations if not included(pipeline, r)]:
        del out.observations[robot]
    for robot in out.observations.values():
        for name, found in robot.items():
            robot[name] = arranged(found, words["signals"][name], out.account)
    return out


def member(out, words, captures, stamp, data, where):
    """Everything in one member."""
    out.account["members.read"] += 1
    found = list(texts(words, data))
    out.account["members.documents"] += sum(not isinstance(d, Bad) for d in found)
    for document in found:
        robot = document if isinstance(document, Bad) else robot_of(words["robot"], captures, document)
        if isinstance(robot, Bad):
            out.refuse(*where, robot.args[0])
            continue
        for signal in words["signals"].values():
            take(out, words, signal, robot, document, stamp, where)


def robot_of(rule, captures, document):
    """The robot's name, or why there is none."""
    caught = captures.get(rule["capture"]) if "capture" in rule else None
    said = None
    if "document" in rule:
        value = pointer(document, rule["document"])
        said = value if isinstance(value, str) else None
    if caught is not None and said is not None and caught != said:
        order = {"Capture": caught, "Document": said}
        return order.get(rule.get("onConflict", "Quarantine"), Bad("robot_conflict"))
    return caught or said or Bad("no_robot")


def pointer(value, text):
    """RFC 6901; MISSING where there is nothing."""
    for token in text.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return MISSING
    return value


def records(document, at):
    """Walks to the records: lists of levels (value, key, index), record first, document last; None = wrong shape."""
    steps = (at or "").replace("[*]", "/[*]").split("/")[1:]

    def walk(value, here, chain):
        if value is MISSING or value is None:
            return
        if here == len(steps):
            yield chain if chain[0][0] is value else [(value, *chain[0][1:]), *chain[1:]]
        elif steps[here] == "[*]":
            if not isinstance(value, list):
                yield None
                return
            for i, v in enumerate(value):
                yield from walk(v, here + 1, [(v, None, i), *chain])
        elif steps[here] == "*":
            if not isinstance(value, dict):
                yield None
                return
            for i, (k, v) in enumerate(value.items()):
                yield from walk(v, here + 1, [(v, k, i), *chain])
        else:
            yield from walk(pointer(value, "/" + steps[here]), here + 1, chain)

    yield from walk(document, 0, [(document, None, None)])


def place(chain, document, field):
    """The value at a place: relative to the record, `../` outwards, `@key`, `@index`."""
    up = 0
    while field.startswith("../"):
        up, field = up + 1, field[3:]
    if up >= len(chain):
        return MISSING
    value, key, index = chain[up]
    if field == "@key":
        return key if key is not None else MISSING
    if field == "@index":
        return Number(index) if index is not None else MISSING
    return pointer(value, field if field.startswith("/") or not field else "/" + field)


def at_place(chain, document, words):
    """The value that `field` or `document` of a clock or column names."""
    if "document" in words:
        return pointer(document, words["document"])
    return place(chain, document, words.get("field", "/" + words["name"]))


def text_of(value):
    """The JSON text of a scalar, the content of a string."""
    if value is True or value is False:
        return str(value).lower()
    return "null" if value is None else str(value) if isinstance(value, str) else None


def take(out, words, signal, robot, document, stamp, where):
    """Adds the observations of one signal in one document."""
    for chain in records(document, signal.get("at")):
        if chain is None:
            out.account[f"signals.{signal['name']}.read"] += 1
            out.refuse(*where, "shape", signal["name"])
            continue
        held = signal.get("match", {}).items()
        if any(text_of(place(chain, document, field)) != want for field, want in held):
            continue
        out.account[f"signals.{signal['name']}.read"] += 1
        try:
            observation = observe(out, words, signal, chain, document, stamp)
        except Bad as bad:
            out.refuse(*where, bad.args[0], signal["name"], bad.args[1] if len(bad.args) > 1 else "")
            continue
        out.observations[robot][signal["name"]].append(observation)


def observe(out, words, signal, chain, document, stamp):
    """One observation, or Bad."""
    clocks = {c["name"]: c for c in signal["times"]}
    time = instant(at_place(chain, document, clocks[signal["clock"]]), clocks[signal["clock"]])
    known = time
    if "known" in signal:
        known = max(time, instant(at_place(chain, document, clocks[signal["known"]]), clocks[signal["known"]]))
    if stamp is not None:
        room = words["lateness"]
        late = max(stamp[0] - room - time, time - stamp[1] - words["covers"] - room, known - time - room)
        if late > 0:
            out.account[f"signals.{signal['name']}.late_by.{power(-(-late // UNITS['s']))}"] += 1
            raise Bad("late")
    values, notes = {}, Counter()
    for column in signal["columns"]:
        values[column["name"]] = typed(at_place(chain, document, column), column, notes)
    for what, count in notes.items():
        out.account[f"signals.{signal['name']}.{what}"] += count
    return Observation(time, known, values)


def instant(value, words):
    """A time in ns, or Bad."""
    if value is MISSING or value is None or isinstance(value, (dict, list, bool)):
        raise Bad("no_time")
    unit = words["unit"]
    try:
        if unit in UNITS:
            ns = int((Decimal(value) * UNITS[unit]).to_integral_value(ROUND_FLOOR))
        else:
            ns = calendar(str(value), words)
    except (ArithmeticError, ValueError, OverflowError) as error:
        raise Bad("no_time") from error
    if not EARLIEST <= ns < LATEST:
        raise Bad("time_out_of_range")
    return ns


def calendar(text, words):
    """ISO 8601 or strptime text in ns; fractions are read apart, since datetime holds microseconds only."""
    if words["unit"] == "Iso8601":
        moment = datetime.datetime.fromisoformat(text)
    else:
        moment = datetime.datetime.strptime(text, words["format"].replace("%.f", ".%f"))
    if moment.tzinfo is None:
        if "zone" not in words:
            raise ValueError("a naive time needs a zone")
        moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(words["zone"]))
    whole = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (whole.days * 86400 + whole.seconds) * 10**9 + whole.microseconds * 1000


def typed(value, column, notes):
    """A value of a column, None for null, Bad for what does not fit."""
    if value is MISSING or value is None or text_of(value) in column.get("nulls", []):
        return None
    result = fitted(value, column)
    if result is MISSING:
        if column.get("onMismatch") == "Null":
            notes[f"mismatch_null.{column['name']}"] += 1
            return None
        raise Bad("mismatch", column["name"])
    if isinstance(result, float):
        if math.isnan(result):
            notes[f"nan.{column['name']}"] += 1
            return None
        if math.isinf(result) and column.get("infinite") == "Null":
            notes[f"infinite.{column['name']}"] += 1
            return None
    return result


def fitted(value, column):
    """The value as its type says, MISSING where it does not fit."""
    kind = column["type"]
    if kind == "timestamp":
        try:
            return instant(value, column)
        except Bad:
            return MISSING
    if kind == "bool":
        return value if isinstance(value, bool) else MISSING
    if kind == "string":
        return value if isinstance(value, str) and not isinstance(value, Number) else MISSING
    number = isinstance(value, Number) or (column.get("text") == "Number" and isinstance(value, str))
    if not number:
        return MISSING
    try:
        exact = Decimal(value)
    except ArithmeticError:
        return MISSING
    if kind == "float64":
        result = float(value)
        if math.isinf(result) and exact.is_finite():
            return MISSING
        return result * column.get("scale", 1.0) + column.get("offset", 0.0)
    if not exact.is_finite() or exact != exact.to_integral_value():
        return MISSING
    whole = int(exact) * int(column.get("scale", 1)) + int(column.get("offset", 0))
    return whole if -(2**63) <= whole < 2**63 else MISSING


def arranged(found, signal, account):
    """Sorted by time, archive order within equal times, duplicates resolved; own ones counted."""
    groups = defaultdict(list)
    for observation in sorted(found, key=lambda o: o.time):
        groups[observation.time].append(observation)
    chosen = {"Last": slice(-1, None), "First": slice(0, 1), "Keep": slice(None)}[signal["duplicates"]]
    kept = [observation for group in groups.values() for observation in group[chosen]]
    own = [observation for observation in kept if observation.own]
    prefix = f"signals.{signal['name']}"
    account[f"{prefix}.kept"] += len(own)
    account[f"{prefix}.duplicate"] += sum(observation.own for observation in found) - len(own)
    for column in signal["columns"]:
        account[f"{prefix}.nulls.{column['name']}"] += sum(o.values[column["name"]] is None for o in own)
    return kept
