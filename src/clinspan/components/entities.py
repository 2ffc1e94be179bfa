"""Merge what the finders propose into the note's entities.

Priority: the user's own terms first, then longer over shorter, then the finder's rank (abbreviations, the user's
indexes, terms), then the leftmost. Where the trained finder comes was measured, by label and by the kind of text. In
notes, whose conventions the dictionary was written for, it adds what the others leave free. In literature (abstracts,
case reports, trial criteria), which annotated corpora are of, it decides instead of the dictionary, but for the labels
that those hardly mark (:data:`KEPT`). Winners do not overlap. What stands in a section's header is no entity.

``doc.spans["entities"]`` holds the winners in the order of the text, ``doc.spans["discarded"]`` the losers (label and
source only), ``doc.ents`` the winners as spaCy's entities.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from clinspan.attributes import DISCARDED, ENTITIES, KEY, REGISTER, stored_values, user_data
from clinspan.components import Stateless
from clinspan.components.memo import set_spans, spans_of
from clinspan.components.sections import TITLES
from clinspan.tagger.register import NOTES

#: Span groups of the finders, by rank.
FINDERS: tuple[str, ...] = ("user_terms", "abbreviations", "indexes", "terms", "ner")
_TERMS = FINDERS.index("terms")  # whose spans never overlap
#: Sources of the dictionary's spans.
_DICTIONARY = frozenset(["terms", "abbreviations"])
_NER = FINDERS.index("ner")
#: Labels that the dictionary decides in literature too.
KEPT = frozenset(["DEVICE", "OBSERVATION"])
#: Sections whose header is itself what is recorded: "COMPLICATIONS: None", "ESTIMATED BLOOD LOSS: 50 mL".
_NAMED_BY_HEADER = frozenset(["complications", "drains", "estimated_blood_loss"])


class Entities(Stateless):
    """The component; :func:`merge` is the pure function inside."""

    def __call__(self, doc: Doc) -> Doc:
        groups = [list(spans_of(doc, name)) for name in FINDERS]
        groups, headings = without_headings(doc, groups)
        winners, losers = merge(groups, literature=user_data(doc).get(REGISTER, NOTES) != NOTES)
        losers += headings
        if losers:
            kept = {(s.start_char, s.end_char, s.label_) for s in winners}
            for span in losers:
                key = (span.start_char, span.end_char, span.label_)
                if key not in kept:
                    user_data(doc).pop((KEY, *key), None)
        set_entities(doc, winners, losers)
        return doc


def without_headings(doc: Doc, groups: list[list[Span]]) -> tuple[list[list[Span]], list[Span]]:
    """The finders' spans without those that are part of a section's header, and those."""
    taken: set[int] = set()
    for title in spans_of(doc, TITLES):
        if title.label_ not in _NAMED_BY_HEADER:
            taken.update(range(title.start, title.end))
    if not taken:
        return groups, []
    headings = [span for group in groups for span in group if span.start in taken]
    if not headings:
        return groups, []
    return [[span for span in group if span.start not in taken] for group in groups], headings


def merge(groups: list[list[Span]], *, literature: bool = False) -> tuple[list[Span], list[Span]]:
    """Winners and losers, each in the order of the text.

    Args:
        groups: the finders' spans, by rank, the user's first.
        literature: whether the trained finder decides, where it found anything at all.
    """
    filled = [group for group in groups if group]
    if not filled:
        return [], []
    if len(filled) == 1:
        group = filled[0]
        if group is groups[_TERMS] or all(a.end <= b.start for a, b in pairwise(group)):
            return group, []
    trained = sorted((span for group in groups[_NER:] for span in group), key=_likely)
    decides = literature and bool(trained)
    ranked: list[tuple[Any, Span]] = []
    losers: list[Span] = []
    for rank, group in enumerate(groups[:_NER]):
        for span in group:
            if decides and span.id_ in _DICTIONARY and span.label_ not in KEPT:
                losers.append(span)
            else:
                ranked.append(((not rank, span.end - span.start, -rank, -span.start), span))
    ranked.sort(key=lambda pair: pair[0], reverse=True)
    taken: set[int] = set()
    winners = []
    for span in [*(span for _, span in ranked), *trained]:
        tokens = range(span.start, span.end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            winners.append(span)
        else:
            losers.append(span)
    winners.sort(key=lambda s: s.start)
    losers.sort(key=lambda s: (s.start, s.end))
    return winners, losers


def _likely(span: Span) -> tuple[float, int]:
    return (-(stored_values(span).get("score") or 0.0), span.start)


def set_entities(doc: Doc, winners: list[Span], losers: list[Span]) -> None:
    """Write the span groups and ``doc.ents`` (the longest first where winners overlap)."""
    set_spans(doc, ENTITIES, winners)
    doc.spans[DISCARDED] = losers
    flat = winners
    if any(a.end > b.start for a, b in pairwise(winners)):
        flat = filter_spans(winners)
    doc.set_ents(flat)


@Language.factory("clinspan_entities", requires=["doc.spans"], assigns=["doc.spans", "doc.ents"])
def make_entities(nlp: Language, name: str) -> Entities:
    """The merger; no settings."""
    return Entities()
