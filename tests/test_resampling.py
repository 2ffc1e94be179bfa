from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from clinspan.resampling import by_unit, differences, intervals, number_of_units, scores_of, with_averages
from clinspan.scoring import Counts, Tally

RNG = np.random.default_rng(1)


def random_counts(units: int, keys: int, right: float = 0.7) -> np.ndarray:
    gold = RNG.integers(1, 8, size=(units, keys))
    found = RNG.binomial(gold, right)
    predicted = found + RNG.integers(0, 3, size=gold.shape)
    return np.stack([found, found, gold, predicted], axis=-1).astype(float)


@pytest.mark.parametrize("counts", [(3, 3, 4, 6), (2, 1, 2, 4), (0, 0, 2, 2), (0.5, 0.5, 1, 1)])
def test_scores_are_those_of_counts(counts: tuple) -> None:
    expected = Counts(*counts)
    assert scores_of(np.array(counts, float)) == pytest.approx([expected.precision, expected.recall, expected.f1])


@pytest.mark.parametrize(
    ("counts", "defined"),
    [((0, 0, 0, 0), [False] * 3), ((0, 0, 3, 0), [False, True, True]), ((0, 0, 0, 3), [True, False, True])],
)
def test_scores_that_are_not_defined(counts: tuple, defined: list[bool]) -> None:
    scores = scores_of(np.array(counts, float))
    assert (~np.isnan(scores)).tolist() == defined
    assert not scores[~np.isnan(scores)].any()


def test_averages() -> None:
    scores = with_averages(np.array([[1, 1, 2, 2], [3, 3, 3, 3], [0, 0, 0, 0]], float))
    assert scores[3].tolist() == pytest.approx([0.8, 0.8, 0.8])  # micro: 4 of 5
    assert scores[4].tolist() == pytest.approx([0.75, 0.75, 0.75])  # macro: the third label is not there


def test_intervals_are_percentiles_of_resampled_sums() -> None:
    counts = random_counts(30, 2)
    rows = intervals(counts, draws=4000, seed=0)
    generator = np.random.default_rng(99)  # other draws of the same distribution, one by one
    draws = [with_averages(counts[generator.integers(0, 30, 30)].sum(axis=0)) for _ in range(4000)]
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    for k, row in enumerate(rows):
        for i, metric in enumerate(("precision", "recall", "f1")):
            assert row[metric].low == pytest.approx(low[k, i], abs=0.01)
            assert row[metric].high == pytest.approx(high[k, i], abs=0.01)
            assert row[metric].low < row[metric].value < row[metric].high


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(200):
        row = intervals(random_counts(60, 1, right=0.7), draws=200, seed=seed)[0]["recall"]
        covered += row.low <= 0.7 <= row.high
    assert 0.88 * 200 <= covered <= 0.99 * 200


def test_the_same_seed_draws_the_same_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = random_counts(10, 2)
    whole = intervals(counts, draws=100, seed=3)
    assert whole == intervals(counts, draws=100, seed=3) != intervals(counts, draws=100, seed=4)
    monkeypatch.setattr("clinspan.resampling._CELLS", 70)  # 7 draws a block
    assert intervals(counts, draws=100, seed=3) == whole


def test_no_draws_no_interval() -> None:
    assert intervals(random_counts(5, 1), draws=0, seed=0)[0]["f1"].low is None
    assert intervals(np.zeros((0, 1, 4)), draws=10, seed=0)[0]["f1"] == (None, None, None)


def test_a_label_that_is_nowhere_has_no_score() -> None:
    counts = np.concatenate([random_counts(5, 1), np.zeros((5, 1, 4))], axis=1)
    assert intervals(counts, draws=50, seed=0)[1]["f1"] == (None, None, None)


@pytest.mark.parametrize(("units", "has_interval"), [(1, False), (9, False), (10, True), (20, True)])
def test_a_label_in_few_documents_has_no_interval(units: int, has_interval: bool) -> None:
    counts = np.zeros((30, 1, 4))
    counts[:units, 0] = (1, 1, 2, 2)
    counts[0, 0] = (0, 0, 2, 2)
    assert (intervals(counts, draws=200, seed=0)[0]["f1"].low is not None) == has_interval


def test_no_interval_where_all_draws_give_one_value() -> None:
    counts = np.tile([2.0, 2, 2, 2], (30, 1, 1))
    assert intervals(counts, draws=100, seed=0)[0]["f1"] == (1.0, None, None)


def test_differences_without_draws() -> None:
    row = differences(random_counts(20, 1), random_counts(20, 1), draws=0, rounds=50, seed=0)[0]["f1"]
    assert row.low is None and row.p is not None


def test_differences_against_all_permutations() -> None:
    first, second = random_counts(10, 1, 0.9), random_counts(10, 1, 0.5)
    second[..., 2] = first[..., 2]

    def f1(counts: np.ndarray) -> float:
        return float(scores_of(counts.sum(axis=0))[0, 2])

    seen = f1(first) - f1(second)
    every = []
    for swap in product([False, True], repeat=10):
        mask = np.array(swap)[:, None, None]
        every.append(abs(f1(np.where(mask, second, first)) - f1(np.where(mask, first, second))))
    exact = np.mean(np.array(every) >= abs(seen) - 1e-12)
    row = differences(first, second, draws=100, rounds=20_000, seed=0)[0]["f1"]
    assert row.value == pytest.approx(seen)
    assert row.p == pytest.approx(exact, abs=0.01)
    assert row.low < row.value < row.high


def test_no_difference() -> None:
    counts = random_counts(20, 2)
    for row in differences(counts, counts, draws=50, rounds=99, seed=0):
        assert row["f1"] == (0.0, None, None, 1.0)


def test_differences_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError):
        differences(random_counts(3, 1), random_counts(4, 1), draws=10, rounds=10, seed=0)


def test_p_is_never_zero() -> None:
    better, worse = np.tile([5.0, 5, 5, 5], (40, 1, 1)), np.tile([0.0, 0, 5, 5], (40, 1, 1))
    assert differences(better, worse, draws=10, rounds=99, seed=0)[0]["f1"].p == 0.01


def test_units() -> None:
    rows = {name: {"A": [1, 1, 1, 1]} for name in ("12_1", "12_2", "7_1", "x")}
    tally = Tally.of(["A"], rows)
    assert by_unit(tally, r"^(\d+)_")[:, 0, 0].tolist() == [2, 1, 1]
    assert by_unit(tally).shape == (4, 1, 4)
    assert number_of_units(tally.doc_ids, r"^(\d+)_") == 3
    assert number_of_units(tally.doc_ids) == 4
