"""`oracle_of.py FILE.yaml PIPELINE TABLE`: what the oracle computes for a pipeline, against the published table.

Everything is equal but statistics, which agree within 1e-9 of their own size or of the column's typical size.
"""

import sys

from oracle import text
from oracle.compute import listed
from oracle.rows import run
from oracle.words import pipeline
from published import leave, rows


def cells(table):
    """(schema, header, rows of cells) of a canonical text."""
    schema, lines = table.split("\n\n")
    header, *body = (line.split() for line in lines.splitlines())
    return schema, header, body


def near(one, other, size):
    """Whether two cells of a float column agree."""
    if "-" in (one, other):
        return one == other
    return abs(float(one) - float(other)) <= 1e-9 * max(abs(float(one)), size)


def main(file, name, table):
    """Compares one table."""
    result = run(pipeline(file, name))
    schema, header, expected = cells(text.table(result.kinds, [listed(row, result.kinds) for row in result.rows]))
    found_schema, found_header, found = cells(rows(table))
    assert (schema, header, len(expected)) == (found_schema, found_header, len(found)), "columns or rows differ"
    differ = []
    for i, (column, kind) in enumerate(result.kinds.items()):
        known = [abs(float(line[i])) for line in expected if line[i] != "-"] if kind == "float64" else []
        size = sum(known) / len(known) if known else 0.0
        for one, other in zip(expected, found, strict=True):
            same = near(one[i], other[i], size) if kind == "float64" else one[i] == other[i]
            if not same:
                differ.append(f"{column} at {one[2]}: the oracle {one[i]}, the table {other[i]}")
    print(f"{len(expected)} rows, {len(header)} columns, {len(differ)} cells differ")
    if differ:
        sys.exit("\n".join(differ[:20]))


main(*sys.argv[1:])
leave()
