"""What the network sees of a word: a pretrained vector of its pieces, and rows of trained tables.

The vectors are floret's (Bojanowski et al. 2017 for the pieces; Miranda et al. 2022 for the hashing): a word's vector
is the mean of rows that the word and its character n-grams hash to, so that every word has one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from spacy.vectors import Vectors

_DIGIT = re.compile(r"\d")
_UPPER, _LOWER = re.compile(r"[^\W\d_a-z]"), re.compile(r"[a-z]")
_RUN = re.compile(r"(.)\1{3,}")

#: Rows and columns of the trained tables: the word, its beginning, its ends, its shape.
TABLES = ((8000, 48), (2000, 16), (2000, 16), (2000, 24), (1000, 16))


def key(word: str) -> str:
    """What a word is known by: lower case, every digit a 0."""
    return _DIGIT.sub("0", word.lower())


def shape(word: str) -> str:
    """``Xxxx`` for Mary, ``XXX-0`` for TSH-2: at most three of a kind in a row."""
    return _RUN.sub(r"\1\1\1", _LOWER.sub("x", _UPPER.sub("X", _DIGIT.sub("0", word))))


def features(word: str) -> list[int]:
    """The row of each of :data:`TABLES`."""
    known = key(word)
    parts = (known, known[:3], known[-2:], known[-4:], shape(word))
    return [zlib.crc32(f"{i}{part}".encode()) % rows for i, (part, (rows, _)) in enumerate(zip(parts, TABLES))]


def vectors_of(vectors: Vectors, words: Sequence[str]) -> np.ndarray:
    """A row for every word."""
    if not words:
        return np.zeros((0, vectors.shape[1]), np.float32)
    rows: np.ndarray = vectors.get_batch([key(word) for word in words])
    return np.asarray(rows, np.float32)
