"""What ``span._`` answers for an entity.

spaCy keys a span's own attributes by its offsets alone, so two entities over the same characters would share them.
Ours are kept as plain values in ``doc.user_data`` under (start, end, label), so that they survive ``n_process`` and
``DocBin``, and are read through getters. Only what differs from the defaults is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc, Span

from clinspan import schema

KEY = "clinspan"
ENTITIES = "entities"
DISCARDED = "discarded"

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(schema.FLAGS, False),
    "experiencer": "patient",
    "cues": [],
    "section": None,
    "concept_id": None,
    "vocabulary": None,
    "concept_name": None,
    "score": None,
    "source": None,
    "fragments": None,
}
_AXES = (*schema.FLAGS, "experiencer")


def values_of(doc: Doc, start: int, end: int, label: str) -> dict[str, Any]:
    """The stored values of the entity at characters ``[start, end)`` with ``label``, to read or to change."""
    key = (KEY, start, end, label)
    stored = doc.user_data.get(key)
    if stored is None:
        stored = doc.user_data[key] = {}
    return stored  # type: ignore[no-any-return]


def stored_values(span: Span) -> dict[str, Any]:
    """What is stored for a span (not its defaults), to read only."""
    return span.doc.user_data.get((KEY, span.start_char, span.end_char, span.label_), {})  # type: ignore[no-any-return]


def _getter(name: str) -> Callable[[Span], Any]:
    default = DEFAULTS[name]

    def get(span: Span) -> Any:
        value = stored_values(span).get(name, default)
        return list(value) if isinstance(value, (list, tuple)) else value

    return get


def _setter(name: str) -> Callable[[Span, Any], None]:
    def set_value(span: Span, value: Any) -> None:
        values_of(span.doc, span.start_char, span.end_char, span.label_)[name] = value

    return set_value


def _axes(span: Span) -> dict[str, Any]:
    stored = stored_values(span)
    return {name: stored[name] for name in _AXES if name in stored}


def register() -> None:
    """Register the extension attributes on ``Span``, once; those of other packages are left alone."""
    for name in DEFAULTS:
        if not Span.has_extension(name) or Span.get_extension(name)[2] is None:
            Span.set_extension(name, getter=_getter(name), setter=_setter(name), force=True)
    Span.set_extension("assertion", getter=lambda span: schema.assertion(**_axes(span)), force=True)
    Span.set_extension("exists", getter=lambda span: schema.exists(**_axes(span)), force=True)


register()
