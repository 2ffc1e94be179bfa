"""Annotated corpora: one document type, one module a format, one ``spec.json`` a corpus.

A reader yields documents with the corpus's own labels and attributes; :func:`map_document` turns them into
clinspan's with the corpus's :class:`Spec`. What a corpus does not mark is *unknown* there, not absent: labels
outside :attr:`Spec.marked` must not be scored on it, and axes outside :attr:`Spec.axes` carry no value.

Offsets are Unicode code points of :attr:`Document.text`, half-open. Error messages hold file names, line numbers
and ids, never text.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clinspan.schema import EXPERIENCERS, FLAGS, LABELS

#: Formats there is a reader for: modules of this package with ``read(path) -> Iterator[Document]``.
FORMATS: tuple[str, ...] = ("brat", "pubtator", "negex")

#: Axes a corpus may mark: the boolean flags, and the experiencer.
AXES: tuple[str, ...] = (*FLAGS, "experiencer")


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
    """

    doc_id: str
    text: str
    annotations: tuple[Annotation, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    mismatched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """How a corpus is read and what its annotations mean here; see :func:`load_spec`.

    Attributes:
        name: the corpus's name, also that of its folder.
        format: one of :data:`FORMATS`.
        splits: glob patterns of the files of each split, relative to the corpus's data folder.
        labels: corpus label to clinspan label; ``None`` says that the label is known and has no counterpart.
        attributes: corpus attribute to value (``"true"`` for a binary one) to the axes it sets.
        marked: clinspan labels the corpus marks throughout; the others are unknown there.
        axes: axes the corpus marks; the others are unknown there.
        licence: the licence of the data.
        url: where users get the data.
        folder: where the spec lies.
    """

    name: str
    format: str
    splits: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str | None]
    attributes: Mapping[str, Mapping[str, Mapping[str, str | bool]]]
    marked: tuple[str, ...]
    axes: tuple[str, ...]
    licence: str
    url: str
    folder: Path


def load_spec(name_or_path: str | Path) -> Spec:
    """The spec of a corpus: by name, by the folder that holds its ``spec.json``, or by that file.

    Raises:
        CorpusError: when there is none, or it is not a valid spec.
    """
    path = _spec_path(name_or_path)
    try:
        raw = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CorpusError(path, error.lineno, "not JSON") from None
    if not isinstance(raw, dict):
        raise CorpusError(path, 0, "not a JSON object")
    required = ("name", "format", "splits", "labels", "marked", "licence", "url")
    if missing := [key for key in required if key not in raw]:
        raise CorpusError(path, 0, f"missing keys: {', '.join(missing)}")
    if unknown := set(raw) - {*required, "attributes", "axes"}:
        raise CorpusError(path, 0, f"unknown keys: {', '.join(sorted(unknown))}")
    try:
        spec = Spec(
            name=raw["name"],
            format=raw["format"],
            splits={split: tuple(patterns) for split, patterns in raw["splits"].items()},
            labels=dict(raw["labels"]),
            attributes=raw.get("attributes", {}),
            marked=tuple(raw["marked"]),
            axes=tuple(raw.get("axes", ())),
            licence=raw["licence"],
            url=raw["url"],
            folder=path.parent,
        )
        problem = _problem(spec)
    except (AttributeError, TypeError, ValueError):
        raise CorpusError(path, 0, "a key has a value of the wrong type") from None
    if problem:
        raise CorpusError(path, 0, problem)
    return spec


def data_folder(spec: Spec) -> Path:
    """Where the corpus's files are when nobody says: with its spec, else ``$CLINSPAN_DATA/corpora/<name>``.

    Raises:
        CorpusError: when neither holds them.
    """
    folders = [spec.folder]
    if root := os.environ.get("CLINSPAN_DATA"):
        folders.append(Path(root, "corpora", spec.name))
    for folder in folders:
        if any(_files(folder, patterns) for patterns in spec.splits.values()):
            return folder
    raise CorpusError(spec.folder, 0, f"no data of corpus {spec.name}: give its folder, or set CLINSPAN_DATA")


