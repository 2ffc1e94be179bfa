"""load() and annotate(): the spaCy pipeline put together.

A pipeline is a folder that ``spacy.load`` reads as well; the bundled ones lie in the package (an installed copy) or in
the checkout's ``models`` (an editable install).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

import clinspan
from clinspan import attributes, schema
from clinspan.components.entities import set_entities
from clinspan.components.memo import together
from clinspan.components.tokenizer import cut_at, make_doc, words_and_spaces
from clinspan.matching.container import is_index
from clinspan.notes import column_names, decode, sanitize
from clinspan.rules import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "en_clinspan"
#: Characters of notes that go through a pipeline together.
TOGETHER = 60_000
#: Components that propose or merge entities: annotate() leaves them out.
_FINDERS = frozenset(
    """
    clinspan_terms clinspan_abbreviations clinspan_ner clinspan_external_ner clinspan_entities ner beam_ner
    entity_ruler future_entity_ruler span_ruler spancat spancat_singlelabel span_finder medspacy_target_matcher
    medspacy_quickumls
    """.split()
)
_PREPARERS = frozenset(["clinspan_sentences", "clinspan_sections", "senter", "sentencizer"])


def model_folders() -> list[Path]:
    """Where bundled pipelines are looked for, in order."""
    package = Path(__file__).parent
    return [package / "models", package.parents[1] / "models"]


def find_model(name: str | os.PathLike[str] = DEFAULT) -> Path:
    """The folder of a pipeline, by bundled name or path.

    Raises:
        OSError: no such pipeline; the message says where it was looked for.
    """
    given = Path(name)
    if given.is_dir() and (given / "config.cfg").exists():
        return given
    for folder in model_folders():
        if (folder / name / "config.cfg").exists():
            return folder / name
    looked = ", ".join(str(folder) for folder in model_folders())
    raise OSError(f"no pipeline {os.fspath(name)!r}: not a pipeline folder, and not among the bundled ones ({looked})")


def load(
    name: str | os.PathLike[str] = DEFAULT, *, exclude: Iterable[str] = (), disable: Iterable[str] = ()
) -> Language:
    """Load a pipeline: a bundled one by name, or a folder.

    Args:
        name: a bundled pipeline's name, a folder, or an installed spaCy pipeline package.
        exclude: components not to load, as for ``spacy.load``.
        disable: components to load but leave out, as for ``spacy.load``.

    Raises:
        OSError: no such pipeline.
        ValueError: a component to exclude that the pipeline does not have.
    """
    try:
        target: str | Path = find_model(name)
    except OSError:
        if not spacy.util.is_package(os.fspath(name)):
            raise
        target = os.fspath(name)
    nlp = spacy.load(target, disable=list(disable))
    for component in exclude:
        if component not in nlp.component_names:
            known = ", ".join(nlp.component_names)
            raise ValueError(f"no component {component!r} to exclude; the pipeline has {known}")
        nlp.remove_pipe(component)
    return nlp


@dataclass(frozen=True)
class Recipe:
    """A pipeline and what the user adds to it: all that another process needs to put the same together.

    Attributes:
        name: as for :func:`load`.
        exclude: components to leave out.
        terms, rules: files of the user's own.
        vocabularies: codes of these alone, best first.
        ner: another model in place of the trained finder (:func:`use_ner`), with ``ner_labels``, its labels to
            clinspan's.
    """

    name: str = DEFAULT
    exclude: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    vocabularies: tuple[str, ...] = ()
    ner: str | None = None
    ner_labels: tuple[tuple[str, str], ...] = ()

    def load(self) -> Language:
        """The pipeline.

        Raises:
            OSError: a pipeline, a model or a file is not there.
            ValueError: one of them, or an option, is wrong.
        """
        nlp = load(self.name, exclude=self.exclude)
        if self.ner is not None:
            use_ner(nlp, self.ner, labels=dict(self.ner_labels))
        for path in self.terms:
            add_terms_file(nlp, path)
        for path in self.rules:
            add_rules_file(nlp, path)
        if self.vocabularies:
            choose_vocabularies(nlp, self.vocabularies)
        return nlp

    def title(self) -> str:
        """Name and version, as :func:`pipeline_name` has them, without loading it."""
        try:
            meta = json.loads((find_model(self.name) / "meta.json").read_text(encoding="utf-8"))
        except OSError:
            return self.name
        return f"{meta['lang']}_{meta['name']} {meta['version']}"

    def digest(self) -> str:
        """A digest of all that the pipeline's rows depend on: the files' contents, the options, clinspan's version."""
        found = hashlib.sha256(json.dumps([clinspan.__version__, asdict(self)]).encode())
        paths: list[str | Path] = [*self.terms, *self.rules]
        for name in filter(None, (self.name, self.ner)):
            try:
                paths.append(find_model(name))
            except OSError:
                if spacy.util.is_package(name):
                    paths.append(spacy.util.get_package_path(name))
        for path in map(Path, paths):
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and "__pycache__" not in file.parts:
                    found.update(file.name.encode())
                    with file.open("rb") as stream:
                        while block := stream.read(1 << 20):
                            found.update(block)
        return found.hexdigest()


