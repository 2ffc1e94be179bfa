"""CoNLL columns: a token a line, its tag in the last column, a blank line behind each sentence.

The layout of the CoNLL-2003 shared task (https://aclanthology.org/W03-0419). Columns are separated by tabs or, in
lines without a tab, by spaces; the first is the token, those between are not read. The text is made of the tokens,
with one space between them and a line break between sentences.

One rule, that of the task's own scorer, reads the tags of IOB1, IOB2, BIOES and BILOU alike: ``B``, ``S`` and ``U``
begin a mention; ``I``, ``E`` and ``L`` continue one of the same label and begin one otherwise; a mention ends with
``S``, ``U``, ``E`` or ``L``, before any other token that does not continue it, and with its sentence. Tags without a
label, as in files of a single kind of mention, give the label :data:`LABEL`.

Documents begin with a ``-DOCSTART-`` line, whose id may follow in parentheses, or with CoNLL-U's comment
``# newdoc id = X``, or with both; without an id they are named ``<file>-1``, ``<file>-2``, …. Other lines that begin
with ``#`` and a space are comments before the first row of a sentence, unless they are made like the row before.

Written are the tokens of clinspan's tokenizer, cut where mentions begin and end, with IOB2 or BIOES tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from clinspan.corpora._documents import fault, writable
from clinspan.corpora._files import Malformed
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

#: The label of mentions whose tags have none.
LABEL = "ENTITY"
SCHEMES: tuple[str, ...] = ("iob2", "bioes")

_TAG = re.compile(r"([BIESLU])(?:-(.+))?|O")
_DOCSTART = re.compile(r"-DOCSTART-(?:\s+\((.*)\))?(?:\s.*)?")
_NEWDOC = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(.*?))?\s*")
_BREAKS = re.compile(r"[\t\r\n]")


def read(path: Path) -> Iterator[Document]:
    """The documents of a file.

    Raises:
        CorpusError: for a line of one column, a tag that is none, an empty token, or a sentence whose lines have
            different numbers of columns.
    """
    path = Path(path)
    document: _Builder | None = None
    count = 0
    shape = (False, 0)
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").split("\n"), start=1):
        line = line.removesuffix("\r")
        columns = line.split("\t") if "\t" in line else [column for column in line.split(" ") if column]
        between = document is None or not document.width
        if not line.strip():
            if document:
                document.end_sentence()
        elif mark := _DOCSTART.fullmatch(line) or (_NEWDOC.fullmatch(line) if between else None):
            kind = line[0]
            if document is None or document.pieces or kind in document.marks:
                if document:
                    yield document.build()
                count += 1
                document = _Builder(f"{path.stem}-{count}")
            document.mark(kind, mark[1])
        elif between and line.startswith("# ") and not (_shape(line, columns) == shape and _TAG.fullmatch(columns[-1])):
            continue
        else:
            if document is None:
                count += 1
                document = _Builder(f"{path.stem}-{count}")
            shape = _shape(line, columns)
            try:
                document.add(columns)
            except Malformed as error:
                raise CorpusError(path, number, str(error)) from None
    if document:
        yield document.build()


def write(documents: Iterable[Document], path: str | Path, *, scheme: str = "iob2") -> None:
    """Write documents into one file: token, tab, tag.

    Of mentions that overlap the longest is written, of equally long ones the leftmost; discontinuous ones come last
    and are written as their envelope. A line break inside a mention does not end the sentence.

    Args:
        documents: what to write.
        path: the file.
        scheme: one of :data:`SCHEMES`.

    Raises:
        ValueError: for another scheme, and for a document with a :func:`problem`.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme!r} is not one of {', '.join(SCHEMES)}")
    lines: list[str] = []
    for document in writable(documents, problem):
        lines += [f"# newdoc id = {document.doc_id}", "-DOCSTART-\tO", ""]
        for sentence in _sentences(document):
            lines += [*_rows(sentence, scheme), ""]
    Path(path).write_bytes("".join(f"{line}\n" for line in lines).encode())


def problem(document: Document) -> str:
    """Why the columns cannot hold the document: an id that is empty, has a tab or line break, or begins or ends with
    white space; a label that is empty or has a tab or line break; annotations outside the text, or text that is not
    Unicode. Empty when they can."""
    if document.doc_id != document.doc_id.strip() or not document.doc_id or _BREAKS.search(document.doc_id):
        return "its id is empty, has a tab or line break, or begins or ends with white space"
    if any(not annotation.label or _BREAKS.search(annotation.label) for annotation in document.annotations):
        return "a label is empty or has a tab or line break"
    return fault(document)


