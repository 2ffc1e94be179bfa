"""Where a run's rows go: part files, or the tables of a database. A partition is there whole or not at all.

Rows that a partition brought before are replaced, never doubled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clinspan.tables import FORMATS, PartWriter

if TYPE_CHECKING:
    import pyarrow as pa


class Sink(Protocol):
    """What a run writes to.

    Attributes:
        name: what the manifest calls it; a run goes on only into the sink it began with.
    """

    name: str

    def write(self, number: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
        """Write a partition's rows, so that they stay. Returns what the manifest is to say of them."""

    def has(self, record: Mapping[str, Any]) -> bool:
        """Whether the rows of a partition in the manifest are there."""

    def remove(self, record: Mapping[str, Any]) -> None:
        """Take the rows of a partition in the manifest away."""

    def close(self) -> None:
        """The run is over, or broken off."""


class FileSink:
    """``FOLDER/<table>/part-00000.<format>``, a part a partition.

    Raises:
        ValueError: an unknown format.
    """

    def __init__(self, folder: Path, format: str = "parquet") -> None:
        if format not in FORMATS:
            raise ValueError(f"format is not one of {', '.join(FORMATS)}: {format!r}")
        self.folder, self.format = folder, format
        self.name = format

    def _path(self, table: str, number: int) -> Path:
        return self.folder / table / f"part-{number:05d}.{self.format}"

    def write(self, number: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
        writers: dict[str, PartWriter] = {}
        try:
            for name, table in tables.items():
                writers[name] = PartWriter(self._path(name, number), table.schema, self.format)
                writers[name].write(table)
            for writer in writers.values():
                writer.close()
        except BaseException:
            for writer in writers.values():
                writer.abandon()
            raise
        for name in tables:
            _keep_names(self.folder / name)
        return {"bytes": {name: self._path(name, number).stat().st_size for name in tables}}

    def has(self, record: Mapping[str, Any]) -> bool:
        for table, size in record["bytes"].items():
            path = self._path(table, record["partition"])
            if not path.is_file() or path.stat().st_size != size:
                return False
        return True

    def remove(self, record: Mapping[str, Any]) -> None:
        for table in record["bytes"]:
            self._path(table, record["partition"]).unlink(missing_ok=True)

    def close(self) -> None:
        for path in self.folder.glob("*/.part-*.writing"):
            path.unlink(missing_ok=True)


def _keep_names(folder: Path) -> None:
    """See to it that files renamed keep their new names, where the system asks for it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder cannot be opened on this system
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
