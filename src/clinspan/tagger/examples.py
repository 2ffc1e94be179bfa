"""Sequences for the network: from Docs, and from annotated documents.

What a corpus does not mark is unknown: every tag is allowed there. So is a span that no sequence of tags can hold: one
cut by a sentence's end, of several fragments, or overlapped by a longer one of its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc

from clinspan.components.memo import sentence_starts, spans_of, tokens_of
from clinspan.corpora import Annotation
from clinspan.schema import LABELS
from clinspan.tagger.network import B, E, I, O, S

#: Span groups that the dictionary's codes are read from.
GROUPS = ("terms", "abbreviations")
#: Codes a token may have: none, or a label and a tag.
CODES = 1 + 4 * len(LABELS)
UNKNOWN = -1
LONGEST = 120  # tokens of a sequence; longer sentences are cut


@dataclass
class Sentence:
    """A sentence, or a piece of one.

    Attributes:
        words: written forms; white space is left out.
        codes: what the dictionary says of each.
        tags: tokens x labels, :data:`UNKNOWN` where nothing is known; ``None`` without annotation.
        weight: how much it counts in training.
        places: the tokens' numbers in the Doc.
    """

    words: list[str]
    codes: np.ndarray
    tags: np.ndarray | None = None
    weight: float = 1.0
    places: Sequence[int] = ()


def pieces(doc: Doc) -> Iterator[list[int]]:
    """The tokens of each sentence that are not white space, long sentences in pieces of nearly the same length."""
    words = tokens_of(doc).words
    starts = sentence_starts(doc)
    for start, end in zip(starts, [*starts[1:], len(words)]):
        places = [i for i in range(start, end) if not words[i].isspace()]
        parts = -(-len(places) // LONGEST)
        for part in range(parts):
            yield places[part * len(places) // parts : (part + 1) * len(places) // parts]


def dictionary_codes(doc: Doc) -> np.ndarray:
    """What the dictionary says of each token: 0, or 1 + 4 * label + B, I, E or S."""
    codes = np.zeros(len(doc), np.int64)
    for group in GROUPS:
        for span in spans_of(doc, group):
            first = 1 + 4 * LABELS.index(span.label_)
            write_tags(codes[:, None], 0, span.start, span.end, first - 1)
    return codes


def write_tags(tags: np.ndarray, column: int, start: int, end: int, offset: int = 0) -> None:
    """Tag the tokens from ``start`` to ``end`` as one span."""
    if end - start == 1:
        tags[start, column] = offset + S
    else:
        tags[start, column] = offset + B
        tags[start + 1 : end - 1, column] = offset + I
        tags[end - 1, column] = offset + E


def sequences(doc: Doc) -> Iterator[Sentence]:
    """The sequences of a Doc."""
    words, codes = tokens_of(doc).words, dictionary_codes(doc)
    for places in pieces(doc):
        yield Sentence([words[i] for i in places], codes[places], places=places)


def label_of(column: str) -> str:
    """The label of a column of tags: ``CONDITION`` of ``CONDITION@abstract``, conditions by another convention."""
    return column.partition("@")[0]


def annotated(
    doc: Doc, annotations: Iterable[Annotation], labels: Sequence[str], marked: Iterable[str], weight: float = 1.0
) -> Iterator[Sentence]:
    """The sequences of a Doc with the tags of its annotations; labels that are not ``marked`` are unknown.

    ``labels`` name the columns of the tags; several may be of one label (:func:`label_of`).
    """
    columns = [label_of(name) for name in labels]
    spans: list[tuple[int, int, int]] = []
    unsure: list[tuple[int, int, int]] = []
    for annotation in annotations:
        if annotation.label not in columns:
            continue
        span = doc.char_span(annotation.start, annotation.end, alignment_mode="expand")
        if span is None or not len(span):
            continue
        found = [(span.start, span.end, i) for i, label in enumerate(columns) if label == annotation.label]
        (spans if len(annotation.fragments) == 1 else unsure).extend(found)
    marked = set(marked)
    known = [i for i, label in enumerate(columns) if label in marked]
    where: dict[int, tuple[int, int]] = {}  # token -> its sequence and place there
    out = []
    for number, sequence in enumerate(sequences(doc)):
        sequence.tags = np.full((len(sequence.words), len(labels)), UNKNOWN, np.int64)
        sequence.tags[:, known] = O
        sequence.weight = weight
        where.update({i: (number, k) for k, i in enumerate(sequence.places)})
        out.append(sequence)
    for start, end, column in sorted(spans, key=lambda s: (s[0] - s[1], s[0])):
        touched = [where[i] for i in range(start, end) if i in where]
        if not touched:
            continue
        number, first = touched[0]
        tags = out[number].tags
        assert tags is not None
        if touched[-1][0] != number or (tags[first : touched[-1][1] + 1, column] != O).any():
            if touched[-1][0] != number:
                unsure.append((start, end, column))
            continue
        write_tags(tags, column, first, touched[-1][1] + 1)
    for start, end, column in unsure:
        for number, place in (where[i] for i in range(start, end) if i in where):
            tags = out[number].tags
            assert tags is not None
            if tags[place, column] == O:
                tags[place, column] = UNKNOWN
    yield from out
