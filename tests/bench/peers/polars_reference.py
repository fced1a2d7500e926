"""The reference task as a polars user writes it. ARCHIVE OUT [--inflate gzip|isal] [--processes 2]"""

import argparse

import documents
import polars as pl

TOLERANCE = {"pose": "1s", "odometry": "200ms", "battery": "10s"}
FEATURES = ("odometry.linear", "odometry.angular", "pose.score")


def frames(columns):
    """A frame a signal."""
    return {signal: frame(values) for signal, values in columns.items()}


def frame(values):
    numbers = {name: pl.Float64 for name in values if name not in ("robot", "time", *documents.TEXTS)}
    return pl.DataFrame(values, schema_overrides=numbers).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))


def joined(read):
    """The missions with their nearest observations of every other signal."""
    rows = read["mission"].sort("robot", "time")
    for signal, tolerance in TOLERANCE.items():
        other = read[signal].sort("robot", "time")
        other = other.rename({name: f"{signal}.{name}" for name in other.columns if name not in ("robot", "time")})
        rows = rows.join_asof(
            other, on="time", by="robot", strategy="nearest", tolerance=tolerance, check_sortedness=False
        )
    return rows


def features(rows):
    """Mean, std, min and max of what the rows show over the last 42 s."""
    wanted = []
    for column in FEATURES:
        wanted += [
            pl.col(column).mean().alias(f"{column}.mean_42s"),
            pl.col(column).std().alias(f"{column}.std_42s"),
            pl.col(column).min().alias(f"{column}.min_42s"),
            pl.col(column).max().alias(f"{column}.max_42s"),
        ]
    windows = rows.rolling(index_column="time", period="42s", group_by="robot").agg(wanted)
    return rows.hstack(windows.drop("robot", "time"))


def labelled(rows):
    """Whether a mission turns Aborted within the next 10 s."""
    onset = (pl.col("state") == "Aborted") & (pl.col("state").shift(1) != "Aborted")
    aborted = rows.with_columns(onset.over("robot").alias("onset")).filter("onset")
    onsets = aborted.select("robot", "time", onset="time").sort("robot", "time")
    next_onset = rows.select("robot", pl.col("time") + pl.duration(microseconds=1)).join_asof(
        onsets, on="time", by="robot", strategy="forward", tolerance="9999999us", check_sortedness=False
    )
    return rows.with_columns(label=next_onset["onset"].is_not_null())


def main():
    words = argparse.ArgumentParser()
    words.add_argument("archive")
    words.add_argument("out")
    words.add_argument("--inflate", default="gzip")
    words.add_argument("--processes", type=int, default=2)
    words = words.parse_args()
    parts = documents.read(words.archive, words.processes, words.inflate, frames)
    read = {signal: pl.concat(part[signal] for part in parts) for signal in documents.SIGNALS}
    labelled(features(joined(read))).write_parquet(words.out, compression="zstd", compression_level=1)


if __name__ == "__main__":
    main()
