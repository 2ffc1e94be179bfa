"""What is to be scored: a spaCy pipeline's entities on a corpus's texts, or predictions read from files.

Any spaCy pipeline will do. Its entities are those of a span group or of ``doc.ents``; what it says of them is read
from clinspan's attributes, or from those of negspaCy and medspaCy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinspan.corpora import AXES, Annotation, CorpusError, Document, guess_format, read_files
from clinspan.corpora.spec import ABBREVIATION, called_axes
from clinspan.notes import sanitize

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

#: By component: the attributes in which it says what we call an axis. Ours, negspaCy's, medspaCy's.
KNOWN_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "clinspan_context": {axis: axis for axis in AXES},
    "negex": {"negex": "negated"},
    "medspacy_context": {
        "is_negated": "negated",
        "is_uncertain": "uncertain",
        "is_hypothetical": "hypothetical",
        "is_historical": "historical",
        "is_family": "experiencer",
    },
}


@dataclass(frozen=True)
class Predictions:
    """What a system says of a corpus.

    Attributes:
        name: the pipeline's name and version, or the path of the predictions.
        documents: those with predictions.
        axes: the axes it says anything of.
    """

    name: str
    documents: Sequence[Document]
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Finder:
    """How a pipeline's entities are read.

    Attributes:
        layer: what to read, of :data:`~clinspan.corpora.LAYERS`.
        spans: a span group, or ``ents`` for ``doc.ents``; ``None`` for the group ``entities``, and ``doc.ents`` where
            there is none.
        labels: the pipeline's labels to those to score by; a label that is not listed stands for itself.
        attributes: the axis that each attribute of a span says; ``None`` for those that the pipeline's components
            are known to set (:data:`KNOWN_ATTRIBUTES`).
    """

    layer: str = "entities"
    spans: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] | None = None

    def axes_of(self, nlp: Language) -> dict[str, str]:
        """The axis that each attribute of the pipeline's spans says."""
        if self.attributes is not None:
            return dict(self.attributes)
        factories = [nlp.get_pipe_meta(name).factory for name in nlp.pipe_names]
        return {name: axis for f in factories for name, axis in KNOWN_ATTRIBUTES.get(f, {}).items()}


_CLINSPAN = Finder()


def predict(
    nlp: Language,
    documents: Sequence[Document],
    *,
    finder: Finder = _CLINSPAN,
    progress: Callable[[], None] | None = None,
) -> Predictions:
    """The pipeline's own entities on the texts of documents.

    Raises:
        ValueError: for a span group that the pipeline sets on no document.
    """
    axes = finder.axes_of(nlp)
    out = []
    sets = finder.spans in (None, "ents") or finder.layer != "entities"
    docs = nlp.pipe(sanitize(document.text) for document in documents)
    for document in documents:
        with _naming(document):
            doc = next(docs)
            sets = sets or finder.spans in doc.spans
            out.append(Document(document.doc_id, document.text, tuple(_found(doc, finder, axes))))
        if progress:
            progress()
    if documents and not sets:
        raise ValueError(f"the pipeline sets no span group {finder.spans!r}")
    return Predictions(_name(nlp), out, tuple(dict.fromkeys(axes.values())))


def judge(
    nlp: Language,
    documents: Sequence[Document],
    *,
    finder: Finder = _CLINSPAN,
    progress: Callable[[], None] | None = None,
) -> Predictions:
    """What the pipeline says of the spans that the documents have; see :func:`clinspan.annotate`."""
    from clinspan.pipeline import annotate

    axes = finder.axes_of(nlp)
    # other packages' components look at doc.ents, where no two may overlap
    everything = any(nlp.get_pipe_meta(name).factory == "clinspan_context" for name in nlp.pipe_names)
    out = []
    for document in documents:
        said: dict[int, Annotation] = {}
        layers = [list(range(len(document.annotations)))] if everything else _layers(document.annotations)
        for layer in layers:
            given = [document.annotations[i] for i in layer]
            with _naming(document):
                doc = annotate(nlp, document.text, [(a.fragments, a.label) for a in given])
                for i, a, span in zip(layer, given, doc.spans["entities"], strict=True):
                    said[i] = replace(a, attributes=_axis_values(span, axes), concepts=_codes(span))
        out.append(replace(document, annotations=tuple(said[i] for i in sorted(said))))
        if progress:
            progress()
    return Predictions(_name(nlp), out, tuple(dict.fromkeys(axes.values())))


@contextmanager
def _naming(document: Document) -> Iterator[None]:
    """Errors of a pipeline's components, without their messages: these may quote the text."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"document {document.doc_id!r}: the pipeline failed ({type(error).__name__})") from None


def _layers(annotations: Sequence[Annotation]) -> list[list[int]]:
    """Places of the annotations, in as few groups without overlap as they allow."""
    layers: list[tuple[list[int], int]] = []
    for i in sorted(range(len(annotations)), key=lambda i: (annotations[i].start, annotations[i].end)):
        start, end = annotations[i].start, annotations[i].end
        number = next((n for n, (_, last) in enumerate(layers) if last <= start), None)
        if number is None:
            layers.append(([i], end))
        else:
            layers[number] = ([*layers[number][0], i], end)
    return [places for places, _ in layers]


def is_predictions(name: str | Path) -> bool:
    """Whether a name is that of existing files, and not of a pipeline's folder."""
    path = Path(name)
    return path.is_file() or (path.is_dir() and not (path / "config.cfg").exists())


