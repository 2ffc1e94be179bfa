"""The index of concepts: a name to its concepts, exactly and nearly, and a code to its number."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinspan.matching import Concept, ConceptIndex, IndexFileError, TermIndex
from clinspan.matching.concepts import KINDS, blocks
from clinspan.matching.container import open_file, write
from clinspan.matching.normal import symbols

Row = tuple[str, str, str]  # code, name, kind


def index_of(
    names: Sequence[Row], xrefs: Sequence[tuple[int, int]] = (), *, inverted: bool = True, meta: dict | None = None
) -> ConceptIndex:
    """An index whose concepts are the codes, in the order in which they first come."""
    codes = list(dict.fromkeys(code for code, _, _ in names))
    first = {code: name for code, name, _ in reversed(names)}
    concepts = [Concept("CONDITION", "V", code, first[code]) for code in codes]
    rows = [(name, codes.index(code), kind) for code, name, kind in names]
    arrays, strings = blocks(concepts, rows, xrefs, inverted=inverted)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "x.index", meta or {}, arrays, strings)
        return ConceptIndex(open_file(Path(folder) / "x.index"))  # what is mapped outlives the file


def preferred(*names: str) -> ConceptIndex:
    return index_of([(name, name, "preferred") for name in names])


def codes(index: ConceptIndex, found: list[tuple[int, float]]) -> list[str]:
    return [index.concept(number).concept_id for number, _ in found]


# exactly


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("carcinoma of the left breast", "left breast carcinoma"),
        ("left breast carcinoma", "Carcinoma of the LEFT breast"),
        ("injury of head and neck", "neck and head injuries"),
        ("oedema", "edema"),
        ("tumors", "tumour"),
        ("Crohn's disease", "crohn disease"),
        ("diabetes, type II", "type 2 diabetes"),
        ("nausea & vomiting", "vomiting, nausea"),
        ("x-ray of chest", "chest x ray"),
        ("S\u00e9zary syndrome", "sezary syndrome"),
        ("pain pain", "pain"),
    ],
)
def test_the_same_words_are_the_same_name(name: str, asked: str) -> None:
    index = preferred(name, "something else")
    assert index.exact(symbols(asked)) == [(0, 1.0)]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("hepatitis A", "hepatitis"),
        ("hepatitis", "hepatitis A"),
        ("hepatitis A", "hepatitis B"),
        ("type 1 diabetes", "type 2 diabetes"),
        ("chest pain", "pain"),
        ("pain", "of the"),
        ("pain", ""),
        ("pain", ", -"),
        ("x-ray", "xray"),
    ],
)
def test_other_words_are_another_name(name: str, asked: str) -> None:
    assert preferred(name).exact(symbols(asked)) == []


def test_several_concepts_of_a_name_are_ranked_by_kind() -> None:
    kinds = list(KINDS)[::-1]
    index = index_of([(kind, "cold", kind) for kind in kinds])
    assert [(index.concept(n).concept_id, worth) for n, worth in index.exact(symbols("colds"))] == list(KINDS.items())


def test_the_best_kind_of_a_name_counts() -> None:
    rows = [("1", "cold", "related"), ("1", "Colds", "synonym"), ("1", "the cold", "narrow")]
    for names in (rows, rows[::-1]):
        assert index_of(names).exact(symbols("cold")) == [(0, KINDS["synonym"])]


def test_kinds_that_are_worth_nothing_are_not_found() -> None:
    index = index_of([("1", "cold", "related"), ("2", "cold", "preferred"), ("3", "hot flush", "related")])
    index.worth["related"] = 0
    assert codes(index, index.exact(symbols("cold"))) == codes(index, index.near(symbols("cold"))) == ["2"]


def test_names_without_words_are_left_out() -> None:
    assert preferred("of the", "--", "pain").exact(symbols("pain")) == [(2, 1.0)]


WORDS = [
    "a",
    "A",
    "pain",
    "pains",
    "edema",
    "oedema",
    "II",
    "2",
    "x-ray",
    "of",
    "the",
    "S\u00e9zary",
    "chest",
    "-",
    "&",
]
NAME = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def words_of(name: str) -> frozenset[str]:
    stop = set("of the and in to with due an for by on from or at".split())
    return frozenset(s for s in symbols(name) if s not in stop and s.strip("-,.&"))


@settings(deadline=None)
@given(st.lists(st.tuples(NAME, st.sampled_from(list(KINDS))), max_size=8), NAME)
def test_exact_agrees_with_sets_of_words(names: list[tuple[str, str]], asked: str) -> None:
    index = index_of([(str(i), name, kind) for i, (name, kind) in enumerate(names)])
    expected = {
        (i, KINDS[kind]) for i, (name, kind) in enumerate(names) if words_of(name) and words_of(name) == words_of(asked)
    }
    found = index.exact(symbols(asked))
    assert set(found) == expected and len(found) == len(expected)
    assert [worth for _, worth in found] == sorted((worth for _, worth in found), reverse=True)


# nearly

HEAD = [
    "headache",
    "chronic headache",
    "heart failure",
    "kidney failure",
    "liver failure",
    "chest pain",
    "pneumonia",
    "aspiration pneumonia",
    "fracture of the wrist",
    "hypertension",
]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("pneumonia", "pneumonia"),
        ("pnemonia", "pneumonia"),  # misspelled
        ("hypertention", "hypertension"),
        ("chest pian or pain", "chest pain"),
        ("headachy", "headache"),  # inflected
        ("fractured wrist", "fracture of the wrist"),
        ("hypertensive", "hypertension"),
        ("acute heart failure", "heart failure"),  # a word more
        ("wrist", "fracture of the wrist"),  # a word less
        ("xyzzy pneumonia", "pneumonia"),  # a word that nobody knows
    ],
)
def test_near(asked: str, first: str) -> None:
    index = preferred(*HEAD)
    (number, score), *others = index.near(symbols(asked))
    assert index.concept(number).name == first
    assert 0.3 < score <= 0.95 and all(score >= other for _, other in others)


@pytest.mark.parametrize("asked", ["", "of the", "qqqq", "\u809d\u708e", "12", "-", "p"])
def test_nothing_in_common_is_not_near(asked: str) -> None:
    assert preferred(*HEAD).near(symbols(asked)) == []


def test_a_near_match_is_worth_less_than_an_exact_one() -> None:
    index = index_of([("1", "chest pain", "preferred"), ("2", "chest pain", "broad"), ("3", "fever", "preferred")])
    (_, best), (_, second) = index.near(symbols("chest pain"))
    assert (best, second) == (pytest.approx(0.95, abs=1e-4), pytest.approx(0.95 * KINDS["broad"], abs=1e-4))


def equal_words(concepts: int) -> ConceptIndex:
    """Synonyms that exchange renal and kidney, in so many concepts; and names with one of the two."""
    of = ["stone", "failure", "biopsy", "cyst"][:concepts]
    rows = [(what, f"{organ} {what}", "synonym") for what in of for organ in ("renal", "kidney")]
    return index_of([*rows, ("x", "kidney transplant", "preferred"), ("y", "brown thing", "preferred")])


def test_words_that_synonyms_exchange_are_alike() -> None:
    index = equal_words(3)
    assert codes(index, index.near(symbols("renal transplant")))[0] == "x"
    learned = dict(index.near(symbols("renal transplant")))[3]
    unlearned = equal_words(2)
    other = dict(unlearned.near(symbols("renal transplant"))).get(2, 0.0)
    assert learned > other + 0.1
    assert "kidney" in {index._words[n] for n, _ in index.similar_words("renal")[1]}
    assert "kidney" not in {unlearned._words[n] for n, _ in unlearned.similar_words("renal")[1]}


@pytest.mark.parametrize("kind", ["broad", "narrow", "related", "annotated"])
def test_names_that_do_not_mean_the_same_teach_nothing(kind: str) -> None:
    rows = [(what, f"{organ} {what}", kind) for what in "abcd" for organ in ("renal", "kidney")]
    index = index_of(rows)
    assert [index._words[n] for n, _ in index.similar_words("renal")[1]] == ["renal"]


def test_numbers_are_never_alike() -> None:
    rows = [(what, f"{number} {what}", "synonym") for what in ("one", "two", "six", "ten") for number in ("10", "20")]
    index = index_of(rows)
    assert [index._words[n] for n, _ in index.similar_words("10")[1]] == ["10"]


def test_keep_least_and_factor() -> None:
    index = preferred(*HEAD)
    everything = index.near(symbols("failure of the heart"), least=0.0)
    assert len(everything) == 3
    assert index.near(symbols("failure of the heart"), least=0.0, keep=1) == everything[:1]
    assert len(index.near(symbols("failure of the heart"), least=0.0, keep=2)) == 2
    least = everything[1][1] / 0.95 + 0.01
    assert index.near(symbols("failure of the heart"), least=least) == everything[:1]
    best = everything[0][0]
    without = index.near(symbols("failure of the heart"), least=0.0, factor=lambda n: float(n != best))
    assert without == everything[1:]
    halved = dict(index.near(symbols("failure of the heart"), least=0.0, factor=lambda n: 0.1 if n == best else 1.0))
    assert halved[best] == pytest.approx(0.1 * everything[0][1]) and list(halved)[-1] == best


def test_many_names_alike() -> None:
    index = preferred(*(f"pain number{i}" for i in range(500)), "pain", "fever")
    found = index.near(symbols("pain"), keep=3, least=0.0)
    assert len(found) == 3 and index.concept(found[0][0]).name == "pain"


def test_a_long_name() -> None:
    long = " ".join(f"word{c}{d}" for c in "abcde" for d in "fghij")
    index = preferred(long, "worda pain", "pain")
    assert index.exact(symbols(long)) == [(0, 1.0)]
    assert index.near(symbols(long))[0][0] == 0


ALIKE = "pain pains painful chest cheast heart hepatic hepatitis 2 b".split()
PLAIN = st.lists(st.lists(st.sampled_from(ALIKE), min_size=1, max_size=4), min_size=1, max_size=8)


@settings(deadline=None)
@given(PLAIN, st.data())
def test_the_concept_that_has_the_name_comes_first(names: list[list[str]], data: st.DataObject) -> None:
    # words that all names have are of no weight: here none has them all
    written = [*map(" ".join, names), "something else"]
    index = index_of([(str(i), name, "preferred") for i, name in enumerate(written)])
    asked = data.draw(st.sampled_from(written))
    found = index.near(symbols(asked))
    same = {i for i, name in enumerate(written) if words_of(name) == words_of(asked)}
    assert found[0][0] in same
    assert {n for n, score in found if score > found[0][1] - 1e-5} >= same
    assert all(score <= found[0][1] for _, score in found)


def test_a_word_that_all_names_have() -> None:
    index = preferred("fever", "high fever")
    assert codes(index, index.near(symbols("fever")))[:1] == ["fever"]


ASKED = ["pnemonia", "renal failure", "chronic headaches", "wrist fracture", "nothing here", "heart", "", "failures"]


def test_without_the_names_of_each_word_the_answers_are_the_same() -> None:
    rows = [(name, name, "preferred") for name in HEAD]
    whole, small = index_of(rows), index_of(rows, inverted=False)
    assert "bags.of_word" in whole._arrays and "bags.of_word" not in small._arrays
    for asked in ASKED:
        assert small.near(symbols(asked)) == whole.near(symbols(asked))
        assert small.exact(symbols(asked)) == whole.exact(symbols(asked))


@pytest.mark.parametrize("inverted", [True, False])
def test_threads_get_the_answers_of_one(inverted: bool) -> None:
    rows = [(f"{a} {b}", f"{a} {b}", "preferred") for a in HEAD for b in ("acute", "chronic", "left", "severe")]
    forms = [symbols(f"{asked} {word}") for asked in ASKED for word in ("acutely", "severe", "")] * 8
    alone = index_of(rows, inverted=inverted)
    expected = [alone.near(form) for form in forms]
    index = index_of(rows, inverted=inverted)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(index.near, forms)) == expected


# codes


def test_codes() -> None:
    rows = [("B", "pain", "preferred"), ("A:1", "fever", "preferred"), ("\u00c4", "", "preferred")]
    index = index_of(rows)
    assert len(index) == 3 and [index.number("V", code) for code, _, _ in rows] == [0, 1, 2]
    assert index.number("V", "C") is None and index.number("W", "B") is None and index.number("v", "B") is None
    assert index.concept(1) == Concept("CONDITION", "V", "A:1", "fever")
    assert index.vocabularies() == {"V"}
    assert index_of(rows, meta={"vocabularies": ["V", "W"]}).vocabularies() == {"V", "W"}


def test_the_same_concept_in_other_vocabularies() -> None:
    rows = [(code, code, "preferred") for code in "abcd"]
    index = index_of(rows, [(0, 2), (2, 0), (0, 3), (1, 1), (0, 2)])
    assert [index.same(number) for number in range(4)] == [[2, 3], [], [0], [0]]


def test_an_empty_index() -> None:
    for inverted in (True, False):
        index = index_of([], inverted=inverted)
        assert len(index) == 0 and index.vocabularies() == set() and index.number("V", "1") is None
        assert index.exact(symbols("pain")) == index.near(symbols("pain")) == []


def test_concepts_without_names() -> None:
    index = index_of([("1", "of", "preferred")])
    assert index.number("V", "1") == 0 and index.same(0) == []
    assert index.exact(symbols("of")) == index.near(symbols("of")) == []


def test_the_same_names_give_the_same_bytes(tmp_path: Path) -> None:
    concepts = [Concept("CONDITION", "V", name, name) for name in HEAD]
    names = [(name, i, "preferred") for i, name in enumerate(HEAD)]
    for file, given_names in (("a", names), ("b", names[::-1])):
        write(tmp_path / file, {}, *blocks(concepts, given_names, [(0, 1)]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_index_of_names_alone_is_refused(tmp_path: Path) -> None:
    TermIndex.build([("pain", 0)]).to_file(tmp_path / "x.index", payload={"concepts": ["CONDITION\tV\t1\tpain"]})
    with pytest.raises(IndexFileError, match=r"x\.index: not an index of concepts"):
        ConceptIndex(open_file(tmp_path / "x.index"))


@pytest.mark.parametrize(
    "block",
    [
        "words.hashes",
        "words.numbers",
        "bags.concepts",
        "concepts.xrefs",
    ],
)
def test_an_index_without_one_of_its_blocks_is_refused(tmp_path: Path, block: str) -> None:
    arrays, strings = blocks([Concept("CONDITION", "V", "1", "pain")], [("pain", 0, "preferred")])
    del arrays[block]
    write(tmp_path / "x.index", {}, arrays, strings)
    with pytest.raises(IndexFileError, match=r"x\.index: "):
        ConceptIndex(open_file(tmp_path / "x.index"))
