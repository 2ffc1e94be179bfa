"""Word vectors of the open text: floret (skip-gram, subwords hashed into one table)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from spacy.vectors import Vectors

from clinspan.tagger.words import key


def learn(text: Path, output: Path, settings: Mapping[str, Any]) -> None:
    """Train vectors on tokenized text, one paragraph a line, and write them in floret's format."""
    import floret  # pip install floret: needed for this step alone

    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.txt")
        with text.open(encoding="utf-8") as lines, keys.open("w", encoding="utf-8") as out:
            out.writelines(" ".join(map(key, line.split())) + "\n" for line in lines)
        model = floret.train_unsupervised(str(keys), model="skipgram", mode="floret", **settings)
    model.save_floret_vectors(str(output))


def invented(rows: int, width: int, seed: int) -> Vectors:
    """Vectors by chance, for trying the recipe out."""
    data = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32) * 0.1
    return Vectors(mode="floret", data=data, minn=3, maxn=4, hash_count=2, hash_seed=2166136261)


def read(path: Path) -> Vectors:
    """Vectors in floret's format."""
    with path.open(encoding="utf-8") as lines:
        rows, width, minn, maxn, hash_count, hash_seed, bow, eow = next(lines).split()
        data = np.zeros((int(rows), int(width)), np.float32)
        for i, line in enumerate(lines):
            data[i] = np.array(line.split(" ", 1)[1].split(), np.float32)
    return Vectors(
        mode="floret",
        data=data,
        minn=int(minn),
        maxn=int(maxn),
        hash_count=int(hash_count),
        hash_seed=int(hash_seed),
        bow=bow,
        eow=eow,
    )