def blank(language: str = "en") -> Language:
    """The bundled pipeline's parts without its dictionary, freshly put together; ``language`` is that of its rules."""
    nlp = spacy.blank(
        language,
        config={
            "nlp": {
                "tokenizer": {"@tokenizers": "clinspan.tokenizer.v1"},
                "after_pipeline_creation": {"@callbacks": "clinspan.max_length.v1"},
            }
        },
    )
    for part in ("sentences", "sections", "terms", "abbreviations", "entities", "linker", "context"):
        config = {"language": language} if part in ("sections", "context") else {}
        nlp.add_pipe(f"clinspan_{part}", name=part, config=config)
    return nlp


def annotate(nlp: Language, text: str, spans: Iterable[Any]) -> Doc:
    """Judge your own spans: they take the finders' place, everything else runs.

    Args:
        nlp: a pipeline from :func:`load`.
        text: the note; read as by :func:`clinspan.notes.sanitize`.
        spans: entities as ``(start, end, label)``, offsets in code points, half-open. A discontinuous one is
            ``(fragments, label)`` with fragments as a list of ``(start, end)``, or a list of ``(start, end, label)``.
            Labels that are not clinspan's are judged as CONDITION.

    Returns:
        A Doc whose ``spans["entities"]`` holds every span given, in the order given. A span off the token boundaries
        splits the token, so the offsets are those given; a discontinuous one stands by its head fragment, with all of
        them in ``span._.fragments``.

    Raises:
        ValueError: an empty span or one outside the text; the message gives its number and offsets.
    """
    text = sanitize(text)
    given = [_given(item, number, len(text)) for number, item in enumerate(spans)]
    pieces = [piece for fragments, _ in given for piece in fragments]
    words, spaces = words_and_spaces(text)
    doc = make_doc(nlp.vocab, *cut_at(words, spaces, (s for s, _ in pieces), (e for _, e in pieces)))
    before, after = _around_the_finders(nlp)
    for prepare in before:
        doc = prepare(doc)
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory == "clinspan_abbreviations":
            nlp.get_pipe(name).define(doc)  # what the note's short forms mean, for the linker
    entities = []
    for number, (fragments, label) in enumerate(given):
        head = _head(fragments, text)
        # several discontinuous spans may share their head: the number tells their fragments apart
        span = doc.char_span(*head, label=label, span_id=str(number) if len(fragments) > 1 else "")
        if span is None:
            raise AssertionError(f"span {number} [{head[0]}, {head[1]}) does not fall on tokens")
        entities.append(span)
        values = attributes.values_of(doc, *head, label)
        values["source"] = "given"
        if len(fragments) > 1:
            values.setdefault("fragments", {})[span.id_] = [list(piece) for piece in fragments]
    set_entities(doc, entities, [])
    for component in after:
        doc = component(doc)
    return doc


def _around_the_finders(nlp: Language) -> tuple[list[Any], list[Any]]:
    """The components that run before given entities are set, and those that run on them."""
    before, after = [], []
    for name, component in nlp.pipeline:
        factory = nlp.get_pipe_meta(name).factory
        if factory in _PREPARERS:
            before.append(component)
        elif factory not in _FINDERS:
            after.append(component)
    return before, after


