"""The kernels beside polars, pandas and DuckDB: nearest join and look-back windows of 10 M rows, CPU seconds of one core.

    python kernels.py --cargo cargo --target target

`worker/engine/benches/kernels.rs` writes the rows, and measures ours on the very same; each peer runs in a process of its own
on one core, three times, and the least counts. Writes BENCHMARKS.md and benchmarks/kernels.json.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import section
from measure import environment, machine
from reference import AT_LEAST, today, versions

NANO = 1_000_000_000
ROBOTS = 100
#: MB of JSON a CPU second to reach.
DOCUMENTS = {"2.8 KB documents": 300, "80 KB documents": 400}


def rows(folder):
    """The columns as the benchmark wrote them, and each row's robot."""
    import numpy as np

    read = {name: np.load(folder / f"{name}.npy") for name in ("left", "right", "one", "other", "value")}
    read["robot"] = np.repeat(np.arange(ROBOTS, dtype=np.int32), len(read["left"]) // ROBOTS)
    return read


def polars(folder, kernel):
    import polars as pl

    read = rows(folder)
    stamp = lambda name: pl.Series("time", read[name]).cast(pl.Datetime("ns"))
    robot = pl.Series("robot", read["robot"])
    if kernel == "nearest":
        left = pl.DataFrame([robot, stamp("left")])
        right = pl.DataFrame([robot, stamp("right"), pl.Series("one", read["one"]), pl.Series("other", read["other"])])
        return lambda: left.join_asof(
            right, on="time", by="robot", strategy="nearest", tolerance="50ms", check_sortedness=False
        )
    frame = pl.DataFrame([robot, stamp("left"), pl.Series("value", read["value"])])
    value = pl.col("value")
    wanted = {
        "moments": [value.mean().alias("a"), value.std().alias("b"), value.min().alias("c"), value.max().alias("d")],
        "p95": [value.quantile(0.95, "linear").alias("a")],
    }[kernel]
    by = {
        "moments": [value.rolling_mean_by("time", "42s"), value.rolling_std_by("time", "42s").alias("b"),
                    value.rolling_min_by("time", "42s").alias("c"), value.rolling_max_by("time", "42s").alias("d")],
        "p95": [value.rolling_quantile_by("time", "42s", quantile=0.95, interpolation="linear")],
    }[kernel]  # fmt: skip
    # The faster of its two ways counts.
    return [
        lambda: frame.rolling(index_column="time", period="42s", group_by="robot").agg(wanted),
        lambda: frame.select(it.over("robot") for it in by),
    ]


def pandas(folder, kernel):
    import pandas as pd

    read = rows(folder)
    stamp = lambda name: pd.to_datetime(read[name])
    if kernel == "nearest":
        left = pd.DataFrame({"robot": read["robot"], "time": stamp("left")}).sort_values("time", kind="stable")
        right = {"robot": read["robot"], "time": stamp("right"), "one": read["one"], "other": read["other"]}
        right = pd.DataFrame(right).sort_values("time", kind="stable")
        return lambda: pd.merge_asof(
            left, right, on="time", by="robot", direction="nearest", tolerance=pd.Timedelta("50ms")
        )
    frame = pd.DataFrame({"robot": read["robot"], "time": stamp("left"), "value": read["value"]}).set_index("time")
    look = frame.groupby("robot")["value"].rolling("42s")
    if kernel == "moments":
        return lambda: (look.mean(), look.std(), look.min(), look.max())
    return lambda: look.quantile(0.95)


def duckdb(folder, kernel):
    import duckdb
    import pyarrow as pa

    read = rows(folder)
    base = duckdb.connect(config={"threads": 1})
    robot, left, right, one, other, value = (
        read[name] for name in ("robot", "left", "right", "one", "other", "value")
    )
    base.register("la", pa.table({"robot": robot, "time": left, "value": value}))
    base.register("ra", pa.table({"robot": robot, "time": right, "one": one, "other": other}))
    base.execute("CREATE TABLE l AS FROM la")
    base.execute("CREATE TABLE r AS FROM ra")
    if kernel == "nearest":
        sql = """
        CREATE OR REPLACE TABLE found AS
        SELECT l.robot, l.time,
          CASE WHEN l.time - b.time <= coalesce(a.time - l.time, 9e18) THEN b.one ELSE a.one END AS one,
          CASE WHEN l.time - b.time <= coalesce(a.time - l.time, 9e18) THEN b.other ELSE a.other END AS other
        FROM l ASOF LEFT JOIN r b ON l.robot = b.robot AND l.time >= b.time
               ASOF LEFT JOIN r a ON l.robot = a.robot AND l.time <= a.time
        """
    else:
        wanted = {
            "moments": "avg(value) OVER w AS a, stddev_samp(value) OVER w AS b, min(value) OVER w AS c, max(value) OVER w AS d",
            "p95": "quantile_cont(value, 0.95) OVER w AS a",
        }[kernel]
        sql = f"""
        CREATE OR REPLACE TABLE found AS SELECT {wanted} FROM l WINDOW w AS
          (PARTITION BY robot ORDER BY time RANGE BETWEEN 41999999999 PRECEDING AND CURRENT ROW)
        """
    return lambda: base.execute(sql)


PEERS = {"polars": polars, "pandas": pandas, "duckdb": duckdb}
KERNELS = {"nearest": "nearest, two columns", "moments": "mean std min max", "p95": "p95"}


def alone(peer, kernel, folder, rounds):
    """Least CPU seconds of a kernel, in this process."""
    ways = PEERS[peer](folder, kernel)
    best = float("inf")
    for way in ways if isinstance(ways, list) else [ways]:
        for _ in range(rounds):
            began = time.process_time()
            way()
            best = min(best, time.process_time() - began)
            if best > 20:
                break
    return best


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--cargo", default="cargo")
    words.add_argument("--target", type=Path, default=Path("target"))
    words.add_argument("--folder", type=Path, default=Path.home() / ".cache/fleetloom/bench/kernels")
    words.add_argument("--alone", nargs=2, metavar=("PEER", "KERNEL"))
    words.add_argument("--rounds", type=int, default=3)
    words = words.parse_args()
    if words.alone:
        print(alone(*words.alone, words.folder, words.rounds))
        return
    ours = fleetloom(words)
    theirs = {
        peer: {kernel: started(words, peer, kernel) for kernel in KERNELS if (peer, kernel) != ("pandas", "p95")}
        for peer in PEERS
    }
    text = told(ours, theirs)
    print(text)
    section.write("kernels", text)
    Path("benchmarks").mkdir(exist_ok=True)
    head = {"date": today(), "machine": machine()}
    Path("benchmarks/kernels.json").write_text(json.dumps(head | {"fleetloom": ours, "peers": theirs}, indent=1) + "\n")


def fleetloom(words):
    """Ours, by Criterion: CPU seconds by name."""
    command = [words.cargo, "bench", "--locked", "--workspace", "--bench", "kernels"]
    env = os.environ | {"FLEETLOOM_BENCH_DATA": str(words.folder), "CARGO_TARGET_DIR": str(words.target.resolve())}
    subprocess.run(command, check=True, env=env)
    found = {}
    for estimate in sorted((words.target / "criterion").glob("*/*/new/estimates.json")):
        told = json.loads((estimate.parent / "benchmark.json").read_text())
        found[told["function_id"]] = {
            "cpu": json.loads(estimate.read_text())["median"]["point_estimate"] / NANO,
            "throughput": told["throughput"],
        }
    return found


def started(words, peer, kernel):
    """A peer's, in a process of its own on one core."""
    print(f"{peer}: {kernel}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--alone", peer, kernel, "--folder", words.folder, "--rounds", words.rounds]
    env = environment() | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    one_core = lambda: os.sched_setaffinity(0, {0})
    said = subprocess.run(list(map(str, command)), check=True, env=env, preexec_fn=one_core, stdout=subprocess.PIPE)
    return float(said.stdout)


def told(ours, theirs):
    """The section of BENCHMARKS.md."""
    lines = []
    for kernel, name in KERNELS.items():
        own = ours[name]["cpu"]
        line = [name, f"{own:.2f}"]
        for peer in PEERS:
            figure = theirs[peer].get(kernel)
            line.append("not measured" if figure is None else f"{figure:.2f} ({figure / own:.1f}×)")
        lines.append(line)
    every = ours["every statistic of numbers"]["cpu"] / 10_000_000 / 21 * NANO
    decoded = [
        [name, f"{figures['throughput']['Bytes'] / 1e6 / figures['cpu']:.0f}"]
        for name, figures in ours.items()
        if "documents" in name
    ]
    megabytes = dict(decoded)
    polars = lambda kernel: theirs["polars"][kernel] / ours[KERNELS[kernel]]["cpu"]
    goals = [
        ("nearest, CPU s", ours[KERNELS["nearest"]]["cpu"], "{:.2f}", 0.20),
        ("nearest, times less than polars", polars("nearest"), "{:.1f}", 3, AT_LEAST),
        ("mean, std, min, max, CPU s", ours[KERNELS["moments"]]["cpu"], "{:.2f}", 0.45),
        ("mean, std, min, max, times less than polars", polars("moments"), "{:.1f}", 3.5, AT_LEAST),
        ("p95, CPU s", ours[KERNELS["p95"]]["cpu"], "{:.2f}", 2.4),
        ("every statistic, ns a row and statistic", every, "{:.0f}", 40),
    ]
    goals += [(f"{name}, MB of JSON a CPU second", float(megabytes[name]), "{:.0f}", bound, AT_LEAST)
              for name, bound in DOCUMENTS.items() if name in megabytes]  # fmt: skip
    return f"""## Kernels

10 M rows of 100 robots at 10 Hz, CPU seconds of one core; in brackets how many times ours. Nearest within 50 ms, by robot;
windows of 42 s, about 420 values. Peers on the same rows, each in its own process, the least of three (DuckDB one of what took
over 20 s). pandas' quantile is left out: it takes minutes.

{section.table(["", "Fleetloom", *PEERS], lines)}

{section.table(["gzipped JSON to columns", "MB of JSON a CPU second"], decoded)}

All 21 statistics of numbers are computed at once.

{section.targets(goals)}

{versions()}. {machine()}. {today()}, `make bench`.
"""


if __name__ == "__main__":
    main()
