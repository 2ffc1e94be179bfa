"""Short forms that the note itself defines: "congestive heart failure (CHF)".

Pairs are found with scispaCy's implementation of Schwartz & Hearst (2003), looked for only around brackets. Later
mentions of the short form, written exactly so, take the long form's entity: its label and concept. A short form whose
long form is no entity stays unmatched.

``doc.spans["abbreviations"]`` holds the mentions; ``doc.user_data["clinspan.abbreviations"]`` the definitions as
``[short start, short end, long start, long end]`` in characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan.attributes import KEY, user_data
from clinspan.components import Stateless
from clinspan.components.memo import set_spans, spans_of, tokens_of
from clinspan.components.terms import INDEXES, TERMS, USER_TERMS

ABBREVIATIONS = "abbreviations"
DEFINITIONS = "clinspan.abbreviations"
_LONGEST = 12  # tokens between the brackets
_STOPS = frozenset([".", ";", "?", "!"])
_LOCANT = re.compile(r"[-,']|[0-9]+|[0-9]*-|[0-9,']+-?")  # "2,4-" of "2,4-dinitrophenyl"
_BRACKETS = {"(": ")", "[": "]"}


class Abbreviations(Stateless):
    """The component; :func:`definitions` is the pure function inside."""

    def define(self, doc: Doc) -> list[tuple[Span, Span]]:
        """Find the note's definitions and store them on the Doc."""
        words = tokens_of(doc).words
        if "(" not in words and "[" not in words:
            return []
        pairs = definitions(doc, words)
        if pairs:
            user_data(doc)[DEFINITIONS] = [[s.start_char, s.end_char, g.start_char, g.end_char] for s, g in pairs]
        return pairs

    def __call__(self, doc: Doc) -> Doc:
        pairs = self.define(doc)
        if not pairs:
            return doc
        words = tokens_of(doc).words
        by_end = _longest_by_end(doc)
        meaning: dict[str, Span | None] = {}
        for short, long in pairs:
            if len(short) == 1 and words[short.start] not in meaning:
                meaning[words[short.start]] = _entity_of(by_end, long)
        users = {i for span in spans_of(doc, USER_TERMS) for i in range(span.start, span.end)}
        spans, cleared = [], set()
        for i, word in enumerate(words):
            if word not in meaning or i in users:
                continue
            entity = meaning[word]
            cleared.add(i)
            if entity is None:
                continue
            span = Span(doc, i, i + 1, label=entity.label, span_id=ABBREVIATIONS)
            spans.append(span)
            values = dict(user_data(doc).get((KEY, entity.start_char, entity.end_char, entity.label_), {}))
            values["source"] = ABBREVIATIONS
            user_data(doc)[(KEY, span.start_char, span.end_char, span.label_)] = values
        if spans:
            set_spans(doc, ABBREVIATIONS, spans)
        # the note's definition overrides a dictionary's reading of the short form
        for group in (TERMS, INDEXES):
            kept = []
            for span in spans_of(doc, group):
                if span.end - span.start == 1 and span.start in cleared:
                    entity = meaning[words[span.start]]
                    if entity is None or entity.label_ != span.label_:
                        user_data(doc).pop((KEY, span.start_char, span.end_char, span.label_), None)
                    continue
                kept.append(span)
            if kept or group == TERMS:
                set_spans(doc, group, kept)
        return doc


