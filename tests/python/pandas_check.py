"""`pandas_check.py ur3|comma ZIP TABLE`: what a data team would compute with pandas, against the published table.

Joins by `merge_asof`, windows by `rolling`, effort and slip by arithmetic. Joined values and distances must be equal bit for bit,
statistics within 1e-9 of their own size (or of the column's, where a value is nearly zero). Prints a line per compared column; any difference ends it with 1.
"""

import gzip
import json
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
from deltalake import DeltaTable


def frames(path):
    """A frame per signal: `time` (ns) and its fields, from every member of a zip."""
    records = {}
    with zipfile.ZipFile(path) as box:
        for name in box.namelist():
            document = json.loads(gzip.decompress(box.read(name)), parse_float=Decimal)
            for signal, found in document.items():
                if isinstance(found, list):
                    records.setdefault(signal, []).extend(found)
    out = {}
    for signal, found in records.items():
        frame = pd.DataFrame({"time": [int(Decimal(r["ts"]) * 10**6) for r in found]})
        for field in (f for f in found[0] if f != "ts"):
            values = [r[field] for r in found]
            number = any(isinstance(v, (Decimal, int)) and not isinstance(v, bool) for v in values)
            frame[field] = [None if v is None else float(v) for v in values] if number else values
            if number:
                frame[field] = frame[field].astype("float64")
        out[signal] = frame.sort_values("time", kind="stable").drop_duplicates("time", keep="last").reset_index(drop=True)
    return out


def joined(base, other, signal, direction, tolerance_ns, fields):
    """`base` with the fields of the matched observation and its distance in microseconds."""
    right = other[["time", *fields]].rename(columns={f: f"{signal}_{f}" for f in fields})
    right["matched"] = right["time"].astype("Int64")  # a float would lose nanoseconds beside a null
    out = pd.merge_asof(base, right, on="time", direction=direction, tolerance=tolerance_ns)
    out[f"{signal}_dt_us"] = (out["matched"] - out["time"]) // 1000
    return out.drop(columns="matched")


def rolled(times, values, base_times, span, statistic):
    """A statistic of `values` in `(t - span, t]` for each base time, from its own slice: nothing can drift."""
    keep = ~np.isnan(values)
    times, values = times[keep], values[keep]
    low = np.searchsorted(times, base_times - span, side="right")
    high = np.searchsorted(times, base_times, side="right")
    return np.array([statistic(pd.Series(values[a:b]), times[a:b]) for a, b in zip(low, high, strict=True)])


STATISTICS = {
    "mean": lambda v, t: v.mean(),
    "std": lambda v, t: v.std(),
    "min": lambda v, t: v.min(),
    "max": lambda v, t: v.max(),
    "last": lambda v, t: v.iloc[-1] if len(v) else np.nan,
    "delta": lambda v, t: v.iloc[-1] - v.iloc[0] if len(v) else np.nan,
    "count": lambda v, t: float(len(v)),
    "p50": lambda v, t: v.quantile(0.5),
    "rms": lambda v, t: np.sqrt((v**2).mean()),
    "skew": lambda v, t: ((v - v.mean()) ** 3).mean() / (v.var(ddof=0) ** 1.5) if len(v) > 2 else np.nan,
    "kurtosis": lambda v, t: ((v - v.mean()) ** 4).mean() / (v.var(ddof=0) ** 2) - 3 if len(v) > 3 else np.nan,
    "mean_abs_change": lambda v, t: v.diff().abs().mean(),
    "slope": lambda v, t: slope(v, t),
}


def slope(values, times):
    """Least squares over seconds, by NumPy."""
    if len(values) < 2:
        return np.nan
    seconds = (times - times[0]) / 1e9
    return np.polyfit(seconds - seconds.mean(), values, 1)[0]


