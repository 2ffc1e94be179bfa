"""Notes, abstracts or other literature: what kind of text a document is, told from its words.

Annotated corpora follow the guidelines of their makers, and nearly all are of literature: abstracts, case reports,
trial criteria. A network trained on them knows their conventions best; in notes the dictionary does. So the merger asks
which of the two a document is (:mod:`clinspan.components.entities`): a logistic regression on the mean of its words'
vectors. Abstracts are annotated by a convention of their own (the shortest name of a disease), so among literature they
are told apart, by their words and their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

NOTES, LITERATURE, ABSTRACT = "notes", "literature", "abstract"
REGISTERS = (NOTES, LITERATURE, ABSTRACT)
#: What a section title of notes counts against literature, as a logit; abstracts have a few that notes have too.
TITLE, MOST_TITLES = 0.75, 4
#: Words below which a text is taken for (a piece of) a note: too few to tell.
LEAST = 10
_PULL = 1.0  # of the weights towards 0, in documents
_STEPS = 30


def with_length(mean: np.ndarray, words: int) -> np.ndarray:
    """The mean vector of so many words, with terms for their number: neither a sentence nor a case report is an
    abstract."""
    length = np.log1p(words) / 3
    return np.concatenate([mean, [length, length**2, length**3]])


def fit(rows: np.ndarray, positive: Sequence[bool], groups: Sequence[Hashable] | None = None) -> list[float]:
    """Weights, the last of them the offset, from rows (documents x components) and which of them are of the kind.

    Both kinds count alike, however many there are of each, and within a kind its groups do. Newton's method.
    """
    x = np.concatenate([rows, np.ones((len(rows), 1))], axis=1).astype(float)
    y = np.asarray(positive, float)
    kinds = list(zip(positive, groups or positive))
    sizes = Counter(kinds)
    shares = Counter(kind for kind, _ in sizes)
    count = np.array([len(y) / 2 / shares[kind] / sizes[kind, group] for kind, group in kinds])
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (count * (p - y)) + _PULL * weights
        curvature = (x * (count * p * (1 - p))[:, None]).T @ x + _PULL * np.eye(len(weights))
        weights = weights - np.linalg.solve(curvature, gradient)
    return [round(float(w), 5) for w in weights]


def is_of_kind(row: np.ndarray, weights: Sequence[float], titles: int = 0) -> bool:
    """Whether a document with this row, and with so many section titles of notes, is of the kind."""
    return float(np.dot(row, weights[:-1])) + weights[-1] > TITLE * min(titles, MOST_TITLES)