def short_forms(doc: Doc, spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """The tokens that are a short form whose long form is one of these spans, with that span.

    For finders behind this component: what they find of a long form, its short forms are.
    """
    pairs = user_data(doc).get(DEFINITIONS)
    if not pairs or not spans:
        return
    by_end: dict[int, Span] = {}
    for span in spans:
        known = by_end.get(span.end)
        if known is None or span.start < known.start:
            by_end[span.end] = span
    words = tokens_of(doc).words
    meaning: dict[str, Span] = {}
    for short_start, short_end, long_start, long_end in pairs:
        short, long = doc.char_span(short_start, short_end), doc.char_span(long_start, long_end)
        if short is not None and long is not None and len(short) == 1 and words[short.start] not in meaning:
            span = _entity_of(by_end, long)
            if span is not None:
                meaning[words[short.start]] = span
    for i, word in enumerate(words):
        if word in meaning:
            yield i, meaning[word]


def definitions(doc: Doc, words: Sequence[str]) -> list[tuple[Span, Span]]:
    """Pairs (short form, long form), in the order of the note."""
    from scispacy.abbreviation import filter_matches, find_abbreviation

    pairs: list[tuple[Span, Span]] = []
    meaning: dict[str, str] = {}
    for long_candidate, short_candidate in filter_matches([(0, *place) for place in _bracketed(words)], doc):
        if not any(c.isupper() for c in short_candidate.text):
            continue
        short, long = find_abbreviation(long_candidate, short_candidate)
        long = long or _inverted(doc, words, short)
        if long is None or len(long.text) <= len(short.text):
            continue
        if not _STOPS.isdisjoint(words[long.start : long.end]):
            continue  # across a sentence
        long = _whole(doc, words, long)
        if meaning.setdefault(short.text, _folded(long)) == _folded(long):  # the first holds, and may be repeated
            pairs.append((short, long))
    return pairs


def _bracketed(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """What stands in brackets, as first and end token: "(CHF)", "[CHF]"; and of "(CHF, EF 20%)" only "CHF"."""
    for start, word in enumerate(words):
        closing = _BRACKETS.get(word)
        if closing is None:
            continue
        for end in range(start + 1, min(start + 2 + _LONGEST, len(words))):
            if words[end] == closing or words[end] in (";", ","):
                if end > start + 1:
                    yield start + 1, end
                break
            if words[end] in _BRACKETS:
                break


def _whole(doc: Doc, words: Sequence[str], long: Span) -> Span:
    """The long form from the beginning of its first word: with the locants of a chemical name ("2,4-dinitrophenyl"),
    and with what a participle behind a hyphen hangs on ("RNA-dependent")."""
    start = long.start
    cut = words[start].startswith("-") and len(words[start]) > 1
    while start and not doc[start - 1].whitespace_ and (_LOCANT.fullmatch(words[start - 1]) or cut):
        cut = False
        start -= 1
    while start < long.start and words[start] in ("-", ",", "'"):
        start += 1
    return doc[start : long.end]


def _inverted(doc: Doc, words: Sequence[str], short: Span) -> Span | None:
    """The words before the bracket whose initials are the short form's letters in another order: "myotonic dystrophy
    (DM)", after the Latin."""
    letters = short.text
    start = short.start - 1 - len(letters)
    if len(short) != 1 or not 2 <= len(letters) <= 5 or not letters.isupper() or start < 0:
        return None
    initials = [word[:1].upper() for word in words[start : short.start - 1]]
    return doc[start : short.start - 1] if sorted(initials) == sorted(letters) else None


def _folded(span: Span) -> str:
    return " ".join(span.text.casefold().split())


def _longest_by_end(doc: Doc) -> dict[int, Span]:
    """The longest span found that ends at each token, the user's terms among them."""
    out: dict[int, Span] = {}
    for group in (TERMS, INDEXES, USER_TERMS):
        for span in spans_of(doc, group):
            known = out.get(span.end)
            if known is None or span.start <= known.start:
                out[span.end] = span
    return out


def _entity_of(by_end: dict[int, Span], long: Span) -> Span | None:
    """The entity that the long form is: the same words, or one ending with it and covering most of it."""
    span = by_end.get(long.end)
    return span if span is not None and span.start <= long.start + (long.end - long.start) // 2 else None


@Language.factory("clinspan_abbreviations", requires=["doc.spans"], assigns=["doc.spans"])
def make_abbreviations(nlp: Language, name: str) -> Abbreviations:
    """Short forms defined in the note; no settings."""
    return Abbreviations()
