"""A command measured as a whole process: wall and CPU seconds of it and all its children, memory of the largest of them."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """What one run took."""

    wall: float
    cpu: float
    peak_bytes: int


def measured(command, cores=None):
    """Runs a command to its end, on some cores only if they are given. One that fails raises with what it said."""
    before = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with open(os.devnull, "rb") as nothing:
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=nothing,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=before,
            env=environment(),
        )
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{said.decode()[-3000:]}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def environment():
    """This process's, without what slows a numerical library down on purpose."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}


def machine():
    """Processor, cores, memory, kernel: what figures depend on."""
    described = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in described if line.startswith("model name")), os.uname().machine)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1_000_000
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory} GB, Linux {os.uname().release.split('-')[0]}"


def median(values):
    """The middle one; of an even number the lower of both."""
    return sorted(values)[(len(values) - 1) // 2]
