"""`published.py rows|digest|engines|filters|quarantine URL`: what a published table holds.

`rows` prints the canonical text of the live rows, `digest` a hash in which every bit counts; `quarantine` the canonical text of the
quarantine; `engines` what deltalake, polars and DuckDB saw, one line each, equal if they agree; `filters` what they
find, skipping files by their statistics, when asked for some values of each column.
"""

import glob
import hashlib
import os
import pathlib
import sys

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from oracle import text

WORDS = [
    (pa.types.is_boolean, "bool"),
    (pa.types.is_integer, "int64"),
    (pa.types.is_floating, "float64"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
]

FIXED = {"bool": pa.uint8(), "int64": pa.int64(), "float64": pa.float64(), "date": pa.int32(), "timestamp": pa.int64()}


def word(kind):
    """The type word of an Arrow type."""
    return next((name for holds, name in WORDS if holds(kind)), "string")


def live(url):
    """The live rows as one Arrow table, sorted by robot and time."""
    table = pa.table(DeltaTable(url).to_pyarrow_table())
    order = [("robot", "ascending"), ("time", "ascending")]
    return table.sort_by(order) if table.num_rows else table


def rows(url):
    """The canonical text of the live rows."""
    table = live(url)
    kinds = {field.name: word(field.type) for field in table.schema}
    columns = []
    for name, kind in kinds.items():
        column = table.column(name)
        if kind == "timestamp":
            assert str(column.type) == "timestamp[us, tz=UTC]", f"{name} is {column.type}"
            column = column.cast(pa.int64())
        columns.append([str(v) if kind == "date" else v for v in column.to_pylist()])
    return text.table(kinds, [list(row) for row in zip(*columns, strict=True)])


def digest(url):
    """A hash of the live schema and rows, sorted by robot and time: every bit of every column counts, NaN and -0.0 too."""
    table, whole = live(url), hashlib.sha256()
    for field in table.schema:
        kind, column = word(field.type), table.column(field.name)
        whole.update(f"{field.name} {kind}\n".encode())
        whole.update(pc.is_null(column).to_numpy().tobytes())
        if kind == "string":
            whole.update("\n".join(repr(v) for v in column.to_pylist()).encode())
        else:
            plain = column.cast(FIXED[kind])
            whole.update(pc.fill_null(plain, pa.scalar(0, plain.type)).to_numpy().tobytes())
    return f"{table.num_rows} rows {whole.hexdigest()}\n"


def duck(url):
    """DuckDB with its Delta extension, and what to select from."""
    import duckdb
    import duckdb_ext

    connection = duckdb.connect()
    found = glob.glob(f"{list(duckdb_ext.__path__)[0]}/extensions/v{duckdb.__version__}/*/delta.duckdb_extension")
    connection.execute(f"LOAD '{found[0]}'")
    return connection, f"delta_scan('{pathlib.Path(url).resolve()}')"


def engines(url):
    """Rows, columns and the sum of every float column's first four, by three engines."""
    import polars

    schema = live(url).schema
    floats = [f.name for f in schema if word(f.type) == "float64"][:4]
    sums = ", ".join(f'sum("{n}")' for n in floats)
    connection, scan = duck(url)
    of_duckdb = connection.execute(f"SELECT count(*), {sums} FROM {scan}").fetchone()
    width = len(connection.execute(f"SELECT * FROM {scan} LIMIT 0").description)
    frame = polars.read_delta(url)
    of_polars = (frame.height, *(frame[n].sum() for n in floats))
    table = live(url)
    of_deltalake = (table.num_rows, *(pc.sum(table.column(n)).as_py() for n in floats))
    lines = [
        ("deltalake", table.num_columns, of_deltalake),
        ("polars", frame.width, of_polars),
        ("duckdb", width, of_duckdb),
    ]
    return "".join(f"{who} {width} {' '.join(f'{v:.9g}' for v in values)}\n" for who, width, values in lines)


def filters(url):
    """A line per column: the rows with some of its values, and `wrong` where an engine, which may skip files, finds others."""
    import polars

    dataset, table, frame = DeltaTable(url).to_pyarrow_dataset(), live(url), polars.scan_delta(url)
    connection, scan = duck(url)
    lines = []
    for name in table.column_names:
        values = pc.unique(pc.drop_null(table.column(name))).to_pylist()[:4] + [None]
        field, column = pc.field(name), polars.col(name)
        asked = [field.is_null() if v is None else field == pa.scalar(v, table.schema.field(name).type) for v in values]
        there = [table.filter(f).num_rows for f in asked]
        found = {
            "deltalake": [dataset.to_table(columns=[name], filter=f).num_rows for f in asked],
            "polars": [frame.filter(column.eq_missing(v)).collect().height for v in values],
            "duckdb": [
                connection.execute(f'SELECT count(*) FROM {scan} WHERE "{name}" IS NOT DISTINCT FROM ?', [v]).fetchone()[0]
                for v in values
            ],
        }
        wrong = "".join(f" wrong {who} {rows} of {there}" for who, rows in found.items() if rows != there)
        lines.append(f"{name} {sum(there)}{wrong}\n")
    return "".join(lines)


def quarantine(url):
    """The quarantine of the live version."""
    import pyarrow.parquet as pq

    lines = []
    for file in sorted(pathlib.Path(url).glob("_fleetloom/quarantine/*.parquet")):
        for line in pq.read_table(file).to_pylist():
            lines.append(tuple(line[n] or "" for n in ("object", "member", "signal", "column", "kind")))
    return text.quarantine(lines)


def leave():
    """Ends at once: native threads of the readers now and then abort an interpreter that takes itself down."""
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    verbs = [rows, digest, engines, filters, quarantine]
    sys.stdout.write({verb.__name__: verb for verb in verbs}[sys.argv[1]](sys.argv[2]))
    leave()