def _given(item: Any, number: int, length: int) -> tuple[list[tuple[int, int]], str]:
    """One entity given to annotate, as its fragments in order and its label."""
    parts = list(item)
    if len(parts) == 3 and not isinstance(parts[0], (list, tuple)):
        fragments, label = [(int(parts[0]), int(parts[1]))], parts[2]
    elif len(parts) == 2 and isinstance(parts[1], str):
        fragments, label = [(int(s), int(e)) for s, e in parts[0]], parts[1]
    elif parts and all(isinstance(p, (list, tuple)) and len(p) == 3 for p in parts):
        fragments, label = [(int(p[0]), int(p[1])) for p in parts], parts[0][2]
    else:
        raise ValueError(f"span {number}: neither (start, end, label) nor (fragments, label)")
    for start, end in fragments:
        if not 0 <= start < end <= length:
            raise ValueError(f"span {number} [{start}, {end}) is empty or outside the text of {length} characters")
    return sorted(set(fragments)), str(label)


_OF = ("of", "in", "to", "the", "at", "on", "with", "for", "from", "by")


def _head(fragments: list[tuple[int, int]], text: str) -> tuple[int, int]:
    """The fragment that holds the head noun: the last ("left … arm pain"), but the first before an "of"."""
    if len(fragments) == 1:
        return fragments[0]
    first = text[slice(*fragments[0])].split()
    if len(first) > 1 and first[-1].lower() in _OF:
        return fragments[0]
    return fragments[-1]


def add_terms_file(nlp: Language, path: str | os.PathLike[str]) -> int:
    """Add the user's own terms: a CSV or TSV file with columns ``term``, ``label`` and, at will, ``code``, whose terms
    win over everything; or an index that ``clinspan terms build`` wrote, of which longer names win, and over names of
    the pipeline's dictionary as long.

    Returns:
        How many terms were added.

    Raises:
        OSError: the file cannot be read.
        ValueError: a column is missing or a row is wrong (the message names the file and the row), or the index is not
            one, or damaged.
    """
    if Path(path).is_file() and is_index(path):
        added = component(nlp, "terms").add_index(path, verify=True)
        if any(nlp.get_pipe_meta(name).factory == "clinspan_linker" for name in nlp.pipe_names):
            component(nlp, "linker").add_index(path, needed=False)
        return added  # type: ignore[no-any-return]
    rows = _table(path, ("term", "label"))
    return component(nlp, "terms").add_terms(rows, source=Path(path).name)  # type: ignore[no-any-return]


def use_ner(nlp: Language, model: str, *, labels: Mapping[str, str] | None = None) -> None:
    """Take another spaCy pipeline's entities in place of the trained finder's.

    Args:
        model: an installed package, or a folder.
        labels: its labels to clinspan's, beside those known (:data:`clinspan.components.external_ner.KNOWN_LABELS`).

    Raises:
        OSError: no such model.
        ValueError: a label that clinspan does not have, or none of the model's labels means one of clinspan's.
    """
    config = {"model": model, "labels": dict(labels or {})}
    before = next((n for n in nlp.pipe_names if nlp.get_pipe_meta(n).factory == "clinspan_entities"), None)
    if before is None:
        raise ValueError("the pipeline has no component 'entities' to merge another model's with its own")
    for name in list(nlp.pipe_names):
        if nlp.get_pipe_meta(name).factory in ("clinspan_ner", "clinspan_external_ner"):
            nlp.remove_pipe(name)
    nlp.add_pipe("clinspan_external_ner", name="ner", before=before, config=config)


def codes_only(nlp: Language) -> None:
    """Give each entity its code, and no further candidates: all that tables hold, in less time."""
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory == "clinspan_linker":
            nlp.get_pipe(name).keep = 1


def choose_vocabularies(nlp: Language, names: Iterable[str]) -> None:
    """Give codes of these vocabularies alone, best first, in any case ("icd10cm").

    Raises:
        ValueError: one that neither the pipeline's concepts nor those of an index of the user's have.
    """
    component(nlp, "linker").choose(names)


def link_to(nlp: Language, names: Iterable[str]) -> None:
    """Give codes of those of these vocabularies that the pipeline knows; where it knows none, as before."""
    if any(nlp.get_pipe_meta(name).factory == "clinspan_linker" for name in nlp.pipe_names):
        known = component(nlp, "linker").known_vocabularies().intersection(names)
        if known:
            choose_vocabularies(nlp, sorted(known))