def read_predictions(
    path: str | Path, *, format_name: str | None = None, labels: Mapping[str, str] | None = None
) -> Predictions:
    """Predictions from files: JSON lines, any other corpus format, or the output folder of ``clinspan extract``.

    Attributes that are called as an axis, in whatever case, say it. Files write down what is so, not what is not: where
    any axis is mentioned, one that is not mentioned is taken to be said of none; where none is, nothing is said.

    Args:
        path: a file or a folder.
        format_name: one of :data:`~clinspan.corpora.FORMATS`; guessed from the files' names where left out.
        labels: the predictions' labels to those to score by; a label that is not listed stands for itself.

    Raises:
        CorpusError: for what the files have wrong, and where the format cannot be guessed.
    """
    path = Path(path)
    documents: Iterable[Document]
    if path.is_dir() and (path / "run.json").exists():
        documents = _run_documents(path)
    else:
        name = format_name or guess_format(path)
        if name is None:
            raise CorpusError(path, 0, "neither a pipeline nor predictions whose format the file names tell")
        documents = read_files(path, name)
    mapped = [called_axes(document, path, labels or {}) for document in documents]
    says = any(a.attributes for d in mapped for a in d.annotations)
    return Predictions(str(path), mapped, AXES if says else ())


def _run_documents(folder: Path) -> Iterator[Document]:
    from clinspan.tables import read_table

    rows: dict[str, list[dict[str, Any]]] = {
        note_id: [] for note_id in read_table(folder, "notes").column("note_id").to_pylist()
    }
    columns = ["note_id", "start", "end", "text", "label", "concept_id", "vocabulary", *AXES]
    for row in read_table(folder, "entities").select(columns).to_pylist():
        rows.setdefault(row["note_id"], []).append(row)
    for note_id, found in rows.items():
        yield Document(
            note_id,
            "",
            tuple(
                Annotation(
                    row["start"],
                    row["end"],
                    row["label"],
                    ((row["start"], row["end"]),),
                    {axis: row[axis] for axis in AXES},
                    _code(row["vocabulary"], row["concept_id"]),
                    f"T{number}",
                )
                for number, row in enumerate(found, 1)
            ),
            surfaces=tuple(row["text"] for row in found),
        )


def _found(doc: Doc, finder: Finder, axes: Mapping[str, str]) -> Iterator[Annotation]:
    if finder.layer == "abbreviations":
        definitions = doc.user_data.get("clinspan.abbreviations", ())
        for number, (short_start, short_end, long_start, long_end) in enumerate(definitions, 1):
            fragments = tuple(sorted([(long_start, long_end), (short_start, short_end)]))
            yield Annotation(fragments[0][0], fragments[-1][1], ABBREVIATION, fragments, id=f"T{number}")
        return
    for number, span in enumerate(_spans(doc, finder), 1):
        start, end = span.start_char, span.end_char
        yield Annotation(
            start,
            end,
            finder.labels.get(span.label_, span.label_),
            ((start, end),),
            _axis_values(span, axes) if finder.layer == "entities" else {},
            _codes(span),
            f"T{number}",
        )


def _spans(doc: Doc, finder: Finder) -> Iterable[Span]:
    if finder.layer == "sections":
        return doc.spans.get("section_titles", ())
    if finder.spans is None:
        return doc.spans["entities"] if "entities" in doc.spans else doc.ents  # noqa: SIM401 - of two types
    return doc.ents if finder.spans == "ents" else doc.spans.get(finder.spans, ())


def _axis_values(span: Span, axes: Mapping[str, str]) -> dict[str, str | bool]:
    values: dict[str, str | bool] = {}
    for name, axis in axes.items():
        value = getattr(span._, name)
        if axis != "experiencer":
            values[axis] = bool(value)
        else:
            values[axis] = value if isinstance(value, str) else "family" if value else "patient"
    return values


def _codes(span: Span) -> tuple[str, ...]:
    """The codes of a span, best first."""
    if span.has_extension("candidates") and span._.candidates:
        return tuple(code for c in span._.candidates for code in _code(c.vocabulary, c.concept_id))
    if span.has_extension("concept_id") and span._.concept_id:
        return _code(span._.vocabulary, span._.concept_id)
    return (span.kb_id_,) if span.kb_id_ else ()


def _code(vocabulary: str | None, concept_id: str | None) -> tuple[str, ...]:
    """A code with its vocabulary in front, as corpora write it; some vocabularies' codes have it already."""
    if not concept_id:
        return ()
    return (concept_id if concept_id.startswith(f"{vocabulary}:") else f"{vocabulary}:{concept_id}",)


def _name(nlp: Language) -> str:
    from clinspan.pipeline import pipeline_name

    return pipeline_name(nlp)
