"""A small trained network for tests: it learns that a word behind "has" is a condition, one behind "takes" a drug."""

from __future__ import annotations

import numpy as np
from spacy.vectors import Vectors

from clinspan.tagger import words
from clinspan.tagger.examples import CODES, Sentence, write_tags
from clinspan.tagger.model import Tagger
from clinspan.tagger.network import Shape, initial
from clinspan.tagger.training import Settings, WordTable, train

LABELS = ("CONDITION", "DRUG")
_SYLLABLES = ("zor", "bax", "min", "tul", "fen", "gri", "pol", "das")


def vectors(rows: int = 200, width: int = 8) -> Vectors:
    data = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    return Vectors(mode="floret", data=data, minn=3, maxn=4, hash_count=2, hash_seed=2166136261)


def sentence(*words: str, codes: bool = False) -> Sentence:
    """Tagged by what stands before: "has X Y ." marks X Y, "takes X ." marks X."""
    tags = np.zeros((len(words), len(LABELS)), np.int64)
    for i, word in enumerate(words):
        if word in ("has", "takes"):
            end = i + 1
            while end < len(words) and words[end] not in (".", "and"):
                end += 1
            if end > i + 1:
                write_tags(tags, int(word == "takes"), i + 1, end)
    return Sentence(list(words), np.zeros(len(words), np.int64), tags)


def sentences(count: int, seed: int) -> list[Sentence]:
    random = np.random.default_rng(seed)

    def name() -> str:
        return "".join(random.choice(_SYLLABLES, 2))

    out = []
    for _ in range(count):
        first, second, third = name(), name(), name()
        forms = (
            ("He", "has", first, second, "."),
            ("She", "takes", first, "and", "has", second, "."),
            ("He", "knows", first, "and", "sees", third, "."),
            ("She", "has", first, "and", "takes", second, "."),
        )
        out.append(sentence(*forms[random.integers(len(forms))]))
    return out


def tagger(*, seed: int = 1, epochs: int = 6) -> Tagger:
    known = vectors()
    values = initial(Shape(LABELS, 8, words.TABLES, CODES, (12,)), np.random.default_rng(seed))
    settings = Settings(epochs=epochs, tokens=120, rate=1e-2, dropout=0.1, average=0.9, seed=seed)
    averaged = train(values, sentences(300, seed=5), WordTable(known), settings)
    return Tagger(LABELS, averaged, known, {"thresholds": {"DRUG": 0.5}})
