"""From observations to rows: base rows, joins, expressions, windows, validity, labels, controls. One robot at a time."""

from bisect import bisect_left, bisect_right
from collections import Counter

import blake3

from .decode import archive
from .events import Onsets, onsets, stamped
from .sql import evaluate
from .windows import hole, statistic
from .words import duration, power


class Base:
    """A base row: its time, its own values, its matches, its derived values, and when all of that was known."""

    def __init__(self, time, own):
        self.time, self.own, self.matches, self.derived = time, own, {}, {}
        self.known = own.known if own else time

    def value(self, signal, column, rows_signal):
        """The value of a signal's column in this row."""
        found = self.own if signal == rows_signal else self.matches.get(signal)
        return found.values[column] if found else None


class Result:
    """The table: `kinds` (name to type word, in order), `rows` (dicts), the account and the quarantine."""

    def __init__(self, account, quarantine):
        self.kinds, self.rows, self.account, self.quarantine = {}, [], account, quarantine


def run(words):
    """A whole pipeline."""
    decoded = archive(words)
    result = Result(decoded.account, decoded.quarantine)
    Robot(words, "", {}, result).rows()  # the columns of a table without rows
    for robot in sorted(decoded.observations, key=lambda r: r.encode()):
        Robot(words, robot, decoded.observations[robot], result).rows()
    return result


