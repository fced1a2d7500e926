"""Whether a peer's table says what Fleetloom's does: the same rows, the same matches, the same windows.

A float may differ in its last digits: peers sum up in other orders. Labels are not compared: Fleetloom judges them from the
time at which all of a row was known, which no peer computes.
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


def differences(expected, found):
    """A sentence for each column that differs; none when all agree."""
    if len(expected) != len(found):
        return [f"{len(found)} rows, not {len(expected)}"]
    if not (expected["robot"].astype(str) == found["robot"]).all() or not (expected["time"] == found["time"]).all():
        return ["other robots or times"]
    names = [f"mission_{name}" for name in ROW] + [name.replace(".", "_") for name in (*MATCHES, *FEATURES)]
    return [sentence for name in names if (sentence := differs(name, expected[name], found[name]))]


def differs(name, expected, found):
    """Where a column differs first; `None` where nowhere."""
    if pd.api.types.is_numeric_dtype(expected):
        expected, found = expected.to_numpy(float), found.to_numpy(float)
        same = np.isclose(expected, found, rtol=1e-9, atol=1e-9, equal_nan=True)
    else:
        same = (expected.fillna("").astype(str) == found.fillna("").astype(str)).to_numpy()
    if same.all():
        return None
    at = int(np.argmin(same))
    return f"{name}: {(~same).sum()} rows differ, first row {at}: {found[at]!r}, not {expected[at]!r}"
