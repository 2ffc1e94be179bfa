"""Scores that mean what they say: of the entities with score .8, eight in ten are right.

The network's probability is scaled by label (Platt 1999): a slope and an offset of its logit, fitted where the answers
are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LEAST = 30  # answers that a fit needs
_STEPS = 50


def calibrated(probability: float, slope: float = 1.0, offset: float = 0.0) -> float:
    """The probability after scaling its logit."""
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + offset)))


def fit(probabilities: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset that make the answers most likely; (1, 0) where there are too few of either kind.

    Newton's method on the two numbers, with a pull towards (1, 0), in steps short enough not to overshoot.
    """
    y = np.asarray(right, float)
    if min(y.sum(), (1 - y).sum()) < _LEAST:
        return 1.0, 0.0
    p = np.clip(np.asarray(probabilities, float), 1e-6, 1 - 1e-6)
    x = np.stack([np.log(p / (1 - p)), np.ones_like(p)], axis=1)
    weights = start = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        q = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (q - y) + (weights - start)
        curvature = (x * (q * (1 - q))[:, None]).T @ x + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 0.5 / max(1e-12, float(np.abs(step).max())))
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return round(float(weights[0]), 4), round(float(weights[1]), 4)


def reliability(scores: Sequence[float], right: Sequence[bool], bins: int = 5) -> list[tuple[int, float, float]]:
    """Of each bin of scores: how many, their mean, and the share that is right; as many in each bin as may be."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    s, y = np.asarray(scores, float), np.asarray(right, float)
    return [(len(part), float(s[part].mean()), float(y[part].mean())) for part in parts]


def expected_error(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015), over bins of equal counts."""
    table = reliability(scores, right, bins)
    return sum(n * abs(mean - share) for n, mean, share in table) / max(1, sum(n for n, _, _ in table))
