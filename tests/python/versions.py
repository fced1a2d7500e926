"""`versions.py diff URL A B | lines FILE`: what differs between two versions of a table, found by pandas.

`diff` prints the counts of rows and of changed values per column, over the robots' days that differ, as JSON; `lines` prints the
counts that `fleetloom diff --parquet` wrote, a line per robot, day and column.
"""

import json
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from deltalake import DeltaTable

KEYS = ["robot", "date", "time"]


def version(url, number):
    """The rows of a version, each with its place among equal ones."""
    frame = DeltaTable(url, version=number).to_pyarrow_table().to_pandas().sort_values(["robot", "time"], kind="stable")
    frame["nth"] = frame.groupby(KEYS).cumcount()
    return frame.set_index([*KEYS, "nth"])


def differs(old, new):
    """Which values differ; null equals null, and floats are compared by bits."""
    both_null = old.isna() & new.isna()
    if old.dtype == np.float64:
        same = old.to_numpy().view(np.int64) == new.to_numpy().view(np.int64)
    else:
        same = (old == new).to_numpy(dtype=bool, na_value=False)
    return ~same & ~both_null.to_numpy()


def diff(url, before, after):
    """Rows and changed values."""
    old, new = version(url, int(before)), version(url, int(after))
    common = old.index.intersection(new.index)
    columns = [name for name in old.columns if name in new.columns]
    changed = pd.DataFrame({name: differs(old.loc[common, name], new.loc[common, name]) for name in columns}, index=common)
    added, removed = new.index.difference(old.index), old.index.difference(new.index)
    rows_changed = changed.any(axis=1)
    days = {key[:2] for index in (added, removed, common[rows_changed.to_numpy()]) for key in index}
    count = lambda frame: sum(key[:2] in days for key in frame.index)  # noqa: E731
    rows = {
        "before": count(old),
        "after": count(new),
        "added": len(added),
        "removed": len(removed),
        "changed": int(rows_changed.sum()),
    }
    print(json.dumps({"rows": rows, "changed": {name: int(changed[name].sum()) for name in columns}}))


def lines(file):
    """The counts of each line."""
    names = ["robot", "date", "column", "rows_before", "rows_after", "added", "removed", "changed"]
    for row in pq.read_table(file, columns=names).to_pylist():
        print(*(row[name] for name in names))


if __name__ == "__main__":
    {"diff": diff, "lines": lines}[sys.argv[1]](*sys.argv[2:])
