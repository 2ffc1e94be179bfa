"""ConceptIndex: which concepts a written name means, exactly or nearly; mapped from a file.

Exactly: names are filed by their *words*, the set of symbols of their normal form without articles and prepositions, so
"carcinoma of the left breast" and "left breast carcinoma" are one. Nearly: the words of the query are matched softly,
each with the words that are spelled alike (character trigrams, common stems) or that terminologies use for each other
("renal", "kidney": learned from synonyms that differ in one word), weighed by how rare they are; the score is the
harmonic mean of the share of the query's and of the name's words that are matched.

After the TF-IDF candidate generation of scispaCy (Neumann et al. 2019) and QuickUMLS (Soldaini and Goharian 2016); the
n-grams are of words rather than of names, which makes the index a fifth of the size and a query one of words.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from clinspan.matching.container import Container, IndexFileError, fingerprint
from clinspan.matching.normal import symbols

#: How a name stands to its concept, and what an exact match of it is worth.
KINDS: dict[str, float] = {
    "preferred": 1.0,
    "synonym": 0.98,
    "abbreviation": 0.95,
    "annotated": 0.9,  # so marked by the annotators of a corpus
    "narrow": 0.8,
    "broad": 0.75,
    "related": 0.7,
}
_KIND_BITS = 3
_STOP = frozenset("of the and in to with due an for by on from or at".split())
_LEAST_WORD_SIMILARITY = 0.6
_REMEMBERED = 10_000  # concepts, and words with those like them
_NEAR = 0.95  # a near match is worth less than an exact one
_BLOCKS = (
    "words.hashes", "words.numbers", "words.gram_hashes", "words.gram_first", "words.by_gram",
    "words.equal_first", "words.equal", "words.equal_strength", "bags.hashes", "bags.word_first",
    "bags.words", "bags.first", "bags.concepts", "concepts.hashes", "concepts.numbers",
    "concepts.xref_first", "concepts.xrefs",
)  # fmt: skip


class Concept(NamedTuple):
    """A concept: what its entities are labelled, its vocabulary and code there, and its name there, verbatim."""

    label: str
    vocabulary: str
    concept_id: str
    name: str

    def packed(self) -> str:
        """One line of an index's list of concepts."""
        return "\t".join(self)


def bag_of(name: Iterable[str]) -> tuple[str, ...]:
    """The words that count of a name in normal form, sorted."""
    return tuple(sorted({s for s in name if s not in _STOP and any(c.isalnum() for c in s)}))


