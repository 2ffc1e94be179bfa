"""UIMA CAS XMI: ``<doc_id>.xmi`` beside ``TypeSystem.xml``, as INCEpTION and WebAnno export, and cTAKES.

Definition: https://uima.apache.org/d/uimaj-current/references.html; types of https://dkpro.github.io/dkpro-core,
INCEpTION's custom layers and Apache cTAKES. Read and written with dkpro-cassis, which turns UIMA's offsets, UTF-16
units, into code points.

Read, of the initial view, in the order of their ``xmi:id``:

- DKPro's ``NamedEntity`` and its subtypes: the label is ``value``, codes are in ``identifier``, split at white space;
- the spans of custom layers (``webanno.custom.*``, ``custom.*``): the label is ``label`` or ``value``;
- of cTAKES the mentions (``textsem.*Mention``): codes from ``ontologyConceptArr``, as ``<codingScheme>:<code>`` and
  ``UMLS:<cui>``; of ``polarity``, ``uncertainty``, ``historyOf``, ``conditional``, ``generic`` and ``subject`` those
  that are set (polarity when it is -1);
- the relations of custom layers (``Governor``, ``Dependent``), between annotations that are read.

Without a label the type's short name is the label. Further features of simple types are attributes: empty ones and
``false`` are not set, ``true`` is ``True``. The document's id is the ``documentTitle`` of DKPro's metadata, else the
file's stem. Other annotations (tokens, sentences, cTAKES' relations) are not read. Without ``TypeSystem.xml`` only
files with the types written here can be read.

Written: a ``NamedEntity`` for each mention with further features, as INCEpTION's projects may add them: ``mention``,
the id; ``fragments`` of a discontinuous mention, plain annotations; and the attributes whose names are Java's and not
UIMA's. White space that XML cannot hold (form feeds) becomes spaces.
"""

from __future__ import annotations

import keyword
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import (
    comes_twice,
    envelope,
    fault_or_same_ids,
    is_file_name,
    unique_ids,
    writable,
)
from clinspan.corpora._files import library
from clinspan.corpora.model import Annotation, CorpusError, Document, read_bytes

