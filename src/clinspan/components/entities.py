"""Merge what the finders propose into the note's entities.

Priority: the user's own terms first, then longer over shorter, then the finder's rank (abbreviations, the user's
indexes, terms), then the leftmost. The trained finder comes behind the user's terms and indexes; against the dictionary
its span holds or gives way by label, as was measured (:data:`TRAINED_FIRST`). Winners do not overlap. What stands in a
section's header is no entity.

``doc.spans["entities"]`` holds the winners in the order of the text, ``doc.spans["discarded"]`` the losers (label and
source only), ``doc.ents`` the winners as spaCy's entities.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from clinspan.attributes import DISCARDED, ENTITIES, KEY, stored_values, user_data
from clinspan.components import Stateless
from clinspan.components.memo import set_spans, spans_of
from clinspan.components.sections import TITLES

#: Span groups of the finders, by rank.
FINDERS: tuple[str, ...] = ("user_terms", "abbreviations", "indexes", "terms", "ner")
_TERMS = FINDERS.index("terms")  # whose spans never overlap
#: Sources that a span of the trained finder may take the place of.
_DICTIONARY = frozenset(["terms", "abbreviations"])
_NER = FINDERS.index("ner")
#: Labels whose spans of the trained finder hold against the dictionary's; those of the others only where longer.
TRAINED_FIRST = frozenset(["CONDITION", "DRUG", "PROCEDURE", "MEASUREMENT"])
#: Sections whose header is itself what is recorded: "COMPLICATIONS: None", "ESTIMATED BLOOD LOSS: 50 mL".
_NAMED_BY_HEADER = frozenset(["complications", "drains", "estimated_blood_loss"])


class Entities(Stateless):
    """The component; :func:`merge` is the pure function inside."""

    def __call__(self, doc: Doc) -> Doc:
        groups = [list(spans_of(doc, name)) for name in FINDERS]
        groups, headings = without_headings(doc, groups)
        winners, losers = merge(groups)
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


def merge(groups: list[list[Span]]) -> tuple[list[Span], list[Span]]:
    """Winners and losers, each in the order of the text. ``groups``: the finders' spans, by rank, the user's first."""
    filled = [group for group in groups if group]
    if not filled:
        return [], []
    if len(filled) == 1:
        group = filled[0]
        if group is groups[_TERMS] or all(a.end <= b.start for a, b in pairwise(group)):
            return group, []
    ranked: list[tuple[Any, Span]] = []
    for rank, group in enumerate(groups[:_NER]):
        for span in group:
            ranked.append(((not rank, span.end - span.start, -rank, -span.start), span))
    ranked.sort(key=lambda pair: pair[0], reverse=True)
    owner: dict[int, Span] = {}
    losers = []
    for _, span in ranked:
        _take(span, owner, losers)
    for span in sorted((span for group in groups[_NER:] for span in group), key=_likely):
        rivals = {id(rival): rival for i in range(span.start, span.end) if (rival := owner.get(i)) is not None}
        if all(_gives_way(rival, span) for rival in rivals.values()):
            for rival in rivals.values():
                losers.append(rival)
                for i in range(rival.start, rival.end):
                    del owner[i]
        _take(span, owner, losers)
    winners = list({id(span): span for span in owner.values()}.values())
    winners.sort(key=lambda s: s.start)
    losers.sort(key=lambda s: (s.start, s.end))
    return winners, losers


def _take(span: Span, owner: dict[int, Span], losers: list[Span]) -> None:
    """Have the span own its tokens, where nothing else does."""
    tokens = range(span.start, span.end)
    if owner.keys().isdisjoint(tokens):
        owner.update(dict.fromkeys(tokens, span))
    else:
        losers.append(span)


def _likely(span: Span) -> tuple[float, int]:
    return (-(stored_values(span).get("score") or 0.0), span.start)


def _gives_way(rival: Span, span: Span) -> bool:
    """Whether an owner gives way to a span of the trained finder."""
    if rival.id_ not in _DICTIONARY or (rival.start, rival.end, rival.label) == (span.start, span.end, span.label):
        return False
    return span.label_ in TRAINED_FIRST or span.end - span.start > rival.end - rival.start


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
