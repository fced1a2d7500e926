"""The whole of it: a pipeline's three texts into a folder."""

import datetime
import pathlib

from . import text
from .rows import run
from .words import DAY, pipeline


def into(file, name, out):
    """Computes a pipeline of a file and writes rows.txt, account.txt and quarantine.txt."""
    result = run(pipeline(file, name))
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "rows.txt").write_text(text.table(result.kinds, [listed(row, result.kinds) for row in result.rows]))
    (out / "account.txt").write_text(text.account(result.account))
    (out / "quarantine.txt").write_text(text.quarantine(result.quarantine))


def listed(row, kinds):
    """A row's values in the order of the columns, times in microseconds."""
    values = row | {"date": (datetime.date(1970, 1, 1) + datetime.timedelta(days=row["time"] // DAY)).isoformat()}
    return [v // 1000 if kind == "timestamp" and v is not None else v for v, kind in ((values[n], k) for n, k in kinds.items())]
