"""A command measured as a whole process: wall and CPU seconds of it and all its children, memory of the largest of them.

It is started from a small process of its own, this file: what a process held most counts the memory of whoever forked it, and
that one holds tables.

    python -S measure.py CORES COMMAND…      what it took as JSON; CORES: all, or numbers with commas
"""

import json
import os
import subprocess
import sys
import time
from collections import namedtuple

#: What one run took.
Measured = namedtuple("Measured", ["wall", "cpu", "peak_bytes"])


def measured(command, cores=None):
    """Runs a command to its end, on some cores only if they are given. One that fails raises with what it said."""
    words = [",".join(map(str, cores)) if cores else "all", *map(str, command)]
    run = subprocess.run([sys.executable, "-S", __file__, *words], capture_output=True, env=environment())
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join(words[1:])} ended with {run.returncode}:\n{run.stderr.decode()[-3000:]}")
    return Measured(**json.loads(run.stdout))


def main():
    """Runs the command and says what it took; what it says itself goes to standard error."""
    cores, *command = sys.argv[1:]
    if cores != "all":
        os.sched_setaffinity(0, set(map(int, cores.split(","))))
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    _, status, used = os.wait4(child.pid, 0)
    took = Measured(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(code)
    print(json.dumps(took._asdict()))


def environment():
    """This process's, without what slows a numerical library down on purpose."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}


def machine():
    """Processor, cores, memory, kernel: what figures depend on."""
    described = read("/proc/cpuinfo").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in described if line.startswith("model name")), os.uname().machine)
    memory = int(read("/proc/meminfo").split()[1]) // 1_000_000
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory} GB, Linux {os.uname().release.split('-')[0]}"


def median(values):
    """The middle one; of an even number the lower of both."""
    return sorted(values)[(len(values) - 1) // 2]


def read(path):
    """A file of text."""
    with open(path) as file:
        return file.read()


if __name__ == "__main__":
    main()
