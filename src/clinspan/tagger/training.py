"""Training the network: batches, Adam, averaged weights.

The same sequences, settings and seed give the same weights on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.vectors import Vectors

from clinspan.tagger import words as word_features
from clinspan.tagger.examples import UNKNOWN, Sentence
from clinspan.tagger.network import TAGS, Array, Batch, Parameters, loss_and_gradients

WARM_UP = 200  # steps, or a tenth of all


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        epochs: times each sequence is seen.
        tokens: of a batch.
        rate: learning rate at its highest, behind a warm-up and before a linear decay to a tenth.
        dropout: share of word components, and of units, left out.
        forget: share of sequences whose dictionary codes are left out.
        decay: weight decay.
        average: of the averaged weights, per step.
        clip: largest norm of the gradients.
        seed: of everything random.
    """

    epochs: int = 25
    tokens: int = 800
    rate: float = 2e-3
    dropout: float = 0.4
    forget: float = 0.1
    decay: float = 1e-5
    average: float = 0.998
    clip: float = 5.0
    seed: int = 1


class WordTable:
    """Vectors and features of the words met, each worked out once."""

    def __init__(self, vectors: Vectors) -> None:
        self.numbers: dict[str, int] = {}
        self._vectors = vectors
        self.vectors = np.zeros((0, vectors.shape[1]), np.float32)
        self.features = np.zeros((0, len(word_features.TABLES)), np.int64)

    def add(self, words: Iterable[str]) -> None:
        """Know these words."""
        new = sorted({word for word in words if word not in self.numbers})
        if new:
            self.numbers.update({word: len(self.numbers) + i for i, word in enumerate(new)})
            self.vectors = np.concatenate([self.vectors, word_features.vectors_of(self._vectors, new)])
            self.features = np.concatenate([self.features, [word_features.features(word) for word in new]])

    def batch(self, sequences: Sequence[Sentence], *, forget: Array | None = None) -> Batch:
        """The sequences side by side; the dictionary's codes of those marked in ``forget`` are left out."""
        lengths = np.array([len(s.words) for s in sequences])
        shape = (int(lengths.max()), len(sequences))
        words, codes = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for column, s in enumerate(sequences):
            words[: len(s.words), column] = [self.numbers[word] for word in s.words]
            if forget is None or not forget[column]:
                codes[: len(s.words), column] = s.codes
        present, numbers = np.unique(words, return_inverse=True)
        batch = Batch(
            numbers.reshape(shape), codes, lengths, self.vectors[present], self.features[present], rows=present
        )
        if sequences[0].tags is not None:
            labels = sequences[0].tags.shape[1]
            allowed = np.ones((*shape, labels, len(TAGS)), np.float32)
            eye = np.concatenate([np.eye(len(TAGS), dtype=np.float32), np.ones((1, len(TAGS)), np.float32)])
            for column, s in enumerate(sequences):
                allowed[: len(s.words), column] = eye[np.where(s.tags == UNKNOWN, len(TAGS), s.tags)]
            batch.allowed = allowed
            batch.weights = np.array([s.weight for s in sequences], np.float32)
        return batch


def batches(sequences: Sequence[Sentence], tokens: int, random: np.random.Generator) -> Iterator[list[Sentence]]:
    """The sequences in random order, those of nearly the same length together, about ``tokens`` tokens a batch."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i].words) + random.random() * 4)
    groups: list[list[int]] = [[]]
    count = 0
    for i in order:
        if count and count + len(sequences[i].words) > tokens:
            groups.append([])
            count = 0
        groups[-1].append(i)
        count += len(sequences[i].words)
    random.shuffle(groups)
    return ([sequences[i] for i in group] for group in groups)


def train(
    values: Parameters,
    sequences: Sequence[Sentence],
    table: WordTable,
    settings: Settings,
    *,
    each_epoch: Callable[[int, float, Parameters], None] | None = None,
) -> Parameters:
    """Train the parameters, in place; returns the averaged ones.

    Args:
        each_epoch: called with the epoch's number, mean loss and averaged weights.
    """
    random = np.random.default_rng(settings.seed)
    sequences = [s for s in sequences if s.words]
    table.add(word for s in sequences for word in s.words)
    per_epoch = max(1, sum(len(s.words) for s in sequences) // settings.tokens)
    adam = Adam(values, settings, steps=per_epoch * settings.epochs)
    averaged = {name: value.copy() for name, value in values.items()}
    for epoch in range(settings.epochs):
        losses = []
        for group in batches(sequences, settings.tokens, random):
            forget = random.random(len(group)) < settings.forget
            batch = table.batch(group, forget=forget)
            loss, found = loss_and_gradients(values, batch, dropout=settings.dropout, random=random)
            losses.append(loss)
            adam.step(found)
            keep = min(settings.average, adam.count / (adam.count + 10))
            for name, value in values.items():
                averaged[name] *= keep
                averaged[name] += (1 - keep) * value
        if each_epoch:
            each_epoch(epoch, float(np.mean(losses)), averaged)
    return averaged


class Adam:
    """Adam (Kingma and Ba 2015) with decoupled weight decay, warm-up, linear decay of the rate, and clipping."""

    def __init__(self, values: Parameters, settings: Settings, *, steps: int) -> None:
        self.values, self.settings, self.steps = values, settings, steps
        self.count = 0
        self._first = {name: np.zeros_like(value) for name, value in values.items()}
        self._second = {name: np.zeros_like(value) for name, value in values.items()}

    def step(self, found: Mapping[str, Array]) -> None:
        """Change the parameters by their gradients."""
        settings = self.settings
        self.count += 1
        norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in found.values())))
        shrink = min(1.0, settings.clip / (norm + 1e-9))
        rate = (
            settings.rate
            * min(1.0, self.count / max(1, min(WARM_UP, self.steps // 10)))
            * max(0.1, 1 - 0.9 * self.count / self.steps)
        )
        rate *= np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for name, gradient in found.items():
            value, m, v = self.values[name], self._first[name], self._second[name]
            g = gradient * shrink
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            value -= rate * m / (np.sqrt(v) + 1e-8)
            if settings.decay and value.ndim > 1:
                value *= 1 - rate * settings.decay
