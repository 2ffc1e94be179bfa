"""OBO Graphs JSON, the form of OBO ontologies that their releases bring besides OBO and OWL.

The whole of the file is in memory while it is read: JSON has no lines to go by. Of large ontologies take the OBO
file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinspan.terminologies._codes import curie
from clinspan.terminologies._files import fail, open_text, readable
from clinspan.terminologies._ontology import PROPERTIES, Synonym, class_terms, is_short, kind_of
from clinspan.terminologies.model import RELATED, Term


def read(path: Path, *, label: str | None = None) -> Iterator[Term]:
    """The terms of an OBO Graphs file: of the nodes that are classes and not deprecated.

    Args:
        path: the file.
        label: the label of all; by default that of the ontology, where it has one.

    Raises:
        TermsFileError: for what is not JSON, or not OBO Graphs; the latter names the node, counted from 1.
    """
    path = Path(path)
    number = 0
    try:
        for graph in _load(path)["graphs"]:
            for node in graph.get("nodes", ()):
                number += 1
                if node.get("type") == "CLASS":
                    yield from _node_terms(node, label)
    except (KeyError, TypeError, AttributeError):
        raise fail(path, 0, f"not OBO Graphs at node {number}" if number else "not OBO Graphs") from None


def _load(path: Path) -> Any:
    try:
        with readable(path), open_text(path) as file:
            return json.load(file)
    except json.JSONDecodeError as error:
        raise fail(path, error.lineno, "not JSON") from None
    except UnicodeDecodeError:
        raise fail(path, 0, "not UTF-8") from None
    except RecursionError:
        raise fail(path, 0, "not JSON") from None


def _node_terms(node: dict[str, Any], label: str | None) -> list[Term]:
    meta = node.get("meta") or {}
    if meta.get("deprecated") is True:
        return []
    synonyms = [
        Synonym(
            _text(synonym["val"]),
            kind_of(PROPERTIES.get(synonym["pred"], RELATED), is_short(synonym.get("synonymType", ""))),
        )
        for synonym in meta.get("synonyms", ())
    ]
    references = [_text(xref["val"]) for xref in meta.get("xrefs", ())]
    return list(class_terms(curie(_text(node["id"])), _text(node.get("lbl", "")), synonyms, references, label))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
