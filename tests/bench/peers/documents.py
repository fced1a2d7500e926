"""Reading the archive as the Python peers do: a pool of processes, each with its share of the members, orjson, lists.

What a share gives is, per signal, a dict of columns: `robot`, `time` (µs since the epoch, int64) and the signal's own.
"""

import gzip
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import orjson

SIGNALS = {
    "odometry": ("linear", "angular"),
    "pose": ("x", "y", "yaw", "score", "frameId"),
    "mission": ("missionId", "state", "completedPercent"),
    "battery": ("soc", "voltage"),
}
#: The columns that are text; all others are numbers, written with and without a point.
TEXTS = ("frameId", "missionId", "state")


def inflate_with(name):
    """The function that inflates a member: the standard library's, or Intel's ISA-L."""
    if name == "gzip":
        return gzip.decompress
    from isal import igzip

    return igzip.decompress


def share(task):
    """The columns of some members of a zip."""
    path, names, inflate = task
    inflate = inflate_with(inflate)
    columns = {signal: {name: [] for name in ("robot", "time", *own)} for signal, own in SIGNALS.items()}
    with zipfile.ZipFile(path) as archive:
        for name in names:
            document = orjson.loads(inflate(archive.read(name)))
            robot = name.split("/", 1)[0]
            for signal, own in SIGNALS.items():
                records = document.get(signal)
                if not records:
                    continue
                into = columns[signal]
                into["robot"].extend([robot] * len(records))
                into["time"].extend([round(record["ts"] * 1000) for record in records])
                for column in own:
                    into[column].extend([record.get(column) for record in records])
    return columns


def shares(folder, processes, inflate):
    """What to read, a task a process, robots kept together."""
    for path in sorted(Path(folder).glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
        size = -(-len(names) // processes)
        for start in range(0, len(names), size):
            yield str(path), names[start : start + size], inflate


def read(folder, processes, inflate, build):
    """What `build` makes of the columns of each share, computed where they were read."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(Built(build), shares(folder, processes, inflate)))


def times(folder):
    """Of each signal the robots and times of its observations."""
    parts = read(folder, 2, "isal", only_times)
    return {
        signal: {name: [value for part in parts for value in part[signal][name]] for name in ("robot", "time")}
        for signal in SIGNALS
    }


def only_times(columns):
    return {signal: {name: own[name] for name in ("robot", "time")} for signal, own in columns.items()}


class Built:
    """A share, handed on as `build` wants it: a frame crosses between processes faster than lists do."""

    def __init__(self, build):
        self.build = build

    def __call__(self, task):
        return self.build(share(task))
