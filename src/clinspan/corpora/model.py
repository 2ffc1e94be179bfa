"""What every corpus format is read into: a text, its mentions, and what is said of them.

Offsets are Unicode code points of :attr:`Document.text`, half-open. Error messages hold file names, line numbers
and ids, never text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class CorpusError(ValueError):
    """A corpus file, or a spec, that does not say what its format allows.

    ``line`` counts from 1; it is 0 when the fault is the file's as a whole.
    """

    def __init__(self, file: str | Path, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = Path(file)
        self.line = line
        self.reason = reason

    def __reduce__(self) -> tuple[type[CorpusError], tuple[Path, int, str]]:
        return type(self), (self.file, self.line, self.reason)


@dataclass(frozen=True)
class Annotation:
    """A mention: an envelope, a label, and what is said of it.

    Attributes:
        start: first character of the envelope, the least start of the fragments.
        end: one past its last character, the greatest end of the fragments.
        label: the corpus's label, or clinspan's after :func:`map_document`.
        fragments: (start, end) pairs sorted by offset; one for a continuous span.
        attributes: the corpus's attributes, a binary one as ``True``; after :func:`map_document` the axes of the spec.
        concepts: codes, in the corpus's order.
        id: unique in its document.
    """

    start: int
    end: int
    label: str
    fragments: tuple[tuple[int, int], ...]
    attributes: Mapping[str, str | bool] = field(default_factory=dict)
    concepts: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Document:
    """A text and its annotations, in the order of the file.

    Attributes:
        doc_id: unique in its corpus.
        text: the text the offsets count in, line ends as in the file.
        annotations: the mentions.
        relations: (type, first, second); the ends are annotation ids, or concept codes where the format relates
            concepts (PubTator).
        mismatched: ids of annotations whose text as published is not the text at their offsets, white space aside.
            They are kept: the offsets decide.
        surfaces: where a file of predictions gives no text, what each annotation's is said to be, ``""`` for unknown.
    """

    doc_id: str
    text: str
    annotations: tuple[Annotation, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    mismatched: tuple[str, ...] = ()
    surfaces: tuple[str, ...] = ()


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        CorpusError: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(path, 0, f"cannot be read ({type(error).__name__})") from None


def read_text(path: Path) -> str:
    """The file as UTF-8, exactly: line ends as they are, and a byte order mark as the text's first character.

    Raises:
        CorpusError: when it cannot be read or is not UTF-8.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(path, content.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
