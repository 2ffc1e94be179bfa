"""An index of one's own from terminologies: which names are of use in notes, how they must be written, and a report.

A terminology is written to be complete, not to be searched for. A name is left out of what is searched for, with the
reason counted, if it has no word; is a single character or a number; is longer than anyone writes; says "unspecified",
"other" or the like; is one everyday word; does not mean its concept (broader, narrower, related); is of a concept
without a label; has a qualifier in brackets; or is on the user's list. A name of up to four characters in capitals is
searched for in exactly that case. Otherwise a name is searched for as :mod:`clinspan.matching.normal` reads it, without
a tag in brackets, and also with its inversion undone ("anemia, aplastic"). Names left out still serve to link entities,
but for those on the list.
"""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from clinspan import schema
from clinspan.matching import Concept, TermIndex, container
from clinspan.matching import concepts as concept_index
from clinspan.matching.normal import symbols
from clinspan.terminologies._labels import labels_of
from clinspan.terminologies.model import BROAD, NARROW, RELATED, Term, TermsFileError

#: Words of a name, at most.
LONGEST = 8
_SHORT = 4
_ANY, _EXACT = "", "="
_REPORTED = 5_000  # names between two calls of ``progress``
_NOT_THE_SAME = {
    BROAD: "broader than its concept",
    NARROW: "narrower than its concept",
    RELATED: "related to its concept",
}
_VAGUE = re.compile(
    r"\b(?:unspecified|not otherwise specified|nos|nec|not elsewhere classified|other|encounter|sequela|unknown)\b",
    re.IGNORECASE,
)
_TAIL = re.compile(r",? (?:unspecified|nos|not otherwise specified)$", re.IGNORECASE)
_NOT_INVERTED = ("and ", "or ", "with")
_BREAK = re.compile(r"[\t\r\n]+")  # what separates the fields of a concept
_TAG = re.compile(r"\s[(\[](?P<tag>[^()\[\]]*)[)\]]$")
_ODD = re.compile(r"[<>{}=;|*\\]")


@dataclass
class Report:
    """What became of a terminology's names.

    Attributes:
        read: names read.
        names: names that are searched for in notes.
        concepts: concepts that have a name.
        dropped: how many names are not searched for, by reason.
        labels: how many of the names searched for, by label.
    """

    read: int = 0
    names: int = 0
    concepts: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)


@cache
def everyday_words() -> frozenset[str]:
    """Words of everyday language, in normal form; none of them is a clinical name by itself."""
    from clinspan.components import resource_rows

    return frozenset(row["word"] for row in resource_rows("en/everyday_words.tsv"))


def as_written(name: str) -> Iterator[str]:
    """The forms in which a note may have a terminology's name: without a tag in brackets and without a tail that says
    nothing ("gout (disorder)", "gout, unspecified"); and with its inversion undone ("anemia, aplastic")."""
    bare = _TAIL.sub("", name).strip()
    tagged = _TAG.search(bare)
    if tagged and tagged["tag"].lower() in _tags():
        bare = bare[: tagged.start()].strip()
    if not bare:
        return
    yield bare
    head, comma, tail = bare.partition(", ")
    if (
        comma
        and "," not in tail
        and 0 < len(tail.split()) <= 3
        and not tail.lower().startswith(("and ", "or ", "with"))
    ):
        yield f"{tail} {head}"


@cache
def _tags() -> frozenset[str]:
    """What stands in brackets behind a name and is no part of it."""
    return frozenset(labels_of("snomed")) | {"disease", "diagnosis", "condition", "symptom", "sign", "drug", "event"}


