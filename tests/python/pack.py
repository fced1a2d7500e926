"""Packs the readable input of a golden case into the archive that it describes.

input.yaml: a list of objects, in any order.
    - key: 2024-05-01.zip          # name below the archive's folder
      pack: Zip                    # Zip | Tar | absent: a plain object made of its own `text`
      deflate: true                # Zip only; absent: stored
      compress: gzip               # the object's own bytes: gzip | zstd
      members:
      - name: r1/1714521600000.json.gz
        compress: gzip             # gzip | zstd
        bom: true                  # a UTF-8 byte order mark before the text
        crlf: true                 # line ends as CR LF
        text: |
          {"a": 1}
"""

import gzip
import io
import tarfile
import zipfile

import yaml
import zstandard


def pack(recipe, folder):
    """Writes every object of the recipe below the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in yaml.safe_load(recipe.read_text(encoding="utf-8")) or []:
        place = folder / item["key"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(compressed({"Zip": zipped, "Tar": tarred}.get(item.get("pack"), content)(item), item))


def content(item):
    """The bytes of a member or plain object before compression."""
    text = item["text"].replace("\n", "\r\n") if item.get("crlf") else item["text"]
    return (b"\xef\xbb\xbf" if item.get("bom") else b"") + text.encode()


def compressed(data, item):
    """The bytes as `compress` says."""
    packers = {"gzip": lambda d: gzip.compress(d, mtime=0), "zstd": zstandard.ZstdCompressor().compress}
    return packers.get(item.get("compress"), bytes)(data)


def zipped(item):
    """A zip of the members, in the order written."""
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if item.get("deflate") else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as box:
        for member in item["members"]:
            box.writestr(zipfile.ZipInfo(member["name"]), compressed(content(member), member), method)
    return out.getvalue()


def tarred(item):
    """A tar of the members, in the order written."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as box:
        for member in item["members"]:
            data = compressed(content(member), member)
            info = tarfile.TarInfo(member["name"])
            info.size = len(data)
            box.addfile(info, io.BytesIO(data))
    return out.getvalue()
