"""The network: bidirectional LSTM layers over word vectors, and one linear-chain CRF a label; forward and backward.

Plain numpy, so that what trains is what runs, without a framework. Arrays are float32; shapes name their axes: T
positions of the longest sequence, B sequences of a batch, D the two directions, H units, L labels, K tags.

Sources: Hochreiter and Schmidhuber 1997 (LSTM); Lample et al. 2016 (LSTM and CRF for entities); Tsuboi et al. 2008
(CRF on partial annotation: the likelihood of all tag sequences that the annotation allows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Parameters = dict[str, Array]

#: Tags of a token for one label: outside, begin, inside, end, single.
TAGS = ("O", "B", "I", "E", "S")
O, B, I, E, S = range(len(TAGS))  # noqa: E741
#: Which tag may follow which.
FOLLOWS = np.array(
    [[(a in (O, E, S) and b in (O, B, S)) or (a in (B, I) and b in (I, E)) for b in range(5)] for a in range(5)]
)
STARTS = np.array([1, 1, 0, 0, 1], dtype=bool)
ENDS = np.array([1, 0, 0, 1, 1], dtype=bool)


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes:
        labels: the labels, each with a CRF of its own.
        vector: components of the pretrained word vectors.
        tables: rows and columns of each table of trained word features.
        codes: how many codes a token may have from the dictionary; 0 without.
        hidden: units of each LSTM layer, in each direction.
    """

    labels: tuple[str, ...]
    vector: int
    tables: tuple[tuple[int, int], ...]
    codes: int
    hidden: tuple[int, ...]

    @property
    def word(self) -> int:
        """Components of a word's input."""
        return self.vector + sum(columns for _, columns in self.tables)


def initial(shape: Shape, random: np.random.Generator) -> Parameters:
    """Parameters to begin training with."""

    def uniform(*size: int, fan: int) -> Array:
        bound = np.sqrt(3.0 / fan)
        return random.uniform(-bound, bound, size).astype(np.float32)

    values: Parameters = {}
    for i, (rows, columns) in enumerate(shape.tables):
        values[f"table{i}"] = (random.standard_normal((rows, columns)) * 0.1).astype(np.float32)
    width = shape.word
    for i, units in enumerate(shape.hidden):
        values[f"input{i}"] = uniform(width, 8 * units, fan=width)
        recurrent = [np.linalg.qr(random.standard_normal((units, units)))[0] for _ in range(8)]
        values[f"recurrent{i}"] = np.array(recurrent, np.float32).reshape(2, 4, units, units).transpose(0, 2, 1, 3)
        values[f"recurrent{i}"] = np.ascontiguousarray(values[f"recurrent{i}"].reshape(2, units, 4 * units))
        bias = np.zeros((2, 4, units), np.float32)
        bias[:, 1] = 1  # the forget gates' begin open
        values[f"bias{i}"] = bias.reshape(-1)
        width = 2 * units
    if shape.codes:
        values["codes"] = np.zeros((shape.codes, 8 * shape.hidden[0]), np.float32)
    values["output"] = uniform(width, len(shape.labels) * len(TAGS), fan=width)
    values["output_bias"] = np.zeros(len(shape.labels) * len(TAGS), np.float32)
    values["transitions"] = np.zeros((len(shape.labels), len(TAGS), len(TAGS)), np.float32)
    return values


@dataclass
class Batch:
    """Sequences side by side, filled up to the longest.

    Attributes:
        words: T x B, rows of ``vectors`` and ``features``.
        codes: T x B, the dictionary's codes.
        lengths: B.
        vectors: a row for every word of the batch.
        features: a row for every word, of rows of the tables; ``None`` where ``vectors`` holds those already.
        allowed: T x B x L x K, the tags that the annotation allows; ``None`` where there is none.
        weights: B, how much each sequence counts.
        rows: the batch's words as numbers of the table they come from.
        shares: the words' shares in the first layer's gates, where they are known (:func:`word_shares`).
    """

    words: Array
    codes: Array
    lengths: Array
    vectors: Array
    features: Array | None
    allowed: Array | None = None
    weights: Array | None = None
    rows: Array | None = None
    shares: Array | None = None

    @property
    def backwards(self) -> Array:
        """T x B: the position that each position is read from, right to left; filling stays where it is."""
        steps = np.arange(len(self.words))[:, None]
        return np.where(steps < self.lengths, self.lengths - 1 - steps, steps)


