"""The file of an index: a checked header and named blocks (arrays of integers and floats, lists of strings), mapped.

Opening reads the header alone, whatever the size; processes that open the same file share its pages. The layout: magic
(with the format's version), length of a JSON part, SHA-256 of everything after these 48 bytes, the JSON part (what the
blocks are and where they lie), and the blocks, each aligned.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"CLSPIDX2"
_HEADER = struct.Struct("<8sQ32s")  # magic, length of the JSON part, digest
_ALIGN = 16
_CODES = {("u", 1): "B", ("u", 4): "I", ("u", 8): "Q", ("i", 4): "i", ("i", 8): "q", ("f", 4): "f", ("f", 8): "d"}
_STRINGS, _OFFSETS = "strings:", ":offsets"


class IndexFileError(ValueError):
    """An index file that is not one, is truncated, or was written by another version. The message names the file."""


class Strings(Sequence[str]):
    """Strings of a mapped file, decoded when asked for."""

    def __init__(self, data: memoryview, offsets: memoryview) -> None:
        self._data = data
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        if item < 0:
            item += len(self)
        if not 0 <= item < len(self):
            raise IndexError(item)
        return bytes(self._data[self._offsets[item] : self._offsets[item + 1]]).decode("utf-8")


class Container:
    """An opened file: ``meta``, ``arrays`` (memory views by name) and ``strings`` (sequences by name)."""

    def __init__(self, path: str, meta: dict[str, Any], arrays: dict[str, memoryview]) -> None:
        self.path = path
        self.meta = meta
        self.arrays = {name: view for name, view in arrays.items() if not name.startswith(_STRINGS)}
        self.strings = {
            name[len(_STRINGS) :]: Strings(view, arrays[name + _OFFSETS])
            for name, view in arrays.items()
            if name.startswith(_STRINGS) and not name.endswith(_OFFSETS)
        }


def write(
    path: str | os.PathLike[str],
    meta: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray | memoryview],
    strings: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Write a file, aside first. The same content gives the same bytes."""
    blocks: dict[str, Any] = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, values in (strings or {}).items():
        blocks[_STRINGS + name], blocks[_STRINGS + name + _OFFSETS] = _packed(values)
    layout: dict[str, tuple[int, int, str]] = {}
    size = 0
    for name, block in blocks.items():
        size += -size % _ALIGN
        layout[name] = (size, block.nbytes, _CODES[block.dtype.kind, block.dtype.itemsize])
        size += block.nbytes
    head = json.dumps({**meta, "layout": layout, "size": size}, sort_keys=True).encode("ascii")
    head += b" " * (-(len(head) + _HEADER.size) % _ALIGN)
    digest = hashlib.sha256(head)
    aside = Path(f"{os.fspath(path)}.part")
    try:
        with aside.open("wb") as out:
            out.write(_HEADER.pack(MAGIC, len(head), bytes(32)) + head)
            place = 0
            for block in blocks.values():
                for piece in (bytes(-place % _ALIGN), memoryview(block).cast("B") if block.nbytes else b""):
                    out.write(piece)
                    digest.update(piece)
                    place += len(piece)
            out.seek(0)
            out.write(_HEADER.pack(MAGIC, len(head), digest.digest()))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _packed(values: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    data = bytearray()
    ends = [0]
    for value in values:
        data += value.encode("utf-8")
        ends.append(len(data))
    return np.frombuffer(bytes(data), dtype=np.uint8), np.asarray(ends, np.uint32 if len(data) < 2**32 else np.uint64)


def open_file(path: str | os.PathLike[str], *, verify: bool = False) -> Container:
    """Map a file. ``verify`` also checks the digest of all of it.

    Raises:
        OSError: the file cannot be read.
        IndexFileError: not an index, truncated, of another version, or (with ``verify``) damaged.
    """
    name = os.fspath(path)
    with Path(path).open("rb") as file:
        start = file.read(_HEADER.size)
        if len(start) < _HEADER.size or start[: len(MAGIC)] != MAGIC:
            if start[:7] == MAGIC[:7]:
                raise IndexFileError(f"{name}: an index of another version of clinspan; build it anew")
            raise IndexFileError(f"{name}: not a clinspan index")
        _, length, digest = _HEADER.unpack(start)
        size = os.fstat(file.fileno()).st_size
        try:
            meta = json.loads(file.read(min(length, size)))
            layout, wanted = dict(meta.pop("layout")), _HEADER.size + length + meta.pop("size")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise IndexFileError(f"{name}: the index's header is damaged") from None
        if size != wanted:
            raise IndexFileError(f"{name}: the index is truncated or has something after it")
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if verify and hashlib.sha256(mapped[_HEADER.size :]).digest() != digest:
        raise IndexFileError(f"{name}: the index's digest does not fit its content")
    body = mapped[_HEADER.size + length :]
    try:
        arrays = {key: body[at : at + count].cast("B").cast(code) for key, (at, count, code) in layout.items()}
        return Container(os.path.realpath(name), meta, arrays)
    except (ValueError, KeyError, TypeError):
        raise IndexFileError(f"{name}: the index's header is damaged") from None


def is_index(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as an index does, of whatever version."""
    with Path(path).open("rb") as file:
        return file.read(7) == MAGIC[:7]


def fingerprint(symbol: str) -> int:
    """64 bits that stand for a string in an index."""
    return int.from_bytes(hashlib.blake2b(symbol.encode("utf-8", "replace"), digest_size=8).digest(), "little")
