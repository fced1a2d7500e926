"""The reference task as a pandas user writes it. ARCHIVE OUT [--inflate gzip|isal] [--processes 2]"""

import argparse

import documents
import pandas as pd

TOLERANCE = {"pose": "1s", "odometry": "200ms", "battery": "10s"}
FEATURES = ["odometry.linear", "odometry.angular", "pose.score"]


def frames(columns):
    """A frame a signal."""
    return {signal: frame(values) for signal, values in columns.items()}


def frame(values):
    read = pd.DataFrame(values)
    read["time"] = pd.to_datetime(read["time"], unit="us", utc=True)
    read["robot"] = read["robot"].astype("category")
    return read


def joined(read):
    """The missions with their nearest observations of every other signal."""
    rows = read["mission"].sort_values("time")
    for signal, tolerance in TOLERANCE.items():
        other = read[signal].sort_values("time")
        other = other.rename(columns={name: f"{signal}.{name}" for name in other if name not in ("robot", "time")})
        rows = pd.merge_asof(
            rows, other, on="time", by="robot", direction="nearest", tolerance=pd.Timedelta(tolerance)
        )
    return rows.sort_values(["robot", "time"], ignore_index=True)


def features(rows):
    """Mean, std, min and max of what the rows show over the last 42 s."""
    windows = rows.set_index("time").groupby("robot", observed=True)[FEATURES].rolling("42s", min_periods=1)
    found = windows.agg(["mean", "std", "min", "max"])
    found.columns = [f"{column}.{statistic}_42s" for column, statistic in found.columns]
    return pd.concat([rows, found.reset_index(drop=True)], axis=1)


def labelled(rows):
    """Whether a mission turns Aborted within the next 10 s."""
    aborted = rows["state"] == "Aborted"
    before = aborted.groupby(rows["robot"], observed=True).shift(1, fill_value=True)
    onsets = rows.loc[aborted & ~before, ["robot", "time"]].assign(onset=True).sort_values("time")
    found = pd.merge_asof(
        rows[["robot", "time"]].assign(row=rows.index).sort_values("time"),
        onsets,
        on="time",
        by="robot",
        direction="forward",
        tolerance=pd.Timedelta("10s"),
        allow_exact_matches=False,
    )
    rows["label"] = found.set_index("row")["onset"].notna()
    return rows


def main():
    words = argparse.ArgumentParser()
    words.add_argument("archive")
    words.add_argument("out")
    words.add_argument("--inflate", default="gzip")
    words.add_argument("--processes", type=int, default=2)
    words = words.parse_args()
    parts = documents.read(words.archive, words.processes, words.inflate, frames)
    read = {}
    for signal in documents.SIGNALS:
        read[signal] = pd.concat([part[signal].astype({"robot": str}) for part in parts], ignore_index=True)
        read[signal]["robot"] = read[signal]["robot"].astype("category")
    robots = read["mission"]["robot"].cat.categories
    for signal in read:
        read[signal]["robot"] = read[signal]["robot"].cat.set_categories(robots)
    labelled(features(joined(read))).to_parquet(words.out, compression="zstd")


if __name__ == "__main__":
    main()
