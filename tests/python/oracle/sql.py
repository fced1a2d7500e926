"""Expressions, by DuckDB: a signal is a struct, a derived name a plain column."""

import duckdb
import pyarrow as pa

TYPES = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def evaluate(expression, kinds, rows):
    """(value per row, NaN among them, and their type word). `kinds`: {name: type word, or {column: type word} for a signal}; rows are dicts."""
    columns = {"_n": pa.array(range(len(rows)), pa.int64())}
    for name, kind in kinds.items():
        if isinstance(kind, dict):
            fields = pa.struct([(column, TYPES[word]) for column, word in kind.items()])
            columns[name] = pa.array([dict.fromkeys(kind) | (row.get(name) or {}) for row in rows], fields)
        else:
            columns[name] = pa.array([row.get(name) for row in rows], TYPES[kind])
    rows_table = duckdb.from_arrow(pa.table(columns))
    found = rows_table.order("_n").project(f"TRY({expression}) AS v").to_arrow_table().column("v")
    return [plain(v) for v in found.to_pylist()], word_of(found.type)


def plain(value):
    """A value as Python's own: DuckDB answers decimals for literals."""
    return float(value) if type(value).__name__ == "Decimal" else value


def word_of(kind):
    """The type word of an Arrow type."""
    if pa.types.is_integer(kind):
        return "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_boolean(kind):
        return "bool"
    return "timestamp" if pa.types.is_timestamp(kind) else "string"
