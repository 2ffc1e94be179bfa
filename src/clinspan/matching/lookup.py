"""Names to concepts: what :class:`ConceptIndex` files of several vocabularies say of a name, ranked.

By the exact words of the name; without its side and severity; and where that gives too few, by likeness. Concepts of
another label than the one wanted count less, or not at all. Codes go from one vocabulary to another where a public
cross-reference says that they mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clinspan import schema
from clinspan.matching.concepts import ConceptIndex
from clinspan.matching.container import IndexFileError, open_file
from clinspan.matching.normal import readings, split_words

#: The vocabulary of our own concepts.
OWN = "clinspan"
_CROSSED = 0.99  # a code reached through a cross-reference
#: Words of a finding that its code need not have, and what a match without them is worth.
_QUALIFIERS = frozenset(
    "left right bilateral bilaterally mild mildly moderate moderately severe severely marked".split()
)
_UNQUALIFIED = 0.95
_SIDES = frozenset(["left", "right", "bilateral"])
_UNLABELLED = 0.95  # a concept whose source does not say what it is
_FILLED = 5  # candidates, with fewer of which like names are looked up
#: Which vocabulary's code goes first where several fit, by label.
ORDER: dict[str, tuple[str, ...]] = {
    "CONDITION": ("ICD10CM", "DOID", "HP", "MESH", "MONDO", OWN, "OMIM"),
    "DRUG": ("UNII", "MESH", OWN),
    "ANATOMY": ("UBERON", "MESH", OWN),
    "PROCEDURE": (OWN, "MESH"),
    "MEASUREMENT": (OWN, "MESH"),
    "DEVICE": (OWN, "MESH"),
    "OBSERVATION": (OWN, "MESH"),
}
#: What a concept of another label than the entity's is worth; not listed: nothing.
_KIN: dict[tuple[str, str], float] = {
    ("PROCEDURE", "MEASUREMENT"): 0.9,
    ("MEASUREMENT", "PROCEDURE"): 0.9,
    ("OBSERVATION", "CONDITION"): 0.9,
    ("CONDITION", "OBSERVATION"): 0.9,
    ("DEVICE", "PROCEDURE"): 0.85,
    ("PROCEDURE", "DEVICE"): 0.85,
    ("MEASUREMENT", "DRUG"): 0.8,
    ("DRUG", "MEASUREMENT"): 0.8,
}


class Candidate(NamedTuple):
    """A concept that a name may mean; ``score`` is 1 for a sure one."""

    concept_id: str
    vocabulary: str
    name: str
    score: float


class ConceptLookup:
    """Looks names up in indexes of concepts; :meth:`candidates` is what it is for.

    Args:
        vocabularies: the only ones whose codes are given, best first, in any case ("icd10cm"); empty: all.
        keep: the most candidates of a name.
    """

    def __init__(self, *, vocabularies: Iterable[str] = (), keep: int = 5) -> None:
        self.indexes: list[ConceptIndex] = []
        self.keep = keep
        self._named: set[str] = set()  # vocabularies of indexes that are searched for alone
        self._asked: tuple[str, ...] = tuple(vocabularies)
        self._resolved: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return sum(map(len, self.indexes))

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The only vocabularies whose codes are given, best first; empty: all."""
        if self._resolved is None:
            known = sorted(self.known_vocabularies())
            exactly = {name.casefold(): name for name in known}
            alike = {_plain(name): name for name in known}
            names = (name.strip() for name in self._asked)
            self._resolved = tuple(
                dict.fromkeys(exactly.get(name.casefold()) or alike.get(_plain(name)) or name for name in names)
            )
        return self._resolved

    @vocabularies.setter
    def vocabularies(self, names: Iterable[str]) -> None:
        self._asked = tuple(names)
        self._changed()

    def choose(self, names: Iterable[str]) -> None:
        """Set :attr:`vocabularies`, and refuse what no index has.

        Raises:
            ValueError: for an unknown vocabulary; those chosen before stay.
        """
        before, known = self._asked, self.known_vocabularies()
        self.vocabularies = tuple(name for name in names if name.strip())
        unknown = [name for name in self.vocabularies if name not in known]
        if unknown:
            self.vocabularies = before
            raise ValueError(f"no vocabulary {', '.join(unknown)}: these are {', '.join(sorted(known))}")

    def _changed(self) -> None:
        """Called when the indexes or the vocabularies are others."""
        self._resolved = None

    def add_index(self, path: str | Path, *, needed: bool = True) -> None:
        """Look up in the user's index at ``path`` as well; with ``needed=False``, only if it can be looked up in.

        Raises:
            IndexFileError: not an index, or one without concepts to look up.
        """
        file = open_file(path)
        try:
            index = ConceptIndex(file)
        except IndexFileError:
            if needed:
                raise
            self._named |= set(file.meta.get("vocabularies", ()))
            self._changed()
            return
        self.indexes = [*(other for other in self.indexes if other.path != index.path), index]
        self._changed()

    def known_vocabularies(self) -> set[str]:
        """The vocabularies of the indexes."""
        return self._named.union(*(index.vocabularies() for index in self.indexes))

    def candidates(
        self, written: str | Sequence[str], label: str = "", given: tuple[Any, Any, Any] | None = None
    ) -> tuple[Candidate, ...]:
        """The candidates of a name, best first.

        Args:
            written: the name, or its tokens.
            label: one of :data:`clinspan.schema.LABELS`; another, or none: concepts of all labels count.
            given: vocabulary, code and name of the concept that the dictionary found for it.
        """
        return self._ranked(written, label, given)[: self.keep]

    def _ranked(
        self, written: str | Sequence[str], label: str, given: tuple[Any, Any, Any] | None
    ) -> tuple[Candidate, ...]:
        """All that fit, best first."""
        words = split_words(written) if isinstance(written, str) else written
        found: dict[tuple[str, str], Candidate] = {}
        if given is not None:
            vocabulary, concept_id, name = given
            _better(found, Candidate(concept_id, vocabulary, name or "", 1.0))
        for index in self.indexes:
            self._add(found, index, self._exact(index, words, label, given).items(), label)
        wanted = self._wanted(found)
        if len(wanted) < (max(_FILLED, self.keep) if given is None else 1) and words:
            for index in self.indexes:
                self._add(found, index, self._near(index, words, label), label)
            wanted = self._wanted(found)
        order = self.vocabularies or ORDER.get(label) or ORDER["CONDITION"]
        rank = {vocabulary: i for i, vocabulary in enumerate(order)}
        ranked = sorted(wanted, key=lambda c: (-c.score, rank.get(c.vocabulary, len(rank)), c.concept_id))
        if given is not None and not self.vocabularies:
            ranked.sort(key=lambda c: (c.vocabulary, c.concept_id) != (given[0], given[1]))
        return tuple(ranked)

    def _wanted(self, found: dict[tuple[str, str], Candidate]) -> list[Candidate]:
        return [candidate for candidate in found.values() if self._wants(candidate.vocabulary)]

    def _add(
        self,
        found: dict[tuple[str, str], Candidate],
        index: ConceptIndex,
        numbers: Iterable[tuple[int, float]],
        label: str,
    ) -> None:
        """Add concepts of an index, and those of other vocabularies that mean the same."""
        for number, score in sorted(numbers, key=lambda pair: -pair[1]):
            concept = index.concept(number)
            _better(found, Candidate(concept.concept_id, concept.vocabulary, concept.name, round(score, 3)))
            for other in index.same(number):
                concept = index.concept(other)
                crossed = round(score * _CROSSED * _fits(concept.label, label), 3)
                _better(found, Candidate(concept.concept_id, concept.vocabulary, concept.name, crossed))

    def _exact(
        self, index: ConceptIndex, words: Sequence[str], label: str, given: tuple[Any, Any, Any] | None
    ) -> dict[int, float]:
        """The concepts that have a name of the same words, and the one given, by number, with scores."""
        out: dict[int, float] = {}
        anchor = index.number(given[0], given[1]) if given else None
        if anchor is not None:
            out[anchor] = 1.0
        asked = [(words, 1.0), (_unqualified(words), _UNQUALIFIED)]
        if given is not None:
            if len("".join(words)) <= 4:  # what a short form means its context has decided
                asked = []
            if given[0] == OWN and given[2]:
                asked.append((split_words(given[2]), _CROSSED))
        for name, worth in asked:
            for form in _forms(name):
                for number, score in index.exact(form):
                    score *= worth * _fits(index.concept(number).label, label)
                    if score > out.get(number, 0.0):
                        out[number] = score
        return out

    def _near(self, index: ConceptIndex, words: Sequence[str], label: str) -> list[tuple[int, float]]:
        """The concepts with names like it, that are of a wanted vocabulary or have an equal there."""
        sides = _SIDES.intersection(word.lower() for word in words)
        vocabularies = self.vocabularies

        def factor(number: int) -> float:
            concept = index.concept(number)
            means = [concept, *(index.concept(other) for other in index.same(number))] if vocabularies else [concept]
            if vocabularies and not any(other.vocabulary in vocabularies for other in means):
                return 0.0
            other_sides = _SIDES.intersection(concept.name.lower().split()) - sides
            if other_sides:  # the other side, or a side that nobody spoke of
                return 0.0 if sides else _fits(concept.label, label) * _UNQUALIFIED
            return _fits(concept.label, label)

        return index.near(_forms(_unqualified(words))[0], keep=max(10, 2 * self.keep), factor=factor)

    def _wants(self, vocabulary: str) -> bool:
        return not self.vocabularies or vocabulary in self.vocabularies


