"""The record of a batch run: which partitions are written, of what, and by what.

``manifest.jsonl`` begins with a line that says what the rows depend on (pipeline, options); a line a partition follows
once its rows are safely written. A line that was not finished counts for nothing. Ids and digests, never note text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "manifest.jsonl"


class ManifestError(ValueError):
    """The manifest cannot be gone on with; the message names it and says why."""


class Manifest:
    """The manifest of an output folder.

    Attributes:
        head: what the rows depend on, by name; empty where nothing is written yet.
        partitions: the line of each partition written, by number; of a partition written twice, the last.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.head: dict[str, Any] = {}
        self.partitions: dict[int, dict[str, Any]] = {}
        self._whole = 0  # bytes of whole lines

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder, empty where it has none.

        Raises:
            ManifestError: it is no manifest.
            OSError: it cannot be read.
        """
        manifest = cls(folder)
        if not manifest.path.exists():
            return manifest
        data = manifest.path.read_bytes()
        lines = data.split(b"\n")[:-1]  # behind the last line's end stands what was not finished
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if number == 1:
                    manifest.head = dict(row["run"])
                else:
                    manifest._know(row)
            except (ValueError, KeyError, TypeError):
                raise ManifestError(f"{manifest.path}: line {number} is not a manifest's") from None
            manifest._whole += len(line) + 1
        return manifest

    def begin(self, head: Mapping[str, Any]) -> None:
        """Say what the rows depend on, where nothing is written yet; cut off what was not finished.

        Raises:
            ManifestError: what is there was written by another pipeline or with other options.
        """
        head = json.loads(json.dumps(head))  # as it is read back
        if not self.head:
            self.head = dict(head)
            self._append({"run": self.head})
            return
        changed = [name for name in {**self.head, **head} if self.head.get(name) != head.get(name)]
        if changed:
            raise ManifestError(
                f"{self.path}: written with other settings ({', '.join(sorted(changed))}); use the same ones, or "
                "--overwrite to begin anew"
            )

    def add(self, row: Mapping[str, Any]) -> None:
        """A partition is written."""
        self._know(row)
        self._append(row)

    def remove(self, number: int) -> None:
        """A partition's rows are gone."""
        self.add({"partition": number, "removed": True})

    def _know(self, row: Mapping[str, Any]) -> None:
        number = int(row["partition"])
        if row.get("removed"):
            self.partitions.pop(number, None)
        else:
            self.partitions[number] = dict(row)

    def _append(self, row: Mapping[str, Any]) -> None:
        line = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.truncate(self._whole)
            file.seek(self._whole)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)
