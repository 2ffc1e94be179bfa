"""What ``span._`` answers for an entity.

spaCy keys a span's own attributes by its offsets alone, so two entities over the same characters would share them.
Ours are kept as plain values in ``doc.user_data`` under (start, end, label), so that they survive ``n_process`` and
``DocBin``, and are read through getters. Only what differs from the defaults is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from spacy.tokens import Doc, Span

from clinspan import schema
from clinspan.matching.lookup import Candidate

KEY = "clinspan"
ENTITIES = "entities"
DISCARDED = "discarded"
#: Key of ``doc.user_data``: what kind of text the trained finder takes a document for.
REGISTER = "clinspan.register"

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(schema.FLAGS, False),
    "experiencer": "patient",
    "section": None,
    "concept_id": None,
    "vocabulary": None,
    "concept_name": None,
    "score": None,
    "source": None,
}
_AXES = (*schema.FLAGS, "experiencer")


def user_data(doc: Doc) -> dict[Any, Any]:
    """The Doc's own dict; our keys in it are tuples (spaCy's stubs say strings)."""
    data: Any = doc.user_data
    return data  # type: ignore[no-any-return]


def values_of(doc: Doc, start: int, end: int, label: str) -> dict[str, Any]:
    """The stored values of the entity at characters ``[start, end)`` with ``label``, to read or to change."""
    key = (KEY, start, end, label)
    data = user_data(doc)
    stored = data.get(key)
    if stored is None:
        stored = data[key] = {}
    return stored  # type: ignore[no-any-return]


def stored_values(span: Span) -> dict[str, Any]:
    """What is stored for a span (not its defaults), to read only."""
    return user_data(span.doc).get((KEY, span.start_char, span.end_char, span.label_), {})  # type: ignore[no-any-return]


# Module-level functions with their name bound: worker processes that are spawned get them pickled.


def _get(name: str, span: Span) -> Any:
    return stored_values(span).get(name, DEFAULTS[name])


def _set(name: str, span: Span, value: Any) -> None:
    values_of(span.doc, span.start_char, span.end_char, span.label_)[name] = value


def _get_cues(span: Span) -> list[dict[str, Any]]:
    return cue_dicts(stored_values(span).get("cues", ()), span.doc.text)


def _get_candidates(span: Span) -> list[Candidate]:
    stored = stored_values(span)
    if "candidates" not in stored and stored.get("concept_id") is not None:
        return [Candidate(stored["concept_id"], stored["vocabulary"] or "", stored["concept_name"] or "", 1.0)]
    return [Candidate(*candidate) for candidate in stored.get("candidates", ())]


def _get_fragments(span: Span) -> list[list[int]] | None:
    fragments = stored_values(span).get("fragments") or {}
    return fragments.get(span.id_)  # type: ignore[no-any-return]


def _get_assertion(span: Span) -> str:
    return schema.assertion(**_axes(span))


def _get_exists(span: Span) -> bool:
    return schema.exists(**_axes(span))


def _axes(span: Span) -> dict[str, Any]:
    stored = stored_values(span)
    return {name: stored[name] for name in _AXES if name in stored}


def cue_dicts(cues: Iterable[Sequence[Any]], text: str) -> list[dict[str, Any]]:
    """Stored cues (axis, value, rule id, start, end) as dicts; their words are read from ``text``, not stored."""
    return [
        {"axis": axis, "value": value, "rule_id": rule_id, "text": text[start:end], "start": start, "end": end}
        for axis, value, rule_id, start, end in cues
    ]


def register() -> None:
    """Register the extension attributes on ``Span``."""
    for name in DEFAULTS:
        Span.set_extension(name, getter=partial(_get, name), setter=partial(_set, name), force=True)
    Span.set_extension("cues", getter=_get_cues, force=True)
    Span.set_extension("candidates", getter=_get_candidates, force=True)
    Span.set_extension("fragments", getter=_get_fragments, force=True)
    Span.set_extension("assertion", getter=_get_assertion, force=True)
    Span.set_extension("exists", getter=_get_exists, force=True)


register()
