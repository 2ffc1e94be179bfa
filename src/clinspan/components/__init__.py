"""The pipeline's components: one file, one spaCy component, one factory."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T", bound="Stateless")


class Stateless:
    """For components without data of their own: what spaCy asks for when a pipeline is saved or loaded."""

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """No state: nothing written."""

    def from_disk(self: T, path: str | Path, **kwargs: Any) -> T:
        """No state: nothing read."""
        return self

    def to_bytes(self, **kwargs: Any) -> bytes:
        """No state: empty."""
        return b""

    def from_bytes(self: T, data: bytes, **kwargs: Any) -> T:
        """No state: nothing read."""
        return self


def resource_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of one of the package's own tables, ``resources/<name>`` (tab-separated, with a header)."""
    text = resources.files("clinspan").joinpath("resources", *name.split("/")).read_text(encoding="utf-8")
    yield from csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE)


def keep_file(source: Path | None, target: Path) -> None:
    """Copy a component's file into the folder that a pipeline is saved in, unless it is there already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source is not None and source.resolve() != target.resolve():
        shutil.copyfile(source, target)
