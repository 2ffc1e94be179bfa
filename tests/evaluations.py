"""A small corpus and systems to score on it."""

from __future__ import annotations

from dataclasses import replace

from clinspan.corpora import Annotation, Document, Gold
from clinspan.predictions import Predictions

C, D, A = "CONDITION", "DRUG", "ANATOMY"
TEXT = "No fever. Mother had asthma. Aspirin for chest pain."


def marks(*values: tuple) -> tuple[Annotation, ...]:
    """(surface in TEXT, label, axes, codes)."""
    out = []
    for number, (surface, label, *rest) in enumerate(values, 1):
        start = TEXT.index(surface)
        axes = rest[0] if rest else {}
        codes = rest[1] if len(rest) > 1 else ()
        span = (start, start + len(surface))
        out.append(Annotation(*span, label, (span,), axes, codes, f"T{number}"))
    return tuple(out)


def doc(*values: tuple, doc_id: str = "a") -> Document:
    return Document(doc_id, TEXT, marks(*values))


GOLD = Gold(
    "corpus",
    "dev",
    tuple(
        doc(("fever", C, {"negated": True}), ("Aspirin", D), ("chest pain", C, {}, ("HP:1",)), doc_id=f"{i}_{j}")
        for i in range(10)
        for j in range(2)
    ),
    (C, D),
    ("negated",),
    unit=r"^(\d+)_",
)


def system(name: str, right: int) -> Predictions:
    """Right on the first documents, wrong on the others."""
    documents = [
        d if i < right else replace(d, annotations=marks(("fever", C, {"negated": False}), ("pain", C), ("Aspirin", A)))
        for i, d in enumerate(GOLD.documents)
    ]
    return Predictions(name, documents, ("negated",))
