"""Whether a peer's table says what Fleetloom's does: the same rows, the same matches, the same windows.

A float may differ in its last digits: peers sum up in other orders; a standard deviation in half of its digits, for pandas finds
5e-8 where all values are the same. Of two observations equally near polars takes the later, all others the earlier: there a
match, and a window that holds it, may differ. Labels are not compared: Fleetloom judges them from the time at which all of a row
was known, which no peer computes.
"""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from deltalake import DeltaTable

ROW = ("missionId", "state", "completedPercent")
MATCHES = ("pose.x", "pose.y", "pose.yaw", "pose.score", "pose.frameId", "odometry.linear", "odometry.angular",
           "battery.soc", "battery.voltage")  # fmt: skip
FEATURES = tuple(
    f"{column}.{statistic}_42s"
    for column in ("odometry.linear", "odometry.angular", "pose.score")
    for statistic in ("mean", "std", "min", "max")
)


def ours(folder):
    """Fleetloom's table, sorted."""
    read = DeltaTable(str(folder)).to_pyarrow_table().to_pandas()
    read["time"] = read["time"].astype("datetime64[us, UTC]").astype("int64")
    return read.sort_values(["robot", "time"], ignore_index=True)


def theirs(path):
    """A peer's table, sorted, under Fleetloom's names."""
    read = pd.read_csv(path) if path.suffix == ".csv" else pq.read_table(path).to_pandas()
    if not pd.api.types.is_numeric_dtype(read["time"]):
        read["time"] = pd.to_datetime(read["time"], utc=True).astype("datetime64[us, UTC]").astype("int64")
    read["time"] = read["time"].astype("int64")
    names = {name: f"mission_{name}" for name in ROW}
    names |= {name: name.replace(".", "_") for name in (*MATCHES, *FEATURES)}
    read = read.rename(columns=names)
    read["robot"] = read["robot"].astype(str)
    return read.sort_values(["robot", "time"], ignore_index=True)


def ties(expected, observed):
    """By signal that is joined: whether a row has two observations equally near. `observed` has the times of each signal."""
    found = {}
    for signal in ("pose", "odometry", "battery"):
        seen = pd.MultiIndex.from_arrays([observed[signal]["robot"], observed[signal]["time"]])
        opposite = expected["time"] - expected[f"{signal}_dt_us"].fillna(0).astype("int64")
        rows = pd.MultiIndex.from_arrays([expected["robot"].astype(str), opposite])
        found[signal] = rows.isin(seen) & (expected[f"{signal}_dt_us"].fillna(0) != 0).to_numpy()
    return found


def reached(expected, tied):
    """Whether the 42 s before a row hold a row with a tie."""
    counted = pd.Series(tied.astype(float), index=pd.to_datetime(expected["time"], unit="us"))
    return (counted.groupby(expected["robot"].astype(str).to_numpy()).rolling("42s").sum() > 0).to_numpy()


def differences(expected, found, tied):
    """A sentence for each column that differs; none when all agree. `tied` is what [`ties`] says."""
    if len(expected) != len(found):
        return [f"{len(found)} rows, not {len(expected)}"]
    if not (expected["robot"].astype(str) == found["robot"]).all() or not (expected["time"] == found["time"]).all():
        return ["other robots or times"]
    none = np.zeros(len(expected), bool)
    excused = {f"mission_{name}": none for name in ROW}
    excused |= {name.replace(".", "_"): tied[name.split(".")[0]] for name in MATCHES}
    excused |= {name.replace(".", "_"): reached(expected, tied[name.split(".")[0]]) for name in FEATURES}
    return [why for name, rows in excused.items() if (why := differs(name, expected[name], found[name], rows))]


def differs(name, expected, found, excused):
    """Where a column differs first but in excused rows; `None` where nowhere."""
    if pd.api.types.is_numeric_dtype(expected):
        expected, found = expected.to_numpy(float), found.to_numpy(float)
        same = np.isclose(expected, found, rtol=1e-9, atol=1e-6 if "_std_" in name else 1e-9, equal_nan=True)
    else:
        same = (expected.fillna("").astype(str) == found.fillna("").astype(str)).to_numpy()
    same = same | excused
    if same.all():
        return None
    at = int(np.argmin(same))
    return f"{name}: {(~same).sum()} rows differ, first row {at}: {found[at]!r}, not {expected[at]!r}"
