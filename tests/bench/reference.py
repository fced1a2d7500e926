"""The reference task (README, "How fast"): Fleetloom and what else its users could write, side by side.

    python reference.py --program target/release/fleetloom

makes the archive once (`fleetloom simulate`), insists that every peer finds the same rows, matches and window values, then
times all of them in turn, some runs of each in a row, round by round, and writes BENCHMARKS.md and
benchmarks/reference.json. A peer that this machine lacks is named in the table as missing.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import agree
import section
from measure import machine, measured, median

HERE = Path(__file__).parent
sys.path.append(str(HERE / "peers"))
import documents  # noqa: E402
SEED = 1
#: What takes longer is measured once.
ONCE_SECONDS = 30
#: In a round a program runs at least so often in a row, and for so long: one run of half a second says little on a shared core.
IN_A_ROW = 2
ROW_SECONDS = 3
#: The first runs of the rounds: another program has used caches and pages just before.
FIRST = "fleetloom, right after another program"
#: Two runs at once, each on a core of its own.
BESIDE = "fleetloom, one core, another run on the other"
#: More is better.
AT_LEAST = "at least"


def peers(python):
    """By name: the command for an archive and a result, and the end of the result's name."""
    script = lambda name, *more: lambda archive, out: [python, HERE / "peers" / name, archive, out, *more]
    return {
        "polars, isal": (script("polars_reference.py", "--inflate", "isal"), "parquet"),
        "polars, gzip": (script("polars_reference.py"), "parquet"),
        "pandas, isal": (script("pandas_reference.py", "--inflate", "isal"), "parquet"),
        "DuckDB": (script("duckdb_reference.py"), "parquet"),
        "R, furrr": (lambda archive, out: ["Rscript", HERE / "peers" / "reference.R", archive, out], "csv"),
    }


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", type=Path, required=True, help="the built fleetloom")
    words.add_argument("--folder", type=Path, default=Path.home() / ".cache/fleetloom/bench", help="where archives lie")
    words.add_argument("--robots", type=int, default=10)
    words.add_argument("--hours", type=int, default=6)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--peers", nargs="*", help="only these; none: Fleetloom alone")
    words.add_argument("--dry", action="store_true", help="write no file")
    words = words.parse_args()
    bench = Bench(words)
    bench.run()


def archive(program, parent, robots, hours, order="robot"):
    """The folder of a simulated archive and its pipeline, made once."""
    folder = parent / f"{robots}x{hours}-{order}"
    if not (folder / "truth.json").exists():
        say(f"simulating {robots} robots for {hours} hours, by {order}")
        shutil.rmtree(folder, ignore_errors=True)
        command = [program, "simulate", "--robots", robots, "--hours", hours]
        command += ["--seed", SEED, "--order", order, "--out", folder]
        subprocess.run([*map(str, command)], check=True)
    return folder


def fleetloom(program, folder, cores=None, threads=None):
    """A run of the pipeline that lies beside the archive, onto no table."""
    shutil.rmtree(folder / "result", ignore_errors=True)
    command = [program, "run", "-f", folder / "fleetloom.yaml"]
    return measured([*command, *(["--threads", threads] if threads else [])], cores)


def beside(program, folder):
    """A run on a core of its own while another has the other core: the slower of both."""
    other = folder.with_name(f"{folder.name}-beside")
    other.mkdir(exist_ok=True)
    shutil.copy(folder / "fleetloom.yaml", other)
    if not (other / "archive").exists():
        (other / "archive").symlink_to(folder / "archive")
    with ThreadPoolExecutor() as both:
        runs = both.map(lambda place, core: fleetloom(program, place, {core}, 1), (folder, other), (0, 1))
        return max(runs, key=lambda run: run.wall)


def in_a_row(run):
    """The runs of a program in one round."""
    took = []
    while len(took) < IN_A_ROW or sum(each.wall for each in took) < ROW_SECONDS:
        took.append(run())
    return took


