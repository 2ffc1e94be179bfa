"""Annotated corpora as the network's training examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from spacy.language import Language

from clinspan.corpora import Gold
from clinspan.notes import sanitize
from clinspan.tagger.decoding import Found
from clinspan.tagger.examples import UNKNOWN, Sentence, annotated, write_tags
from clinspan.tagger.model import Tagger
from clinspan.tagger.network import B, E, O, S

#: Components that the examples do not need.
_BEHIND = frozenset(
    ["clinspan_ner", "clinspan_external_ner", "clinspan_entities", "clinspan_linker", "clinspan_context"]
)


def before_the_tagger(nlp: Language) -> list[str]:
    """The pipeline's components that the network stands behind: the dictionary, and what prepares for it."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory not in _BEHIND]


def examples(nlp: Language, gold: Gold, labels: Sequence[str], *, weight: float = 1.0) -> Iterator[list[Sentence]]:
    """The sentences of each document, with its tags."""
    with nlp.select_pipes(enable=before_the_tagger(nlp)):
        for document in gold.documents:
            doc = nlp(sanitize(document.text))
            yield list(annotated(doc, document.annotations, labels, gold.labels, weight))


def spans_of_tags(tags: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last token of the spans in a column of tags."""
    out, begin = [], -1
    for i, tag in enumerate(tags.tolist()):
        if tag == S:
            out.append((i, i + 1))
        elif tag == B:
            begin = i
        elif tag == E and begin >= 0:
            out.append((begin, i + 1))
            begin = -1
    return out


def fill_unknown(tagger: Tagger, sentences: Sequence[Sentence], *, sure: float = 0.9) -> None:
    """Write into the labels that are not annotated what the network itself is sure of.

    So training on other labels does not make it forget these.
    """
    for sentence, found in zip(sentences, tagger.find(sentences)):
        tags = sentence.tags
        assert tags is not None
        empty = [i for i in range(tags.shape[1]) if (tags[:, i] == UNKNOWN).all()]
        tags[:, empty] = O
        for span in found:
            if span.label not in empty:
                continue
            if span.probability >= sure:
                write_tags(tags, span.label, span.start, span.end)
            else:
                tags[span.start : span.end, span.label] = UNKNOWN


def count(found: Sequence[Sequence[Found]], sentences: Sequence[Sentence], label: int) -> tuple[int, int, int]:
    """Spans of a label that are right, found and annotated, in the sentences that say something of it."""
    right = predicted = gold = 0
    for spans, sentence in zip(found, sentences):
        assert sentence.tags is not None
        if (sentence.tags[:, label] == UNKNOWN).all():
            continue
        wanted = set(spans_of_tags(sentence.tags[:, label]))
        got = {(span.start, span.end) for span in spans if span.label == label}
        right, predicted, gold = right + len(wanted & got), predicted + len(got), gold + len(wanted)
    return right, predicted, gold


def micro_f1(tagger: Tagger, sentences: Sequence[Sentence]) -> float:
    """Strict F1 over all labels that the sentences say something of, by tokens."""
    found = tagger.find(sentences)
    totals = np.sum([count(found, sentences, label) for label in range(len(tagger.labels))], axis=0)
    return float(2 * totals[0] / max(1, totals[1] + totals[2]))
