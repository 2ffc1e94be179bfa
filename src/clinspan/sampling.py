"""Judge a run by eye where there is no gold: a sample of its rows to fill in, and the precision it shows."""

from __future__ import annotations

import csv
import math
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import clinspan.tables as tables

#: Columns of a sample, beside those sampled by; ``verdict`` is to be filled with 1 (right) or 0 (wrong).
COLUMNS = ("note_id", "start", "end", "text", "label", "assertion", "section", "snippet")
VERDICT = "verdict"
_RIGHT = frozenset(["1", "y", "yes", "right", "true", "correct"])
_WRONG = frozenset(["0", "n", "no", "wrong", "false", "incorrect"])


class Precision(NamedTuple):
    """Share of rows judged right, with the Wilson 95 % interval."""

    judged: int
    right: int
    precision: float
    low: float
    high: float


def sample_rows(
    run: str | os.PathLike[str], *, n: int, by: Sequence[str] = ("label",), seed: int = 0
) -> list[dict[str, object]]:
    """Rows drawn at random from a run's ``entities``, the same number from each combination of the columns ``by``.

    Combinations with fewer rows give all they have. The same run and seed give the same sample.

    Raises:
        FileNotFoundError: no entities table there.
        ValueError: an unknown column.
    """
    table = tables.read_table(run, "entities")
    missing = [name for name in by if name not in table.column_names]
    if missing:
        raise ValueError(f"no column {', '.join(missing)} in entities")
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, key in enumerate(zip(*(table.column(name).to_pylist() for name in by))):
        groups.setdefault(key, []).append(place)
    if not groups:
        return []
    draw = random.Random(seed)
    each = math.ceil(n / len(groups))
    chosen: list[int] = []
    for key in sorted(groups, key=str):
        chosen += sorted(draw.sample(groups[key], min(each, len(groups[key]))))
    kept = [name for name in dict.fromkeys((*COLUMNS, *by)) if name in table.column_names]
    rows = table.select(kept).take(chosen).to_pylist()
    return [{**row, VERDICT: ""} for row in rows]


def write_sample(rows: Sequence[dict[str, object]], path: str | os.PathLike[str]) -> None:
    """Write a sample as CSV."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [*COLUMNS, VERDICT])
        writer.writeheader()
        writer.writerows(rows)


def precision(path: str | os.PathLike[str], *, by: Sequence[str] = ("label",)) -> dict[tuple[str, ...], Precision]:
    """Precision of a filled sample, by the columns ``by`` and, under the key ``("all",)``, over all rows.

    Rows without a verdict are not counted.

    Raises:
        ValueError: a column is missing, or a verdict is neither 1 nor 0 (yes/no, right/wrong); with the line.
    """
    judged: Counter[tuple[str, ...]] = Counter()
    right: Counter[tuple[str, ...]] = Counter()
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in (*by, VERDICT) if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{os.fspath(path)}: no column {', '.join(missing)}")
        for number, row in enumerate(reader, 2):
            verdict = (row[VERDICT] or "").strip().lower()
            if not verdict:
                continue
            if verdict not in _RIGHT and verdict not in _WRONG:
                raise ValueError(f"{os.fspath(path)}: row {number}: a verdict is 1 or 0")
            for key in (("all",), tuple(row[name] for name in by)):
                judged[key] += 1
                right[key] += verdict in _RIGHT
    return {key: _wilson(right[key], judged[key]) for key in sorted(judged, key=lambda k: (k == ("all",), k))}


def _wilson(right: int, judged: int, z: float = 1.959964) -> Precision:
    """The Wilson score interval (Wilson 1927) of a proportion."""
    share = right / judged
    centre = share + z * z / (2 * judged)
    spread = z * math.sqrt(share * (1 - share) / judged + z * z / (4 * judged * judged))
    scale = 1 + z * z / judged
    return Precision(judged, right, share, max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))