class Comparison:
    """Compares columns with the published table and remembers what differs."""

    def __init__(self, table):
        self.table, self.differ = table, []

    def exact(self, name, values):
        """Equal bit for bit, null for null."""
        found = self.table[name].to_numpy(dtype="float64", na_value=np.nan)
        wanted = pd.Series(values).to_numpy(dtype="float64", na_value=np.nan)
        self.say(name, "exactly", (found == wanted) | (np.isnan(found) & np.isnan(wanted)))

    def near(self, name, values):
        """Within 1e-9 of the value's size, or of the column's typical size."""
        found = self.table[name].to_numpy(dtype="float64", na_value=np.nan)
        wanted = pd.Series(values).to_numpy(dtype="float64", na_value=np.nan)
        room = 1e-9 * np.maximum(np.abs(wanted), np.nanmean(np.abs(wanted)))
        with np.errstate(invalid="ignore"):
            near = np.abs(found - wanted) <= room
        self.say(name, "to 1e-9", near | (np.isnan(found) & np.isnan(wanted)))

    def say(self, name, how, holds):
        """A line of the report."""
        print(f"{name}: {int(holds.sum())} of {len(holds)} rows agree {how}")
        if not holds.all():
            self.differ.append(f"{name} first differs in row {int(np.argmin(holds))}")


def ur3(signals, check):
    """The pipeline ur3-stops."""
    rows = signals["status"].rename(columns={"cycle": "status_cycle"})[["time", "status_cycle"]]
    joints = [f"j{i}" for i in range(6)]
    rows = joined(rows, signals["current"], "current", "nearest", 500_000_000, joints)
    rows = joined(rows, signals["temperature"], "temperature", "backward", 5_000_000_000, ["j0", "j5"])
    rows = joined(rows, signals["speed"], "speed", "nearest", 500_000_000, joints)
    rows = joined(rows, signals["tool"], "tool", "nearest", 500_000_000, ["current"])
    for name in rows.columns.drop("time"):
        check.exact(name, rows[name])
    rows["effort"] = rows["current_j0"].abs() + rows["current_j1"].abs() + rows["current_j2"].abs()
    check.exact("effort", rows["effort"])
    wanted = {n: ["mean", "std", "min", "max", "slope"] for n in [*(f"current_{j}" for j in joints), "effort", "tool_current"]}
    wanted |= {"temperature_j0": ["last", "delta"], "status_cycle": ["count", "delta"]}
    over_rows(check, rows, wanted, 42 * 10**9, "")


def comma(signals, check):
    """The pipeline comma-drive."""
    rows = signals["speed"].rename(columns={"mps": "speed_mps"})
    xyz = ["x", "y", "z"]
    rows = joined(rows, signals["accel"], "accel", "nearest", 10_000_000, xyz)
    rows = joined(rows, signals["gyro"], "gyro", "nearest", 5_000_000, xyz)
    rows = joined(rows, signals["mag"], "mag", "nearest", 60_000_000, xyz)
    rows = joined(rows, signals["fix"], "fix", "backward", 150_000_000, ["lat", "lon", "speed", "alt", "bearing"])
    rows = joined(rows, signals["steering"], "steering", "forward", 15_000_000, ["deg"])
    for name in rows.columns.drop("time"):
        check.exact(name, rows[name])
    rows["slip"] = rows["speed_mps"] - rows["fix_speed"]
    check.exact("slip", rows["slip"])
    wanted = {n: ["mean", "std", "slope"] for n in ("speed_mps", "slip")}
    wanted["steering_deg"] = ["min", "max", "p50", "mean_abs_change"]
    over_rows(check, rows, wanted, 2 * 10**9, "_2s")
    accel = signals["accel"]
    for axis in xyz:
        for name in ["mean", "std", "rms", "skew", "kurtosis"]:
            found = rolled(accel["time"].to_numpy(), accel[axis].to_numpy(), rows["time"].to_numpy(), 2 * 10**9, STATISTICS[name])
            check.near(f"accel_{axis}_{name}_all", found)


def over_rows(check, rows, wanted, span, suffix):
    """Windows over the rows themselves."""
    times = rows["time"].to_numpy()
    for column, names in wanted.items():
        for name in names:
            found = rolled(times, rows[column].to_numpy(dtype="float64"), times, span, STATISTICS[name])
            check.near(f"{column}_{name}{suffix}", found)


def main(which, path, url):
    """Compares one example."""
    table = DeltaTable(url).to_pyarrow_table().sort_by([("robot", "ascending"), ("time", "ascending")])
    check = Comparison(table.to_pandas())
    signals = frames(path)
    base = signals["status" if which == "ur3" else "speed"]
    micros = table.column("time").cast("int64").to_numpy()
    check.say("time", "exactly", micros == base["time"].to_numpy() // 1000)
    {"ur3": ur3, "comma": comma}[which](signals, check)
    if check.differ:
        sys.exit("\n".join(check.differ))


main(*sys.argv[1:])
