"""What a source's classes of concepts mean to us: the rows of ``resources/semantic_types.tsv``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from clinspan.components import resource_rows

#: Which label a concept of several classes gets: the first of these that one of them has.
PRECEDENCE: tuple[str, ...] = ("CONDITION", "DRUG", "PROCEDURE", "MEASUREMENT", "DEVICE", "ANATOMY", "OBSERVATION")


@cache
def labels_of(scheme: str) -> Mapping[str, str]:
    """The label of each class of a scheme, "" for classes that are none of ours."""
    rows = resource_rows("semantic_types.tsv")
    return MappingProxyType({row["type"]: row["label"] for row in rows if row["scheme"] == scheme})


def best(labels: Iterable[str]) -> str:
    """The label that goes first in :data:`PRECEDENCE`, or ""."""
    found = set(labels)
    return next((label for label in PRECEDENCE if label in found), "")