class Bench:
    """One run of the benchmark."""

    def __init__(self, words):
        self.words = words
        self.program = words.program.resolve()
        self.missing = {}
        chosen = peers(sys.executable)
        if words.peers is not None:
            chosen = {name: peer for name, peer in chosen.items() if name in words.peers}
        self.peers = {name: peer for name, peer in chosen.items() if self.is_there(name)}
        self.hours = words.robots * words.hours

    def is_there(self, name):
        """Whether a peer can be started; else why not, for the table."""
        if name.startswith("R,"):
            wanted = 'stopifnot(all(c("furrr","jsonlite","data.table") %in% rownames(installed.packages())))'
            try:
                subprocess.run(["Rscript", "-e", wanted], check=True, capture_output=True)
            except (FileNotFoundError, subprocess.CalledProcessError):
                self.missing[name] = "R with furrr, jsonlite and data.table is not installed: `make bench` installs it on Debian"
                return False
        return True

    def peer(self, name, folder):
        """A run of a peer."""
        command, ending = self.peers[name]
        out = folder / f"{name.split(',')[0]}.{ending}"
        out.unlink(missing_ok=True)
        return measured(command(folder / "archive", out)), out

    def agreed(self, folder):
        """The number of rows, and what each peer took to find them; raises where one finds others."""
        fleetloom(self.program, folder)
        expected = agree.ours(folder / "result")
        tied = agree.ties(expected, documents.times(folder / "archive"))
        took = {}
        for name in self.peers:
            say(f"{name}: does it agree?")
            took[name], out = self.peer(name, folder)
            if differences := agree.differences(expected, agree.theirs(out), tied):
                raise SystemExit(f"{name} does not agree with Fleetloom: " + "; ".join(differences))
        return len(expected), took

    def rounds(self, folders, before):
        """What every run took, by name, in turn. What took long `before` is not run again."""
        slow = {name: [run] for name, run in before.items() if run.wall > ONCE_SECONDS}
        took = {}
        for turn in range(self.words.rounds):
            say(f"round {turn + 1} of {self.words.rounds}")
            runs = {
                "fleetloom": lambda: fleetloom(self.program, folders["robot"]),
                "fleetloom, one core": lambda: fleetloom(self.program, folders["robot"], {0}, 1),
                "fleetloom, by time": lambda: fleetloom(self.program, folders["time"]),
            }
            if len(os.sched_getaffinity(0)) > 1:
                runs[BESIDE] = lambda: beside(self.program, folders["robot"])
            runs |= {name: lambda name=name: self.peer(name, folders["robot"])[0] for name in self.peers if name not in slow}
            for name, run in runs.items():
                row = in_a_row(run)
                took.setdefault(name, []).extend(row)
                if name == "fleetloom":
                    took.setdefault(FIRST, []).append(row[0])
        return took | slow

    def run(self):
        words = self.words
        made = lambda order: archive(self.program, words.folder, words.robots, words.hours, order)
        folders = {order: made(order) for order in ("robot", "time")}
        rows, first = self.agreed(folders["robot"])
        took = self.rounds(folders, first)
        text = told(self, rows, took)
        print(text)
        if not self.words.dry:
            section.write("reference", text)
            raw = {name: [run._asdict() for run in runs] for name, runs in took.items()}
            Path("benchmarks").mkdir(exist_ok=True)
            head = {"date": today(), "machine": machine(), "robot_hours": self.hours, "rows": rows}
            Path("benchmarks/reference.json").write_text(json.dumps(head | {"runs": raw}, indent=1) + "\n")


def told(bench, rows, took):
    """The section of BENCHMARKS.md."""
    middle = {
        name: {what: median([getattr(run, what) for run in runs]) for what in ("wall", "cpu", "peak_bytes")}
        for name, runs in took.items()
    }
    own = middle["fleetloom"]
    line = lambda name, it: [
        name,
        f"{it['wall']:.2f}",
        f"{it['cpu']:.2f}",
        f"{it['peak_bytes'] / 1e6:.0f}",
        f"{it['wall'] / own['wall']:.1f}",
        f"{it['cpu'] / own['cpu']:.1f}",
    ]
    lines = [line(name, it) for name, it in middle.items()]
    lines += [[name, "missing", "", "", "", ""] for name in bench.missing]
    head = ["", "wall, s", "CPU, s", "largest process, MB", "times Fleetloom's wall", "times its CPU"]
    one, by_time = middle["fleetloom, one core"], middle["fleetloom, by time"]
    goals = [
        ("CPU seconds", own["cpu"], "{:.2f}", 0.8),
        ("seconds", own["wall"], "{:.2f}", 0.5),
        ("of twice as fast, from one core to two", one["wall"] / (2 * own["wall"]), "{:.0%}", 0.85, AT_LEAST),
        ("robots interleaved, times the CPU of robot by robot", by_time["cpu"] / own["cpu"], "{:.2f}", 1.3),
    ]
    python = [middle[name]["cpu"] for name in ("polars, isal", "polars, gzip", "pandas, isal") if name in middle]
    if python:
        goals.append(("times less CPU than the best Python", min(python) / own["cpu"], "{:.1f}", 24, AT_LEAST))
    if "R, furrr" in middle:
        goals.append(("times less CPU than R", middle["R, furrr"]["cpu"] / own["cpu"], "{:.1f}", 80, AT_LEAST))
    return f"""## The reference task

{bench.hours} robot-hours, {rows:,} rows: one zip of one gzipped JSON document per robot and five seconds; rows are mission
observations with their nearest pose, odometry and battery, mean, std, min and max of three columns over 42 s, and a label.
Whole processes, from the archive on disk to a table on disk; Fleetloom's includes planning, reports and the published Delta
version. Medians of {bench.words.rounds} rounds, in each of which every program runs in turn, at least {IN_A_ROW} times in a row and for {ROW_SECONDS} s;
what took over {ONCE_SECONDS} s was measured once. All peers found the same rows, matches and window values first.

{section.table(head, lines)}

{section.targets(goals)}

{taken(one, middle[BESIDE]) if BESIDE in middle else ""}

{"".join(f"Missing: {name}: {why}." for name, why in bench.missing.items())}
{versions()}. {machine()}. {today()}, `make bench`.
"""


def taken(one, beside):
    """What the machine itself takes of twice as fast."""
    return f"""Two runs at once, each on a core of its own, take {beside["wall"] / one["wall"]:.2f} times as long as one beside an idle core: what the machine
itself takes of twice as fast, as far as its noise lets one see."""


def versions():
    """Whose versions were measured."""
    known = ("polars", "pandas", "duckdb", "orjson", "isal")
    python = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in known)
    r = subprocess.run(["Rscript", "--version"], capture_output=True, text=True) if shutil.which("Rscript") else None
    return f"Python {sys.version.split()[0]}, {python}" + (f", {(r.stdout or r.stderr).strip()}" if r else "")


def today():
    return datetime.date.today().isoformat()


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
