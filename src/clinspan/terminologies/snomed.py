"""SNOMED CT in Release Format 2, snapshot: descriptions, and the states of concepts and a language's preferences.

The descriptions of a concept stand scattered over the file, so it is read twice: for the fully specified names, whose
semantic tags ("(disorder)") give the labels, and for the synonyms. In memory are the identifiers of the active
concepts, their fully specified names and the identifiers of the preferred descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clinspan.terminologies._files import COMPRESSED, fail, headed, tab_rows
from clinspan.terminologies._labels import labels_of
from clinspan.terminologies.model import PREFERRED, SYNONYM, Term

#: The language reference sets of US and of GB English.
US_ENGLISH = "900000000000509007"
GB_ENGLISH = "900000000000508004"

_FULL_NAME = "900000000000003001"
_SYNONYM = "900000000000013009"
_PREFERRED = "900000000000548007"
_TAGGED = re.compile(r"(.*\S)\s+\(([^()]+)\)")
_DESCRIPTIONS = re.compile(r"x?sct2_Description_\w*Snapshot(-en[\w-]*)?_.*", re.IGNORECASE)
_CONCEPTS = re.compile(r"x?sct2_Concept_\w*Snapshot_.*", re.IGNORECASE)
_LANGUAGES = re.compile(r"x?der2_cRefset_Language\w*Snapshot(-en[\w-]*)?_.*", re.IGNORECASE)


def read(path: Path, *, language_refset: str = US_ENGLISH) -> Iterator[Term]:
    """The terms of a SNOMED CT release: the synonyms of the active concepts, then their fully specified names without
    the tags, where no synonym says the same.

    Args:
        path: the folder of a release, with its files in or below it, or a description file. Without the file of
            concepts, inactive ones cannot be told; without that of a language, the fully specified names are the
            preferred ones.
        language_refset: the reference set that says which descriptions are preferred.

    Raises:
        TermsFileError: for a folder without descriptions, missing columns, and a row with another number of fields.
    """
    path = Path(path)
    descriptions = _found(path, _DESCRIPTIONS) if path.is_dir() else [path]
    if not descriptions:
        raise fail(path, 0, "no sct2_Description_Snapshot file in it")
    active = _active(path)
    preferred = _preferred(path, language_refset)
    names: dict[str, tuple[str, str]] = {}
    settled: set[str] = set()  # concepts with a preferred synonym
    for identifier, concept, kind, text in _rows(descriptions, active):
        if kind == _FULL_NAME:
            match = _TAGGED.fullmatch(text)
            names[concept] = (match[1], match[2]) if match else (text, "")
        elif kind == _SYNONYM and identifier in preferred:
            settled.add(concept)
    labels = labels_of("snomed")
    said: set[str] = set()  # concepts of which a synonym is the fully specified name
    for identifier, concept, kind, text in _rows(descriptions, active):
        if kind == _SYNONYM:
            full, tag = names.get(concept, ("", ""))
            first = identifier in preferred or (text == full and concept not in settled and concept not in said)
            if text == full:
                said.add(concept)
            yield _term(concept, text, first, tag, labels.get(tag, ""))
    for concept, (full, tag) in names.items():
        if concept not in said:
            yield _term(concept, full, concept not in settled, tag, labels.get(tag, ""))


def _term(concept: str, name: str, first: bool, tag: str, label: str) -> Term:
    return Term("SNOMEDCT", concept, name, PREFERRED if first else SYNONYM, label, (tag,) if tag else ())


def _found(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    suffixes = {".txt", *(f".txt{suffix}" for suffix in COMPRESSED)}
    files = (file for file in folder.rglob("*2_*Snapshot*.txt*") if file.is_file() and pattern.fullmatch(file.name))
    return sorted(file for file in files if file.name[file.name.index(".txt") :] in suffixes)


def _rows(files: list[Path], active: set[str] | None) -> Iterator[tuple[str, str, str, str]]:
    """Identifier, concept, type and term of the active descriptions of active concepts."""
    for file in files:
        for identifier, state, concept, kind, text in _columns(file, "id", "active", "conceptId", "typeId", "term"):
            if state == "1" and text and (active is None or concept in active):
                yield identifier, concept, kind, text


def _active(path: Path) -> set[str] | None:
    files = _found(path, _CONCEPTS) if path.is_dir() else []
    if not files:
        return None
    return {concept for file in files for concept, state in _columns(file, "id", "active") if state == "1"}


def _preferred(path: Path, refset: str) -> set[str]:
    wanted = ["1", refset, _PREFERRED]
    return {
        description
        for file in (_found(path, _LANGUAGES) if path.is_dir() else [])
        for description, *row in _columns(file, "referencedComponentId", "active", "refsetId", "acceptabilityId")
        if row == wanted
    }


def _columns(path: Path, *wanted: str) -> Iterator[list[str]]:
    names, rows = headed(path, tab_rows(path))
    if missing := [name for name in wanted if name not in names]:
        raise fail(path, 1, f"no column {', '.join(missing)}")
    places = [names.index(name) for name in wanted]
    for _, fields in rows:
        yield [fields[place] for place in places]