TYPE_SYSTEM = "TypeSystem.xml"
_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
_METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
_RELATION = "webanno.custom.Relation"
_CUSTOM = ("webanno.custom.", "custom.")
_CTAKES = re.compile(r"org\.apache\.ctakes\.typesystem\.type\.textsem\.\w*Mention", re.ASCII)
_ASSERTIONS = ("polarity", "uncertainty", "historyOf", "conditional", "generic", "subject")
#: Features that are not attributes, and names that cassis has for itself.
_OWN = ("value", "identifier", "mention", "fragments", "begin", "end", "sofa")
_RESERVED = (*_OWN, "type", "self", "xmiID", "get", "set", "get_covered_text")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read(path: Path) -> Iterator[Document]:
    """The one document of an .xmi file.

    Raises:
        CorpusError: when dkpro-cassis is not installed or cannot read the file with its types, and for a file without
            a text, offsets outside it, or an id used twice.
    """
    path = Path(path)
    cas = _load(path)
    text = cas.sofa_string
    if text is None:
        raise CorpusError(path, 0, "the initial view has no text")
    found = sorted(cas.select_all_annotations(), key=lambda fs: fs.xmiID)
    mentions = [fs for fs in found if _is_mention(fs)]
    given = [getattr(fs, "mention", None) or "" if _is_entity(fs) else "" for fs in mentions]
    if comes_twice(given):
        raise CorpusError(path, 0, "an annotation id is used twice")
    ids = {fs.xmiID: name for fs, name in zip(mentions, unique_ids(given), strict=True)}
    titles = [fs.documentTitle for fs in found if fs.type.name == _METADATA and fs.documentTitle]
    yield Document(
        doc_id=titles[0] if titles else path.stem,
        text=text,
        annotations=tuple(_annotation(fs, ids[fs.xmiID], len(text), path) for fs in mentions),
        relations=tuple(_relations(found, ids)),
    )


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as ``<doc_id>.xmi`` into a folder, with the type system of them all.

    Raises:
        ValueError: for a document with a :func:`problem`.
        CorpusError: when dkpro-cassis is not installed.
    """
    folder = Path(path)
    cassis = library("cassis", folder)
    documents = list(writable(documents, problem))
    folder.mkdir(parents=True, exist_ok=True)
    names = {name for document in documents for a in document.annotations for name in a.attributes}
    types = _written_types(cassis, sorted(filter(_is_feature, names)))
    types.to_xml(folder / TYPE_SYSTEM)
    for document in documents:
        _cas(cassis, types, document).to_xmi(folder / f"{document.doc_id}.xmi")


def problem(document: Document) -> str:
    """Why XMI cannot hold the document: a doc_id that is not a file name, a character that XML does not have, other
    than white space of the text, two annotations with one id, or one outside the text. Empty when it can."""
    if not is_file_name(document.doc_id):
        return "its id is not a file name"
    strings = [document.doc_id, _spaced(document.text), *(kind for kind, _, _ in document.relations)]
    for annotation in document.annotations:
        strings += annotation.label, annotation.id, *annotation.concepts, *map(str, annotation.attributes.values())
    if any(map(_NOT_XML.search, strings)):
        return "it has a character that XML cannot hold"
    return fault_or_same_ids(document)


def _load(path: Path) -> Any:
    cassis = library("cassis", path)
    beside = path.with_name(TYPE_SYSTEM)
    types = _read_types(beside, read_bytes(beside)) if beside.is_file() else _written_types(cassis)
    content = BytesIO(read_bytes(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # cassis only warns of offsets outside the text
            return cassis.load_cas_from_xmi(content, types)
    except Exception as error:  # cassis raises whatever its own code runs into
        line = getattr(error, "lineno", None) or 0
        raise CorpusError(path, line, f"not XMI of the types of {TYPE_SYSTEM}, or offsets outside the text") from None


@lru_cache(maxsize=2)
def _read_types(path: Path, content: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features defined twice alike
            return library("cassis", path).load_typesystem(BytesIO(content))
    except CorpusError:
        raise
    except Exception as error:  # as above
        raise CorpusError(path, getattr(error, "lineno", None) or 0, "not a type system") from None


def _is_entity(fs: Any) -> bool:
    kind = fs.type
    while kind is not None and kind.name != _ENTITY:
        kind = kind.supertype
    return kind is not None


def _is_relation(fs: Any) -> bool:
    return fs.type.name.startswith(_CUSTOM) and hasattr(fs, "Governor") and hasattr(fs, "Dependent")


def _is_mention(fs: Any) -> bool:
    if fs.type.name.startswith(_CUSTOM):
        return not _is_relation(fs)
    return bool(_CTAKES.fullmatch(fs.type.name)) or _is_entity(fs)


def _label(fs: Any) -> tuple[str, str]:
    """The label, and the feature that holds it, if any."""
    for name in ("value", "label") if _is_entity(fs) else ("label", "value"):
        value = fs[name] if fs.type.get_feature(name) else None
        if value and isinstance(value, str):
            return value, name
    return fs.type.name.rpartition(".")[2], ""


def _annotation(fs: Any, name: str, length: int, path: Path) -> Annotation:
    pieces = getattr(getattr(fs, "fragments", None), "elements", None) or [fs]
    fragments = tuple(sorted((piece.begin, piece.end) for piece in pieces))
    for start, end in fragments:
        if not 0 <= start < end <= length:
            raise CorpusError(path, 0, f"offsets {start} {end} are not in the text")
    is_ctakes = _CTAKES.fullmatch(fs.type.name)
    label, feature = (fs.type.name.rpartition(".")[2], "") if is_ctakes else _label(fs)
    return Annotation(
        *envelope(fragments),
        label=label,
        fragments=fragments,
        attributes=dict(_assertions(fs) if is_ctakes else _attributes(fs, feature)),
        concepts=tuple(_codes(fs)) if is_ctakes else tuple((getattr(fs, "identifier", None) or "").split()),
        id=name,
    )


def _attributes(fs: Any, label_feature: str) -> Iterator[tuple[str, str | bool]]:
    for feature in fs.type.all_features:
        value = fs[feature.name]
        if feature.name not in (label_feature, *_OWN) and isinstance(value, str | int | float):
            written = str(value).lower() if isinstance(value, bool) else str(value)
            if written not in ("", "false"):
                yield feature.name, written == "true" or written


def _assertions(fs: Any) -> Iterator[tuple[str, str | bool]]:
    for name in _ASSERTIONS:
        value = getattr(fs, name, None)
        if value == -1 if name == "polarity" else value:
            yield name, value is True or str(value)


def _codes(fs: Any) -> list[str]:
    concepts = getattr(getattr(fs, "ontologyConceptArr", None), "elements", None) or []
    pairs = [(getattr(c, "codingScheme", None), getattr(c, "code", None)) for c in concepts]
    pairs += [("UMLS", getattr(c, "cui", None)) for c in concepts]
    return list(dict.fromkeys(f"{scheme}:{code}" if scheme else code for scheme, code in pairs if code))


def _relations(found: list[Any], ids: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    for fs in filter(_is_relation, found):
        first, second = (ids.get(getattr(end, "xmiID", -1)) for end in (fs.Governor, fs.Dependent))
        if first and second:
            yield _label(fs)[0], first, second


def _spaced(text: str) -> str:
    """The text with spaces for the white space that XML does not have: as many, so that offsets hold."""
    return re.sub("[\x0b\x0c\x1c-\x1f]", " ", text)


def _is_feature(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in _RESERVED and not keyword.iskeyword(name)


def _written_types(cassis: Any, attributes: Iterable[str] = ()) -> Any:
    types = cassis.TypeSystem()
    annotation, string = "uima.tcas.Annotation", "uima.cas.String"
    entity = types.create_type(_ENTITY, annotation)
    for name in ("value", "identifier", "mention", *attributes):
        types.create_feature(entity, name, string)
    types.create_feature(entity, "fragments", "uima.cas.FSArray", elementType=annotation)
    relation = types.create_type(_RELATION, annotation)
    for name in ("Governor", "Dependent"):
        types.create_feature(relation, name, entity)
    types.create_feature(relation, "label", string)
    return types


def _cas(cassis: Any, types: Any, document: Document) -> Any:
    cas = cassis.Cas(types)
    cas.sofa_string = _spaced(document.text)
    cas.sofa_mime = "text/plain"
    entity, relation, plain, array = map(
        types.get_type, (_ENTITY, _RELATION, "uima.tcas.Annotation", "uima.cas.FSArray")
    )
    entities = {}
    for annotation in document.annotations:
        features: dict[str, Any] = {
            name: "true" if value is True else value
            for name, value in annotation.attributes.items()
            if value is not False and _is_feature(name)
        }
        if len(annotation.fragments) > 1:
            # In the index, since cassis converts no other annotations' offsets when it reads.
            pieces = [plain(begin=start, end=end) for start, end in annotation.fragments]
            cas.add_all(pieces)
            features["fragments"] = array(elements=pieces)
        entities[annotation.id] = entity(
            begin=annotation.start,
            end=annotation.end,
            value=annotation.label,
            identifier=" ".join(annotation.concepts) or None,
            mention=annotation.id,
            **features,
        )
        cas.add(entities[annotation.id])
    for kind, first, second in document.relations:
        if first in entities and second in entities:
            governor, dependent = entities[first], entities[second]
            place = {"begin": dependent.begin, "end": dependent.end}  # as INCEpTION places its relations
            cas.add(relation(Governor=governor, Dependent=dependent, label=kind, **place))
    return cas
