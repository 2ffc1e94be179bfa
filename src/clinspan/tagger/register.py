"""Notes or literature: what kind of text a document is, told from its words.

Annotated corpora follow the guidelines of their makers, and nearly all are of literature: abstracts, case reports,
trial criteria. A network trained on them knows their conventions best; in notes the dictionary does. So the merger asks
which of the two a document is (:mod:`clinspan.components.entities`): a logistic regression on the mean of its words'
vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOTES, LITERATURE = "notes", "literature"
#: What a section title of notes counts against literature, as a logit; abstracts have a few that notes have too.
TITLE, MOST_TITLES = 0.75, 4
#: Words below which a text is taken for (a piece of) a note: too few to tell.
LEAST = 10
_PULL = 1.0  # of the weights towards 0, in documents
_STEPS = 30


def fit(means: np.ndarray, literature: Sequence[bool]) -> list[float]:
    """Weights, the last of them the offset, from the mean vectors of documents (documents x components).

    Both kinds count alike, however many there are of each. Newton's method.
    """
    x = np.concatenate([means, np.ones((len(means), 1))], axis=1).astype(float)
    y = np.asarray(literature, float)
    count = np.where(y > 0, 0.5 / max(1.0, y.sum()), 0.5 / max(1.0, (1 - y).sum())) * len(y)
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (count * (p - y)) + _PULL * weights
        curvature = (x * (count * p * (1 - p))[:, None]).T @ x + _PULL * np.eye(len(weights))
        weights = weights - np.linalg.solve(curvature, gradient)
    return [round(float(w), 5) for w in weights]


def is_literature(mean: np.ndarray, weights: Sequence[float], titles: int = 0) -> bool:
    """Whether a document whose words have this mean vector, and that has so many section titles of notes, is
    literature."""
    return float(np.dot(mean, weights[:-1])) + weights[-1] > TITLE * min(titles, MOST_TITLES)
