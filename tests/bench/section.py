"""A section of BENCHMARKS.md: the text between its two markers is replaced, whatever others wrote stays."""

from pathlib import Path

HEAD = """# Benchmarks

Ratios, side by side, in one run, CPU seconds first: machines are shared and differ. Every number here was written by a command
that anyone can run; the raw ones lie in `benchmarks/`.
"""


def write(name, text, path=Path("BENCHMARKS.md")):
    """Puts `text` between the markers of `name`, at the end where there are none yet."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}\n"
    whole = path.read_text() if path.exists() else HEAD
    if begin in whole and end in whole:
        before, rest = whole.split(begin, 1)
        after = rest.split(end, 1)[1].lstrip("\n")
        whole = before + section + (f"\n{after}" if after else "")
    else:
        whole = f"{whole.rstrip()}\n\n{section}"
    path.write_text(whole)


def table(head, rows):
    """A Markdown table; all but the first column are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def targets(lines):
    """What was measured beside what it has to reach: name, figure, how it is written, bound; `atleast` where more is better."""
    rows = []
    for name, figure, form, bound, *more in lines:
        reached = figure >= bound if more else figure <= bound
        sign = "≥" if more else "≤"
        rows.append([name, form.format(figure), f"{sign} {form.format(bound)}", "yes" if reached else "**missed**"])
    return table(["", "measured", "to reach", ""], rows)
