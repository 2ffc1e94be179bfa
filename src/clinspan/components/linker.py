"""Entities to concepts: ranked candidates for each, and the code of its row.

For an entity with a concept of the dictionary that concept is the first candidate. Others are looked up, in the index
of concepts that comes with the pipeline and in those of the user: by the exact words of the entity, a short form that
the note defines taken as its long form; and where there are none, by likeness
(:class:`clinspan.matching.ConceptIndex`). Concepts of another label than the entity's count less, or not at all. Codes
go from one vocabulary to another where a public cross-reference says that they mean the same. Where several concepts of
a vocabulary fit equally well, the one that other entities of the note mean goes first.

An entity without a concept takes the first candidate, if its score is at least ``least``. With ``vocabularies``, every
entity takes the best candidate of the first of them that has one, or none: the codes of a table are then theirs alone.

With ``external``, the name of a component of scispaCy's ``EntityLinker``, what that found (``span._.kb_ents``) comes
first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan.attributes import ENTITIES, KEY, user_data
from clinspan.components import keep_files, kept_files
from clinspan.components.abbreviations import DEFINITIONS
from clinspan.components.memo import spans_of, tokens_of
from clinspan.components.tokenizer import words_of
from clinspan.matching import Candidate, ConceptIndex, ConceptLookup
from clinspan.matching.container import open_file

INDEX_FILE = "concepts.index"
_SETTINGS = "settings.json"
_DEFAULTS: dict[str, Any] = {
    "vocabularies": [],
    "keep": 5,
    "least": 0.9,
    "external": "",
    "external_vocabulary": "UMLS",
}
_TIED = 0.03
_FORGET = 100_000  # remembered answers


class Linker(ConceptLookup):
    """The component; :meth:`candidates` is the pure function inside, and all of :class:`ConceptLookup`.

    Args:
        vocabularies: the only ones whose codes are given, best first, in any case ("icd10cm"); empty: all.
        keep: the most candidates of an entity; with 1, an entity with a concept of the dictionary is not looked up.
        least: the score from which a candidate's code is taken, 0 to 1.
        external: the name of a scispaCy ``EntityLinker`` in the pipeline, or "".
        external_vocabulary: the vocabulary of its codes.
        nlp: the pipeline, for ``external``.
    """

    def __init__(
        self,
        *,
        vocabularies: Iterable[str] = (),
        keep: int = 5,
        least: float = 0.9,
        external: str = "",
        external_vocabulary: str = "UMLS",
        nlp: Language | None = None,
    ) -> None:
        super().__init__(vocabularies=vocabularies, keep=keep)
        self.least = least
        self.external = external
        self.external_vocabulary = external_vocabulary
        self._nlp = nlp
        self._bundled: Path | None = None
        self._remembered: dict[Any, tuple[Candidate, ...]] = {}

    # --- data ---

    def known_vocabularies(self) -> set[str]:
        """The vocabularies of the indexes, and that of an external linker."""
        return super().known_vocabularies() | ({self.external_vocabulary} if self.external else set())

    def _changed(self) -> None:
        super()._changed()
        self._remembered.clear()

    def open_index(self, path: str | Path) -> None:
        """Use the index file at ``path`` as the pipeline's own (mapped, not read)."""
        index = ConceptIndex(open_file(path))
        others = (other for other in self.indexes if other.path not in (index.path, _path(self._bundled)))
        self.indexes = [index, *others]
        self._bundled = Path(index.path)
        self._changed()

    # --- linking ---

    def __call__(self, doc: Doc) -> Doc:
        entities = spans_of(doc, ENTITIES)
        vocabularies = self.vocabularies
        if not entities or not (self.indexes or self.external or vocabularies):
            return doc
        words = tokens_of(doc).words
        data = user_data(doc)
        long_forms: dict[str, tuple[str, ...]] = {}
        for start, end, long_start, long_end in data.get(DEFINITIONS, ()):
            text = doc.text
            long_forms[text[start:end]] = tuple(words_of(text[long_start:long_end]))
        if len(self._remembered) > _FORGET:
            self._remembered.clear()
        linked: list[tuple[dict[str, Any], tuple[Candidate, ...]]] = []
        # where nobody asks for more than a code, what has one is left alone
        only_without = self.keep == 1 and not vocabularies and not self.external
        coded = []
        for span in entities:
            label = span.label_
            key = (KEY, span.start_char, span.end_char, label)
            stored = data.get(key)
            if stored is None:
                stored = data[key] = {}
            elif only_without and stored.get("concept_id") is not None:
                coded.append((span, stored))
                continue
            found = self._found(words, span, stored, long_forms)
            if self.external:
                found = (*self._externally(span), *found)
            linked.append((stored, found))
        if any(_is_unsettled(stored, found) for stored, found in linked):
            _settle(linked, [self._found(words, span, stored, {}) for span, stored in coded])
        for stored, found in linked:
            if found:
                stored["candidates"] = found[: self.keep]
            if stored.get("concept_id") is None or (vocabularies and "fixed" not in stored):
                _code(stored, found, self.least, vocabularies)
        return doc

    def _found(
        self, words: Sequence[str], span: Span, stored: dict[str, Any], long_forms: dict[str, tuple[str, ...]]
    ) -> tuple[Candidate, ...]:
        """The candidates of an entity, all of them, remembered."""
        first, end = span.start, span.end
        given = (stored.get("vocabulary"), stored.get("concept_id"), stored.get("concept_name"))
        written: Any = words[first] if end - first == 1 else tuple(words[first:end])
        if long_forms and given[1] is None:
            written = _expanded(words[first:end], long_forms)
        asked = (written, span.label_, given)
        found = self._remembered.get(asked)
        if found is None:
            found = self._remembered[asked] = self._ranked(written, span.label_, given if given[1] else None)
        return found

    def _externally(self, span: Span) -> list[Candidate]:
        """What scispaCy's linker found for a span, its names from that linker's knowledge base."""
        if not Span.has_extension("kb_ents") or not self._wants(self.external_vocabulary):
            return []
        linker: Any = self._nlp.get_pipe(self.external) if self._nlp is not None else None
        known = getattr(getattr(linker, "kb", None), "cui_to_entity", {})
        out = []
        for code, score in span._.kb_ents or ():
            entity = known.get(code)
            name = getattr(entity, "canonical_name", "") if entity is not None else ""
            out.append(Candidate(str(code), self.external_vocabulary, name, float(score)))
        return out

    # --- saving ---

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Write the indexes and the settings into the folder ``path``."""
        keep_files(Path(path), INDEX_FILE, self._bundled, [Path(other) for other in self._others()])
        (Path(path) / _SETTINGS).write_text(json.dumps(self._settings()), encoding="ascii")

    def from_disk(self, path: str | Path, **kwargs: Any) -> Linker:
        """Map the indexes of the folder ``path``."""
        self.indexes, self._bundled = [], None
        if (Path(path) / INDEX_FILE).exists():
            self.open_index(Path(path) / INDEX_FILE)
        for other in kept_files(Path(path)):
            self.add_index(other)
        if (Path(path) / _SETTINGS).exists():
            self._set(json.loads((Path(path) / _SETTINGS).read_text("ascii")))
        return self

    def _settings(self) -> dict[str, Any]:
        named = ("keep", "least", "external", "external_vocabulary")
        return {"vocabularies": self._asked, **{name: getattr(self, name) for name in named}}

    def _set(self, settings: dict[str, Any]) -> None:
        """Take settings over, but for those that the pipeline's config has other than the defaults."""
        for name, value in settings.items():
            if name == "vocabularies" and not self._asked:
                self.vocabularies = value
            elif getattr(self, name) == _DEFAULTS[name]:
                setattr(self, name, value)

    def _others(self) -> list[str]:
        """Where the user's indexes lie."""
        return [index.path for index in self.indexes if index.path != _path(self._bundled)]

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Where the index files lie (the files themselves are not copied), and the settings."""
        state = {
            "index": _path(self._bundled),
            "others": self._others(),
            "settings": self._settings(),
        }
        return json.dumps(state).encode()

    def from_bytes(self, data: bytes, **kwargs: Any) -> Linker:
        """Read what :meth:`to_bytes` gave."""
        state = json.loads(data)
        self.indexes, self._bundled = [], None
        if state["index"]:
            self.open_index(state["index"])
        for path in state["others"]:
            self.add_index(path)
        self._set(state["settings"])
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.to_bytes(), self._nlp if self.external else None)


def _restored(data: bytes, nlp: Language | None) -> Linker:
    return Linker(nlp=nlp).from_bytes(data)


def _path(path: Path | None) -> str | None:
    return str(path) if path else None


def _expanded(words: Sequence[str], long_forms: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    out: list[str] = []
    for word in words:
        out.extend(long_forms.get(word) or long_forms.get(word.removesuffix("s")) or (word,))
    return tuple(out)


def _settle(
    linked: list[tuple[dict[str, Any], tuple[Candidate, ...]]], others: Sequence[tuple[Candidate, ...]]
) -> None:
    """Put the candidate that other entities of the note mean before those of its vocabulary that fit as well."""
    tied = {i for i, (stored, found) in enumerate(linked) if _is_unsettled(stored, found)}
    meant: Counter[tuple[str, str]] = Counter()
    sure = [found for i, (_, found) in enumerate(linked) if i not in tied]
    for found in (*sure, *others):
        meant.update((c.vocabulary, c.concept_id) for c in found if c.score >= found[0].score - _TIED)
    for i in tied:
        stored, found = linked[i]
        best = found[0]
        rivals = [c for c in found if c.vocabulary == best.vocabulary and c.score >= best.score - _TIED]
        first = max(rivals, key=lambda c: meant[c.vocabulary, c.concept_id])
        if meant[first.vocabulary, first.concept_id] > meant[best.vocabulary, best.concept_id]:
            linked[i] = (stored, (first, *(c for c in found if c is not first)))


def _is_unsettled(stored: dict[str, Any], found: tuple[Candidate, ...]) -> bool:
    return stored.get("concept_id") is None and _is_tied(found)


def _is_tied(found: tuple[Candidate, ...]) -> bool:
    return any(c.vocabulary == found[0].vocabulary and c.score >= found[0].score - _TIED for c in found[1:])


def _code(stored: dict[str, Any], found: tuple[Candidate, ...], least: float, vocabularies: tuple[str, ...]) -> None:
    """Give an entity the code of its first candidate, of the first of the wanted vocabularies that has one."""
    good = [c for c in found if c.score >= least]
    best: Candidate | None = good[0] if good else None
    if vocabularies and good:
        best = min(good, key=lambda c: vocabularies.index(c.vocabulary) if c.vocabulary in vocabularies else 99)
    if best is None and not vocabularies:
        return  # the name of a concept without a code stays
    stored["concept_id"] = best.concept_id if best else None
    stored["vocabulary"] = best.vocabulary if best else None
    stored["concept_name"] = best.name if best else None


@Language.factory("clinspan_linker", requires=["doc.spans"], assigns=["doc.spans"], default_config=_DEFAULTS)
def make_linker(
    nlp: Language,
    name: str,
    vocabularies: list[str],
    keep: int,
    least: float,
    external: str,
    external_vocabulary: str,
) -> Linker:
    """The linker; its index comes with the pipeline's folder. For the settings see :class:`Linker`."""
    return Linker(
        vocabularies=vocabularies,
        keep=keep,
        least=least,
        external=external,
        external_vocabulary=external_vocabulary,
        nlp=nlp,
    )
