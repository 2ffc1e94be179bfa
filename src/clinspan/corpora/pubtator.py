"""PubTator: a title line, an abstract line, tab-separated mentions and relations; blank lines between documents.

The text is the title, one space, the abstract, which is what the published offsets count in. A composite mention
("visual or auditory toxicity") is one annotation with several concepts; its parts as written out by the annotators
are in the attribute ``individual_mentions``. Identifiers are split on ``|``, ``;`` and ``,``, except sequence variants
(``c|SUB|G|35|A``), of which the bars are part; ``-1`` (no concept) is kept. Relations relate concept codes.

Written, a text is cut into title and abstract at its first line break or, where there is none, behind its first
sentence; its other line breaks become spaces, so that the offsets hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from clinspan.corpora._documents import codes, fault, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_TEXT = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_OFFSET = re.compile(r"\d{1,9}")
_BREAKS = re.compile(r"[\t\r\n]")


def read(path: Path) -> Iterator[Document]:
    """The documents of a PubTator file.

    Raises:
        CorpusError: for a malformed line, offsets outside the text, or a line of another document.
    """
    path = Path(path)
    document: _Builder | None = None
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            if document:
                yield document.build()
            document = None
        elif match := _TEXT.fullmatch(line):
            doc_id, part, text = match.groups()
            if document is None:
                document = _Builder(doc_id, path)
            document.add_text(number, doc_id, part, text)
        elif document is None:
            raise CorpusError(path, number, "an annotation before its text")
        else:
            document.add_line(number, line.split("\t"))
    if document:
        yield document.build()


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents into one file.

    Discontinuous mentions are written as their envelope. Of the attributes there is only ``individual_mentions``.
    Relations are written unless they relate mentions.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    paragraphs = []
    for document in writable(documents, problem):
        paragraphs.append("".join(f"{line}\n" for line in _lines(document)))
    Path(path).write_bytes("\n".join(paragraphs).encode())


def problem(document: Document) -> str:
    """Why PubTator cannot hold the document: an id that is empty or has a bar, tab or line break, a label with a tab
    or line break, annotations outside the text, or text that is not Unicode. Empty when it can."""
    if not document.doc_id.strip() or "|" in document.doc_id or _BREAKS.search(document.doc_id):
        return "its id is empty or has a bar, tab or line break"
    if any(_BREAKS.search(annotation.label) for annotation in document.annotations):
        return "a label has a tab or line break"
    return fault(document)


def _lines(document: Document) -> Iterator[str]:
    text = re.sub(r"[\r\n]", " ", document.text)
    cut = re.search(r"[\r\n]", document.text) or re.search(r"(?<=\.) ", text)
    yield f"{document.doc_id}|t|{text[: cut.start()] if cut else text}"
    if cut:
        yield f"{document.doc_id}|a|{text[cut.end() :]}"
    for annotation in document.annotations:
        surface = document.text[annotation.start : annotation.end]
        fields = [str(annotation.start), str(annotation.end), surface, annotation.label, "|".join(annotation.concepts)]
        parts = annotation.attributes.get("individual_mentions")
        if isinstance(parts, str) and parts:
            fields.append(parts)
        yield "\t".join([document.doc_id, *(_BREAKS.sub(" ", field) for field in fields)])
    ids = {annotation.id for annotation in document.annotations}
    for relation in document.relations:
        # a type that is a number would be read as an offset
        if relation[0] and not relation[0].isdecimal() and not ids & set(relation[1:]):
            yield "\t".join([document.doc_id, *(_BREAKS.sub(" ", field) for field in relation)])


class _Builder:
    def __init__(self, doc_id: str, file: Path) -> None:
        self.doc_id = doc_id
        self.file = file
        self.parts: dict[str, str] = {}
        self.text = ""
        self.annotations: list[Annotation] = []
        self.relations: list[tuple[str, str, str]] = []
        self.mismatched: list[str] = []

    def build(self) -> Document:
        return Document(
            doc_id=self.doc_id,
            text=self.text,
            annotations=tuple(self.annotations),
            relations=tuple(self.relations),
            mismatched=tuple(self.mismatched),
        )

    def add_text(self, number: int, doc_id: str, part: str, text: str) -> None:
        if doc_id != self.doc_id or part in self.parts or self.annotations or self.relations:
            raise CorpusError(self.file, number, "documents are not separated by a blank line")
        self.parts[part] = text
        self.text = " ".join(self.parts[part] for part in "ta" if part in self.parts)

    def add_line(self, number: int, fields: list[str]) -> None:
        if fields[0] != self.doc_id:
            raise CorpusError(self.file, number, "a line of another document")
        if len(fields) >= 5 and _OFFSET.fullmatch(fields[1]) and _OFFSET.fullmatch(fields[2]):
            self._add_mention(number, fields)
        elif len(fields) >= 4 and fields[1] and not fields[1].isdecimal():
            self.relations.append((fields[1], fields[2], fields[3]))
        else:
            raise CorpusError(self.file, number, "neither a mention nor a relation")

    def _add_mention(self, number: int, fields: list[str]) -> None:
        start, end = int(fields[1]), int(fields[2])
        if not start < end <= len(self.text):
            raise CorpusError(self.file, number, f"offsets {start} {end} are not in the text")
        identifier = f"T{len(self.annotations) + 1}"
        if self.text[start:end].split() != fields[3].split():
            self.mismatched.append(identifier)
        self.annotations.append(
            Annotation(
                start=start,
                end=end,
                label=fields[4],
                fragments=((start, end),),
                attributes={"individual_mentions": fields[6]} if len(fields) > 6 and fields[6] else {},
                concepts=tuple(codes(fields[5])) if len(fields) > 5 else (),
                id=identifier,
            )
        )
