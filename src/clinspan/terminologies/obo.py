"""OBO flat files (OBO Flat File Format 1.2 and 1.4), as ontologies of diseases, phenotypes and anatomy come in.

Read are the ``[Term]`` stanzas that are not obsolete: name, synonyms with their scopes, cross-references. A synonym
without a scope is related, as the format has it; one whose type says that it is obsolete is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clinspan.terminologies._files import fail, lines
from clinspan.terminologies._ontology import SCOPES, Synonym, class_terms, is_short, kind_of
from clinspan.terminologies.model import RELATED, Term

_TAG = re.compile(r"([\w-]+)\s*:\s*(.*)")
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([^\s\[{!]*)\s*([^\s\[{!]*)')
_COMMENT = re.compile(r"(?:\s|^)!(?:\s.*)?$")
_QUALIFIERS = re.compile(r"\s*(?<!\\)\{[^{}]*=[^{}]*\}\s*$")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": " ", "t": " ", "W": " "}
# tags of OBO 1.0
_OLD = {"exact_synonym": "EXACT", "broad_synonym": "BROAD", "narrow_synonym": "NARROW", "related_synonym": "RELATED"}


def read(path: Path, *, label: str | None = None) -> Iterator[Term]:
    """The terms of an OBO file.

    Args:
        path: the file.
        label: the label of all; by default that of the ontology, where it has one (DOID, HP, MONDO, UBERON, …).

    Raises:
        TermsFileError: for a line that is not ``tag: value``, a stanza without an id, and a synonym without quotes.
    """
    path = Path(path)
    short_types: set[str] = set()
    stanza: _Stanza | None = None
    kind = ""  # of the stanza: "" for the header
    for number, line in lines(path):
        if line.startswith("["):
            if stanza:
                yield from stanza.terms(path, label)
            kind = line.partition("]")[0][1:]
            stanza = _Stanza(number) if kind == "Term" else None
            continue
        line = line.strip()
        if not line or line.startswith("!"):
            continue
        match = _TAG.fullmatch(line)
        if not match:
            raise fail(path, number, "neither a stanza nor a tag with its value")
        tag, value = match.groups()
        if not kind and tag == "synonymtypedef" and is_short(value):
            short_types.add(value.split()[0])
        elif stanza:
            problem = stanza.add(tag, value, short_types)
            if problem:
                raise fail(path, number, problem)
    if stanza:
        yield from stanza.terms(path, label)


class _Stanza:
    def __init__(self, line: int) -> None:
        self.line = line
        self.id = ""
        self.name = ""
        self.synonyms: list[Synonym] = []
        self.xrefs: list[str] = []
        self.obsolete = False

    def add(self, tag: str, value: str, short_types: set[str]) -> str:
        """Take up a line; what is wrong with it, or nothing."""
        if tag == "synonym" or tag in _OLD:
            match = _SYNONYM.match(value)
            if not match:
                return "a synonym that is not in quotes"
            text, scope, kind = match.groups()
            scope, kind = (_OLD[tag], scope) if tag in _OLD else (scope, kind)
            if scope not in SCOPES:  # no scope: this is the type
                scope, kind = "", scope
            if "obsolete" in kind.lower():
                return ""
            short = bool(kind) and (kind in short_types or is_short(kind))
            self.synonyms.append(Synonym(_unescape(text), kind_of(SCOPES.get(scope, RELATED), short)))
            return ""
        if tag not in ("id", "name", "xref", "is_obsolete"):
            return ""
        value = _QUALIFIERS.sub("", _COMMENT.sub("", value)).strip()
        if tag == "id":
            self.id = _unescape(value)
        elif tag == "name":
            self.name = _unescape(value)
        elif tag == "xref":
            self.xrefs.append(_unescape(value.partition(' "')[0]))
        else:
            self.obsolete = value == "true"
        return ""

    def terms(self, path: Path, label: str | None) -> Iterator[Term]:
        if not self.id:
            raise fail(path, self.line, "a term without an id")
        if not self.obsolete:
            yield from class_terms(self.id, self.name, self.synonyms, self.xrefs, label)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)