class Robot:
    """One robot's observations under one pipeline."""

    def __init__(self, words, name, observations, result):
        self.words, self.name, self.result = words, name, result
        self.observations = observations
        self.signals = words["archive"]["signals"]
        self.row_signal = words["rows"].get("signal")
        self.event_rows = "event" in words["rows"]
        self.onsets = {}
        for event in words["events"]:
            account = Counter(onsets=0, censored=0, refractory=0)
            found = observations.get(event["signal"], [])
            self.onsets[event["name"]] = onsets(event, self.signals[event["signal"]], found, account)
            for what, count in account.items():
                result.account[f"events.{event['name']}.{what}"] += count
            if self.event_rows and event["name"] == words["rows"]["event"]:
                self.row_signal = event["signal"]
        self.kinds = self.kinds_of_joined()
        self.derived_kinds = {}

    def kinds_of_joined(self):
        """{signal: {column: type}} of what a row holds."""
        kinds = {}
        if self.row_signal:
            kinds[self.row_signal] = {c["name"]: c["type"] for c in self.signals[self.row_signal]["columns"]}
        for join in self.words["join"]:
            named = {c["name"]: c["type"] for c in self.signals[join["signal"]]["columns"]}
            kinds[join["signal"]] = {n: named[n] for n in join["columns"]}
        return kinds

    def rows(self):
        """Adds this robot's rows to the result."""
        base = [Base(*point) for point in self.points()]
        self.join(base, strict=False)
        self.derive(base)
        self.base, self.base_times = base, [b.time for b in base]
        written = [(b, None) for b in base]
        if self.event_rows:
            kinds = self.chosen()
            written = [(Base(b.time, None), kinds[b.time]) for b in base if b.time in kinds]  # its own values come with it
            self.join([b for b, _ in written], strict=True)
            self.derive([b for b, _ in written], count=False)
        low, high = self.words["range"]
        written = [(b, kind) for b, kind in written if low <= b.time < high]
        self.count_joins([b for b, _ in written])
        rows = [self.row(b, kind) for b, kind in written]
        self.write(rows)

    def points(self):
        """(time, own observation) of each base row."""
        rows = self.words["rows"]
        if "every" not in rows:
            return [(o.time, o) for o in self.observations.get(self.row_signal, [])]
        during = [rows["during"]] if "during" in rows else list(self.signals)
        every, alive = duration(rows["every"]), duration(rows.get("alive", "30s"))
        points = set()
        for signal in during:
            for o in self.observations.get(signal, []):
                first = -(-o.time // every) * every
                points.update(range(first, o.time + alive + 1, every))
        return [(t, None) for t in sorted(points)]

    def join(self, base, strict):
        """Matches of each row; strictly: only what was known before the row's time."""
        for join in self.words["join"]:
            found = self.observations.get(join["signal"], [])
            times = [o.time for o in found]
            for row in base:
                allowed = found
                if strict:
                    allowed = [o for o in found if o.known < row.time]
                match = nearest(allowed, times if not strict else [o.time for o in allowed], row.time, join, strict)
                row.matches[join["signal"]] = match
                if match:
                    row.known = max(row.known, match.known)

    def derive(self, base, count=True):
        """Derived values in order."""
        for derived in self.words["derive"]:
            values, kind = evaluate(derived["expression"], {**self.kinds, **self.derived_kinds}, self.sql_rows(base))
            self.derived_kinds[derived["name"]] = kind
            if count:
                self.result.account[f"expression_nan.{derived['name']}"] += sum(v != v for v in values)
            for row, value in zip(base, values, strict=True):
                row.derived[derived["name"]] = value if value == value else None

    def sql_rows(self, base):
        """Rows as SQL sees them."""
        out = []
        for row in base:
            values = {}
            for signal, kinds in self.kinds.items():
                found = row.own if signal == self.row_signal and signal not in row.matches else row.matches.get(signal)
                values[signal] = stamped({n: found.values[n] for n in kinds}, kinds) if found else None
            out.append(values | row.derived)
        return out

    def count_joins(self, base):
        """The match report of the rows."""
        for join in self.words["join"]:
            signal, seen = join["signal"], set()
            account = Counter(rows=0, matched=0, unmatched=0, reused=0, looked_ahead=0)
            for row in base:
                match = row.matches[signal]
                account["rows"] += 1
                account["matched" if match else "unmatched"] += 1
                if match:
                    account["reused"] += id(match) in seen
                    account["looked_ahead"] += match.time > row.time
                    account[f"distance_us.{power(-(-abs(match.time - row.time) // 1000))}"] += 1
                    seen.add(id(match))
            for what, n in account.items():
                self.result.account[f"joins.{signal}.{what}"] += n

    def chosen(self):
        """{time: row_kind} of event rows: kept onsets and their controls."""
        rows = self.words["rows"]
        found: Onsets = self.onsets[rows["event"]]
        kinds = dict.fromkeys(found.kept, "event")
        controls = rows.get("controls")
        if not controls:
            return kinds
        apart, within = duration(controls["apart"]), duration(controls.get("within", "1h"))
        free = [o.time for o in self.observations.get(self.row_signal, []) if all(abs(o.time - e) >= apart for e in found.every)]
        for onset in found.kept:
            near = [t for t in free if abs(t - onset) <= within]
            near.sort(key=lambda t: draw(controls.get("seed", 0), self.name, onset, t))
            self.result.account["rows.too_few_controls"] += len(near) < controls["perEvent"]
            for t in near[: controls["perEvent"]]:
                kinds[t] = "control"
        return kinds

    def row(self, base, kind):
        """The whole row of the result."""
        out = {"robot": self.name, "time": base.time}
        if self.event_rows:
            out["row_kind"] = kind
        features, reasons, known = {}, [], base.known
        for window in self.words["windows"]:
            found, reason, seen = self.window(window, base)
            features |= found
            reasons += reason
            known = max(known, seen)
        out["known_at"] = known
        if self.row_signal:
            self.put(out, self.row_signal, self.kinds[self.row_signal], base.own)
        for join in self.words["join"]:
            match = base.matches[join["signal"]]
            self.put(out, join["signal"], {n: None for n in join["columns"]}, match)
            out[f"{join['signal']}_dt_us"] = (match.time - base.time) // 1000 if match else None
        out |= base.derived | features
        self.label(out, kind, reasons)
        return out

    @staticmethod
    def put(out, signal, columns, observation):
        """A signal's columns."""
        for name in columns:
            out[f"{signal}_{name}"] = observation.values[name] if observation else None

    def window(self, window, base):
        """(features, reasons, greatest known time) of one window of one row."""
        start, at = base.time - window["span"], base.time
        features, reasons, known, named = {}, [], base.time, {}
        for feature in window["features"]:
            for signal, column in self.expand(feature["columns"]):
                points, seen = self.points_of(window, signal, column, start, at)
                known = max([known, *seen])
                named.setdefault(signal or column, set()).update(t for t, _ in points)
                prefix = f"{signal}_{column}" if signal else column
                for name in feature["statistics"]:
                    ending = f"_{window['suffix']}" if window["suffix"] else ""
                    features[f"{prefix}_{name}{ending}"] = statistic(name, points, at)
        requires = window["requires"]
        for times in named.values():
            if "gap" in requires and hole(sorted(times), start, at) > requires["gap"]:
                reasons.append("gap")
            if "count" in requires and len(times) < requires["count"]:
                reasons.append("count")
        for event in window["excludes"]:
            if any(self.inside(t, start, at) for t in self.onsets[event].every):
                reasons.append("event")
        return features, reasons, known

    def inside(self, time, start, at):
        """Whether a time lies in the window."""
        return start <= time < at if self.event_rows else start < time <= at

    def expand(self, columns):
        """(signal, column), or (None, derived), of feature words."""
        for text in columns:
            signal, dot, column = text.partition(".")
            if not dot:
                yield None, text
            elif column == "*":
                names = self.kinds.get(signal) or {c["name"]: 0 for c in self.signals[signal]["columns"]}
                yield from ((signal, name) for name in names)
            else:
                yield signal, column

    def points_of(self, window, signal, column, start, at):
        """Non-null (time, value) of a column inside the window, and their known times."""
        points, known = [], []
        if window["over"] == "Observations":
            for o in self.observations.get(signal, []):
                if self.inside(o.time, start, at) and o.values[column] is not None:
                    if not self.event_rows or o.known < at:
                        points.append((o.time, o.values[column]))
                        known.append(o.known)
            return points, known
        low, high = bisect_left(self.base_times, start), bisect_right(self.base_times, at)
        for row in self.base[low:high]:
            value = row.value(signal, column, self.row_signal) if signal else row.derived[column]
            if value is not None and self.inside(row.time, start, at) and (not self.event_rows or row.known < at):
                points.append((row.time, value))
                known.append(row.known)
        return points, known

    def label(self, out, kind, reasons):
        """label, label_event_time, valid, invalid_reason."""
        label, known, lead = self.words.get("label"), out["known_at"], 0
        if label and self.event_rows:
            out["label"], out["label_event_time"] = kind == "event", out["time"] if kind == "event" else None
        elif label:
            lead = duration(label.get("lead", "0s"))
            found = self.onsets[label["event"]]
            until = known + lead + duration(label["horizon"])
            ahead = [t for t in found.kept if known + lead < t <= until]
            out["label"], out["label_event_time"] = (True, ahead[0]) if ahead else (self.seen(found, until), None)
            if any(out["time"] < t <= known for t in found.kept):
                reasons.append("event_in_match")
            if any(known < t <= known + lead for t in found.kept):
                reasons.append("event_in_lead")
        order = ["gap", "count", "event", "event_in_match", "event_in_lead"]
        out["valid"] = not reasons
        out["invalid_reason"] = min(reasons, key=order.index) if reasons else None

    def seen(self, found, until):
        """False when somebody was looking at `until`, None when not."""
        i = bisect_left(found.known, until)
        memory = next(e["memory"] for e in self.words["events"] if self.onsets[e["name"]] is found)
        if i == len(found.known):
            return None
        if found.known[i] == until:
            return False
        return False if i > 0 and found.known[i] - found.known[i - 1] <= memory else None

    def write(self, rows):
        """Filters, drops, counts and keeps the rows."""
        account, where = self.result.account, self.words.get("where")
        self.result.kinds = kinds = self.result_kinds()
        account["rows.base"] += len(rows)
        if where and rows:
            seen = self.sql_for_where(rows)
            keep, _ = evaluate(where, {**self.kinds, **{n: k for n, k in kinds.items() if n != "date"}}, seen)
            account["rows.filtered"] += sum(not k for k in keep)
            rows = [row for row, k in zip(rows, keep, strict=True) if k]
        for row in rows:
            if not row["valid"] and self.words["result"].get("invalid") == "Drop":
                account[f"rows.dropped.{row['invalid_reason']}"] += 1
                continue
            self.count_row(row)
            self.result.rows.append(row)

    def count_row(self, row):
        """One written row in the account."""
        account = self.result.account
        account["rows.written"] += 1
        account["rows.valid" if row["valid"] else f"rows.invalid.{row['invalid_reason']}"] += 1
        if "row_kind" in row:
            account[f"rows.kinds.{row['row_kind']}"] += 1
        if "label" in row:
            account["label." + {True: "positive", False: "negative", None: "unknown"}[row["label"]]] += 1

    def sql_for_where(self, rows):
        """Result rows with their signals as structs again."""
        out = []
        for row in rows:
            flat = {n: v // 1000 if self.result.kinds[n] == "timestamp" and v is not None else v for n, v in row.items()}
            for signal, columns in self.kinds.items():
                flat[signal] = {n: flat[f"{signal}_{n}"] for n in columns}
            out.append(flat)
        return out

    def result_kinds(self):
        """Name to type word of the result, in order."""
        kinds = {"robot": "string", "date": "date", "time": "timestamp"}
        if self.event_rows:
            kinds["row_kind"] = "string"
        kinds["known_at"] = "timestamp"
        if self.row_signal:
            kinds |= {f"{self.row_signal}_{n}": k for n, k in self.kinds[self.row_signal].items()}
        for join in self.words["join"]:
            signal = join["signal"]
            kinds |= {f"{signal}_{n}": self.kinds[signal][n] for n in join["columns"]}
            kinds[f"{signal}_dt_us"] = "int64"
        kinds |= self.derived_kinds
        for window in self.words["windows"]:
            kinds |= self.window_kinds(window)
        if "label" in self.words:
            kinds |= {"label": "bool", "label_event_time": "timestamp"}
        return kinds | {"valid": "bool", "invalid_reason": "string"}

    def window_kinds(self, window):
        """Types of a window's features."""
        kinds, ending = {}, f"_{window['suffix']}" if window["suffix"] else ""
        for feature in window["features"]:
            for signal, column in self.expand(feature["columns"]):
                of_signal = {c["name"]: c["type"] for c in self.signals[signal]["columns"]} if signal else {}
                own = of_signal.get(column) or self.derived_kinds[column]
                prefix = f"{signal}_{column}" if signal else column
                for name in feature["statistics"]:
                    whole = name in ("count", "changes")
                    same = name in ("first", "last") and own in ("bool", "string")
                    kinds[f"{prefix}_{name}{ending}"] = "int64" if whole else own if same else "float64"
        return kinds


def nearest(found, times, at, join, strict):
    """The observation that a join takes for a time, or None. Equal distance: the earlier; equal times: the last."""
    i = bisect_right(times, at)
    before = found[i - 1] if i else None
    j = bisect_left(times, at)
    after = None
    if j < len(found):
        after = found[bisect_right(times, times[j]) - 1]
    direction = join["direction"]
    if direction == "Backward" or (direction == "Nearest" and strict):
        best = before
    elif direction == "Forward":
        best = after
    else:
        best = min((o for o in (before, after) if o), key=lambda o: (abs(o.time - at), o.time), default=None)
    return best if best and abs(best.time - at) <= join["tolerance"] else None


def draw(seed, robot, onset, candidate):
    """The rank of a candidate for a control row."""
    digest = blake3.blake3()
    digest.update(seed.to_bytes(8, "little"))
    digest.update(robot.encode())
    digest.update(onset.to_bytes(8, "little", signed=True))
    digest.update(candidate.to_bytes(8, "little", signed=True))
    return digest.digest()