_ALIASES = {
    "hpo": "hp",
    "icd10": "icd10cm",
    "do": "doid",
    "msh": "mesh",
    "snomed": "snomedct",
    "snomedctus": "snomedct",
}


def _plain(name: str) -> str:
    """A vocabulary's name, for comparing what people write: "icd-10-cm" is "ICD10CM", "hpo" is "HP"."""
    bare = name.strip().casefold().replace("-", "").replace("_", "")
    return _ALIASES.get(bare, bare)


def _forms(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The normal forms of written tokens: the canonical one, then with hyphens closed up."""
    read = [readings(word) for word in words]
    forms = [tuple(s for reading in read for s in reading[0])]
    if any(len(reading) > 1 for reading in read):
        forms.append(tuple(s for reading in read for s in reading[-1]))
    return forms


def _unqualified(words: Sequence[str]) -> list[str]:
    """A name without side and severity, unless nothing is left."""
    return [word for word in words if word.lower() not in _QUALIFIERS] or list(words)


def _fits(label: str, wanted: str) -> float:
    """What a concept counts, by its label and the entity's."""
    if label == wanted or wanted not in schema.LABELS:
        return 1.0
    return _KIN.get((wanted, label), 0.0) if label else _UNLABELLED


def _better(found: dict[tuple[str, str], Candidate], candidate: Candidate) -> None:
    key = (candidate.vocabulary, candidate.concept_id)
    if candidate.concept_id and candidate.score > 0 and (key not in found or found[key].score < candidate.score):
        found[key] = candidate
