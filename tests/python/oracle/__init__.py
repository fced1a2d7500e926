"""A slow second implementation of Fleetloom's semantics, in plain Python, for small archives in a local folder.

It shares nothing with the program but the YAML words: documents come from `json`, times from `decimal`, statistics from
their definitions with `math.fsum`, expressions from DuckDB. Every golden case is computed by both.

    read.py -> decode.py -> tables.py (join, derive) -> events.py -> windows.py -> rows.py -> text.py
"""
