"""The stand-off files of the 2010 i2b2/VA challenge (https://doi.org/10.1136/amiajnl-2011-000203), read and written.

A document is ``<doc_id>.txt`` with ``.con`` (concepts), ``.ast`` (assertions) and ``.rel`` (relations), side by side
or in sibling folders as published: ``txt``, ``concept``, ``ast`` and ``rel``; for the test data ``concepts``, and the
texts in ``../test_data``. Lines of them are::

    c="chest pain" 12:3 12:4||t="problem"
    c="chest pain" 12:3 12:4||t="problem"||a="absent"
    c="aspirin" 12:7 12:7||r="TrAP"||c="chest pain" 12:3 12:4

Places are line:token, lines counted from 1, tokens from 0 between runs of white space; the last token is part of the
mention, which may cross lines. An assertion becomes the attribute ``assertion``. A relation names places only: of two
concepts at the same place it takes the first. The publisher wrote the text of concepts in lower case, so that case is
of no account for ``Document.mismatched``.

Written mentions are widened to tokens, discontinuous ones to their envelope; of the attributes there is only
``assertion``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinspan.corpora._documents import fault, is_file_name, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

# The text of a concept may hold quotation marks: the greedy pattern takes the last place in the line for its own.
_PLACE = r'c="(.*)" (\d{1,9}:\d{1,9} \d{1,9}:\d{1,9})'
_CONCEPT = re.compile(_PLACE + r'\|\|t="(.+)"')
_ASSERTION = re.compile(_PLACE + r'\|\|t="(.+)"\|\|a="(.+)"')
_RELATION = re.compile(_PLACE + r'\|\|r="(.+)"\|\|' + _PLACE)
_FOLDERS: dict[str, tuple[str, ...]] = {
    ".txt": ("txt", "../test_data"),
    ".con": ("concept", "concepts"),
    ".ast": ("ast",),
    ".rel": ("rel",),
}
_BREAKS = re.compile(r"[\r\n]")

_Span = tuple[int, int]


def read(path: Path) -> Iterator[Document]:
    """The one document of a .con file (or .txt file) and the files that go with it; .ast and .rel may be missing.

    Raises:
        CorpusError: for a missing file, a malformed line, a place outside the text, an assertion or relation of
            something that is not in the .con file, or two assertions for one concept.
    """
    path = Path(path)
    text = read_text(_beside(path, ".txt"))
    tokens = [[(start, end) for start, end, _ in line] for line in _lines(text)]
    mentions: list[_Mention] = []
    for place in _matches(_beside(path, ".con"), _CONCEPT):
        start, end = span = place.span(tokens, place.match[2])
        same = place.match[1].lower().split() == text[start:end].lower().split()
        mentions.append(_Mention(span, place.match[3], f"T{len(mentions) + 1}", same))
    if (asserted := _beside(path, ".ast")).exists():
        for place in _matches(asserted, _ASSERTION):
            _assert(place, place.span(tokens, place.match[2]), mentions)
    relations: list[tuple[str, str, str]] = []
    if (related := _beside(path, ".rel")).exists():
        firsts = {mention.span: mention.id for mention in reversed(mentions)}
        for place in _matches(related, _RELATION):
            ends = [firsts.get(place.span(tokens, place.match[group])) for group in (2, 5)]
            if ends[0] is None or ends[1] is None:
                raise CorpusError(place.file, place.line, "relates what is not in the .con file")
            relations.append((place.match[3], ends[0], ends[1]))
    yield Document(
        doc_id=path.stem,
        text=text,
        annotations=tuple(
            Annotation(*mention.span, mention.label, (mention.span,), mention.attributes, id=mention.id)
            for mention in mentions
        ),
        relations=tuple(relations),
        mismatched=tuple(mention.id for mention in mentions if not mention.same),
    )


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write the four files of each document side by side into a folder.

    Mentions of white space alone, and relations of what is not a mention, have no place and are left out.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    for document in writable(documents, problem):
        files = {".txt": document.text, **_standoff(document)}
        for suffix, content in files.items():
            (folder / f"{document.doc_id}{suffix}").write_bytes(content.encode())


def problem(document: Document) -> str:
    """Why the files cannot hold the document: an id that is not a file name, a label that is empty or has a line break,
    annotations outside the text, or text that is not Unicode. Empty when they can."""
    if not is_file_name(document.doc_id):
        return "its id is not a file name"
    if any(not annotation.label or _BREAKS.search(annotation.label) for annotation in document.annotations):
        return "a label is empty or has a line break"
    return fault(document)


@dataclass
class _Mention:
    span: _Span
    label: str
    id: str
    same: bool
    attributes: dict[str, str | bool] = field(default_factory=dict)


@dataclass
class _Line:
    """A line of an annotation file, matched."""

    file: Path
    line: int
    match: re.Match[str]

    def span(self, tokens: list[list[_Span]], places: str) -> _Span:
        """The offsets of two places, line:token each."""
        spans = []
        for place in places.split():
            line, token = map(int, place.split(":"))
            if not 1 <= line <= len(tokens) or token >= len(tokens[line - 1]):
                raise CorpusError(self.file, self.line, f"{place} is not in the text")
            spans.append(tokens[line - 1][token])
        (start, _), (_, end) = spans
        if start >= end:
            raise CorpusError(self.file, self.line, f"{places} ends before it begins")
        return start, end


def _beside(path: Path, suffix: str) -> Path:
    """The file of the same document with another suffix: beside the one given, or in a sibling folder."""
    name = f"{path.stem}{suffix}"
    places = [path.parent / name, *(path.parent.parent / folder / name for folder in _FOLDERS[suffix])]
    return next((place for place in places if place.exists()), places[0])


def _matches(file: Path, pattern: re.Pattern[str]) -> Iterator[_Line]:
    for number, line in enumerate(read_text(file).removeprefix("\ufeff").split("\n"), start=1):
        if line := line.strip():
            if not (match := pattern.fullmatch(line)):
                raise CorpusError(file, number, f"not a line of a {file.suffix} file")
            yield _Line(file, number, match)


def _lines(text: str) -> Iterator[list[tuple[int, int, str]]]:
    """The tokens of each line: start, end and place."""
    offset = 0
    for number, line in enumerate(text.split("\n"), start=1):
        tokens = enumerate(re.finditer(r"\S+", line))
        yield [(offset + token.start(), offset + token.end(), f"{number}:{n}") for n, token in tokens]
        offset += len(line) + 1


def _assert(place: _Line, span: _Span, mentions: list[_Mention]) -> None:
    """Give an assertion to its concept: of concepts given twice, to the first that has none."""
    value = place.match[4]
    found = [mention for mention in mentions if (mention.span, mention.label) == (span, place.match[3])]
    if not found:
        raise CorpusError(place.file, place.line, "asserts what is not in the .con file")
    free = next((mention for mention in found if "assertion" not in mention.attributes), None)
    if free:
        free.attributes["assertion"] = value
    elif value not in [mention.attributes["assertion"] for mention in found]:
        raise CorpusError(place.file, place.line, "a second assertion for its concept")


def _standoff(document: Document) -> dict[str, str]:
    """The content of the three annotation files."""
    tokens = [token for line in _lines(document.text) for token in line]
    starts, ends = [start for start, _, _ in tokens], [end for _, end, _ in tokens]
    content = dict.fromkeys((".con", ".ast", ".rel"), "")
    places: dict[str, str] = {}
    for annotation in document.annotations:
        first, last = bisect_right(ends, annotation.start), bisect_left(starts, annotation.end) - 1
        if first > last:
            continue
        surface = " ".join(document.text[starts[first] : ends[last]].lower().split())
        places[annotation.id] = place = f'c="{surface}" {tokens[first][2]} {tokens[last][2]}'
        concept = f'{place}||t="{annotation.label}"'
        content[".con"] += f"{concept}\n"
        value = annotation.attributes.get("assertion")
        if isinstance(value, str) and value and not _BREAKS.search(value):
            content[".ast"] += f'{concept}||a="{value}"\n'
    for kind, one, other in document.relations:
        if one in places and other in places and kind and not _BREAKS.search(kind):
            content[".rel"] += f'{places[one]}||r="{kind}"||{places[other]}\n'
    return content
