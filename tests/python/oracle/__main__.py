"""`python -m oracle PIPELINE.yaml [NAME] OUT`: rows.txt, account.txt and quarantine.txt of a pipeline into folder OUT."""

import pathlib
import sys

from . import text
from .rows import run
from .words import DAY, pipeline


def main(file, *rest):
    """Computes a pipeline and writes its three texts."""
    name, out = (None, *rest) if len(rest) == 1 else rest
    result = run(pipeline(file, name))
    rows = []
    for row in result.rows:
        micros = {n: v // 1000 if result.kinds[n] == "timestamp" and v is not None else v for n, v in row.items() if n in result.kinds}
        rows.append([day(row["time"]) if n == "date" else micros[n] for n in result.kinds])
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "rows.txt").write_text(text.table(result.kinds, rows))
    (out / "account.txt").write_text(text.account(result.account))
    (out / "quarantine.txt").write_text(text.quarantine(result.quarantine))


def day(ns):
    """The UTC day of a time."""
    import datetime

    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=ns // DAY)).isoformat()


main(*sys.argv[1:])
