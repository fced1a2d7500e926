"""The reference task as a DuckDB user writes it: members unpacked to disk, then SQL. ARCHIVE OUT"""

import argparse
import tempfile
import zipfile
from pathlib import Path

import duckdb

READ = """
CREATE TABLE documents AS
SELECT split_part(filename, '/', -2) AS robot, odometry, pose, mission, battery
FROM read_json('{folder}/*/*.json.gz', filename = true, maximum_object_size = 1000000, columns = {{
  odometry: 'STRUCT(ts DOUBLE, linear DOUBLE, angular DOUBLE)[]',
  pose: 'STRUCT(ts DOUBLE, x DOUBLE, y DOUBLE, yaw DOUBLE, score DOUBLE, frameId VARCHAR)[]',
  mission: 'STRUCT(ts DOUBLE, missionId VARCHAR, state VARCHAR, completedPercent DOUBLE)[]',
  battery: 'STRUCT(ts DOUBLE, soc DOUBLE, voltage DOUBLE)[]'
}})
"""

SIGNAL = """
CREATE TABLE {signal} AS
SELECT robot, make_timestamp(CAST(round(record.ts * 1000) AS BIGINT)) AS time, {columns}
FROM (SELECT robot, unnest({signal}) AS record FROM documents)
"""

# ASOF JOIN looks one way: nearest is the closer of two.
NEAREST = """
CREATE TABLE with_{signal} AS
SELECT l.*, {chosen}
FROM (
  SELECT l.*, b.time AS back, a.time AS ahead, {both}
  FROM {left} l
  ASOF LEFT JOIN {signal} b ON l.robot = b.robot AND l.time >= b.time
  ASOF LEFT JOIN {signal} a ON l.robot = a.robot AND l.time <= a.time
) l
"""

COLUMNS = {
    "odometry": ("linear", "angular"),
    "pose": ("x", "y", "yaw", "score", "frameId"),
    "mission": ("missionId", "state", "completedPercent"),
    "battery": ("soc", "voltage"),
}
TOLERANCE = {"pose": "1 second", "odometry": "200 milliseconds", "battery": "10 seconds"}
FEATURES = ("odometry.linear", "odometry.angular", "pose.score")


def nearest(signal, left):
    """The statement that joins one signal; the columns of both sides travel beside the rows, then one side is chosen."""
    tolerance, own = f"INTERVAL '{TOLERANCE[signal]}'", COLUMNS[signal]
    both = ", ".join(f'b."{name}" AS "b_{name}", a."{name}" AS "a_{name}"' for name in own)
    back = f"l.back IS NOT NULL AND (l.ahead IS NULL OR l.time - l.back <= l.ahead - l.time) AND l.time - l.back <= {tolerance}"
    ahead = f"l.ahead IS NOT NULL AND (l.back IS NULL OR l.time - l.back > l.ahead - l.time) AND l.ahead - l.time <= {tolerance}"
    chosen = ", ".join(
        f'CASE WHEN {back} THEN l."b_{name}" WHEN {ahead} THEN l."a_{name}" END AS "{signal}.{name}"' for name in own
    )
    beside = ", ".join(["back", "ahead", *(f'"{side}_{name}"' for name in own for side in "ba")])
    return NEAREST.format(signal=signal, left=left, both=both, chosen=chosen).replace(
        "SELECT l.*, CASE", f"SELECT l.* EXCLUDE ({beside}), CASE"
    )


def final():
    """Rows, windows and label. `(t - 42 s, t]` in microseconds is a range without its first one."""
    windows = ", ".join(
        f'{function}("{column}") OVER look AS "{column}.{name}_42s"'
        for column in FEATURES
        for name, function in (("mean", "avg"), ("std", "stddev_samp"), ("min", "min"), ("max", "max"))
    )
    return f"""
    WITH onsets AS (
      SELECT robot, time AS onset FROM (
        SELECT robot, time, state = 'Aborted' AND lag(state) OVER (PARTITION BY robot ORDER BY time) <> 'Aborted' AS is_onset
        FROM mission
      ) WHERE is_onset
    ), windowed AS (
      SELECT *, {windows} FROM with_battery
      WINDOW look AS (PARTITION BY robot ORDER BY time RANGE BETWEEN INTERVAL '41999999 microseconds' PRECEDING AND CURRENT ROW)
    )
    SELECT w.*, coalesce(o.onset <= w.time + INTERVAL '10 seconds', false) AS label
    FROM windowed w ASOF LEFT JOIN onsets o ON w.robot = o.robot AND w.time < o.onset
    ORDER BY w.robot, w.time
    """


def main():
    words = argparse.ArgumentParser()
    words.add_argument("archive")
    words.add_argument("out")
    words = words.parse_args()
    with tempfile.TemporaryDirectory(dir=Path(words.out).parent) as folder:
        for path in sorted(Path(words.archive).glob("*.zip")):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        base = duckdb.connect()
        base.execute(READ.format(folder=folder))
        for signal, own in COLUMNS.items():
            columns = ", ".join(f'record."{name}" AS "{name}"' for name in own)
            base.execute(SIGNAL.format(signal=signal, columns=columns))
        left = "mission"
        for signal in TOLERANCE:
            base.execute(nearest(signal, left))
            left = f"with_{signal}"
        base.execute(f"COPY ({final()}) TO '{words.out}' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    main()
