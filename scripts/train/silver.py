"""Notes without annotation as training examples: what the dictionary finds, where the network does not object.

Annotated corpora have few clinical notes among them, and none marks every label. On notes the dictionary is right where
it finds something; what it misses is unknown where a network trained on the corpora finds something, and else nothing.
"""

from __future__ import annotations

import csv
import json
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import text
from spacy.language import Language

from clinspan.components.memo import spans_of
from clinspan.notes import sanitize
from clinspan.tagger.examples import UNKNOWN, Sentence, label_of, sequences, write_tags
from clinspan.tagger.model import Tagger

#: One in so many narratives of a text: the others are for vectors alone.
TAKEN = {"vaers_1990_2006": 80, "fda_maude_2007": 2}
DOUBTED = 0.15  # the least probability at which what the network finds is not nothing
OBJECTION = 0.5  # at which the dictionary's label is in doubt
WEIGHT = 0.5  # of these examples against annotated ones


def notes(data: Path, corpora: Sequence[str]) -> Iterator[str]:
    """Clinical notes and narratives whose licences let weights be trained on them; none that shares a run of words
    with a development document or with MTSamples."""
    kept_out = text.held_out(data, corpora)
    with (data / "corpora" / "mtsamples" / "notes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kept_out |= text.runs(text.tokenized(row["text"]))
    for note in _all_notes(data):
        words = text.tokenized(note)
        if len(words) > 3 and kept_out.isdisjoint(text.runs(words)):
            yield note


def _all_notes(data: Path) -> Iterator[str]:
    csv.field_size_limit(2**31 - 1)
    for corpus, column in (("aci_bench", "note"), ("mts_dialog", "section_text")):
        for path in sorted((data / "corpora" / corpus).glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                yield from (row[column] for row in csv.DictReader(file))
    for path in sorted((data / "corpora" / "primock57").glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))["note"]
    for name, step in TAKEN.items():
        path = data / "text" / f"{name}.txt.xz"
        if not path.exists():
            continue
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            yield from (line.strip() for i, line in enumerate(lines) if i % step == 7 % step)


def examples(nlp: Language, tagger: Tagger, texts: Iterator[str], columns: Sequence[str]) -> Iterator[Sentence]:
    """The sentences of the texts, tagged; columns of another convention than the dictionary's are unknown.

    ``nlp`` has the dictionary and merges what it finds; ``tagger`` is trained on annotated corpora.
    """
    labels = [column for column in columns if column == label_of(column)]
    others = [i for i, column in enumerate(columns) if column not in labels]
    numbers = [columns.index(label_of(column)) for column in tagger.labels]
    for note in texts:
        doc = nlp(sanitize(note))
        owner = {
            i: (span.start, span.end, columns.index(span.label_))
            for span in spans_of(doc, "entities")
            if span.label_ in labels
            for i in range(span.start, span.end)
        }
        sentences = list(sequences(doc))
        for sentence, found in zip(sentences, tagger.find(sentences)):
            places = {i: k for k, i in enumerate(sentence.places)}
            tags = np.zeros((len(sentence.words), len(columns)), np.int64)
            tags[:, others] = UNKNOWN
            for start, end, label in {owner[i] for i in sentence.places if i in owner}:
                inside = [places[i] for i in range(start, end) if i in places]
                write_tags(tags, label, inside[0], inside[-1] + 1)
            for span in found:
                if span.probability < DOUBTED:
                    continue
                label = numbers[span.label]
                owners = {owner.get(sentence.places[k]) for k in range(span.start, span.end)}
                only = next(iter(owners)) if len(owners) == 1 else None
                if only is not None and (only[2] == label or span.probability < OBJECTION):
                    continue  # the dictionary's span holds
                tags[span.start : span.end, label] = UNKNOWN
                for start, end, other in owners - {None}:
                    inside = [places[i] for i in range(start, end) if i in places]
                    if other == label or only is not None:
                        tags[inside, other] = UNKNOWN
            sentence.tags, sentence.weight = tags, WEIGHT
            if sentence.words:
                yield sentence