def _shape(line: str, columns: list[str]) -> tuple[bool, int]:
    """What rows of a file have in common: their separator and how many columns they have."""
    return "\t" in line, len(columns)


class _Builder:
    """A document while its lines are read."""

    def __init__(self, doc_id: str) -> None:
        self.doc_id = doc_id
        self.marks: set[str] = set()
        self.pieces: list[str] = []
        self.width = 0  # columns of the sentence, 0 between sentences
        self.length = 0
        self.mentions: list[tuple[int, int, str]] = []
        self.open: str | None = None  # label of the mention that the next token may continue

    def mark(self, kind: str, doc_id: str | None) -> None:
        """Take a line that begins a document, of the kind ``-`` or ``#``; the id in a comment goes first."""
        if doc_id and "#" not in self.marks:
            self.doc_id = doc_id
        self.marks.add(kind)

    def end_sentence(self) -> None:
        self.width, self.open = 0, None

    def add(self, columns: list[str]) -> None:
        """Add a row; Malformed says what is wrong with it."""
        token, match = columns[0], _TAG.fullmatch(columns[-1])
        if len(columns) < 2:
            raise Malformed("one column")
        if not token or not match:
            raise Malformed("the last column is not a tag" if token else "an empty token")
        if self.width not in (0, len(columns)):
            raise Malformed(f"{len(columns)} columns in a sentence of {self.width}")
        if self.pieces:
            self.pieces.append(" " if self.width else "\n")
            self.length += 1
        start, self.length, self.width = self.length, self.length + len(token), len(columns)
        self.pieces.append(token)
        self._tag(start, match[1] or "O", match[2] or LABEL)

    def _tag(self, start: int, prefix: str, label: str) -> None:
        if prefix == "O":
            self.open = None
            return
        if prefix in "IEL" and self.open == label:
            start = self.mentions.pop()[0]
        self.mentions.append((start, self.length, label))
        self.open = label if prefix in "BI" else None

    def build(self) -> Document:
        return Document(
            doc_id=self.doc_id,
            text="".join(self.pieces),
            annotations=tuple(
                Annotation(start, end, label, ((start, end),), id=f"T{number}")
                for number, (start, end, label) in enumerate(self.mentions, start=1)
            ),
        )


def _apart(document: Document) -> list[Annotation]:
    """The mentions to write, none over another, in the order of the text."""
    covered = bytearray(len(document.text))
    kept = []
    for mention in sorted(document.annotations, key=lambda a: (len(a.fragments) > 1, a.start - a.end, a.start)):
        if covered.find(1, mention.start, mention.end) < 0:
            covered[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
            kept.append(mention)
    return sorted(kept, key=lambda a: a.start)


def _sentences(document: Document) -> Iterator[list[tuple[str, Annotation | None]]]:
    """The tokens of each sentence, and the mention each is of."""
    from clinspan.components.tokenizer import breaks_line, cut_at, words_and_spaces

    mentions = _apart(document)
    words, spaces = words_and_spaces(document.text)
    words, spaces = cut_at(words, spaces, (m.start for m in mentions), (m.end for m in mentions))
    sentence: list[tuple[str, Annotation | None]] = []
    place = current = 0
    for word, space in zip(words, spaces, strict=True):
        while current < len(mentions) and mentions[current].end <= place:
            current += 1
        inside = current < len(mentions) and mentions[current].start <= place
        if not word.isspace():
            sentence.append((word, mentions[current] if inside else None))
        elif sentence and breaks_line(word) and not inside:
            yield sentence
            sentence = []
        place += len(word) + space
    if sentence:
        yield sentence


def _rows(sentence: list[tuple[str, Annotation | None]], scheme: str) -> Iterator[str]:
    for mention, group in groupby(sentence, key=lambda pair: pair[1]):
        words = [word for word, _ in group]
        for number, word in enumerate(words, start=1):
            if mention is None:
                yield f"{word}\tO"
                continue
            prefix = "B" if number == 1 else "I"
            if scheme == "bioes" and number == len(words):
                prefix = "S" if number == 1 else "E"
            yield f"{word}\t{prefix}-{mention.label}"
