"""The canonical text of a table, an account and a quarantine: what golden files hold."""

import datetime

EPOCH = datetime.datetime(1970, 1, 1)


def cell(value, kind):
    """One value: floats to 12 digits, times to microseconds UTC, null as `-`."""
    if value is None:
        return "-"
    if kind == "float64":
        return f"{float(value) + 0.0:.12g}"
    if kind == "bool":
        return str(bool(value)).lower()
    if kind == "timestamp":
        return (EPOCH + datetime.timedelta(microseconds=value)).isoformat(timespec="microseconds") + "Z"
    if kind == "string":
        return value if value and value != "-" and value.isprintable() and " " not in value else repr(value)
    return str(value)


def table(kinds, rows):
    """The schema, a line per column, then a line per row; `rows` are lists of values in the order of `kinds`."""
    lines = [f"{name}: {kind}" for name, kind in kinds.items()]
    grid = [list(kinds)] + [[cell(v, k) for v, k in zip(row, kinds.values(), strict=True)] for row in rows]
    widths = [max(len(line[i]) for line in grid) for i in range(len(kinds))]
    lines.append("")
    lines += ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in grid]
    return "\n".join(lines) + "\n"


def account(counts):
    """Counts that are not zero, a line each."""
    return "".join(f"{name} {count}\n" for name, count in sorted(counts.items()) if count)


def quarantine(lines):
    """(object, member, signal, column, kind) a line each, sorted."""
    return "".join("  ".join(part or "-" for part in line) + "\n" for line in sorted(lines))