def add_rules_file(nlp: Language, path: str | os.PathLike[str]) -> None:
    """Add the user's own context rules from a TSV file with the columns of ``resources/en/context.tsv``.

    Raises:
        OSError: the file cannot be read.
        ValueError: a column is missing or a rule is wrong; the message names the file and the rule.
    """
    rows = _table(path, COLUMNS)
    try:
        component(nlp, "context").add_rules(rows)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def component(nlp: Language, name: str) -> Any:
    """The pipeline's component of our factory ``clinspan_<name>``.

    Raises:
        ValueError: it has none.
    """
    for pipe_name in nlp.pipe_names:
        if nlp.get_pipe_meta(pipe_name).factory == f"clinspan_{name}":
            return nlp.get_pipe(pipe_name)
    raise ValueError(f"the pipeline has no component {name!r}")


def _table(path: str | os.PathLike[str], required: Sequence[str]) -> list[dict[str, str]]:
    file = Path(path)
    if not file.is_file():
        raise OSError(f"{file}: no such file")
    text, _ = decode(file.read_bytes())
    lines = text.splitlines(keepends=True)
    head = lines[0] if lines else ""
    delimiter = max(("\t", ",", ";"), key=head.count)
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.DictReader(lines, delimiter=delimiter, restval="", quoting=quoting)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in required if name not in names]
        if missing:
            raise ValueError(f"{file}: no column {', '.join(missing)}; {column_names(names)}")
        reader.fieldnames = names
        rows = [{k: v or "" for k, v in row.items() if k} for row in reader]
    except csv.Error:
        raise ValueError(f"{file}: line {reader.line_num} is not well-formed") from None
    return [row for row in rows if any(value.strip() for value in row.values())]


def process(nlp: Language, text: str) -> Doc:
    """Run a pipeline on a note as read (:func:`clinspan.notes.sanitize`)."""
    return nlp(sanitize(text))


def process_all(nlp: Language, texts: Sequence[str]) -> list[Doc | Exception]:
    """Run a pipeline on several notes as read: a Doc for each, or the exception that it raised.

    Components that take less time for several Docs at once (``together``) are given them so, and one by one where that
    fails.
    """
    docs: list[Doc | Exception] = [_guarded(nlp.make_doc, text) for text in texts]
    components = [component for _, component in nlp.pipeline]
    while components:
        count = next((i for i, c in enumerate(components) if hasattr(c, "together")), len(components))
        for i, doc in enumerate(docs):
            for component in components[:count]:
                if isinstance(doc, Exception):
                    break
                docs[i] = doc = _guarded(component, doc)
        if count < len(components):
            several = components[count]
            try:
                several.together([doc for doc in docs if isinstance(doc, Doc)])
            except Exception:
                docs = [doc if isinstance(doc, Exception) else _guarded(several, doc) for doc in docs]
        components = components[count + 1 :]
    return docs


def _guarded(function: Any, argument: Any) -> Doc | Exception:
    try:
        return function(argument)  # type: ignore[no-any-return]
    except Exception as error:
        return error


def forget(nlp: Language) -> None:
    """Let components forget what they remember of notes run before (it saves time, and may change last decimals)."""
    for _, component in nlp.pipeline:
        if hasattr(component, "forget"):
            component.forget()


def describe(nlp: Language) -> dict[str, Any]:
    """Name, version, components, labels and counts of a pipeline, for ``clinspan info``."""
    counts: Mapping[str, int] = {
        name: len(component)  # type: ignore[arg-type]
        for name, component in nlp.pipeline
        if hasattr(component, "__len__")
    }
    return {
        "pipeline": pipeline_name(nlp),
        "components": list(nlp.pipe_names),
        "labels": list(schema.LABELS),
        "context rules": counts.get("context", 0),
        "section titles": counts.get("sections", 0),
        "terms": counts.get("terms", 0),
        "concepts to link to": counts.get("linker", 0),
        "path": str(nlp.path) if nlp.path else None,
    }


def pipeline_name(nlp: Language) -> str:
    """Name and version, as written into the tables."""
    meta = nlp.meta
    return (
        f"{meta['lang']}_{meta['name']} {meta['version']}" if meta.get("name") else f"{meta['lang']} {meta['version']}"
    )


__all__ = [
    "Recipe",
    "add_rules_file",
    "add_terms_file",
    "annotate",
    "blank",
    "choose_vocabularies",
    "codes_only",
    "component",
    "describe",
    "find_model",
    "forget",
    "link_to",
    "load",
    "pipeline_name",
    "process",
    "process_all",
    "together",
    "use_ner",
]
