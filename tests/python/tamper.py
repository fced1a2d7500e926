"""`tamper.py FILE COLUMN ROW [same]`: changes one number of a Parquet data file, as somebody's script might.

With `same` the file keeps its size: what another writer saves is filled up between the rows and the footer.
"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def small(schema):
    """How to write as little as the file had."""
    packed = {f.name: "DELTA_BINARY_PACKED" for f in schema if pa.types.is_integer(f.type) or pa.types.is_timestamp(f.type)}
    split = {f.name: "BYTE_STREAM_SPLIT" for f in schema if pa.types.is_floating(f.type)}
    others = [f.name for f in schema if f.name not in packed | split]
    sizes = {"compression": "zstd", "compression_level": 19, "write_statistics": False, "store_schema": False}
    return {"use_dictionary": others, "column_encoding": packed | split, **sizes}


def main(file, column, row, same=None):
    """Adds 1 to the value and writes the file anew."""
    path, row = pathlib.Path(file), int(row)
    table, size = pq.read_table(path), path.stat().st_size
    values = table.column(column).to_pylist()
    values[row] = values[row] + 1
    place = table.schema.get_field_index(column)
    table = table.set_column(place, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    pq.write_table(table, path, **small(table.schema))
    if same:
        bytes_ = path.read_bytes()
        footer = int.from_bytes(bytes_[-8:-4], "little") + 8
        assert len(bytes_) <= size, f"{len(bytes_)} bytes do not fit into {size}"
        path.write_bytes(bytes_[:-footer] + bytes(size - len(bytes_)) + bytes_[-footer:])


main(*sys.argv[1:])