def read_corpus(spec: Spec, *, data: str | Path | None = None, split: str) -> Iterator[Document]:
    """The documents of a split, with the corpus's own labels, files in the order of their paths.

    Arguments:
        spec: the corpus.
        data: the folder its glob patterns are relative to; :func:`data_folder` when ``None``.
        split: one of the spec's splits.

    Raises:
        CorpusError: for an unknown split, a split without files, and whatever a file has wrong.
    """
    if split not in spec.splits:
        raise CorpusError(spec.folder, 0, f"corpus {spec.name} has no split {split!r}, only {', '.join(spec.splits)}")
    folder = data_folder(spec) if data is None else Path(data)
    files = _files(folder, spec.splits[split])
    if not files:
        raise CorpusError(folder, 0, f"no file matches {', '.join(spec.splits[split])}")
    read = importlib.import_module(f"{__name__}.{spec.format}").read
    return (document for file in files for document in read(file))


def map_document(document: Document, spec: Spec) -> Document:
    """The document with clinspan's labels and axes.

    Annotations whose label has no counterpart are dropped, with their relations. The attributes of the others become
    a value for every axis in ``spec.axes`` and for no other: ``False`` or ``"patient"`` unless an attribute of the
    corpus says more.

    Raises:
        CorpusError: for a value the spec does not list of an attribute that it maps.
    """
    kept: list[Annotation] = []
    dropped: set[str] = set()
    for annotation in document.annotations:
        label = spec.labels.get(annotation.label)
        if label is None:
            dropped.add(annotation.id)
            continue
        kept.append(replace(annotation, label=label, attributes=_axes(annotation, document.doc_id, spec)))
    return replace(
        document,
        annotations=tuple(kept),
        relations=tuple(r for r in document.relations if r[1] not in dropped and r[2] not in dropped),
        mismatched=tuple(i for i in document.mismatched if i not in dropped),
    )


def read_text(path: Path) -> str:
    """The file as UTF-8 without newline translation.

    Raises:
        CorpusError: when it cannot be read or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(path, 0, f"cannot be read ({type(error).__name__})") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(path, content.count(b"\n", 0, error.start) + 1, "not UTF-8") from None


def _axes(annotation: Annotation, doc_id: str, spec: Spec) -> dict[str, str | bool]:
    values: dict[str, str | bool] = {axis: "patient" if axis == "experiencer" else False for axis in spec.axes}
    for name, value in annotation.attributes.items():
        if (sets := spec.attributes.get(name)) is None:
            continue
        key = str(value).lower() if isinstance(value, bool) else value
        if key not in sets:
            where = f"document {doc_id}, annotation {annotation.id}"
            raise CorpusError(spec.folder / "spec.json", 0, f"{where}: value of attribute {name} is not in the spec")
        values.update(sets[key])
    return values


def _spec_path(name_or_path: str | Path) -> Path:
    package = Path(__file__).resolve().parent
    for root in (Path(), package, package.parents[2] / "corpora"):
        path = root / name_or_path
        if path.is_dir():
            path = path / "spec.json"
        if path.is_file() and path.suffix == ".json":
            return path
    raise CorpusError(name_or_path, 0, "no spec.json here, and no corpus of this name")


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})


def _problem(spec: Spec) -> str:
    if spec.format not in FORMATS:
        return f"format is not one of {', '.join(FORMATS)}"
    if any(len(pattern) < 2 for patterns in spec.splits.values() for pattern in patterns):
        return "splits are not lists of patterns"
    targets = {label for label in spec.labels.values() if label is not None}
    if unknown := (targets | set(spec.marked)) - set(LABELS):
        return f"not labels of clinspan: {', '.join(sorted(unknown))}"
    if unknown := set(spec.marked) - targets:
        return f"marked, but no label is mapped to them: {', '.join(sorted(unknown))}"
    if unknown := set(spec.axes) - set(AXES):
        return f"not axes: {', '.join(sorted(unknown))}"
    for name, values in spec.attributes.items():
        for sets in values.values():
            for axis, value in sets.items():
                if axis not in spec.axes:
                    return f"attribute {name} sets {axis}, which is not in axes"
                if value not in EXPERIENCERS if axis == "experiencer" else not isinstance(value, bool):
                    return f"attribute {name} sets {axis} to a value it cannot have"
    return ""
