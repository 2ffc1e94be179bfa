"""The network against slow references: gradients by differences, sums over all tag sequences by enumeration."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from clinspan.tagger import decoding, network, pretraining
from clinspan.tagger.network import ENDS, FOLLOWS, STARTS, Batch, Lattice, Shape, best_tags, chain, initial

O, B, I, E, S = range(5)  # noqa: E741


def small_batch(random: np.random.Generator, *, labels: int = 2) -> Batch:
    """Three sequences of 5, 3 and 1 tokens, partly annotated."""
    tags = np.zeros((5, 3, labels), int)
    tags[:, 0, 0] = [O, B, I, E, O]
    tags[:3, 1, 0] = [B, E, O]
    tags[0, 2, 0] = S
    tags[:, 0, 1] = [S, O, O, O, S]
    allowed = np.eye(5)[tags]
    allowed[2:4, 0, 0] = 1  # two tokens of which nothing is known
    allowed[:, 1, 1] = 1  # and a label that a sequence does not mark
    return Batch(
        words=random.integers(0, 4, (5, 3)),
        codes=random.integers(0, 9, (5, 3)),
        lengths=np.array([5, 3, 1]),
        vectors=random.standard_normal((4, 6)),
        features=np.stack([random.integers(0, 11, 4), random.integers(0, 7, 4)], axis=1),
        allowed=allowed,
        weights=np.array([1.0, 0.5, 2.0]),
    )


def parameters(hidden: tuple[int, ...], random: np.random.Generator) -> dict[str, np.ndarray]:
    shape = Shape(("CONDITION", "DRUG"), 6, ((11, 3), (7, 2)), 9, hidden)
    return {n: v.astype(float) + random.standard_normal(v.shape) * 0.1 for n, v in initial(shape, random).items()}


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_gradients_are_those_of_the_loss(hidden):
    random = np.random.default_rng(0)
    values, batch = parameters(hidden, random), small_batch(random)

    def loss():
        return network.loss_and_gradients(values, batch, dropout=0, random=random)

    found = loss()[1]
    assert found.keys() == values.keys()
    for name, value in values.items():
        direction = random.standard_normal(value.shape)
        if name == "transitions":
            direction *= FOLLOWS
        kept = value.copy()
        sides = []
        for sign in (1, -1):
            value[...] = kept + sign * 1e-5 * direction
            sides.append(loss()[0])
        value[...] = kept
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx((found[name] * direction).sum(), abs=1e-7), name


def test_gradients_of_pretraining_are_those_of_its_loss():
    random = np.random.default_rng(0)
    values = parameters((4,), random)
    for name in ("output", "output_bias", "transitions", "codes"):
        values.pop(name)
    pretraining.add_projections(values, 6, random)
    values = {name: value.astype(float) for name, value in values.items()}
    batch = small_batch(random)
    drawn, shares = random.standard_normal((4, 6)), random.random(8) * 0.01

    def loss():
        return pretraining.loss_and_gradients(values, batch, drawn, shares, dropout=0, random=random)

    found = loss()[1]
    for name, gradient in found.items():
        direction = random.standard_normal(gradient.shape)
        kept = values[name].copy()
        sides = []
        for sign in (1, -1):
            values[name][...] = kept + sign * 1e-5 * direction
            sides.append(loss()[0])
        values[name][...] = kept
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx((gradient * direction).sum(), abs=1e-7), name


def sequences_of(length: int):
    """All tag sequences that may be."""
    for tags in product(range(5), repeat=length):
        if STARTS[tags[0]] and ENDS[tags[-1]] and all(FOLLOWS[a, b] for a, b in pairwise(tags)):
            yield tags


@pytest.mark.parametrize("seed", range(4))
def test_sums_and_best_sequences_by_enumeration(seed):
    random = np.random.default_rng(seed)
    lengths = np.array([4, 2, 1])
    scores = random.standard_normal((4, 3, 1, 5)) * 2
    transitions = random.standard_normal((1, 5, 5))
    lattice = Lattice(scores, chain(transitions), lengths)
    best = best_tags(scores, transitions, lengths)
    for column, length in enumerate(lengths):
        worth = {
            tags: sum(scores[t, column, 0, tag] for t, tag in enumerate(tags))
            + sum(transitions[0, a, b] for a, b in pairwise(tags))
            for tags in sequences_of(length)
        }
        total = np.logaddexp.reduce(list(worth.values()))
        assert lattice.total()[column, 0] == pytest.approx(total)
        assert tuple(best[:length, column, 0]) == max(worth, key=worth.get)
        for t in range(length):
            for tag in range(5):
                share = sum(np.exp(w - total) for tags, w in worth.items() if tags[t] == tag)
                assert lattice.tags()[t, column, 0, tag] == pytest.approx(share)


def spans_of_best(tags: np.ndarray, lengths: np.ndarray) -> set[tuple[int, int, int, int]]:
    found = set()
    for column, label in np.ndindex(tags.shape[1:]):
        begin = 0
        for t in range(lengths[column]):
            tag = tags[t, column, label]
            begin = t if tag in (B, S) else begin
            if tag in (E, S):
                found.add((column, begin, t + 1, label))
    return found


@pytest.mark.parametrize("doubt, near", [(50.0, 1e-6), (decoding.DOUBT, 0.02)])
def test_decoding_by_stretches_is_decoding_of_the_whole(monkeypatch, doubt, near):
    monkeypatch.setattr(decoding, "DOUBT", doubt)
    random = np.random.default_rng(1)
    met = 0
    for _ in range(25):
        lengths = random.integers(1, 13, 5)
        scores = (random.standard_normal((12, 5, 3, 5)) * 2).astype(np.float32)
        scores[..., O] += 4
        transitions = (random.standard_normal((3, 5, 5)) * 0.5).astype(np.float32)
        found = decoding.spans(scores, transitions, lengths)
        assert {f[:4] for f in found} == spans_of_best(best_tags(scores, transitions, lengths), lengths)
        whole = Lattice(scores.astype(float), chain(transitions), lengths)
        for f in found[:5]:
            met += 1
            tags = [S] if f.end - f.start == 1 else [B, *[I] * (f.end - f.start - 2), E]
            allowed = np.ones(scores.shape)
            for place, tag in enumerate(tags, f.start):
                allowed[place, f.column, f.label] = np.eye(5)[tag]
            only = Lattice(scores.astype(float), chain(transitions), lengths, allowed)
            chance = np.exp(only.total() - whole.total())[f.column, f.label]
            assert f.probability == pytest.approx(chance, abs=near)
    assert met > 50


def test_what_is_next_to_a_sequence_does_not_change_it():
    random = np.random.default_rng(2)
    values = {name: value.astype(np.float32) for name, value in parameters((4, 3), random).items()}
    batch = small_batch(random)
    together = network.emissions(values, network.encode(values, batch))
    for column, length in enumerate(batch.lengths):
        alone = Batch(
            batch.words[:length, column : column + 1],
            batch.codes[:length, column : column + 1],
            batch.lengths[column : column + 1],
            batch.vectors,
            batch.features,
        )
        scores = network.emissions(values, network.encode(values, alone))
        np.testing.assert_allclose(scores[:, 0], together[:length, column], atol=1e-5)


def test_nothing_to_decode():
    scores = np.full((3, 2, 1, 5), -20.0)
    scores[..., O] = 20
    assert decoding.spans(scores, np.zeros((1, 5, 5)), np.array([3, 1])) == []
