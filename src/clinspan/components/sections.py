"""Sections: headers become canonical groups, and every part of the note after one belongs to it.

A header is a known title at the start of a sentence or line, followed by a colon or the end of the line (or, written
in capitals, by a comma or a dash); within a line, a known title directly followed by a colon. Common abbreviations of
titles ("PMH") need no colon at the start of a line. A line in capitals that is no known title but ends in a colon opens
a section ``other``; inside an examination, a review of systems or results it is a subheading and leaves the section as
it is.

``doc.spans["section_titles"]`` holds the headers, ``doc.spans["sections"]`` each section from its header on; the label
of both is the group.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan.components import Stateless, resource_rows
from clinspan.components.memo import PerWord, sentence_starts, set_spans, spans_of, tokens_of
from clinspan.components.tokenizer import breaks_line
from clinspan.matching import Match, Matcher, TermIndex

TITLES = "section_titles"
SECTIONS = "sections"
#: Groups inside which an unknown capitalised header is taken as a subheading.
_WITH_SUBHEADINGS = frozenset(
    """
    physical_exam review_of_systems vital_signs laboratory imaging findings mental_status_exam
    objective
    """.split()
)
_SUBHEADING = "subheading"
_LONGEST_HEADER = 8  # tokens
_TITLE, _SMALL_TITLE, _OTHER = 1, 2, 3  # what a token may begin


#: Groups that a blank line ends when their header has text behind it on its line: what they say of their entities
#: must not reach into the next paragraph.
_RELATIVES = frozenset("mother father maternal paternal sister brother siblings parents family children".split())
#: Of these, the ones that a blank line ends even when the header stands alone on its line.
_SHORT = frozenset("allergies family_history".split())
_PARAGRAPHS = frozenset(
    ["allergies", "family_history", "past_medical_history", "past_surgical_history", "past_history"]
)


class _Title(NamedTuple):
    group: str
    exact: str  # the written form asked for, or ""
    strict: bool  # only before a colon or line end
    open: bool  # also without a colon, at the start of a line


class Header(NamedTuple):
    """A header found: tokens ``[start, end)``, its group, and the first token of the body."""

    start: int
    end: int
    group: str
    body: int


class Sections(Stateless):
    """The component; :meth:`headers` is the pure function inside."""

    def __init__(self, *, language: str = "en") -> None:
        self.titles: list[_Title] = []
        names: list[tuple[str, int]] = []
        for row in resource_rows(f"{language}/sections.tsv"):
            for title in row["titles"].split("|"):
                name = title.strip("!=*")
                names.append((name, len(self.titles)))
                exact = name if title.startswith("=") else ""
                self.titles.append(_Title(row["group"], exact, title.endswith("!"), title.startswith("*")))
        self._matcher = Matcher(TermIndex.build(names))
        self._kinds = PerWord(self._kind)

    def __len__(self) -> int:
        return len(self.titles)

    def __call__(self, doc: Doc) -> Doc:
        found = self.headers(doc) if len(doc) else []
        words = tokens_of(doc).words
        titles, bodies = [], []
        for k, header in enumerate(found):
            end = found[k + 1].start if k + 1 < len(found) else len(doc)
            if header.group in _PARAGRAPHS:
                end = _paragraph_end(words, header, end)
            titles.append(Span(doc, header.start, header.end, label=header.group))
            bodies.append(Span(doc, header.start, end, label=header.group))
        set_spans(doc, TITLES, titles)
        set_spans(doc, SECTIONS, bodies)
        return doc

    def headers(self, doc: Doc) -> list[Header]:
        """The headers of sections, in order (subheadings are not among them)."""
        tokens = tokens_of(doc)
        words = tokens.words
        starts = sentence_starts(doc)
        sentence = set(starts)
        self._matcher.trim()
        found: dict[int, Header] = {}
        kinds = self._kinds.of(tokens)
        for start in np.asarray(starts)[kinds[starts] != 0].tolist():
            match = self._matcher.at(words, start)
            header = self._header(words, match, sentence) if match else None
            header = header or self._unknown(words, start)
            if header is not None:
                found[start] = header
        capitalized = np.flatnonzero(kinds == _TITLE).tolist()
        for at in _places(words, ":"):
            for start in capitalized[bisect_left(capitalized, at - _LONGEST_HEADER) : bisect_left(capitalized, at)]:
                if start in sentence:
                    continue
                match = self._matcher.at(words, start)
                if match and match.end == at:
                    header = self._header(words, match, sentence)
                    if header is not None:
                        found[start] = header
                    break
        out: list[Header] = []
        group = ""
        for start in sorted(found):
            header = found[start]
            if out and header.start < out[-1].end:
                continue
            if header.group == _SUBHEADING or (header.group == "other" and group in _WITH_SUBHEADINGS):
                continue
            if header.group == "other" and group == "family_history" and words[start].lower() in _RELATIVES:
                continue
            if header.group == "vital_signs" and group == "physical_exam":
                continue
            group = header.group
            out.append(header)
        return out

    def _kind(self, word: str) -> int:
        """Whether a header may begin with a written form: a known title, in small letters or not, or another one."""
        if self._matcher.begins(word):
            return _TITLE if word[0].isupper() else _SMALL_TITLE
        return _OTHER if _in_capitals(word) else 0

    def _header(self, words: Sequence[str], match: Match, sentence: set[int]) -> Header | None:
        start, end = match.start, match.end
        written = [w for w in words[start:end] if not w.isspace()]
        if any(map(breaks_line, words[start:end])):
            return None
        joined = "".join(written)
        titles = [
            t for t in map(self.titles.__getitem__, match.ids) if not t.exact or t.exact.replace(" ", "") == joined
        ]
        if not titles:
            return None
        title = titles[0]
        upper = joined.isupper()
        total = len(words)
        nxt = words[end] if end < total else "\n"
        at_start = start in sentence
        if nxt.isspace() and not breaks_line(nxt) and end + 1 < total:
            end_of_title = end + 1
            nxt = words[end_of_title]
        else:
            end_of_title = end
        line_end = nxt.isspace()
        if not at_start:
            # within a line: capitalised, a colon right behind it, and not in the middle of a phrase
            if nxt != ":" or not written[0][0].isupper() or title.group == _SUBHEADING:
                return None
            before = words[start - 1] if start else ""
            if before[-1:].isalpha() and before.lower() in _JOINING:
                return None
            return Header(start, end, title.group, end_of_title + 1)
        if nxt == ":":
            return Header(start, end, title.group, end_of_title + 1)
        if line_end:
            return Header(start, end, title.group, end) if written[0][0].isupper() else None
        if nxt in (",", "-", "--", "\u2013", "\u2014", "=", "->") and upper and len(joined) > 2:
            return Header(start, end, title.group, end_of_title + 1)
        # "MEDICATIONS ON ADMISSION:", "Medications (at home):"
        colon = self._colon(words, end, 6)
        if colon and (written[0][0].isupper()):
            between = words[end:colon]
            if upper and all(not w[0].isalpha() or w.isupper() for w in between):
                return Header(start, colon, title.group, colon + 1)
            if not upper and all(
                not w[0].isalpha() or w[0].isupper() or w in _JOINING or "(" in between for w in between
            ):
                return Header(start, colon, title.group, colon + 1)
        if title.open and (not start or breaks_line(words[start - 1])):
            return Header(start, end, title.group, end)
        if upper and not title.strict and len(joined) > 3 and not nxt.isupper() and nxt[0].isalnum() and not colon:
            return Header(start, end, title.group, end)
        return None

    @staticmethod
    def _colon(words: Sequence[str], place: int, reach: int) -> int:
        """The token of the colon that ends a header within ``reach`` tokens on this line, or 0."""
        for at in range(place, min(place + reach, len(words))):
            word = words[at]
            if word == ":":
                return at
            if breaks_line(word) or word in (".", ",", ";"):
                return 0
        return 0

    def _unknown(self, words: Sequence[str], start: int) -> Header | None:
        """A header in capitals that is no known title."""
        first = words[start]
        if not _in_capitals(first):
            return None
        capitals = 0  # words in capitals so far
        for at in range(start, min(start + _LONGEST_HEADER * 2, len(words))):
            word = words[at]
            if word == ":" or breaks_line(word):
                letters = sum(map(len, words[start:at]))
                if word == ":":
                    return Header(start, at, "other", at + 1) if letters > 3 else None
                return Header(start, at, "other", at) if capitals > 1 and letters > 8 else None
            if word == "," and at + 1 < len(words) and capitals and words[at + 1][:1].isalnum():
                # "REFERRAL INDICATION,1. …" or "…,The patient": no space after the comma
                after = words[at + 1]
                if capitals > 1 and (after[0].isdigit() or (after[0].isupper() and after[1:2].islower())):
                    return Header(start, at, "other", at + 1)
                return None
            if word[0].isalpha():
                if not word.isupper():
                    return None
                capitals += 1
            elif word not in ("/", "&", "-", "(", ")", "#", "\u2013") and not word.isspace():
                return None
            if capitals > _LONGEST_HEADER:
                return None
        return None


def _in_capitals(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _paragraph_end(words: Sequence[str], header: Header, end: int) -> int:
    """Where the section ends if its header is inline, or its group short: at the first blank line."""
    first = True
    for i in range(header.body, end):
        word = words[i]
        if breaks_line(word):
            if first and header.group not in _SHORT:
                return end
            if not first and len(word.splitlines()) > 1:
                return i + 1
        elif not word.isspace():
            first = False
    return end


_JOINING = frozenset("of the and or on at in for with to by from a an his her their this per no is was".split())


def _places(words: Sequence[str], wanted: str) -> Iterator[int]:
    """Where a token stands, in order."""
    place = -1
    while True:
        try:
            place = words.index(wanted, place + 1)
        except ValueError:
            return
        yield place


class Places:
    """The sections of a Doc, to be looked up by token."""

    def __init__(self, doc: Doc) -> None:
        self._starts: list[int] = [-1]
        self._found: list[tuple[str, Span] | None] = [None]
        for section, title in zip(spans_of(doc, SECTIONS), spans_of(doc, TITLES)):
            self._add(section.start, (section.label_, title))
            self._add(section.end, None)

    def _add(self, start: int, found: tuple[str, Span] | None) -> None:
        if self._starts[-1] == start:
            self._found[-1] = found
        else:
            self._starts.append(start)
            self._found.append(found)

    def around(self, token: int) -> tuple[tuple[str, Span] | None, int, float]:
        """As :meth:`at`, with the tokens ``[low, high)`` for which the answer is the same."""
        place = bisect_right(self._starts, token)
        return (
            self._found[place - 1],
            self._starts[place - 1],
            self._starts[place] if place < len(self._starts) else inf,
        )

    def at(self, token: int) -> tuple[str, Span] | None:
        """Group and title of the section that the token stands in, or None."""
        return self._found[bisect_right(self._starts, token) - 1]


@Language.factory(
    "clinspan_sections",
    requires=["token.is_sent_start"],
    assigns=["doc.spans"],
    default_config={"language": "en"},
)
def make_sections(nlp: Language, name: str, language: str) -> Sections:
    """The section finder over the package's table of titles for a language."""
    return Sections(language=language)
