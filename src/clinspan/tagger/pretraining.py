"""Pretraining the network on text without annotation: each word told from what is left and right of it.

The word is told from the left-to-right layer's unit before it and the right-to-left layer's behind it (Baevski et al.
2019), among the batch's words and some drawn by chance, by the likeness of a projection of the units to a projection
of the words' pretrained vectors. One layer only.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clinspan.tagger.examples import LONGEST, Sentence
from clinspan.tagger.network import Array, Batch, Parameters, encode, encode_gradients
from clinspan.tagger.training import Adam, Settings, WordTable, batches

#: Words drawn by chance that a batch's words are told from, besides each other.
DRAWN = 800
#: Words as frequent as this, or more, count less, as in word2vec.
FREQUENT = 1e-3
ROUND = 25  # steps between two averages of the workers' weights
_CHUNK = 5_000  # lines read at a time


def sequences_of(lines: Sequence[str]) -> Iterator[Sentence]:
    """Sequences of lines of words with spaces between."""
    for line in lines:
        words = line.split()
        parts = -(-len(words) // LONGEST)
        for part in range(parts):
            piece = words[part * len(words) // parts : (part + 1) * len(words) // parts]
            if len(piece) > 2:
                yield Sentence(piece, np.zeros(len(piece), np.int64))


def add_projections(values: Parameters, vector: int, random: np.random.Generator) -> None:
    """What only pretraining needs: projections of the units, and of the vectors."""
    units = values["recurrent0"].shape[1]
    values["told"] = (random.standard_normal((2 * units, vector)) * units**-0.5).astype(np.float32)
    values["known"] = np.eye(vector, dtype=np.float32)


def loss_and_gradients(
    values: Mapping[str, Array],
    batch: Batch,
    drawn: Array,
    shares: Array,
    *,
    dropout: float,
    random: np.random.Generator,
) -> tuple[float, Parameters]:
    """Mean loss of telling the words, and the gradients.

    Args:
        drawn: vectors of the words drawn by chance.
        shares: for each of the batch's words and those drawn, its share of the text.
    """
    kept: dict[str, Any] = {}
    out = encode(values, batch, dropout=dropout, random=random, keep=kept)
    steps, size, width = out.shape
    units = width // 2
    around = np.zeros_like(out)
    around[1:, :, :units] = out[:-1, :, :units]
    around[:-1, :, units:] = out[1:, :, units:]
    last = batch.lengths - 1  # behind the last word there is nothing
    around[last, np.arange(size), units:] = 0
    inside = np.arange(steps)[:, None] < batch.lengths
    flat = around[inside]
    target = batch.words[inside]
    vectors = np.concatenate([batch.vectors, drawn])
    told = flat @ values["told"]
    known = vectors @ values["known"]
    scores = told @ known.T
    tokens = len(flat)
    scores -= np.log(1 - (1 - shares) ** tokens + 1e-9)  # how often each word is among those to tell from
    scores -= scores.max(1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(1, keepdims=True)
    share = shares[target]
    weights = np.minimum(1, np.sqrt(FREQUENT / share) + FREQUENT / share).astype(np.float32)
    weights /= weights.sum()
    rows = np.arange(tokens)
    loss = -(np.log(scores[rows, target] + 1e-12) * weights).sum()
    scores[rows, target] -= 1
    scores *= weights[:, None]
    d_told = scores @ known
    found: Parameters = {"told": flat.T @ d_told, "known": vectors.T @ (scores.T @ told)}
    d_around = np.zeros_like(out)
    d_around[inside] = d_told @ values["told"].T
    d_around[last, np.arange(size), units:] = 0
    d_out = np.zeros_like(out)
    d_out[:-1, :, :units] = d_around[1:, :, :units]
    d_out[1:, :, units:] = d_around[:-1, :, units:]
    found.update(encode_gradients(values, batch, d_out, kept))
    return float(loss), found


def pretrain(
    values: Parameters,
    lines: Sequence[str],
    table: WordTable,
    settings: Settings,
    *,
    workers: int = 1,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train the parameters, in place, ``settings.epochs`` times over the lines.

    Args:
        workers: processes that share the lines; every :data:`ROUND` steps each goes on from the mean of their weights.
        report: called now and then with the number of steps and the mean loss of the last of them.
    """
    counts = Counter(word for line in lines for word in line.split())
    total = sum(counts.values())
    words = [word for word, count in counts.most_common(100_000) if count > 2]
    table.add(words)
    table.add(counts)
    known = np.zeros(len(table.numbers))
    for word, count in counts.items():
        known[table.numbers[word]] = count / total
    chances = np.sqrt([counts[word] for word in words])
    chances /= chances.sum()
    places = np.array([table.numbers[word] for word in words])
    rounds = max(1, settings.epochs * total // (workers * settings.tokens * ROUND))
    shared = _Shared(values, workers)

    def work(worker: int) -> None:
        random = np.random.default_rng([settings.seed, worker])
        adam = Adam(values, settings, steps=rounds * ROUND)
        groups = _groups(lines[worker::workers], settings.tokens, random)
        losses = []
        for number in range(1, rounds + 1):
            for _ in range(ROUND):
                batch = table.batch(next(groups))
                drawn = places[random.choice(len(places), DRAWN, p=chances)]
                shares = known[np.concatenate([batch.rows, drawn])].astype(np.float32)
                loss, found = loss_and_gradients(
                    values, batch, table.vectors[drawn], shares, dropout=settings.dropout, random=random
                )
                adam.step(found)
                losses.append(loss)
            shared.average(worker)
            if report and worker == 0 and number % 10 == 0:
                report(number * ROUND, float(np.mean(losses)))
                losses = []

    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=work, args=(i,)) for i in range(1, workers)]
    for process in others:
        process.start()
    work(0)
    for process in others:
        process.join()


def _groups(lines: Sequence[str], tokens: int, random: np.random.Generator) -> Iterator[list[Sentence]]:
    """Batches of the lines, over and over."""
    while True:
        for begin in range(0, len(lines), _CHUNK):
            yield from batches(list(sequences_of(lines[begin : begin + _CHUNK])), tokens, random)


class _Shared:
    """The workers' weights, side by side in shared memory."""

    def __init__(self, values: Parameters, workers: int) -> None:
        self._values = values
        size = sum(value.size for value in values.values())
        fork = multiprocessing.get_context("fork")
        buffer = fork.RawArray("f", workers * size)
        self._rows = np.frombuffer(buffer, np.float32).reshape(workers, size)
        self._barrier = fork.Barrier(workers)

    def average(self, worker: int) -> None:
        """Have this worker's weights be the mean of all, once all are here."""
        if len(self._rows) == 1:
            return
        self._rows[worker] = np.concatenate([value.ravel() for value in self._values.values()])
        self._barrier.wait(timeout=600)
        mean = self._rows.mean(0)
        self._barrier.wait(timeout=600)
        place = 0
        for value in self._values.values():
            value[...] = mean[place : place + value.size].reshape(value.shape)
            place += value.size
