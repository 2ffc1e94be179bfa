"""Judge a run by eye where there is no gold: a sample of its rows to fill in, and the precision it shows."""

from __future__ import annotations

import csv
import io
import math
import os
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import clinspan.tables as tables
from clinspan.notes import decode

#: Columns of a sample, beside those sampled by.
COLUMNS = ("note_id", "start", "end", "text", "label", "assertion", "section", "snippet")
#: The group that a row was drawn from, a number, and how many rows of the run are in that group.
GROUP, OF = "group", "of"
#: To be filled with 1 (right) or 0 (wrong).
VERDICT = "verdict"
_RIGHT = frozenset(["1", "1.0", "y", "yes", "right", "true", "correct"])
_WRONG = frozenset(["0", "0.0", "n", "no", "wrong", "false", "incorrect"])


class Precision(NamedTuple):
    """Share of the run's rows that are right, as far as judged, with a 95 % interval; see :func:`precision`."""

    judged: int
    right: int
    precision: float
    low: float
    high: float


def sample_rows(
    run: str | os.PathLike[str], *, n: int, by: Sequence[str] = ("label",), seed: int = 0
) -> list[dict[str, object]]:
    """Rows drawn at random from a run's ``entities``, the same number from each combination of the columns ``by``.

    Combinations with fewer rows give all they have; without columns, all rows are one group. ``group`` and ``of`` say
    of each row what it was drawn from, for :func:`precision` to weight it. The same run and seed give the same sample.

    Raises:
        FileNotFoundError: no entities table there.
        ValueError: an unknown column.
    """
    table = tables.read_table(run, "entities")
    missing = [name for name in by if name not in table.column_names]
    if missing:
        raise ValueError(f"no column {', '.join(missing)} in entities")
    keys = zip(*(table.column(name).to_pylist() for name in by)) if by else [()] * table.num_rows
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    if not groups:
        return []
    draw = random.Random(seed)
    each = math.ceil(n / len(groups))
    chosen: list[int] = []
    drawn_from: list[dict[str, object]] = []
    for number, key in enumerate(sorted(groups, key=str), 1):
        places = groups[key]
        drawn = sorted(draw.sample(places, min(each, len(places))))
        chosen += drawn
        drawn_from += [{GROUP: number, OF: len(places), VERDICT: ""}] * len(drawn)
    kept = [name for name in dict.fromkeys((*COLUMNS, *by)) if name in table.column_names]
    rows = table.select(kept).take(chosen).to_pylist()
    return [{**row, **more} for row, more in zip(rows, drawn_from, strict=True)]


def write_sample(rows: Sequence[dict[str, object]], path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a sample as CSV.

    Raises:
        FileExistsError: when there is such a file, which may have been filled in by hand, and ``overwrite`` is not set.
    """
    with Path(path).open("w" if overwrite else "x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [*COLUMNS, GROUP, OF, VERDICT])
        writer.writeheader()
        writer.writerows(rows)


def precision(path: str | os.PathLike[str], *, by: Sequence[str] = ("label",)) -> dict[tuple[str, ...], Precision]:
    """Precision of a filled sample, by the columns ``by`` and, last and under the key ``()``, over all rows.

    The file is CSV with commas, semicolons or tabs, as spreadsheets write it. Rows without a verdict are not counted;
    ``judged`` and ``right`` are plain counts. As :func:`sample_rows` draws more of a rare group than of a frequent one,
    each group weighs what it has in the run, ``of``, whatever was judged of it. Where there is no ``group``, the
    groups are those of ``by``; where there is no ``of``, each row counts the same.

    The interval is Wilson's (1927) with the effective number of rows, as Korn and Graubard (Survey Methodology 24,
    1998) have it for samples with weights: p (1 - p) / v, where v is the variance of a stratified share, the sum of
    w^2 p (1 - p) / n over the groups (Cochran, Sampling Techniques, 1977, chapter 5; without the correction for groups
    drawn in full). Where v is 0, or so small that the effective number exceeds the number judged, it is the latter:
    few rows all judged alike do not show that a group has no others.

    Raises:
        ValueError: a column is missing, nothing is filled in, a verdict is neither 1 nor 0 (yes/no, right/wrong), or
            ``of`` is not a number above 0 or not in all rows; with the file, and the row where it is one's fault.
    """
    rows = list(_verdicts(path, by))
    if not rows:
        raise ValueError(f"{os.fspath(path)}: no verdict is filled in")
    weighted = any(row.of for row in rows)
    for row in rows:
        if weighted and not row.of:
            raise ValueError(f"{os.fspath(path)}: row {row.number}: no {OF!r}, which other rows have")
    judged = Counter(row.group for row in rows)
    weights = {row.group: row.of / judged[row.group] if weighted else 1.0 for row in rows}
    keys = [key for key in sorted({row.key for row in rows}) if key]
    return {key: _estimate([row for row in rows if row.key == key or not key], weights) for key in (*keys, ())}


class _Verdict(NamedTuple):
    """A judged row of a sample; ``of`` is 0 where it has none."""

    number: int
    key: tuple[str, ...]
    group: Hashable
    of: float
    right: bool


def _verdicts(path: str | os.PathLike[str], by: Sequence[str]) -> Iterator[_Verdict]:
    name = os.fspath(path)
    rows = _rows(path)
    header = [column.strip() for column in next(rows, [])]
    if missing := [column for column in (*by, VERDICT) if column not in header]:
        raise ValueError(f"{name}: no column {', '.join(missing)}")
    for number, fields in enumerate(rows, 2):
        row = defaultdict(str, zip(header, fields))
        verdict = row[VERDICT].strip().lower()
        if not verdict:
            continue
        if verdict not in _RIGHT and verdict not in _WRONG:
            raise ValueError(f"{name}: row {number}: a verdict is 1 or 0")
        key = tuple(row[column] for column in by)
        of = _size(row[OF], f"{name}: row {number}")
        group = (row[GROUP] or key, of) if of else None
        yield _Verdict(number, key, group, of, verdict in _RIGHT)


def _rows(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    text, _ = decode(Path(path).read_bytes())
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    for number in count(1):
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise ValueError(f"{os.fspath(path)}: row {number}: not CSV") from None


def _size(value: str, where: str) -> float:
    """How many rows a group has, 0 where that is not said; spreadsheets may write 12 as 12.0."""
    if not value.strip():
        return 0
    try:
        size = float(value)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise ValueError(f"{where}: {OF!r} is not a number above 0")
    return size


def _estimate(rows: Sequence[_Verdict], weights: Mapping[Hashable, float]) -> Precision:
    """The share of right rows among these, each with the weight of its group."""
    judged = Counter(row.group for row in rows)
    right = Counter(row.group for row in rows if row.right)
    total = sum(weights[group] * n for group, n in judged.items())
    share = sum(weights[group] * right[group] for group in judged) / total
    variance = 0.0
    for group, n in judged.items():
        p = right[group] / n
        variance += (weights[group] * n / total) ** 2 * p * (1 - p) / n
    effective = min(share * (1 - share) / variance, len(rows)) if variance else len(rows)
    return Precision(len(rows), right.total(), share, *_wilson(share, effective))


def _wilson(share: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of Wilson (1927) for a share of ``n``."""
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