def reason_against(
    form: tuple[str, ...], written: str, *, longest: int = LONGEST, everyday: Collection[str] = frozenset()
) -> str:
    """Why a name is not searched for, or ""."""
    letters = "".join(form)
    if not any(c.isalnum() for c in letters):
        return "no word in it"
    if len(letters) < 2 or not any(c.isalpha() for c in letters) or (len(form) == 1 and form[0][0].isdigit()):
        return "a single character or a number"
    if len(form) > longest:
        return f"more than {longest} words"
    if _VAGUE.search(written):
        return "unspecified, other, unknown"
    if "(" in written or "[" in written:
        return "a qualifier in brackets"
    if written.count(",") > 1 or _ODD.search(written):
        return "a list or a formula"
    if len(form) == 1 and len(letters) <= 3 and not written.isupper():
        return "three characters or fewer, not in capitals"
    if len(form) == 1 and form[0] in everyday and not (written.isupper() and len(written) <= _SHORT):
        return "an everyday word"
    return ""


def build(
    terms: Iterable[Term],
    output: str | os.PathLike[str],
    *,
    label: str = "",
    excluded: Iterable[str] = (),
    longest: int = LONGEST,
    everyday: bool = False,
    linking: bool = True,
    dropped: Callable[[Term, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Write an index file of terms.

    Args:
        terms: as the readers give them, a concept's names in any order.
        output: the file.
        label: for concepts whose source does not say; without it they are not searched for.
        excluded: names to leave out altogether, in any of their forms.
        longest: words of a name that is searched for, at most.
        everyday: keep names that are one everyday word.
        linking: write what is needed to look concepts up by likeness; without, the file is less than half as large, and
            of use only to search for names.
        dropped: called with every name that is not searched for, and why.
        progress: called now and then with the number of names read.

    Raises:
        ValueError: a label that is none of :data:`clinspan.schema.LABELS`.
        TermsFileError: what the readers raise, and where there is no term at all; no file is written then.
    """
    if label and label not in schema.LABELS:
        raise ValueError(f"label is not one of {', '.join(schema.LABELS)}: {label}")
    builder = _Builder(label, {symbols(name) for name in excluded}, longest, set() if everyday else everyday_words())
    for term in terms:
        reason = builder.add(term)
        if reason and dropped is not None:
            dropped(term, reason)
        if progress is not None and builder.report.read % _REPORTED == 0:
            progress(builder.report.read)
    if not builder.report.read:
        raise TermsFileError("no name in the sources")
    builder.write(output, linking=linking)
    return builder.report


class _Builder:
    """Names and concepts as they come in, in as little memory as will do."""

    def __init__(self, label: str, excluded: set[tuple[str, ...]], longest: int, everyday: Collection[str]) -> None:
        self.report = Report()
        self._label = label
        self._excluded = excluded
        self._longest = longest
        self._everyday = everyday
        self._numbers: dict[str, int] = {}  # of concepts, by "vocabulary code"
        self._concepts: list[str] = []  # packed
        self._titled = bytearray()  # whether the concept's preferred name is known
        self._xrefs: list[tuple[int, str]] = []
        self._symbols: dict[str, int] = {}
        # names to find: their symbols, the concept of each, how they must be written; then names to link
        self._finding = _Names()
        self._linking = _Names()
        self._seen: set[int] = set()
        self._records: list[str] = []

    def add(self, term: Term) -> str:
        """Take a term in; why it is not searched for, or ""."""
        report = self.report
        report.read += 1
        name = " ".join(term.name.split())
        number = self._concept(term, name)
        label = term.label or self._label
        reasons = [] if label else ["no label"]
        if term.kind in (BROAD, NARROW, RELATED):
            reasons = [_NOT_THE_SAME[term.kind]]
        kept = False
        forms = {written: symbols(written) for written in as_written(name)}
        if not self._excluded.isdisjoint((symbols(name), *forms.values())):
            reasons, forms = ["on the list of names to leave out"], {}
        for written, form in forms.items():
            self._link(form, number, term.kind)
            if reasons:
                continue
            reason = reason_against(form, written, longest=self._longest, everyday=self._everyday)
            if reason:
                reasons = [reason]
                continue
            exact = len(form) == 1 and len(written) <= _SHORT and written.isupper()
            if not self._new(form, number, exact):
                reasons = ["the same as another name of its concept"]
            else:
                kept = True
                self._finding.add(self._coded(form), number)
                self._records.append(f"{number}\t{_EXACT if exact else _ANY}\t{written}")
                report.names += 1
                report.labels[label] += 1
        if kept:
            return ""
        reason = reasons[0] if reasons else "no word in it"
        report.dropped[reason] += 1
        return reason

    def _concept(self, term: Term, name: str) -> int:
        key = f"{term.vocabulary}\t{term.concept_id}" if term.concept_id else f"\t\t{term.vocabulary}\t{name}"
        number = self._numbers.setdefault(key, len(self._concepts))
        preferred = term.kind == "preferred"
        if number == len(self._concepts):
            self._concepts.append("")
            self._titled.append(0)
            self.report.concepts += 1
        if not self._concepts[number] or (preferred and not self._titled[number]):
            label = term.label or self._label
            fields = (label, term.vocabulary, term.concept_id, term.name.strip())
            self._concepts[number] = Concept(*(_BREAK.sub(" ", field) for field in fields)).packed()
            self._titled[number] = preferred
        self._xrefs += [(number, xref) for xref in term.xrefs]
        return number

    def _coded(self, form: tuple[str, ...]) -> list[int]:
        known = self._symbols
        return [known.setdefault(symbol, len(known)) for symbol in form]

    def _new(self, form: tuple[str, ...], number: int, exact: bool) -> bool:
        """Whether the concept has no name yet that finds all that this one would."""
        anyhow, exactly = hash((form, number, _ANY)), hash((form, number, _EXACT))
        if anyhow in self._seen or (exact and exactly in self._seen):
            return False
        self._seen.add(exactly if exact else anyhow)
        return True

    def _link(self, form: tuple[str, ...], number: int, kind: str) -> None:
        if form:
            self._linking.add(self._coded(form), number, kind)

    def write(self, output: str | os.PathLike[str], *, linking: bool) -> None:
        """Write the file."""
        written = list(self._symbols)
        index = TermIndex.build_symbols(
            ([written[i] for i in form], place) for place, (form, _, _) in enumerate(self._finding)
        )
        arrays, strings = index.arrays(), {"names": self._records, "concepts": self._concepts}
        vocabularies = sorted({packed.split("\t", 2)[1] for packed in self._concepts})
        meta = {**index.meta, "concepts": len(self._concepts), "vocabularies": vocabularies}
        if linking:
            forms = (([written[i] for i in form], number, kind) for form, number, kind in self._linking)
            more, words = concept_index.blocks_of_forms(self._concepts, forms, self._same())
            arrays |= more
            strings |= words
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        container.write(output, meta, arrays, strings)

    def _same(self) -> Iterator[tuple[int, int]]:
        """Cross-references between concepts that are both here."""
        for number, xref in self._xrefs:
            vocabulary, _, code = xref.partition(":")
            for concept_id in (code, xref):
                other = self._numbers.get(f"{vocabulary}\t{concept_id}")
                if other is not None:
                    yield number, other


class _Names:
    """Names as numbers of symbols, with a concept and a kind each."""

    def __init__(self) -> None:
        self._symbols = array("I")
        self._ends = array("Q")
        self._numbers = array("I")
        self._kinds = bytearray()

    def add(self, form: list[int], number: int, kind: str = "preferred") -> None:
        self._symbols.extend(form)
        self._ends.append(len(self._symbols))
        self._numbers.append(number)
        self._kinds.append(_KINDS.index(kind))

    def __iter__(self) -> Iterator[tuple[array[int], int, str]]:
        start = 0
        for end, number, kind in zip(self._ends, self._numbers, self._kinds):
            yield self._symbols[start:end], number, _KINDS[kind]
            start = end


_KINDS = tuple(concept_index.KINDS)
