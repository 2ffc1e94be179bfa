"""From the tags' scores to spans, with the probability that the network gives each.

The chain of tags falls apart at tokens that are outside beyond doubt, so each label is decoded over the short stretches
between them, all together: the best tags of a stretch (Viterbi), and of each span found the probability of its tags
given the scores, summed over everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clinspan.tagger.network import ENDS, FOLLOWS, STARTS, Array, B, E, I, O, S, chain

#: A token is outside beyond doubt where no other tag's score comes this near to that of outside.
DOUBT = 5.0
_NEVER = -1e9


class Found(NamedTuple):
    """A span of a sequence: its column in the batch, first position, one past the last, label's number, probability."""

    column: int
    start: int
    end: int
    label: int
    probability: float


def spans(scores: Array, transitions: Array, lengths: Array) -> list[Found]:
    """The spans of a batch. ``scores``: T x B x L x K; ``transitions``: L x K x K, logarithms."""
    steps, size, labels, tags = scores.shape
    other = np.maximum(np.maximum(scores[..., B], scores[..., I]), np.maximum(scores[..., E], scores[..., S]))
    open_ = other > scores[..., O] - DOUBT  # T x B x L
    open_ &= (np.arange(steps)[:, None] < lengths)[..., None]
    if not open_.any():
        return []
    # stretches, as rows of one label and sequence from first to one past the last position
    padded = np.zeros((labels, size, steps + 2), bool)
    padded[:, :, 1:-1] = open_.transpose(2, 1, 0)
    edges = padded[:, :, 1:] != padded[:, :, :-1]
    label, column, place = np.nonzero(edges)
    first, end = place[::2], place[1::2]
    label, column = label[::2], column[::2]
    count = end - first
    order = np.argsort(-count, kind="stable")
    label, column, first, count = label[order], column[order], first[order], count[order]
    width = int(count[0])
    where = np.minimum(first[:, None] + np.arange(width), steps - 1)
    local = scores[where, column[:, None], label[:, None]].astype(np.float64)  # N x W x K
    moves = np.where(FOLLOWS, transitions, _NEVER)[label].astype(np.float64)  # N x K x K
    begins = np.where(first[:, None] == 0, np.where(STARTS, 0, _NEVER), moves[:, O])
    stops = np.where((first + count == lengths[column])[:, None], np.where(ENDS, 0, _NEVER), moves[:, :, O])
    rows = np.arange(len(count))
    local[rows, count - 1] += stops
    local[:, 0] += begins
    factors = np.exp(local - local.max(-1, keepdims=True))
    links = chain(transitions)[label]
    # the stretches are in the order of their lengths: at each position those long enough are the first n
    alive = (count[:, None] > np.arange(width)).sum(0)
    best = local[:, 0].copy()
    behind = np.zeros((len(count), width, tags), np.int8)
    alpha = np.empty_like(factors)
    norms = np.ones((len(count), width))
    norms[:, 0] = factors[:, 0].sum(-1)
    alpha[:, 0] = factors[:, 0] / norms[:, :1]
    for t in range(1, width):
        n = alive[t]
        paths = best[:n, :, None] + moves[:n]
        behind[:n, t] = paths.argmax(1)
        best[:n] = paths.max(1) + local[:n, t]
        forward = (alpha[:n, t - 1, :, None] * links[:n]).sum(1) * factors[:n, t]
        norms[:n, t] = forward.sum(-1)
        alpha[:n, t] = forward / norms[:n, t, None]
    beta = np.ones_like(factors)
    for t in range(width - 2, -1, -1):
        n = alive[t + 1]
        after = beta[:n, t + 1] * factors[:n, t + 1] / norms[:n, t + 1, None]
        beta[:n, t] = (links[:n] * after[:, None, :]).sum(-1)
    tag = best.argmax(-1)
    chosen = np.zeros((len(count), width), np.int8)
    for t in range(width - 1, -1, -1):
        n = alive[t]
        chosen[:n, t] = tag[:n]
        if t:
            tag[:n] = behind[rows[:n], t, tag[:n]]
    return list(
        _read(chosen, count, column, first, label, _probabilities(chosen, alive, alpha, beta, links, factors, norms))
    )


def _probabilities(
    chosen: Array, alive: Array, alpha: Array, beta: Array, links: Array, factors: Array, norms: Array
) -> tuple[Array, Array]:
    """Of each chosen tag: its probability, and its probability given the chosen tag before it."""
    n, width = chosen.shape
    rows, columns = np.arange(n)[:, None], np.arange(width)
    alone = (alpha * beta)[rows, columns, chosen]
    given = np.ones_like(alone)
    if width > 1:
        now, before = chosen[:, 1:], chosen[:, :-1]
        steps = columns[1:]
        given[:, 1:] = links[rows, before, now] * factors[rows, steps, now] * beta[rows, steps, now]
        given[:, 1:] /= norms[:, 1:] * np.maximum(beta[rows, columns[:-1], before], 1e-30)
    return alone, given


def _read(
    chosen: Array, count: Array, column: Array, first: Array, label: Array, probabilities: tuple[Array, Array]
) -> Sequence[Found]:
    alone, given = probabilities
    found = []
    for row, place in zip(*np.nonzero((chosen == B) | (chosen == S))):
        if place >= count[row]:
            continue
        end = place + 1
        chance = alone[row, place]
        if chosen[row, place] == B:
            while end < count[row] and chosen[row, end] != E:
                chance *= given[row, end]
                end += 1
            if end == count[row]:
                continue
            chance *= given[row, end]
            end += 1
        start = int(first[row])
        found.append(
            Found(int(column[row]), start + int(place), start + int(end), int(label[row]), min(1.0, float(chance)))
        )
    return found
