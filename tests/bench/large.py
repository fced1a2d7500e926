"""Fleetloom alone on archives as large as fleets have: does time grow with the archive, and nothing else?

    python large.py --program target/release/fleetloom

60 and 2,400 robot-hours three times each in turn, a fleet's day (365 robots, 24 hours, 6.3 million members) once; and what
commands take that touch no data. Writes BENCHMARKS.md and benchmarks/large.json. The archives need 8 GB of disk.
"""

import argparse
import json
from pathlib import Path

import section
from measure import machine, measured, median
from reference import archive, fleetloom, say, today

#: Robots and hours; the last is a fleet's day.
SIZES = [(10, 6), (100, 24), (365, 24)]
ROUNDS = 3
#: Members of a robot-hour.
MEMBERS = 720


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", type=Path, required=True, help="the built fleetloom")
    words.add_argument("--folder", type=Path, default=Path.home() / ".cache/fleetloom/bench", help="where archives lie")
    words.add_argument("--sizes", type=int, default=len(SIZES), help="only so many of the sizes, smallest first")
    words.add_argument("--dry", action="store_true", help="write no file")
    words = words.parse_args()
    words.program = words.program.resolve()
    took = {size: [] for size in SIZES[: words.sizes]}
    for turn in range(ROUNDS):
        for size, runs in took.items():
            if turn == 0 or size != SIZES[-1]:
                folder = archive(words.program, words.folder, *size)
                say(f"running {folder.name}")
                runs.append(fleetloom(words.program, folder))
    file = archive(words.program, words.folder, *SIZES[0]) / "fleetloom.yaml"
    brief = {
        "fleetloom --help": [measured([words.program, "--help"]) for _ in range(20)],
        "fleetloom check": [measured([words.program, "check", "-f", file]) for _ in range(20)],
    }
    text = told(took, brief)
    print(text)
    if not words.dry:
        section.write("large", text)
        raw = {f"{robots} x {hours}": [run._asdict() for run in runs] for (robots, hours), runs in took.items()}
        raw |= {name: [run._asdict() for run in runs] for name, runs in brief.items()}
        Path("benchmarks").mkdir(exist_ok=True)
        head = {"date": today(), "machine": machine()}
        Path("benchmarks/large.json").write_text(json.dumps(head | {"runs": raw}, indent=1) + "\n")


def told(took, brief):
    """The section of BENCHMARKS.md."""
    middle = lambda runs, what: median([getattr(run, what) for run in runs])
    least = next(iter(took))
    hour = lambda size: middle(took[size], "cpu") / (size[0] * size[1])
    lines = [
        [
            f"{robots * hours:,} robot-hours: {robots} robots, {hours} h",
            f"{robots * hours * MEMBERS:,}",
            f"{middle(runs, 'wall'):.1f}",
            f"{middle(runs, 'cpu'):.1f}",
            f"{hour((robots, hours)) / hour(least):.2f}",
            f"{middle(runs, 'peak_bytes') / (1 << 20):.0f}",
            len(runs),
        ]
        for (robots, hours), runs in took.items()
    ]
    head = ["", "members", "wall, s", "CPU, s", "CPU a robot-hour, to the first", "most resident, MiB", "runs"]
    commands = [[name, f"{middle(runs, 'wall') * 1000:.0f}", f"{middle(runs, 'cpu') * 1000:.0f}"] for name, runs in brief.items()]
    resident = max(middle(runs, "peak_bytes") for runs in took.values()) / (1 << 20)
    goals = [("most resident, MiB", resident, "{:.0f}", 512)]
    if SIZES[1] in took:
        linear = hour(SIZES[1]) / hour(least)
        goals.append(("CPU a robot-hour of the second size, to the first", linear, "{:.2f}", 1.1))
    if SIZES[-1] in took:
        goals.append(("a fleet's day, s", middle(took[SIZES[-1]], "wall"), "{:.0f}", 90))
    goals += [(f"{name}, ms", middle(runs, "wall") * 1000, "{:.0f}", 50) for name, runs in brief.items()]
    return f"""## Large archives

The reference task on archives of all sizes, Fleetloom alone, with its default memory budget of 512 MiB; medians where there are
several runs.

{section.table(head, lines)}

{section.table(["commands that touch no data", "wall, ms", "CPU, ms"], commands)}

{section.targets(goals)}

{machine()}. {today()}, `make bench-large`.
"""


if __name__ == "__main__":
    main()
