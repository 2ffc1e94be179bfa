"""The pipeline's components: one file, one spaCy component, one factory."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator
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


_KEPT = "indexes"


def keep_files(folder: Path, name: str, own: Path | None, others: Iterable[Path]) -> None:
    """Have in the folder that a component is saved in exactly these files: its own, and the user's indexes."""
    targets = {folder / name: own} if own is not None else {}
    targets |= {folder / _KEPT / str(i) / other.name: other for i, other in enumerate(others, 1)}
    folder.mkdir(parents=True, exist_ok=True)
    aside: list[tuple[Path, Path]] = []
    for target, source in targets.items():
        if source.resolve() != target.resolve():
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.append((target.with_name(f"{target.name}.part"), target))
            shutil.copyfile(source, aside[-1][0])
    for old in [folder / name, *kept_files(folder)]:  # of a pipeline saved there before
        if old not in targets:
            old.unlink(missing_ok=True)
    for part, target in aside:
        part.replace(target)
    for empty in (folder / _KEPT).glob("*"):
        if not any(empty.iterdir()):
            empty.rmdir()


def kept_files(folder: Path) -> list[Path]:
    """The user's indexes in the folder that a component was saved in, in their order."""
    return sorted((p for p in (folder / _KEPT).glob("*/*") if p.suffix != ".part"), key=lambda p: int(p.parent.name))
