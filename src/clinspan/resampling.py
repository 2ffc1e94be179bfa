"""How sure a score is: bootstrap intervals, and an approximate randomization test of two systems.

What is resampled are units: documents, or groups of documents that belong together (the sentences of one abstract).
A score is computed from the sums of the drawn units' counts, never as a mean of the units' scores.

- Intervals are percentiles of bootstrap draws (Efron and Tibshirani 1993). Draws in which a score is not defined,
  because nothing of its label was drawn, are left out of its percentiles. With few units they come out too narrow, so
  there is none where fewer than :data:`LEAST_UNITS` have any count of a label, nor where all draws give one value.
- The test swaps the two systems' counts, unit by unit, at the toss of a coin, and asks how often the difference is at
  least as large as the one seen (Noreen 1989; Yeh 2000): ``p = (1 + such rounds) / (1 + rounds)``, two-sided.

Everything is matrix products over the units' counts: 1,000 draws of 1,000 documents take some tens of milliseconds.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinspan.scoring import Tally

Array = NDArray[np.float64]
#: Units with a count of the label that an interval asks for.
LEAST_UNITS = 10
METRICS: tuple[str, ...] = ("precision", "recall", "f1")
_CELLS = 2_000_000  # of a block of draws: 16 MB


class Interval(NamedTuple):
    """A score, ``None`` where it is not defined, and the ends of its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Difference(NamedTuple):
    """A score of one system less that of another, with the interval of the difference and the test's p-value."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None


def by_unit(tally: Tally, unit: str = "") -> Array:
    """The tally's counts summed by unit, shape (units, keys, 4).

    Arguments:
        unit: a regular expression; what its first group finds in a document's id names the document's unit. Documents
            in which it finds nothing, and all where it is empty, are units of their own.
    """
    if not unit:
        return tally.counts
    places = _units(tally.doc_ids, unit)
    out = np.zeros((max(places, default=-1) + 1, *tally.counts.shape[1:]))
    np.add.at(out, places, tally.counts)
    return out


def number_of_units(doc_ids: Sequence[str], unit: str = "") -> int:
    """How many units the documents form."""
    return len(set(_units(doc_ids, unit))) if unit else len(doc_ids)


def _units(doc_ids: Sequence[str], unit: str) -> list[int]:
    pattern = re.compile(unit)
    numbers: dict[tuple[bool, str], int] = {}
    places = []
    for doc_id in doc_ids:
        found = pattern.search(doc_id)
        places.append(numbers.setdefault((bool(found), found[1] if found else doc_id), len(numbers)))
    return places


def scores_of(counts: Array) -> Array:
    """Precision, recall and F1 of counts of shape (…, 4), as (…, 3); NaN where a score is not defined.

    Precision is not defined where nothing was predicted, recall where there is no gold, F1 where there is neither.
    """
    tp_gold, tp_predicted, gold, predicted = (counts[..., i] for i in range(4))
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = tp_predicted / predicted, tp_gold / gold
        p, r = np.nan_to_num(precision), np.nan_to_num(recall)
        f1 = np.where(p + r > 0, 2 * p * r / (p + r), np.where(gold + predicted > 0, 0.0, np.nan))
    return np.stack([precision, recall, f1], axis=-1)


def with_averages(counts: Array) -> Array:
    """Scores of counts of shape (…, keys, 4), as (…, keys + 2, 3): the keys', then micro, then macro.

    Micro is of the keys' summed counts. Macro is the mean over the keys for which the score is defined, each of the
    three by itself.
    """
    scores = scores_of(counts)
    micro = scores_of(counts.sum(axis=-2, keepdims=True))
    defined = ~np.isnan(scores)
    number = defined.sum(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):
        macro = np.where(defined, scores, 0.0).sum(axis=-2, keepdims=True) / np.where(number, number, np.nan)
    return np.concatenate([scores, micro, macro], axis=-2)


def intervals(counts: Array, *, draws: int, seed: int, confidence: float = 0.95) -> list[dict[str, Interval]]:
    """Scores with their intervals: of each key, then micro, then macro.

    Arguments:
        counts: of shape (units, keys, 4).
        draws: how often to resample; 0 for no intervals.
        seed: the same seed draws the same units, whatever the keys.
        confidence: the share of the draws between the ends.
    """
    point = with_averages(counts.sum(axis=0))
    if not draws or not len(counts):
        return [{m: Interval(_number(v)) for m, v in zip(METRICS, row, strict=True)} for row in point]
    drawn = with_averages(_resampled(counts, draws=draws, seed=seed))
    low, high = _percentiles(drawn, confidence, enough=_enough(counts))
    return [
        {m: Interval(_number(point[k, i]), _number(low[k, i]), _number(high[k, i])) for i, m in enumerate(METRICS)}
        for k in range(len(point))
    ]


def differences(
    first: Array, second: Array, *, draws: int, rounds: int, seed: int, confidence: float = 0.95
) -> list[dict[str, Difference]]:
    """First less second: of each key, then micro, then macro; the i-th units of both are of the same documents.

    Raises:
        ValueError: when the two are not of one shape.
    """
    if first.shape != second.shape:
        raise ValueError(f"counts of shapes {first.shape} and {second.shape}")
    seen = with_averages(first.sum(axis=0)) - with_averages(second.sum(axis=0))
    low = high = np.full_like(seen, np.nan)
    if draws and len(first):
        resampled = [with_averages(_resampled(counts, draws=draws, seed=seed)) for counts in (first, second)]
        low, high = _percentiles(resampled[0] - resampled[1], confidence, enough=_enough(first + second))
    p = _randomization(first, second, seen, rounds=rounds, seed=seed)
    return [
        {m: Difference(*(_number(array[k, i]) for array in (seen, low, high, p))) for i, m in enumerate(METRICS)}
        for k in range(len(seen))
    ]


def _resampled(counts: Array, *, draws: int, seed: int) -> Array:
    """Sums over units drawn with replacement, shape (draws, keys, 4)."""
    units = len(counts)
    flat = counts.reshape(units, -1)
    generator = np.random.default_rng(seed)
    sums = []
    for size in _blocks(draws, units):
        drawn = generator.integers(0, units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        weights = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        sums.append(weights.astype(np.float64) @ flat)
    return np.concatenate(sums).reshape(draws, *counts.shape[1:])


def _randomization(first: Array, second: Array, seen: Array, *, rounds: int, seed: int) -> Array:
    units = len(first)
    total_first, total_second = first.sum(axis=0), second.sum(axis=0)
    change = (second - first).reshape(units, -1)
    generator = np.random.default_rng(seed)
    at_least = np.zeros_like(seen)
    for size in _blocks(rounds, units):
        swapped = generator.integers(0, 2, size=(size, units), dtype=np.int8).astype(np.float64)
        moved = (swapped @ change).reshape(size, *total_first.shape)
        shuffled = with_averages(total_first + moved) - with_averages(total_second - moved)
        # equal up to rounding counts as at least as large
        at_least += (np.abs(np.nan_to_num(shuffled)) >= np.abs(seen) - 1e-12).sum(axis=0)
    return np.where(np.isnan(seen), np.nan, (1 + at_least) / (1 + rounds))


def _blocks(total: int, units: int) -> Iterator[int]:
    size = max(1, _CELLS // max(1, units))
    for start in range(0, total, size):
        yield min(size, total - start)


def _enough(counts: Array) -> NDArray[np.bool_]:
    """For each key, then micro and macro: whether enough units have a count of it."""
    units = (counts[..., 2:].sum(axis=-1) > 0).sum(axis=0)
    anything = (counts[..., 2:].sum(axis=(-2, -1)) > 0).sum()
    return np.array([*units, anything, anything]) >= LEAST_UNITS


def _percentiles(drawn: Array, confidence: float, *, enough: NDArray[np.bool_]) -> Sequence[Array]:
    tail = 100 * (1 - confidence) / 2
    out = np.full((2, *drawn.shape[1:]), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of scores that no draw has
        spread = np.nanmax(drawn, axis=0) > np.nanmin(drawn, axis=0)
    sound = spread & enough[:, None]
    if sound.any():
        out[:, sound] = np.nanpercentile(drawn[:, sound], [tail, 100 - tail], axis=0)
    return list(out)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
