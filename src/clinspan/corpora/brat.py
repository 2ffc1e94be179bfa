"""BRAT standoff: ``<doc_id>.txt`` beside ``<doc_id>.ann``, read and write.

Read: text-bound annotations (T, continuous or in fragments, fragments in any order), events (E: their trigger stands
for them), attributes (A, M; on an annotation or on an event), relations (R, and ``*`` as consecutive pairs),
normalisations (N, to concepts) and notes (#, to an attribute named ``#<type>``). The arguments of an event become
relations (role, trigger, argument).

Offsets count in the text as it is in the file, carriage returns included, as BRAT counts them. Some published files
carry a mention's line break into the .ann file: lines without an id after a text-bound annotation are taken as part of
its mention. Where the published mention is not the text at the offsets, the offsets hold, and the annotation is listed
in ``Document.mismatched``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from clinspan.corpora._documents import envelope, fault, is_file_name, surface, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_ENTRY = re.compile(r"(?:[TEAMRN]\d\S*|#\S*|\*)\t")
_NEAR_ENTRY = re.compile(r"[A-Z#]\d+\s|\*\s|[^\t]*\t")
_SPAN = re.compile(r"(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)")
_WRITTEN_ID = re.compile(r"T\d+")
_BREAKS = re.compile(r"[\t\r\n]")


def read(path: Path) -> Iterator[Document]:
    """The one document of a .txt file and the .ann file beside it.

    Raises:
        CorpusError: for a missing file, a malformed line, offsets outside the text, an id used twice, or a reference
            to an id that the file does not define.
    """
    path = Path(path)
    text = read_text(path.with_suffix(".txt"))
    annotations = path.with_suffix(".ann")
    yield _Parser(path.stem, text, annotations).parse(read_text(annotations))


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as ``<doc_id>.txt`` and ``<doc_id>.ann`` into a folder, so that :func:`read` gives them back.

    Annotation ids are kept when all are BRAT ids (``T1``), else numbered anew. Attributes that are ``True`` become
    binary ones, those that are ``False`` are not written; concepts become normalisations, which BRAT's own tools
    expect in the form ``VOCABULARY:code``. Relations between concepts have no form in BRAT and are left out.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    for document in writable(documents, problem):
        lines = _lines(document)
        (folder / f"{document.doc_id}.txt").write_bytes(document.text.encode())
        (folder / f"{document.doc_id}.ann").write_bytes("".join(f"{line}\n" for line in lines).encode())


def problem(document: Document) -> str:
    """Why BRAT cannot hold the document: a doc_id that is not a file name, a name with white space, a value or concept
    with a tab or line break, annotations outside the text, or text that is not Unicode. Empty when it can."""
    if not is_file_name(document.doc_id):
        return "its id is not a file name"
    names = {relation[0] for relation in document.relations}
    for annotation in document.annotations:
        names.add(annotation.label)
        names.update(name.removeprefix("#") for name in annotation.attributes)
        values = [v for n, v in annotation.attributes.items() if not n.startswith("#")]
        if any(_BREAKS.search(str(value)) for value in (*values, *annotation.concepts)):
            return "an attribute value or concept has a tab or line break"
    if any(not name or re.search(r"\s", name) for name in names):
        return "a label, attribute or relation name is empty or has white space"
    return fault(document)


def _lines(document: Document) -> list[str]:
    ids = [annotation.id for annotation in document.annotations]
    if len(set(ids)) < len(ids) or not all(map(_WRITTEN_ID.fullmatch, ids)):
        written = [f"T{number}" for number in range(1, len(ids) + 1)]
    else:
        written = ids
    lines: list[str] = []
    counts = dict.fromkeys("ANR#", 0)

    def entry(kind: str, body: str, tail: str = "") -> None:
        counts[kind] += 1
        lines.append(f"{kind}{counts[kind]}\t{body}" + (f"\t{tail}" if tail else ""))

    for identifier, annotation in zip(written, document.annotations, strict=True):
        offsets = ";".join(f"{start} {end}" for start, end in annotation.fragments)
        mention = _BREAKS.sub(" ", surface(document.text, annotation.fragments))
        lines.append(f"{identifier}\t{annotation.label} {offsets}\t{mention}")
        for name, value in annotation.attributes.items():
            if name.startswith("#"):
                for note in str(value).split("\n"):
                    entry("#", f"{name[1:]} {identifier}", _BREAKS.sub(" ", note))
            elif value is not False:
                entry("A", f"{name} {identifier}" + ("" if value is True else f" {value}"))
        for concept in annotation.concepts:
            entry("N", f"Reference {identifier} {concept}", mention)
    new_ids = dict(zip(ids, written, strict=True))
    for kind, first, second in document.relations:
        if first in new_ids and second in new_ids:
            entry("R", f"{kind} Arg1:{new_ids[first]} Arg2:{new_ids[second]}")
    return lines


@dataclass
class _Mention:
    """A T line while the file is read; what its offsets say and what it says itself, as words."""

    label: str
    fragments: tuple[tuple[int, int], ...]
    expected: list[str]
    published: list[str]
    attributes: dict[str, str | bool] = field(default_factory=dict)
    concepts: list[str] = field(default_factory=list)


class _Parser:
    def __init__(self, doc_id: str, text: str, file: Path) -> None:
        self.doc_id = doc_id
        self.text = text
        self.file = file
        self.mentions: dict[str, _Mention] = {}
        self.events: dict[str, str] = {}
        self.references: list[tuple[int, str, str]] = []
        self.relations: list[tuple[str, str, str]] = []

    def parse(self, content: str) -> Document:
        # Events may be referred to before their line, so references wait until all lines are read.
        last: _Mention | None = None
        for number, line in enumerate(content.split("\n"), start=1):
            line = line.removesuffix("\r")
            if _ENTRY.match(line):
                last = self._entry(number, line)
            elif line.strip():
                if last is None or _NEAR_ENTRY.match(line):
                    raise CorpusError(self.file, number, "not an annotation")
                last.published += line.split()
        for number, kind, body in self.references:
            self._reference(number, kind, body)
        return Document(
            doc_id=self.doc_id,
            text=self.text,
            annotations=tuple(
                Annotation(
                    *envelope(mention.fragments),
                    label=mention.label,
                    fragments=mention.fragments,
                    attributes=mention.attributes,
                    concepts=tuple(mention.concepts),
                    id=identifier,
                )
                for identifier, mention in self.mentions.items()
            ),
            relations=tuple(self.relations),
            mismatched=tuple(i for i, mention in self.mentions.items() if mention.expected != mention.published),
        )

    def _entry(self, number: int, line: str) -> _Mention | None:
        identifier, _, body = line.partition("\t")
        kind = identifier[0]
        if kind == "T":
            return self._mention(number, identifier, body)
        if kind == "E":
            label, _, trigger = body.partition(" ")[0].partition(":")
            if not label or not trigger:
                raise CorpusError(self.file, number, "malformed event")
            if identifier in self.events:
                raise CorpusError(self.file, number, f"id {identifier} is used twice")
            self.events[identifier] = trigger
        self.references.append((number, kind, f"{identifier} {body}" if kind == "E" else body))
        return None

    def _mention(self, number: int, identifier: str, body: str) -> _Mention:
        head, tab, published = body.partition("\t")
        match = _SPAN.fullmatch(head)
        if not match or not tab:
            raise CorpusError(self.file, number, "malformed text-bound annotation")
        if identifier in self.mentions:
            raise CorpusError(self.file, number, f"id {identifier} is used twice")
        fragments = []
        for pair in match[2].split(";"):
            start, end = map(int, pair.split())
            if not start < end <= len(self.text):
                raise CorpusError(self.file, number, f"offsets {start} {end} are not in the text")
            fragments.append((start, end))
        self.mentions[identifier] = mention = _Mention(
            label=match[1],
            fragments=tuple(sorted(fragments)),
            expected=surface(self.text, fragments).split(),
            published=published.split(),
        )
        return mention

    def _reference(self, number: int, kind: str, body: str) -> None:
        if kind in "AM":
            self._attribute(number, body.rstrip())
        elif kind == "R":
            fields = body.split()
            if len(fields) != 3 or not all(":" in argument for argument in fields[1:]):
                raise CorpusError(self.file, number, "malformed relation")
            first, second = (self._resolve(number, argument.partition(":")[2]) for argument in fields[1:])
            self.relations.append((fields[0], first, second))
        elif kind == "*":
            name, *members = body.split() or [""]
            if len(members) < 2:
                raise CorpusError(self.file, number, "malformed equivalence")
            members = [self._resolve(number, member) for member in members]
            self.relations += [(name, a, b) for a, b in pairwise(members)]
        elif kind == "E":
            event, _, *arguments = body.split()
            trigger = self._resolve(number, event)
            for argument in arguments:
                role, _, target = argument.partition(":")
                self.relations.append((role, trigger, self._resolve(number, target)))
        elif kind == "N":
            fields = body.partition("\t")[0].split(" ", 2)
            if len(fields) != 3:
                raise CorpusError(self.file, number, "malformed normalisation")
            self.mentions[self._resolve(number, fields[1])].concepts.append(fields[2].strip())
        elif kind == "#":
            self._note(body)

    def _attribute(self, number: int, body: str) -> None:
        name, _, rest = body.partition(" ")
        target, _, value = rest.partition(" ")
        if not name or not target:
            raise CorpusError(self.file, number, "malformed attribute")
        if not target.startswith("R"):  # an attribute of a relation says nothing of a mention
            self.mentions[self._resolve(number, target)].attributes[name] = value or True

    def _note(self, body: str) -> None:
        head, _, note = body.partition("\t")
        kind, _, target = head.partition(" ")
        identifier = self.events.get(target, target)
        if kind and identifier in self.mentions:  # notes on relations and on the file are of no use here
            attributes = self.mentions[identifier].attributes
            name = f"#{kind}"
            attributes[name] = f"{attributes[name]}\n{note}" if name in attributes else note

    def _resolve(self, number: int, identifier: str) -> str:
        identifier = self.events.get(identifier, identifier)
        if identifier not in self.mentions:
            raise CorpusError(self.file, number, "refers to an id that the file does not define")
        return identifier
