"""Abstracts with the abbreviations they define, as the Ab3P gold standard Med1250 comes (Sohn et al. 2008).

A block of lines for each abstract, a blank line between two::

    12018411
    Comparison of two timed artificial insemination (TAI) protocols.
    Two programs were compared.
      TAI|timed artificial insemination

An id, the lines of the text (title and abstract), then on indented lines each definition: short form, bar, long form.
Lines that begin with ``//`` are the annotators' remarks, also where they hold a definition (``//*  newt|Triturus``:
a synonym, not an abbreviation). An id alone, of a block that the file has, is what an edit left behind: it is passed
over.

A definition is an annotation labelled ``ABBREVIATION``, with two fragments: the long form and the short form, as they
stand in the text. The file does not say where, so :func:`find_definition` looks. Where a file lists a definition twice,
the second is the next place that defines it. A definition that has no place left has no annotation:
:func:`unlocated` lists these.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

LABEL = "ABBREVIATION"

_Span = tuple[int, int]
_ID = re.compile(r"\d+")
_REMARK = "//"
_OPENS = re.compile(r"\s*[(\[]\s*")


def read(path: Path) -> Iterator[Document]:
    """The abstracts of the file as documents, line breaks inside the text as in the file.

    Raises:
        CorpusError: for a block that does not begin with an id, one without text, a line after the text that is
            neither a definition nor a remark, and a definition without two forms.
    """
    for block in _blocks(Path(path)):
        yield block.document()[0]


def unlocated(path: Path) -> list[tuple[str, int]]:
    """The definitions that are not in their text: the document's id and the line of the file.

    Raises:
        CorpusError: as :func:`read`.
    """
    return [(block.doc_id, number) for block in _blocks(Path(path)) for number in block.document()[1]]


def find_definition(short: str, long: str, text: str, taken: Container[_Span] = ()) -> tuple[_Span, _Span] | None:
    """Where a text defines an abbreviation: the spans of the short and of the long form, or ``None``.

    ``long (short)`` and ``short (long)`` first, then the pair with the least between them, then the first; spans that
    are ``taken`` not at all. Forms are sought as whole words before parts of words, in their own case before any;
    runs of white space match each other.
    """
    pairs = [
        (not _OPENS.fullmatch(text, first[1], second[0]), second[0] - first[1], first[0], (short_span, long_span))
        for short_span, long_span in product(_places(short, text), _places(long, text))
        for first, second in [sorted((short_span, long_span))]
        if first[1] <= second[0] and short_span not in taken and long_span not in taken
    ]
    return min(pairs)[-1] if pairs else None


def _places(form: str, text: str) -> list[_Span]:
    pattern = r"\s+".join(map(re.escape, form.split()))
    for wrapped in (rf"(?<!\w){pattern}(?!\w)", pattern):
        for flags in (0, re.IGNORECASE):
            if spans := [match.span() for match in re.finditer(wrapped, text, flags)]:
                return spans
    return []


@dataclass
class _Block:
    doc_id: str
    lines: list[str] = field(default_factory=list)
    definitions: list[tuple[int, str, str]] = field(default_factory=list)

    def document(self) -> tuple[Document, list[int]]:
        """The document, and the lines of the definitions that are not in its text."""
        text = "\n".join(self.lines).removesuffix("\r")
        annotations: list[Annotation] = []
        missing: list[int] = []
        taken: defaultdict[tuple[str, str], set[_Span]] = defaultdict(set)
        for number, short, long in self.definitions:
            if place := find_definition(short, long, text, taken[short, long]):
                taken[short, long].update(place)
                first, second = sorted(place)
                identifier = f"T{len(annotations) + 1}"
                annotations.append(Annotation(first[0], second[1], LABEL, (first, second), id=identifier))
            else:
                missing.append(number)
        return Document(self.doc_id, text, tuple(annotations)), missing


def _blocks(path: Path) -> Iterator[_Block]:
    seen: set[str] = set()
    block: _Block | None = None
    start = 0
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        if line.strip():
            if block is None:
                block, start = _Block(_id(path, number, line)), number
            else:
                _add(block, path, number, line)
        elif block:
            if block.lines:
                yield block
            elif block.doc_id not in seen:
                raise CorpusError(path, start, "an id without a text")
            seen.add(block.doc_id)
            block = None


def _id(path: Path, number: int, line: str) -> str:
    if not _ID.fullmatch(line.strip()):
        raise CorpusError(path, number, "a block that does not begin with an id")
    return line.strip()


def _add(block: _Block, path: Path, number: int, line: str) -> None:
    if line.startswith(_REMARK):
        return
    if not line[0].isspace():
        if block.definitions:
            raise CorpusError(path, number, "text after the definitions")
        block.lines.append(line)
        return
    short, bar, long = line.partition("|")
    if not bar or not short.strip() or not long.strip():
        raise CorpusError(path, number, "not of the form short|long")
    block.definitions.append((number, short.strip(), long.strip()))
