"""`golden.py CASE OUT`: packs a case's input to OUT/archive, copies its words, and lets the oracle compute OUT/oracle."""

import pathlib
import shutil
import sys

from oracle import compute
from pack import pack


def main(case, out):
    """Prepares one golden case."""
    case, out = pathlib.Path(case), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pack(case / "input.yaml", out / "archive")
    shutil.copy(case / "case.yaml", out / "case.yaml")
    compute.into(out / "case.yaml", None, out / "oracle")


main(*sys.argv[1:])
