"""From a folder to documents: objects, members, gzip and zstd, JSON texts. Numbers keep their text."""

import datetime
import gzip
import io
import json
import re
import tarfile
import zipfile

import zstandard

from .words import DAY


class Number(str):
    """A JSON number by its text, so that times stay exact and `nulls` can compare."""


class Bad(Exception):
    """A refused member or line: its kind."""


def pattern(text):
    """A key pattern as a regular expression."""
    out = []
    for token in re.split(r"(\{[a-z_]+\}|\*\*|\*)", text):
        if token == "**":
            out.append(".*")
        elif token == "*":
            out.append("[^/]*")
        elif token in ("{millis}", "{seconds}"):
            out.append(f"(?P<{token[1:-1]}>[0-9]+)")
        elif token.startswith("{"):
            out.append(f"(?P<{token[1:-1]}>[^/]+)")
        else:
            out.append(re.escape(token))
    return re.compile("".join(out))


def stamp(*captures):
    """The first of the captures that tells a time: (from, to) in ns, or None."""
    for caught in captures:
        if "millis" in caught:
            return (int(caught["millis"]) * 10**6,) * 2
        if "seconds" in caught:
            return (int(caught["seconds"]) * 10**9,) * 2
    for caught in captures:
        if "date" in caught:
            day = datetime.date.fromisoformat(caught["date"]).toordinal() - datetime.date(1970, 1, 1).toordinal()
            return day * DAY, (day + 1) * DAY
    return None


def members(archive):
    """(object, member, captures, stamp, bytes or Bad) in archive order."""
    keys = sorted(str(p.relative_to(archive["folder"])) for p in archive["folder"].rglob("*") if p.is_file())
    objects = pattern(archive["objects"])
    for key in sorted(keys, key=lambda k: k.encode()):
        found = objects.fullmatch(key)
        if not found:
            continue
        blob = (archive["folder"] / key).read_bytes()
        for name, data in entries(blob, "members" in archive):
            caught = {}
            if "members" in archive:
                inner = pattern(archive["members"]).fullmatch(name)
                if not inner:
                    continue
                caught = inner.groupdict()
            yield key, name, {**found.groupdict(), **caught}, stamp(caught, found.groupdict()), unpacked(data)


def entries(blob, packed):
    """(name, bytes) of a zip or tar, or the object itself."""
    if not packed:
        yield "", blob
    elif blob[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(blob)) as box:
            for info in box.infolist():
                yield info.filename, box.read(info)
    else:
        with tarfile.open(fileobj=io.BytesIO(unpacked(blob))) as box:
            for info in box:
                if info.isfile():
                    yield info.name, box.extractfile(info).read()


def unpacked(data):
    """Bytes without the gzip or zstd around them, by their magic."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def texts(archive, data):
    """JSON values of a member, each refused one as Bad: per document, or per line."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if archive["format"] == "NdJson":
        for line in data.split(b"\n"):
            if line.strip():
                yield from values(archive, line)
    else:
        yield from values(archive, data)


def values(archive, data):
    """The concatenated JSON values of some bytes: all of them, or one Bad."""
    try:
        text = data.decode("utf-8").strip(" \t\r\n")
        if depth(text) > archive["depth"]:
            return [Bad("too_deep")]
        found, at = [], 0
        decoder = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(value)
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
        return found
    except (ValueError, RecursionError):
        return [Bad("not_json")]


def depth(text):
    """Deepest nesting of objects and arrays."""
    deepest = level = 0
    quoted = escaped = False
    for c in text:
        if quoted:
            escaped, quoted = (c == "\\" and not escaped), not (c == '"' and not escaped)
        elif c == '"':
            quoted = True
        elif c in "[{":
            level += 1
            deepest = max(deepest, level)
        elif c in "]}":
            level -= 1
    return deepest