def word_inputs(values: Mapping[str, Array], batch: Batch) -> Array:
    """A row for every word: its vector and its features' rows."""
    tables = sorted(name for name in values if name.startswith("table"))
    if batch.features is None:
        return batch.vectors
    rows = [values[name][batch.features[:, i]] for i, name in enumerate(tables)]
    return np.concatenate([batch.vectors, *rows], axis=1)


def _sigmoid(x: Array) -> Array:
    """In place; what overflows is 0."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    return np.reciprocal(x, out=x)


def lstm(gates: Array, recurrent: Array, keep: dict[str, Array] | None = None) -> Array:
    """One layer in both directions.

    Args:
        gates: T x D x B x 4H, the inputs' share of the gates: input, forget, output, and twice the candidate;
            overwritten.
        recurrent: D x H x 4H.
        keep: filled with what :func:`lstm_backward` needs.

    Returns:
        T x D x B x H.
    """
    steps, two, batch, width = gates.shape
    units = width // 4
    recurrent = recurrent.copy()
    recurrent[..., 3 * units :] *= 2  # tanh(x) is 2 sigmoid(2x) - 1
    hidden = np.empty((steps, two, batch, units), gates.dtype)
    cells, bent = (hidden, hidden) if keep is None else (np.empty_like(hidden), np.empty_like(hidden))
    cell = np.zeros((two, batch, units), gates.dtype)
    part = np.empty_like(cell)
    z = np.empty((two, batch, width), gates.dtype)
    with np.errstate(over="ignore"):
        for t in range(steps):
            gate = gates[t]
            if t:
                gate += np.matmul(hidden[t - 1], recurrent, out=z)
            _sigmoid(gate)
            candidate = gate[..., 3 * units :]
            candidate *= 2
            candidate -= 1
            cell *= gate[..., units : 2 * units]
            cell += np.multiply(gate[..., :units], candidate, out=part)
            np.multiply(cell, 2, out=part)
            _sigmoid(part)
            part *= 2
            part -= 1
            np.multiply(part, gate[..., 2 * units : 3 * units], out=hidden[t])
            if keep is not None:
                cells[t], bent[t] = cell, part
    if keep is not None:
        keep.update(active=gates, cells=cells, bent=bent, hidden=hidden)
    return hidden


def lstm_backward(d_hidden: Array, recurrent: Array, kept: Mapping[str, Array]) -> tuple[Array, Array]:
    """Gradients of :func:`lstm`'s gates (T x D x B x 4H) and recurrent weights."""
    active, cells, bent, hidden = (kept[name] for name in ("active", "cells", "bent", "hidden"))
    steps, two, batch, units = hidden.shape
    turned = np.ascontiguousarray(recurrent.transpose(0, 2, 1))
    d_gates = np.empty_like(active)
    d_cell = np.zeros((two, batch, units), hidden.dtype)
    d_next = np.zeros((two, batch, units), hidden.dtype)
    i, f, o, g = (slice(k * units, (k + 1) * units) for k in range(4))
    for t in range(steps - 1, -1, -1):
        a, dz = active[t], d_gates[t]
        d_h = d_hidden[t] + d_next
        d_cell += d_h * a[..., o] * (1 - bent[t] ** 2)
        dz[..., i] = d_cell * a[..., g]
        dz[..., f] = d_cell * cells[t - 1] if t else 0
        dz[..., o] = d_h * bent[t]
        dz[..., : 3 * units] *= a[..., : 3 * units] * (1 - a[..., : 3 * units])
        dz[..., g] = d_cell * a[..., i] * (1 - a[..., g] ** 2)
        d_cell *= a[..., f]
        np.matmul(dz, turned, out=d_next)
    d_recurrent = np.zeros_like(recurrent)
    if steps > 1:
        for d in range(two):
            d_recurrent[d] = hidden[:-1, d].reshape(-1, units).T @ d_gates[1:, d].reshape(-1, 4 * units)
    return d_gates, d_recurrent


