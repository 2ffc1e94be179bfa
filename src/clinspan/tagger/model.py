"""The trained finder as a file: weights in half precision, word vectors in bytes; mapped, checked, without pickle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from spacy.vectors import Vectors
from threadpoolctl import ThreadpoolController

from clinspan.matching import container
from clinspan.matching.container import IndexFileError
from clinspan.tagger import register
from clinspan.tagger import words as word_features
from clinspan.tagger.decoding import Found, spans
from clinspan.tagger.examples import Sentence, label_of
from clinspan.tagger.network import Array, Batch, Parameters, emissions, encode, with_labels, word_shares

_KIND = "tagger"
_REMEMBERED = 16_384  # words whose inputs are kept, and sentences whose spans are
_TOGETHER = 64  # sequences of a batch
_VECTORS = "vectors"


class Words:
    """The inputs of the words met, worked out once a word, as long as there is room."""

    def __init__(self, vectors: Vectors, tables: Sequence[Array]) -> None:
        self._vectors = vectors
        self._tables = tables
        width = vectors.shape[1] + sum(table.shape[1] for table in tables)
        self.rows = np.zeros((1024, width), np.float32)
        self.numbers: dict[str, int] = {}

    def of(self, sequences: Iterable[Sentence]) -> None:
        """Have a row for every word of the sequences."""
        new = {word for s in sequences for word in s.words if word not in self.numbers}
        if not new:
            return
        if len(self.numbers) + len(new) > _REMEMBERED:
            self.numbers = {}
            new = {word for s in sequences for word in s.words}
        begin = len(self.numbers)
        while begin + len(new) > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
        listed = list(new)
        features = np.array([word_features.features(word) for word in listed])
        parts = [word_features.vectors_of(self._vectors, listed)]
        parts += [table[features[:, i]] for i, table in enumerate(self._tables)]
        self.rows[begin : begin + len(listed)] = np.concatenate(parts, axis=1)
        self.numbers.update({word: begin + i for i, word in enumerate(listed)})


class Tagger:
    """A trained network with its vectors.

    Attributes:
        labels: what it finds.
        values: its parameters.
        meta: what else the file says: how scores are calibrated, what it was trained on.
    """

    def __init__(
        self, labels: Sequence[str], values: Parameters, vectors: Vectors, meta: Mapping[str, Any] | None = None
    ) -> None:
        self.labels = tuple(labels)
        self.values = values
        self.vectors = vectors
        self.meta = dict(meta or {})
        tables = [values[name] for name in sorted(name for name in values if name.startswith("table"))]
        self._words = Words(vectors, tables)
        self._known: dict[tuple[tuple[str, ...], bytes, tuple[int, ...]], list[Found]] = {}

    def columns_for(self, kind: str) -> tuple[int, ...]:
        """The numbers of the labels by which a kind of text is read: of each label the one of that kind's convention
        ("CONDITION@abstract") where there is one, and else the label's own."""
        numbers = {label: i for i, label in enumerate(self.labels)}
        own = [label for label in self.labels if label == label_of(label)]
        return tuple(numbers.get(f"{label}@{kind}", numbers[label]) for label in own)

    def find(self, sequences: Sequence[Sentence], columns: tuple[int, ...] | None = None) -> list[list[Found]]:
        """The spans of each sequence, in the order of its labels and text; of some labels only, by their numbers.

        What was found in a sentence is remembered: notes are full of sentences met before.
        """
        columns = columns or tuple(range(len(self.labels)))
        keys = [(tuple(s.words), s.codes.tobytes(), columns) for s in sequences]
        known = self._known
        new = {key: s for key, s in zip(keys, sequences) if key not in known}
        if len(known) + len(new) > _REMEMBERED:
            known = {key: known[key] for key in keys if key in known}
        known.update(zip(new, self._find(list(new.values()), columns)))
        self._known = known
        return [known[key] for key in keys]

    def forget(self) -> None:
        """Forget what was found in sentences."""
        self._known = {}

    def _find(self, sequences: Sequence[Sentence], columns: tuple[int, ...]) -> list[list[Found]]:
        out: list[list[Found]] = [[] for _ in sequences]
        if not any(s.words for s in sequences):
            return out
        self._words.of(sequences)
        numbers = [[self._words.numbers[word] for word in s.words] for s in sequences]
        # as they come in the sequences: the last decimals of a row of a product depend on its place
        present = np.array(list(dict.fromkeys(chain.from_iterable(numbers))), np.int64)
        place = np.zeros(len(self._words.rows), np.int64)
        place[present] = np.arange(len(present))
        inputs = self._words.rows[present]
        # the products are small: threads would wait for each other, and for those of other processes
        with _threads().limit(limits=1, user_api="blas"):
            values = with_labels(self.values, columns)
            shares = word_shares(values, inputs)
            for places in groups([len(s.words) for s in sequences]):
                batch = _batch([sequences[i] for i in places], [place[numbers[i]] for i in places], inputs, shares)
                scores = emissions(values, encode(values, batch))
                for found in spans(scores, values["transitions"], batch.lengths):
                    out[places[found.column]].append(found._replace(label=columns[found.label]))
        return out

    def mean_vector(self, sequences: Sequence[Sentence]) -> Array:
        """The mean of the words' vectors; zeros without words."""
        self._words.of(sequences)
        numbers = [self._words.numbers[word] for s in sequences for word in s.words]
        width = self.vectors.shape[1]
        mean: Array = self._words.rows[numbers, :width].mean(0) if numbers else np.zeros(width, np.float32)
        return mean

    def register_of(self, sequences: Sequence[Sentence], titles: int = 0) -> str:
        """What kind of text a document is, by its words and the number of its section titles
        (:mod:`~clinspan.tagger.register`); a note where the network was not trained to tell."""
        words = sum(len(s.words) for s in sequences)
        literature, abstract = self.meta.get("register"), self.meta.get("abstract")
        if not literature or words < register.LEAST:
            return register.NOTES
        mean = self.mean_vector(sequences)
        if not register.is_of_kind(mean, literature, titles):
            return register.NOTES
        if abstract and register.is_of_kind(register.with_length(mean, words), abstract):
            return register.ABSTRACT
        return register.LITERATURE

    # --- files ---

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the file, aside first."""
        data = np.asarray(self.vectors.data, np.float32)
        scale = np.maximum(np.abs(data).max(1), 1e-12) / 127
        arrays = {name: value.astype(np.float16).view(np.uint8) for name, value in self.values.items()}
        arrays[_VECTORS] = np.round(data / scale[:, None]).astype(np.int8).view(np.uint8)
        arrays["scale"] = scale.astype(np.float32)
        meta = {
            **self.meta,
            "kind": _KIND,
            "labels": list(self.labels),
            "shapes": {name: value.shape for name, value in self.values.items()},
            "floret": {
                "rows": data.shape[0],
                "minn": self.vectors.minn,
                "maxn": self.vectors.maxn,
                "hash_count": self.vectors.hash_count,
                "hash_seed": self.vectors.hash_seed,
                "bow": self.vectors.bow,
                "eow": self.vectors.eow,
            },
        }
        container.write(path, meta, arrays)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = False) -> Tagger:
        """Read a file. ``verify`` also checks its digest.

        Raises:
            OSError: the file cannot be read.
            IndexFileError: not a trained finder, truncated, of another version, or (with ``verify``) damaged.
        """
        file = container.open_file(path, verify=verify)
        if file.meta.pop("kind", None) != _KIND:
            raise IndexFileError(f"{os.fspath(path)}: not a trained finder")
        floret, shapes = file.meta.pop("floret"), file.meta.pop("shapes")
        values = {
            name: np.frombuffer(file.arrays[name], np.float16).astype(np.float32).reshape(shape)
            for name, shape in shapes.items()
        }
        scale = np.frombuffer(file.arrays["scale"], np.float32)[:, None]
        data = np.frombuffer(file.arrays[_VECTORS], np.int8).reshape(floret.pop("rows"), -1) * scale
        vectors = Vectors(mode="floret", data=data, **floret)
        return cls(file.meta.pop("labels"), values, vectors, file.meta)


def _batch(sequences: Sequence[Sentence], numbers: Sequence[Array], inputs: Array, shares: Array) -> Batch:
    """The sequences side by side; ``numbers`` are their words, rows of ``inputs``."""
    lengths = np.array([len(s.words) for s in sequences])
    shape = (int(lengths.max()), len(sequences))
    words, codes = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for column, (s, known) in enumerate(zip(sequences, numbers)):
        words[: len(known), column] = known
        codes[: len(known), column] = s.codes
    return Batch(words, codes, lengths, inputs, None, shares=shares)


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def groups(lengths: Sequence[int]) -> Iterable[list[int]]:
    """Places of the lengths, those that are nearly alike together, longest first."""
    order = sorted((i for i in range(len(lengths)) if lengths[i]), key=lambda i: -lengths[i])
    begin = 0
    while begin < len(order):
        longest = lengths[order[begin]]
        end = begin + 1
        while end < len(order) and end - begin < _TOGETHER and lengths[order[end]] * 1.5 + 6 > longest:
            end += 1
        yield order[begin:end]
        begin = end