def blocks(
    concepts: Sequence[Concept],
    names: Iterable[tuple[str, int, str]],
    xrefs: Iterable[tuple[int, int]] = (),
    *,
    inverted: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """The arrays and strings of an index, for :func:`clinspan.matching.container.write`.

    Args:
        concepts: each once.
        names: (name, number of its concept, kind, one of :data:`KINDS`).
        xrefs: pairs of numbers of concepts that mean the same, of different vocabularies.
        inverted: with the names of each word, which are otherwise worked out when first needed (a smaller file).
    """
    forms = ((symbols(name), number, kind) for name, number, kind in names)
    return blocks_of_forms([concept.packed() for concept in concepts], forms, xrefs, inverted=inverted)


def blocks_of_forms(
    concepts: Sequence[str],
    names: Iterable[tuple[Sequence[str], int, str]],
    xrefs: Iterable[tuple[int, int]] = (),
    *,
    inverted: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """As :func:`blocks`, of packed concepts and of names already in normal form."""
    bags: dict[tuple[str, ...], dict[int, int]] = {}
    kinds = {kind: i for i, kind in enumerate(KINDS)}
    for form, number, kind in names:
        bag = bag_of(form)
        if bag:
            held = bags.setdefault(bag, {})
            held[number] = min(held.get(number, len(kinds)), kinds[kind])
    words = sorted({word for bag in bags for word in bag})
    numbers = {word: i for i, word in enumerate(words)}
    keyed = sorted((fingerprint(" ".join(bag)), bag) for bag in bags)
    word_first, bag_words, first, held_concepts = array("I", [0]), array("I"), array("I", [0]), array("Q")
    for _, bag in keyed:
        bag_words.extend(numbers[word] for word in bag)
        word_first.append(len(bag_words))
        held_concepts.extend(sorted(number << _KIND_BITS | kind for number, kind in bags[bag].items()))
        first.append(len(held_concepts))
    flat = np.asarray(bag_words, dtype=np.uint32)
    equal = _equal_words(bags)
    pairs = [(numbers[a], numbers[b], strength) for a, other in sorted(equal.items()) for b, strength in other.items()]
    gram_hashes, gram_first, by_gram = _inverted([(fingerprint(g), i) for i, w in enumerate(words) for g in _grams(w)])
    both = sorted({pair for a, b in xrefs if a != b for pair in ((a, b), (b, a))})
    hashes = np.asarray([fingerprint(word) for word in words], dtype=np.uint64)
    by_hash = np.argsort(hashes)
    codes = sorted((fingerprint(":".join(packed.split("\t", 3)[1:3])), i) for i, packed in enumerate(concepts))
    arrays = {
        "words.hashes": hashes[by_hash],
        "words.numbers": by_hash.astype(np.uint32),
        "words.gram_hashes": gram_hashes,
        "words.gram_first": gram_first,
        "words.by_gram": by_gram,
        "words.equal_first": _firsts([a for a, _, _ in pairs], len(words)),
        "words.equal": np.asarray([b for _, b, _ in pairs], dtype=np.uint32),
        "words.equal_strength": np.asarray([s for _, _, s in pairs], dtype=np.float32),
        "bags.hashes": np.asarray([key for key, _ in keyed], dtype=np.uint64),
        "bags.word_first": np.asarray(word_first, dtype=np.uint32),
        "bags.words": flat,
        "bags.first": np.asarray(first, dtype=np.uint32),
        "bags.concepts": np.asarray(held_concepts, dtype=np.uint64 if len(concepts) >> 29 else np.uint32),
        "concepts.hashes": np.asarray([key for key, _ in codes], dtype=np.uint64),
        "concepts.numbers": np.asarray([i for _, i in codes], dtype=np.uint32),
        "concepts.xref_first": _firsts([a for a, _ in both], len(concepts)),
        "concepts.xrefs": np.asarray([b for _, b in both], dtype=np.uint32),
    }
    if inverted:
        arrays |= _by_word(arrays["bags.words"], arrays["bags.word_first"], len(words))
    return arrays, {"concepts": list(concepts), "words": words}


def _by_word(words: np.ndarray, first: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """The names of each word."""
    names = np.repeat(np.arange(len(first) - 1, dtype=np.uint32), np.diff(first))
    return {
        "bags.of_word": names[np.argsort(words, kind="stable")],
        "bags.of_word_first": _firsts(words, count),
    }


def _firsts(sorted_or_not: Any, count: int) -> np.ndarray:
    """Where each number's run begins, of numbers below ``count``."""
    out = np.zeros(count + 1, dtype=np.uint32)
    np.cumsum(np.bincount(np.asarray(sorted_or_not, dtype=np.int64), minlength=count), out=out[1:])
    return out


def _inverted(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys in order, where each one's run begins, and the runs."""
    keys = np.asarray([key for key, _ in pairs], dtype=np.uint64)
    order = np.argsort(keys, kind="stable")
    unique, counts = np.unique(keys, return_counts=True)
    first = np.zeros(len(unique) + 1, dtype=np.uint32)
    np.cumsum(counts, out=first[1:])
    return unique, first, np.asarray([number for _, number in pairs], dtype=np.uint32)[order]


def _grams(word: str) -> set[str]:
    """The character trigrams of a word long enough to be misspelled or inflected."""
    if len(word) < 4 or word[0].isdigit():
        return set()
    word = f"^{word}$"
    return {word[i : i + 3] for i in range(len(word) - 2)}


def _equal_words(bags: dict[tuple[str, ...], dict[int, int]], *, least: int = 3) -> dict[str, dict[str, float]]:
    """Words that synonyms exchange: in how many concepts two names differ by just that, as a strength below 1."""
    synonyms = 3  # the kinds that mean the same as the concept
    of: defaultdict[int, list[tuple[str, ...]]] = defaultdict(list)
    for bag, held in bags.items():
        if 1 < len(bag) <= 5:
            for number, kind in held.items():
                if kind < synonyms:
                    of[number].append(bag)
    counts: Counter[tuple[str, str]] = Counter()
    for names in of.values():
        if not 1 < len(names) <= 60:
            continue
        holes: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for bag in names:
            for i, word in enumerate(bag):
                holes[bag[:i] + bag[i + 1 :]].add(word)
        counts.update({pair for words in holes.values() for pair in itertools.permutations(words, 2)})
    total: Counter[str] = Counter()
    for (word, _), count in counts.items():
        total[word] += count
    out: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (word, other), count in sorted(counts.items()):
        if count < least or count < 0.03 * total[word] or min(len(word), len(other)) < 2:
            continue
        if not word[0].isdigit() and not other[0].isdigit():
            out[word][other] = min(0.9, 0.5 + 0.5 * count / (count + 6))
    return out


class ConceptIndex:
    """The concepts of a file, by name and by code. Numbers of concepts are those of :attr:`concepts`."""

    def __init__(self, file: Container) -> None:
        missing = [name for name in _BLOCKS if name not in file.arrays]
        if missing or not {"concepts", "words"} <= file.strings.keys():
            raise IndexFileError(f"{file.path}: not an index of concepts to look up (was it built with --no-linking?)")
        self.path = file.path
        self.meta = file.meta
        #: What a name of each kind is worth; 0: not looked at.
        self.worth = dict(KINDS)
        self.concepts = file.strings["concepts"]
        self._arrays = {name: np.asarray(view) for name, view in file.arrays.items()}
        self._words = file.strings["words"]
        self._similar: dict[str, tuple[float, list[tuple[int, float]]]] = {}
        self._read: dict[int, Concept] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.concepts)

    def concept(self, number: int) -> Concept:
        """The concept of that number."""
        found = self._read.get(number)
        if found is None:
            if len(self._read) > _REMEMBERED:
                self._read = {}
            found = self._read[number] = Concept(*self.concepts[number].split("\t", 3))
        return found

    def number(self, vocabulary: str, concept_id: str) -> int | None:
        """The number of a concept, by its code."""
        place = self._place("concepts.hashes", fingerprint(f"{vocabulary}:{concept_id}"))
        return None if place < 0 else int(self._arrays["concepts.numbers"][place])

    def vocabularies(self) -> set[str]:
        """The vocabularies of the concepts."""
        return set(self.meta.get("vocabularies", ())) or {packed.split("\t", 2)[1] for packed in self.concepts}

    def same(self, number: int) -> list[int]:
        """The numbers of the concepts of other vocabularies that mean the same."""
        first = self._arrays["concepts.xref_first"]
        return self._arrays["concepts.xrefs"][first[number] : first[number + 1]].tolist()  # type: ignore[no-any-return]

    def _place(self, name: str, key: int) -> int:
        array = self._arrays[name]
        place = int(array.searchsorted(np.uint64(key)))
        return place if place < len(array) and int(array[place]) == key else -1

    # --- exactly ---

    def exact(self, name: Sequence[str]) -> list[tuple[int, float]]:
        """The concepts that have a name of the same words as a normal form, and what the match is worth, best first."""
        bag = bag_of(name)
        place = self._place("bags.hashes", fingerprint(" ".join(bag))) if bag else -1
        return sorted(self._held(place), key=lambda found: -found[1]) if place >= 0 else []

    def _held(self, bag: int) -> Iterator[tuple[int, float]]:
        first = self._arrays["bags.first"]
        worth = tuple(self.worth.values())
        for held in self._arrays["bags.concepts"][first[bag] : first[bag + 1]].tolist():
            if value := worth[held & (1 << _KIND_BITS) - 1]:
                yield held >> _KIND_BITS, value

    # --- nearly ---

    @cached_property
    def _rarity(self) -> np.ndarray:
        """The inverse document frequency of each word."""
        if "bags.of_word" not in self._arrays:
            words, first = self._arrays["bags.words"], self._arrays["bags.word_first"]
            self._arrays |= _by_word(words, first, len(self._words))
        counts = np.diff(self._arrays["bags.of_word_first"].astype(np.int64))
        return np.log1p(len(self._arrays["bags.hashes"]) / np.maximum(counts, 1)).astype(np.float32)

    @cached_property
    def _weight(self) -> np.ndarray:
        """The summed rarity of each name's words."""
        words, first = self._arrays["bags.words"], self._arrays["bags.word_first"]
        return np.maximum(np.add.reduceat(self._rarity[words], first[:-1]), 1e-6) if len(words) else np.zeros(0)

    @cached_property
    def _gram_counts(self) -> np.ndarray:
        return np.bincount(self._arrays["words.by_gram"], minlength=len(self._words))

    @cached_property
    def _scratch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = len(self._arrays["bags.hashes"])
        return np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32)

    def _run(self, values: str, firsts: str, number: int) -> np.ndarray:
        first = self._arrays[firsts]
        return self._arrays[values][first[number] : first[number + 1]]

    def similar_words(self, word: str) -> tuple[float, list[tuple[int, float]]]:
        """How rare a word is, and the numbers of the words like it with their likenesses, the likest last."""
        known = self._similar.get(word)
        if known is not None:
            return known
        place = self._place("words.hashes", fingerprint(word))
        own = int(self._arrays["words.numbers"][place]) if place >= 0 else -1
        likeness = self._spelled_alike(word)
        if own >= 0:
            equal = self._run("words.equal", "words.equal_first", own).tolist()
            for other, strength in zip(equal, self._run("words.equal_strength", "words.equal_first", own).tolist()):
                likeness[other] = max(likeness.get(other, 0.0), strength)
            likeness[own] = 1.0
        # an unknown word is as rare as the rarest that it may stand for
        rarity = float(max(self._rarity[list(likeness)])) if own < 0 and likeness else self._rarity_of(own)
        if len(self._similar) > _REMEMBERED:
            self._similar = {}
        found = self._similar[word] = (rarity, sorted(likeness.items(), key=lambda pair: (pair[1], -pair[0])))
        return found

    def _rarity_of(self, word: int) -> float:
        return float(self._rarity[word]) if word >= 0 else float(np.log1p(len(self._arrays["bags.hashes"])))

    def _spelled_alike(self, word: str) -> dict[int, float]:
        """Known words that share their trigrams, or their stem, with a word."""
        grams = _grams(word)
        places = [place for gram in grams if (place := self._place("words.gram_hashes", fingerprint(gram))) >= 0]
        if not places:
            return {}
        runs = [self._run("words.by_gram", "words.gram_first", place) for place in places]
        others, shared = np.unique(np.concatenate(runs), return_counts=True)
        dice = 2 * shared / (len(grams) + self._gram_counts[others])
        out = {}
        for other, value in zip(others[dice >= 0.5].tolist(), dice[dice >= 0.5].tolist()):
            written = self._words[other]
            stem = _common_prefix(word, written)
            value = max(0.9 * value, stem / max(len(word), len(written)) if stem >= 5 else 0)
            if value >= _LEAST_WORD_SIMILARITY:
                out[other] = min(_NEAR, value)
        return out

    def near(
        self,
        name: Sequence[str],
        *,
        keep: int = 30,
        least: float = 0.4,
        factor: Callable[[int], float] = lambda number: 1.0,
    ) -> list[tuple[int, float]]:
        """The concepts whose names are most like a normal form, with scores up to .95, best first.

        Args:
            name: the normal form.
            keep: how many, at most.
            least: names less like it are not looked at.
            factor: what a concept counts, by its number; 0: not at all.
        """
        bag = bag_of(name)[:16]
        if not bag or not len(self._arrays["bags.hashes"]):
            return []
        with self._lock:  # the scratch arrays are one
            places, scores = self._score(bag)
        good = scores >= least
        places, scores = places[good], scores[good]
        if len(places) > 30 * keep:
            some = np.argpartition(-scores, 30 * keep)[: 30 * keep]
            places, scores = places[some], scores[some]
        found: dict[int, float] = {}
        last = -1
        for i in np.lexsort((places, -scores)).tolist():
            if len(found) >= keep:
                break
            place = int(places[i])
            if place == last:
                continue
            last = place
            for number, weight in self._held(place):
                value = min(float(scores[i]), 1.0) * weight * _NEAR
                if value > found.get(number, 0.0) and (counts := factor(number)):
                    found[number] = max(value * counts, found.get(number, 0.0))
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:keep]

    def _score(self, bag: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The names that share a word, or one like it, with a query, and the score of each."""
        best, matched, covered = self._scratch
        touched = []
        total = 1e-6
        for word in bag:
            rarity, likeness = self.similar_words(word)
            total += rarity
            fresh = []
            runs = [self._run("bags.of_word", "bags.of_word_first", other) for other, _ in likeness]
            for run, (other, value) in zip(reversed(runs), reversed(likeness)):  # the likest first: it counts
                new = run[best[run] == 0]
                best[new] = value
                matched[new] += value * rarity
                covered[new] += value * self._rarity[other]
                fresh.append(new)
            for new in fresh:
                best[new] = 0
            touched += fresh
        if not touched:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        everything = np.concatenate(touched)
        recall = matched[everything] / total
        precision = np.minimum(covered[everything] / self._weight[everything], 1)
        scores = 2 * recall * precision / np.maximum(recall + precision, 1e-6)
        matched[everything] = covered[everything] = 0
        return everything, scores  # a name that several words touch comes as often


def _common_prefix(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