# --- from words to the tags' scores ---


def _doubled(share: Array) -> Array:
    """The rows of both directions' gates, one after the other, the candidates' doubled, in place."""
    share = share.reshape(-1, 2, 4, share.shape[-1] // 8)
    share[:, :, 3] *= 2
    return share.reshape(-1, 4 * share.shape[-1])


def _gates(shares: Array, rows: Array, turned: Array) -> Array:
    """T x D x B x 4H: each position's row of the inputs' share, as :func:`_doubled` gives them."""
    listed = np.stack([2 * rows, 2 * rows[turned, np.arange(rows.shape[1])] + 1], axis=1)
    return np.take(shares, listed, axis=0)


def word_shares(values: Mapping[str, Array], inputs: Array) -> Array:
    """Words' shares in the first layer's gates, two rows for each of ``inputs``' (:func:`word_inputs`).

    Worked out once for several batches, they are :attr:`Batch.shares`.
    """
    share = inputs @ values["input0"]
    share += values["bias0"]
    if "codes" in values:
        share += values["codes"][0]  # most words are in no name
    return _doubled(share)


def encode(
    values: Mapping[str, Array],
    batch: Batch,
    *,
    dropout: float = 0.0,
    random: np.random.Generator | None = None,
    keep: dict[str, Any] | None = None,
) -> Array:
    """T x B x 2H: the last layer's output, left to right and right to left.

    ``dropout`` takes components of words, and units of whole sequences; ``keep`` is filled with what
    :func:`encode_gradients` needs.
    """

    def mask(*size: int) -> Array:
        assert random is not None
        return ((random.random(size, dtype=np.float32) >= dropout) / (1 - dropout)).astype(np.float32)

    steps, size = batch.words.shape
    columns = np.arange(size)
    turned = batch.backwards
    positions = np.arange(steps * size).reshape(steps, size)
    x = word_inputs(values, batch)
    masks = [mask(*x.shape) if dropout else None]
    if masks[0] is not None:
        x = x * masks[0]
    inputs, layers = [x], []
    depth = sum(name.startswith("recurrent") for name in values)
    out = x
    for layer in range(depth):
        recurrent = values[f"recurrent{layer}"]
        if layer:
            share = out @ values[f"input{layer}"]
            share += values[f"bias{layer}"]
            gates = _gates(_doubled(share), positions, turned)
        else:
            shares = word_shares(values, x) if batch.shares is None else batch.shares
            gates = _gates(shares, batch.words, turned)
            if "codes" in values:
                rows = _doubled(values["codes"] - values["codes"][0])
                for direction, found in enumerate((batch.codes, batch.codes[turned, columns])):
                    t, b = np.nonzero(found)
                    gates[t, direction, b] += rows[2 * found[t, b] + direction]
        layers.append({} if keep is not None else None)
        hidden = lstm(gates, recurrent, layers[-1])
        out = np.concatenate([hidden[:, 0], hidden[turned, 1, columns]], axis=2)
        masks.append(mask(size, out.shape[2]) if dropout else None)
        if masks[-1] is not None:
            out *= masks[-1]
        inputs.append(out)
    if keep is not None:
        keep.update(inputs=inputs, layers=layers, masks=masks)
    return out


def encode_gradients(values: Mapping[str, Array], batch: Batch, d_out: Array, kept: Mapping[str, Any]) -> Parameters:
    """Gradients of the parameters of :func:`encode`; ``d_out``, of its output, is overwritten."""
    steps, size = batch.words.shape
    columns = np.arange(size)
    turned = batch.backwards
    inputs, layers, masks = kept["inputs"], kept["layers"], kept["masks"]
    found: Parameters = {}
    for layer in range(len(layers) - 1, -1, -1):
        if masks[layer + 1] is not None:
            d_out *= masks[layer + 1]
        units = d_out.shape[2] // 2
        d_hidden = np.empty((steps, 2, size, units), d_out.dtype)
        d_hidden[:, 0] = d_out[..., :units]
        d_hidden[:, 1] = d_out[turned, columns, units:]
        d_gates, found[f"recurrent{layer}"] = lstm_backward(d_hidden, values[f"recurrent{layer}"], layers[layer])
        d_share = np.concatenate([d_gates[:, 0], d_gates[turned, 1, columns]], axis=2)
        if layer:
            flat = d_share.reshape(steps * size, -1)
            found[f"input{layer}"] = inputs[layer].reshape(steps * size, -1).T @ flat
            found[f"bias{layer}"] = flat.sum(0)
            d_out = (flat @ values[f"input{layer}"].T).reshape(steps, size, -1)
            continue
        inside = np.arange(steps)[:, None] < batch.lengths
        flat = d_share[inside]
        if "codes" in values:
            found["codes"] = _sum_rows(flat, batch.codes[inside], len(values["codes"]))
        flat = _sum_rows(flat, batch.words[inside], len(batch.vectors))
        found["input0"] = inputs[0].T @ flat
        found["bias0"] = flat.sum(0)
        d_word = flat @ values["input0"].T
        if masks[0] is not None:
            d_word *= masks[0]
        place = batch.vectors.shape[1]
        for i, name in enumerate(sorted(name for name in values if name.startswith("table"))):
            table = values[name]
            found[name] = _sum_rows(d_word[:, place : place + table.shape[1]], batch.features[:, i], len(table))
            place += table.shape[1]
    return found


def emissions(values: Mapping[str, Array], encoded: Array) -> Array:
    """T x B x L x K: the score of each tag at each position."""
    scores = encoded @ values["output"]
    scores += values["output_bias"]
    return scores.reshape(*encoded.shape[:2], -1, len(TAGS))


def with_labels(values: Parameters, numbers: Sequence[int]) -> Parameters:
    """The parameters with these labels alone, in this order."""
    if list(numbers) == list(range(len(values["transitions"]))):
        return values
    columns = np.concatenate([np.arange(number * len(TAGS), (number + 1) * len(TAGS)) for number in numbers])
    return {
        **values,
        "output": values["output"][:, columns],
        "output_bias": values["output_bias"][columns],
        "transitions": values["transitions"][list(numbers)],
    }


def _sum_rows(rows: Array, numbers: Array, total: int) -> Array:
    """``total`` rows, each the sum of those with its number."""
    out = np.zeros((total, rows.shape[1]), rows.dtype)
    if len(rows):
        order = np.argsort(numbers, kind="stable")
        present, first = np.unique(numbers[order], return_index=True)
        out[present] = np.add.reduceat(rows[order], first, axis=0)
    return out


# --- conditional random fields ---


def chain(transitions: Array) -> Array:
    """L x K x K: the factor of each tag after each, 0 where it cannot follow."""
    factors: Array = np.exp(transitions) * FOLLOWS
    return factors


class Lattice:
    """Sums over all tag sequences of a batch, or over those allowed.

    Attributes:
        alpha: T x B x L x K, the share of each tag given what is before it and at it.
        beta: T x B x L x K, the factor of what comes after it; alpha * beta is the probability of the tag.
        norms: T x B x L, what alpha was divided by; 1 past the end.
    """

    def __init__(self, scores: Array, transitions: Array, lengths: Array, allowed: Array | None = None) -> None:
        """``scores``: T x B x L x K, of the tags; ``transitions``: as :func:`chain` gives them."""
        steps, size = scores.shape[:2]
        self.peaks = scores.max(-1)
        factors = np.exp(scores - self.peaks[..., None])
        if allowed is not None:
            factors *= allowed
        factors[0] *= STARTS
        factors[lengths - 1, np.arange(size)] *= ENDS
        self.factors, self.transitions = factors, transitions
        self.inside = np.arange(steps)[:, None] < lengths
        full = self.inside.all(1)
        self.alpha = np.empty_like(factors)
        self.norms = np.ones(factors.shape[:3], factors.dtype)
        for t in range(steps):
            forward = factors[t]
            if t:
                forward = np.einsum("blj,ljk->blk", self.alpha[t - 1], transitions) * forward
            norm = np.maximum(forward.sum(-1), 1e-30)
            forward = forward / norm[..., None]
            if not full[t]:
                past = ~self.inside[t]
                norm[past], forward[past] = 1, self.alpha[t - 1][past]
            self.norms[t], self.alpha[t] = norm, forward
        self.beta = np.ones_like(factors)
        for t in range(steps - 2, -1, -1):
            after = self.beta[t + 1] * factors[t + 1] / self.norms[t + 1][..., None]
            backward = np.einsum("ljk,blk->blj", transitions, after)
            if not full[t + 1]:
                backward[~self.inside[t + 1]] = 1
            self.beta[t] = backward

    def total(self) -> Array:
        """B x L: the logarithm of the sum."""
        sums: Array = ((np.log(self.norms) + self.peaks) * self.inside[..., None]).sum(0)
        return sums

    def tags(self) -> Array:
        """T x B x L x K: the probability of each tag; 0 past the end."""
        marginal: Array = self.alpha * self.beta * self.inside[..., None, None]
        return marginal

    def pairs(self, weights: Array) -> Array:
        """L x K x K: how often each tag is expected after each, the sequences weighted by ``weights`` (B x L)."""
        after = self.beta[1:] * self.factors[1:] / self.norms[1:][..., None]
        after *= (self.inside[1:][..., None] * weights)[..., None]
        sums: Array = np.einsum("tblj,tblk->ljk", self.alpha[:-1], after, optimize=True) * self.transitions
        return sums


def best_tags(scores: Array, transitions: Array, lengths: Array) -> Array:
    """T x B x L: the best sequence of tags (Viterbi); outside past the end. ``transitions``: logarithms."""
    steps, size, labels, _ = scores.shape
    moves = np.where(FOLLOWS, transitions, -1e9).astype(np.float32)
    behind = np.zeros(scores.shape, np.int8)
    best = scores[0] + np.where(STARTS, 0, -1e9)
    tags = np.zeros((steps, size, labels), np.int8)
    bests = [best]
    for t in range(1, steps):
        paths = best[..., :, None] + moves  # B x L x from x to
        behind[t] = paths.argmax(-2)
        best = paths.max(-2) + scores[t]
        bests.append(best)
    rows, columns = np.arange(size)[:, None], np.arange(labels)[None, :]
    stop = np.where(ENDS, 0, -1e9)
    tag = np.zeros((size, labels), np.int8)
    for t in range(steps - 1, -1, -1):
        last = (lengths - 1 == t)[:, None]
        here = behind[t + 1][rows, columns, tag] if t + 1 < steps else tag
        tag = np.where(last, (bests[t] + stop).argmax(-1), here).astype(np.int8)
        tags[t] = np.where((t < lengths)[:, None], tag, 0)
    return tags


def loss_and_gradients(
    values: Mapping[str, Array], batch: Batch, *, dropout: float, random: np.random.Generator
) -> tuple[float, Parameters]:
    """The mean over tokens of minus the logarithm of the likelihood of what the annotation allows; its gradients.

    What an annotation does not say of a token allows every tag, and so has no part in the loss.
    """
    assert batch.allowed is not None and batch.weights is not None
    kept: dict[str, Any] = {}
    encoded = encode(values, batch, dropout=dropout, random=random, keep=kept)
    scores = emissions(values, encoded)
    moves = chain(values["transitions"])
    size = scores.shape[1]
    # both sums in one pass: of all sequences, and of those allowed
    everything = np.ones_like(batch.allowed)
    lattice = Lattice(
        np.concatenate([scores, scores], axis=1),
        moves,
        np.concatenate([batch.lengths, batch.lengths]),
        np.concatenate([everything, batch.allowed], axis=1),
    )
    weights = batch.weights / (batch.lengths * batch.weights).sum()
    total, tags = lattice.total(), lattice.tags()
    loss = ((total[:size] - total[size:]) * weights[:, None]).sum()
    d_scores = (tags[:, :size] - tags[:, size:]) * weights[:, None, None]
    flat = d_scores.astype(scores.dtype).reshape(len(scores) * size, -1)
    found = {
        "output": encoded.reshape(len(flat), -1).T @ flat,
        "output_bias": flat.sum(0),
        **encode_gradients(values, batch, (flat @ values["output"].T).reshape(encoded.shape), kept),
    }
    signed = np.concatenate([weights, -weights])[:, None]
    found["transitions"] = lattice.pairs(signed).astype(scores.dtype)
    return float(loss), found
