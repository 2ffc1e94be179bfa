r"""Mentions marked in the text: clinspan's own markup, for tests, examples and small corpora written by hand.

A mention is ``[its text|LABEL]``; behind the label, separated by white space, may stand in any order ``#id``,
``@concept``, ``attribute`` (for ``True``) and ``attribute=value``::

    === note-1
    Denies [chest pain|CONDITION #T1 @HP:0100749 Negated]. Father had [[MI|OBSERVATION]|CONDITION Experiencer=family].

Mentions nest; of two on the same characters the outer comes first. A document begins with a line ``=== <doc_id>`` and
ends with the line break before the next such line, or at the end of the file, which is not part of the text. A file
without such lines is one document, named as the file, and all of it is text. Mentions without an id are numbered in
the order in which they open.

A backslash before ``[``, ``]``, ``|``, ``\`` or ``=`` makes it a character like others. The first four need it
everywhere, so that a bracket left open is an error and never text; ``=`` needs it where a line of the text begins with
``===``, and in names. Behind the bar a backslash may stand before any character, as is needed for ``#`` and ``@`` at
the beginning of a name and for white space.

Discontinuous mentions, mentions that cross an earlier one, and relations cannot be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from clinspan.corpora._documents import fault, unique_ids, writable
from clinspan.corpora._files import Malformed
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_HEADER = re.compile(r"^===(.*)\n?", re.MULTILINE)
_PIECE = re.compile(r"\\([][|\\=])|([][|\\])|[^][|\\]+")
_TAIL = re.compile(r"((?:[^][|\\]|\\.)*)\]", re.DOTALL)
_ITEM = re.compile(r"(?:[^\\\s]|\\.)+", re.DOTALL)
_ATTRIBUTE = re.compile(r"((?:[^\\=]|\\.)+)(?:(=)(.*))?", re.DOTALL)
_TO_ESCAPE = re.compile(r"[][|\\]|^=(?===)", re.MULTILINE)
_TO_QUOTE = re.compile(r"[][|\\=#@\s]")


def read(path: Path) -> Iterator[Document]:
    """The documents of a file.

    Raises:
        CorpusError: for a bracket that opens or closes no mention, a bar or backslash that is not escaped, an empty
            mention, one without label, an id, attribute or document line that is malformed or comes twice, or text
            before the first document line.
    """
    path = Path(path)
    content = read_text(path)
    headers = list(_HEADER.finditer(content))
    if not headers:
        yield _Parser(path, content).parse(path.stem, 0, len(content))
        return
    if content[: headers[0].start()].strip():
        raise CorpusError(path, 1, "text before the first document line")
    stops = [header.start() for header in headers[1:]] + [len(content)]
    for header, stop in zip(headers, stops, strict=True):
        doc_id = header[1].strip()
        if not doc_id or not header[1][0].isspace():
            raise CorpusError(path, content.count("\n", 0, header.start()) + 1, "a document line without id")
        line_end = "\r\n" if header[0].endswith("\r\n") else "\n"
        if content.endswith(line_end, header.end(), stop):
            stop -= len(line_end)
        yield _Parser(path, content).parse(doc_id, header.end(), stop)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents into one file, so that :func:`read` gives back their texts to the character.

    Ids are written only where :func:`read` would give others.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    pieces = []
    for document in writable(documents, problem):
        pieces.append(f"=== {document.doc_id}\n{_marked(document)}\n")
    Path(path).write_bytes("".join(pieces).encode())


def problem(document: Document) -> str:
    """Why the markup cannot hold the document: an id that is empty, has a line break, or begins or ends with white
    space; annotations outside the text, or text that is not Unicode. Empty when it can."""
    if not document.doc_id or document.doc_id != document.doc_id.strip() or "\n" in document.doc_id:
        return "its id is empty, has a line break, or begins or ends with white space"
    return fault(document)


@dataclass
class _Open:
    """A mention whose closing bracket is still to come."""

    start: int
    place: int
    number: int


@dataclass
class _Said:
    """What stands behind the bar of a mention."""

    label: str
    id: str = ""
    attributes: dict[str, str | bool] = field(default_factory=dict)
    concepts: list[str] = field(default_factory=list)


class _Parser:
    def __init__(self, file: Path, content: str) -> None:
        self.file = file
        self.content = content

    def parse(self, doc_id: str, place: int, stop: int) -> Document:
        pieces: list[str] = []
        length = opened = 0
        stack: list[_Open] = []
        found: dict[int, Annotation] = {}
        ids: set[str] = set()
        while place < stop:
            match = _PIECE.match(self.content, place, stop)
            assert match is not None, "a piece is any character"
            if match[2] == "[":
                stack.append(_Open(length, place, opened))
                opened += 1
            elif match[2] == "|" and stack:
                tail = _TAIL.match(self.content, match.end(), stop)
                if not tail:
                    raise self._error(place, "a mention without closing bracket")
                mention = stack.pop()
                found[mention.number] = self._mention(mention, length, place, tail[1], ids)
                place = tail.end()
                continue
            elif match[2]:
                raise self._error(place, f"{match[2]} that is not escaped")
            else:
                piece = match[1] or match[0]
                pieces.append(piece)
                length += len(piece)
            place = match.end()
        if stack:
            raise self._error(stack[-1].place, "[ that is not escaped, or a mention without label")
        opening = [annotation for _, annotation in sorted(found.items())]
        numbered = unique_ids([annotation.id for annotation in opening])
        annotations = (replace(a, id=identifier) for a, identifier in zip(opening, numbered, strict=True))
        return Document(doc_id=doc_id, text="".join(pieces), annotations=tuple(annotations))

    def _error(self, place: int, reason: str) -> CorpusError:
        return CorpusError(self.file, self.content.count("\n", 0, place) + 1, reason)

    def _mention(self, mention: _Open, end: int, place: int, tail: str, ids: set[str]) -> Annotation:
        if mention.start == end:
            raise self._error(place, "an empty mention")
        try:
            said = _said(tail)
        except Malformed as error:
            raise self._error(place, str(error)) from None
        if said.id in ids:
            raise self._error(place, "an id is used twice")
        ids.update({said.id} - {""})
        span = (mention.start, end)
        return Annotation(*span, said.label, (span,), said.attributes, tuple(said.concepts), said.id)


def _said(tail: str) -> _Said:
    """What stands behind the bar; Malformed says what is wrong with it."""
    label, *items = _ITEM.findall(tail) or [""]
    if not label or label[0] in "#@":
        raise Malformed("a mention without label")
    said = _Said(_plain(label))
    for item in items:
        if item in ("#", "@") or (item[0] == "#" and said.id):
            raise Malformed("an empty id or concept, or a second id")
        if item[0] == "#":
            said.id = _plain(item[1:])
        elif item[0] == "@":
            said.concepts.append(_plain(item[1:]))
        else:
            match = _ATTRIBUTE.fullmatch(item)
            if not match or _plain(match[1]) in said.attributes:
                raise Malformed("an attribute without name or given twice")
            said.attributes[_plain(match[1])] = _plain(match[3]) if match[2] else True
    return said


def _plain(escaped: str) -> str:
    return re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL)


def _quoted(plain: str) -> str:
    return _TO_QUOTE.sub(r"\\\g<0>", plain)


def _nested(annotations: Iterable[Annotation]) -> list[Annotation]:
    """The annotations that can be written, in the order in which they open."""
    kept: list[Annotation] = []
    around: list[Annotation] = []
    for annotation in sorted(annotations, key=lambda a: (a.start, -a.end)):
        if len(annotation.fragments) > 1 or annotation.start >= annotation.end or not annotation.label:
            continue
        while around and around[-1].end <= annotation.start:
            around.pop()
        if not around or annotation.end <= around[-1].end:
            around.append(annotation)
            kept.append(annotation)
    return kept


def _marked(document: Document) -> str:
    mentions = _nested(document.annotations)
    usual = all(mention.id == f"T{number}" for number, mention in enumerate(mentions, start=1))
    # At one place, mentions close, the last opened first, before others open, the outer first; escapes come last.
    marks = [(match.start(), 2, 0, "\\") for match in _TO_ESCAPE.finditer(document.text)]
    for number, mention in enumerate(mentions):
        marks.append((mention.start, 1, number, "["))
        marks.append((mention.end, 0, -number, _closing(mention, with_id=not usual)))
    pieces = []
    place = 0
    for offset, _, _, mark in sorted(marks):
        pieces += [document.text[place:offset], mark]
        place = offset
    return "".join([*pieces, document.text[place:]])


def _closing(mention: Annotation, *, with_id: bool) -> str:
    items = [_quoted(mention.label)]
    if with_id and mention.id:
        items.append(f"#{_quoted(mention.id)}")
    items += [f"@{_quoted(concept)}" for concept in mention.concepts if concept]
    for name, value in mention.attributes.items():
        if name and value is not False:
            items.append(_quoted(name) if value is True else f"{_quoted(name)}={_quoted(value)}")
    return f"|{' '.join(items)}]"
