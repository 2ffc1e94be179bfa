"""Sentence boundaries of clinical notes, by rule, in one pass.

A sentence ends at terminal punctuation, a blank line, or the end of a line that was not wrapped: whether a line was
wrapped is told from its length against the note's own width and from how the next line begins. A list item is a
sentence, its marker included; a header line is one; a header with text behind it stays with that text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.tokens import Doc

from clinspan.components import Stateless
from clinspan.components.memo import PerWord, Tokens, tokens_of

_PLAIN, _NEWLINE, _BLANK_LINE, _STOP, _DOTTED = range(5)
_TERMINAL = frozenset([".", "!", "?", "...", "\u2026", "?!", "!!", "??"])
_CLOSERS = frozenset([")", "]", "}", '"', "'", "\u201d", "\u2019", "''"])
_BULLETS = frozenset(
    ["-", "*", "\u2022", "\u2013", "\u2014", "\u00b7", "\u25cf", "\u25aa", "\u2023", "o", "+", "#", "--", "->", ">"]
)
_BLANK = re.compile(r"(?:\r\n|\n|\r(?!\n))[^\S\r\n]*(?:\r\n|\n|\r(?!\n))|[\f\v\u2028\u2029]")
# Words that do not end a sentence when a full stop follows.
_ABBREVIATED = frozenset(
    """
    pt pts approx temp hr hrs wk wks mo mos yr yrs min mins max inj susp resp hosp ext int inf sup ant lat med meds
    tab tabs cap caps vol wt ht dx hx rx tx fx sx rt lt viz cf ca alt st mt ft sq dia est adm disch cont incl esp
    prev assoc bilat abd neuro ortho gyn ob derm cardiol dept lab labs eval admin
    """.split()
)
# A line that ends in one of these goes on in the next.
_OPEN_END = frozenset(
    """
    and or of the a an with to in on at by for from without no not but that which who as is was were are be been has
    had have his her their its than then into over under between after before during due secondary per via since
    including showed revealed , Dr. Mr. Mrs. Ms. vs. / &
    """.split()
)
_UNITS = frozenset("mg mcg ml cc kg g gm cm mm l lb lbs oz meq units u".split())
_MONTHS = frozenset("jan feb mar apr jun jul aug sep sept oct nov dec".split())
# Words that begin a sentence even after an abbreviation that may end one.
_BEGINS = frozenset(
    """
    The He She There This Patient It We They I In On At A An No His Her Pt Denies Reports These That After Will
    Continue
    """.split()
)
_INITIALS = re.compile(r"(?:[A-Za-z]\.){2,}\Z")
_NUMBERED = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z])\Z")


class Sentences(Stateless):
    """The component; :meth:`starts` is the pure function inside."""

    def __call__(self, doc: Doc) -> Doc:
        if not len(doc):
            return doc
        flags = np.full(len(doc), -1, dtype=np.int64)
        flags[self.starts(tokens_of(doc))] = 1
        doc.from_array([SENT_START], flags.astype(np.uint64).reshape(-1, 1))
        return doc

    def starts(self, tokens: Tokens) -> list[int]:
        """Numbers of the tokens that begin a sentence, ascending; token 0 is always one."""
        words, offsets = tokens.words, tokens.offsets
        total = len(words)
        kinds = _CLASSES.of(tokens)
        places = np.flatnonzero(kinds)
        hits = list(zip(places.tolist(), kinds[places].tolist()))
        starts = [0]
        width = -1.0
        line_start = 0  # first token of the current line
        for i, kind in hits:
            after = i + 1
            if after >= total:
                break
            if kind == _STOP:
                if i > 2 and words[i - 1].isdigit() and words[i - 2] in (",", ":"):
                    # "DIAGNOSES,1." and "PLAN:1.": the number begins an item
                    title = words[i - 3]
                    if title.isupper() and len(title) > 2 and offsets[i - 1] == offsets[i - 2] + 1:
                        starts.append(i - 1)
                        continue
                if self._stops(words, offsets, i, starts, line_start):
                    j = after
                    while j < total and words[j] in _CLOSERS and offsets[j] == offsets[j - 1] + len(words[j - 1]):
                        j += 1
                    if j < total:
                        starts.append(j)
                continue
            if kind == _DOTTED:
                j = after
                while j < total - 1 and words[j].isspace():
                    j += 1
                if words[j] in _BEGINS:
                    starts.append(j)
                continue
            if kind == _BLANK_LINE:
                starts.append(after)
                line_start = after
                continue
            if width < 0:
                width = _wrap_width(offsets, [k for k, kind in hits if kind in (_NEWLINE, _BLANK_LINE)])
            if self._line_ends(words, offsets, i, line_start, width):
                starts.append(after)
            line_start = after
        out: list[int] = []
        for start in starts:
            while start < total and start and words[start].isspace():
                start += 1
            if start < total and (not out or start > out[-1]):
                out.append(start)
        return out

    @staticmethod
    def _stops(words: Sequence[str], offsets: Sequence[int], i: int, starts: list[int], line_start: int) -> bool:
        """Whether the terminal punctuation at token ``i`` ends a sentence."""
        after = i + 1
        mark = words[i]
        nxt = words[after]
        if nxt in _TERMINAL:
            return False
        spaced = offsets[after] > offsets[i] + len(mark)
        before = words[i - 1] if i else ""
        begins = starts[-1]
        closed = after
        while nxt in _CLOSERS and not spaced and closed + 1 < len(words):
            spaced = offsets[closed + 1] > offsets[closed] + len(nxt)
            closed += 1
            nxt = words[closed]
        while nxt.isspace() or (nxt == "," and mark == "."):  # ". , ," stands for a lost paragraph break
            if "\n" in nxt or "\r" in nxt or closed + 1 >= len(words):
                return False  # the line end decides
            spaced = True
            closed += 1
            nxt = words[closed]
        first = nxt[0]
        if mark in ("?", "!", "?!", "!!", "??"):
            if mark == "?" and not spaced:
                return False
            # "? PE" and "(?)": a query, not a question
            if mark == "?" and (i in (begins, line_start) or before in ("(", ",", ";", ":", "/", "-")):
                return False
            return spaced and not (mark == "?" and first.islower())
        if mark in ("...", "\u2026"):
            return spaced and first.isupper()
        if not spaced:
            adjacent = i and offsets[i - 1] + len(before) == offsets[i]
            return bool(
                adjacent
                and len(nxt) > 1
                and first.isupper()
                and (nxt[1:2].islower() or len(nxt) > 3)
                and (
                    (before[-1:].islower() and len(before) > 2)
                    or before in _CLOSERS
                    or before[-1:].isdigit()
                    or before == "%"
                )
            )
        # the marker of a numbered item
        if i - 1 in (begins, line_start) and _NUMBERED.match(before):
            return False
        if i >= 2 and words[i - 2] == "(" and i - 2 in (begins, line_start):
            return False
        low = before.lower()
        if low == "no" and first.isdigit():
            return False
        if i >= 2 and before.isdigit() and words[i - 2] == ":":
            return False
        if low in _MONTHS and first.isdigit():
            return False
        if low in _UNITS and i >= 2 and words[i - 2][-1:].isdigit():
            return not first.islower()
        if len(before) == 1 and before.isalpha() and before.isupper() and nxt[0].isalpha():
            # an initial or a genus ("J. Smith", "C. difficile"), unless a unit or grade ("38.5 C.", "vitamin D. The")
            previous = words[i - 2] if i >= 2 else ""
            return nxt in _BEGINS or previous[-1:].isdigit() or previous in ("\u00b0", "vitamin", "hepatitis")
        if low in _ABBREVIATED:
            return first.isupper() and len(before) > 2 and low not in ("temp", "approx", "resp", "est", "cont")
        return True

    @staticmethod
    def _line_ends(words: Sequence[str], offsets: Sequence[int], i: int, line_start: int, width: float) -> bool:
        """Whether the line break at token ``i`` ends a sentence."""
        total = len(words)
        nxt = words[i + 1]
        if nxt.isspace():
            return True
        last = i - 1
        while last > line_start and words[last].isspace():
            last -= 1
        before = words[last] if last >= 0 else ""
        if before in _CLOSERS and last > line_start:
            inner = words[last - 1]
            if inner in _TERMINAL:
                return True
        if before in _TERMINAL or before in (":", ";") or before.isspace():
            return True
        first = nxt[0]
        gap = offsets[i + 2] > offsets[i + 1] + len(nxt) if i + 2 < total else False
        if nxt in _BULLETS and (gap or nxt in ("\u2022", "\u25cf", "\u25aa", "\u2023", "*", "\u00b7")):
            return True
        if (
            nxt in ("[", "(", "\u2610", "\u2611")
            and i + 2 < total
            and words[i + 2] in ("]", "x", "X", ")", "1", "2", "+", "-")
        ):
            return True
        if _NUMBERED.match(nxt) and i + 2 < total and words[i + 2] in (".", ")") and not (nxt == "I" or len(nxt) > 2):
            return True
        length = offsets[last] + len(before) - offsets[line_start]
        low = before.lower()
        if before in _OPEN_END or low in _OPEN_END:
            return False
        if first.islower():
            # a wrapped line is as long as the next word allows
            return length < 30 or (width > 0 and length + 1 + len(nxt) <= width - 10)
        if width <= 0:
            return True
        # would the next word have fitted on this line?
        fits = length + 1 + len(nxt) <= width - 2
        return fits or length < 0.6 * width


def _class_of(word: str) -> int:
    """Class of a token."""
    if word.isspace():
        return _BLANK_LINE if _BLANK.search(word) else _NEWLINE if "\n" in word or "\r" in word else _PLAIN
    if word in _TERMINAL:
        return _STOP
    return _DOTTED if word[-1] == "." and _INITIALS.match(word) else _PLAIN


#: Shared by all splitters, for it depends on nothing else.
_CLASSES = PerWord(_class_of)


def _wrap_width(offsets: Sequence[int], breaks: Sequence[int]) -> float:
    """The width at which the note's lines were wrapped, or 0 if they were not; ``breaks``: tokens with line ends."""
    ends = [offsets[k] for k in breaks]
    lengths = sorted(n for n in (b - a for a, b in zip([0, *ends], [*ends, offsets[-1]])) if n > 40)
    if len(lengths) < 2:
        return 0
    width = lengths[int(0.95 * (len(lengths) - 1))]
    return width if width <= 130 else 0


@Language.factory("clinspan_sentences", assigns=["token.is_sent_start", "doc.sents"])
def make_sentences(nlp: Language, name: str) -> Sentences:
    """The sentence splitter; no settings."""
    return Sentences()
