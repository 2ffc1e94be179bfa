"""A corpus's ``spec.json``: where its files are, and what its labels and attributes mean here.

What a corpus does not mark is *unknown* there, not absent: labels outside :attr:`Spec.marked` must not be scored on
it, and axes outside :attr:`Spec.axes` carry no value.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clinspan.corpora.formats import FORMATS, module_of, read_files
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text
from clinspan.schema import EXPERIENCERS, FLAGS, LABELS

#: Axes a corpus may mark: the boolean flags, and the experiencer.
AXES: tuple[str, ...] = (*FLAGS, "experiencer")

#: What a corpus may mark: entities; section headers, whose labels are groups of sections; or definitions of
#: abbreviations, each a mention of two fragments, its long form and its short form.
LAYERS: tuple[str, ...] = ("entities", "sections", "abbreviations")
ABBREVIATION = "ABBREVIATION"


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
        judged: clinspan labels that it marks them on; all when empty.
        layer: what it marks, one of :data:`LAYERS`.
        unit: a regular expression whose first group, searched in a document's id, names the unit that documents
            belong to (several sentences of an abstract, two files of a trial): intervals resample units. ``""`` where
            every document is its own.
        vocabulary: the vocabulary of concept codes that do not name theirs; ``""`` where there are no codes.
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
    judged: tuple[str, ...] = ()
    layer: str = "entities"
    unit: str = ""
    vocabulary: str = ""


@dataclass(frozen=True)
class Gold:
    """Documents to score by, with the labels and axes they mark; see :func:`gold_of` and :func:`gold_of_files`.

    ``ignored`` are attributes of files without a spec that are called as no axis.
    """

    name: str
    split: str
    documents: tuple[Document, ...]
    labels: tuple[str, ...]
    axes: tuple[str, ...]
    judged: tuple[str, ...] = ()
    layer: str = "entities"
    unit: str = ""
    ignored: tuple[str, ...] = ()


def gold_of(spec: Spec, *, data: str | Path | None = None, split: str) -> Gold:
    """A split of a corpus in clinspan's labels and axes; a second document of one id becomes ``id#2``.

    Raises:
        CorpusError: as :func:`read_corpus` and :func:`map_document`.
    """
    seen: Counter[str] = Counter()
    documents = []
    for document in read_corpus(spec, data=data, split=split):
        seen[document.doc_id] += 1
        number = seen[document.doc_id]
        mapped = map_document(document, spec)
        documents.append(mapped if number == 1 else replace(mapped, doc_id=f"{document.doc_id}#{number}"))
    return Gold(spec.name, split, tuple(documents), spec.marked, spec.axes, spec.judged, spec.layer, spec.unit)


def gold_of_files(path: str | Path, format_name: str, *, labels: Mapping[str, str] | None = None) -> Gold:
    """Files without a spec: every label and axis that they use is taken as marked.

    Args:
        labels: the files' labels to those to score by; a label that is not listed stands for itself.

    Raises:
        CorpusError: as :func:`~clinspan.corpora.formats.read_files`, and for a value that an axis cannot have.
    """
    read = list(read_files(path, format_name))
    documents = [called_axes(document, path, labels or {}) for document in read]
    annotations = [annotation for document in documents for annotation in document.annotations]
    used = {axis for annotation in annotations for axis in annotation.attributes}
    names = {name for document in read for annotation in document.annotations for name in annotation.attributes}
    return Gold(
        name=Path(path).name,
        split="",
        documents=tuple(documents),
        labels=tuple(sorted({annotation.label for annotation in annotations})),
        axes=tuple(axis for axis in AXES if axis in used),
        ignored=tuple(sorted(name for name in names if name.lower() not in AXES)),
    )


def called_axes(document: Document, path: str | Path, labels: Mapping[str, str]) -> Document:
    """The document with other labels, and of its attributes those that are called as an axis, in whatever case.

    Raises:
        CorpusError: for a value that the axis cannot have.
    """
    annotations = []
    for annotation in document.annotations:
        values: dict[str, str | bool] = {}
        for name, value in annotation.attributes.items():
            axis, text = name.lower(), str(value).lower()
            if axis not in AXES:
                continue
            if text not in (EXPERIENCERS if axis == "experiencer" else ("true", "false")):
                where = f"document {document.doc_id}, annotation {annotation.id}"
                raise CorpusError(path, 0, f"{where}: {axis} has a value it cannot have; a spec.json can map it")
            values[axis] = text if axis == "experiencer" else text == "true"
        label = labels.get(annotation.label, annotation.label)
        annotations.append(replace(annotation, label=label, attributes=values))
    return replace(document, annotations=tuple(annotations))


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
    if unknown := set(raw) - {*required, "attributes", "axes", "judged", "layer", "unit", "vocabulary"}:
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
            judged=tuple(raw.get("judged", ())),
            layer=raw.get("layer", "entities"),
            unit=raw.get("unit", ""),
            vocabulary=raw.get("vocabulary", ""),
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
    read = module_of(spec.format).read
    return (document for file in files for document in read(file))


def map_document(document: Document, spec: Spec) -> Document:
    """The document with clinspan's labels and axes.

    Annotations whose label has no counterpart are dropped, with their relations; of several that come to have the same
    label on the same characters one stays, with what is said of any of them. The attributes of the others become
    a value for every axis in ``spec.axes`` and for no other: ``False`` or ``"patient"`` unless an attribute of the
    corpus says more. Codes get the spec's vocabulary in front where they name none; ``-1`` (no concept) goes.

    Raises:
        CorpusError: for a value the spec does not list of an attribute that it maps.
    """
    kept: dict[tuple[tuple[tuple[int, int], ...], str], Annotation] = {}
    dropped: set[str] = set()
    for annotation in document.annotations:
        label = spec.labels.get(annotation.label)
        if label is None:
            dropped.add(annotation.id)
            continue
        attributes = _axes(annotation, document.doc_id, spec) if not spec.judged or label in spec.judged else {}
        mapped = replace(annotation, label=label, attributes=attributes, concepts=_codes(annotation, spec))
        key = annotation.fragments, label
        if key in kept:
            dropped.add(annotation.id)
            kept[key] = _merged(kept[key], mapped)
        else:
            kept[key] = mapped
    return replace(
        document,
        annotations=tuple(kept.values()),
        relations=tuple(r for r in document.relations if r[1] not in dropped and r[2] not in dropped),
        mismatched=tuple(i for i in document.mismatched if i not in dropped),
    )


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


def _codes(annotation: Annotation, spec: Spec) -> tuple[str, ...]:
    if not spec.vocabulary:
        return annotation.concepts
    codes = [code for concept in annotation.concepts for code in concept.split("+") if code != "-1"]
    return tuple(code if ":" in code else f"{spec.vocabulary}:{code}" for code in codes)


def _merged(first: Annotation, second: Annotation) -> Annotation:
    """The first, with what the second says more."""
    said = {axis: value for axis, value in second.attributes.items() if value not in (False, "patient")}
    concepts = tuple(dict.fromkeys((*first.concepts, *second.concepts)))
    return replace(first, attributes={**first.attributes, **said}, concepts=concepts)


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


def _labels(layer: str) -> set[str]:
    if layer == "sections":
        from clinspan.components import resource_rows  # imports spaCy

        return {row["group"] for row in resource_rows("en/sections.tsv")}
    return {ABBREVIATION} if layer == "abbreviations" else set(LABELS)


def _problem(spec: Spec) -> str:
    if spec.format not in FORMATS:
        return f"format is not one of {', '.join(FORMATS)}"
    if any(len(pattern) < 2 for patterns in spec.splits.values() for pattern in patterns):
        return "splits are not lists of patterns"
    if spec.layer not in LAYERS:
        return f"layer is not one of {', '.join(LAYERS)}"
    try:
        if spec.unit and re.compile(spec.unit).groups < 1:
            return "unit has no group"
    except re.error:
        return "unit is not a regular expression"
    targets = {label for label in spec.labels.values() if label is not None}
    if unknown := {*targets, *spec.marked, *spec.judged} - _labels(spec.layer):
        return f"not labels of clinspan's {spec.layer}: {', '.join(sorted(unknown))}"
    if unknown := {*spec.marked, *spec.judged} - targets:
        return f"marked or judged, but no label is mapped to them: {', '.join(sorted(unknown))}"
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
