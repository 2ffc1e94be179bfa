from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinspan.components.terms import Terms
from clinspan.matching import IndexFileError, Matcher, TermIndex, readings, split_words
from clinspan.matching.normal import symbols
from clinspan.pipeline import blank

NLP = blank()


@pytest.mark.parametrize(
    "one, other",
    [
        ("edema", "oedema"),
        ("anemia", "anaemia"),
        ("hemorrhage", "haemorrhage"),
        ("tumor", "tumours"),
        ("diarrhea", "diarrhoea"),
        ("apnea", "apnoea"),
        ("esophagus", "oesophagus"),
        ("anesthesia", "anaesthesia"),
        ("chest pains", "chest pain"),
        ("biopsies", "biopsy"),
        ("metastases", "metastasis"),
        ("stenoses", "stenosis"),
        ("Crohn's disease", "Crohn disease"),
        ("Crohn\u2019s disease", "crohns disease"),
        ("beta-blocker", "beta blockers"),
        ("type II diabetes", "type 2 diabetes"),
        ("nausea & vomiting", "nausea and vomiting"),
        ("b.i.d.", "BID"),
        ("S\u00e9zary syndrome", "Sezary syndrome"),
    ],
)
def test_same_normal_form(one: str, other: str) -> None:
    assert symbols(one) == symbols(other)


@pytest.mark.parametrize(
    "one, other",
    [("does", "doe"), ("diagnosis", "diagnosi"), ("pus", "pu"), ("his", "hi"), ("T1", "T2"), ("abscess", "absces")],
)
def test_different_normal_form(one: str, other: str) -> None:
    assert symbols(one) != symbols(other)


@pytest.mark.parametrize("token", [" ", "\n\n", "'s", "\u2019s"])
def test_looked_through(token: str) -> None:
    assert readings(token) == ((),)


def spans(names: list[str], words: list[str]) -> set[tuple[int, int, int]]:
    matcher = Matcher(TermIndex.build((name, i) for i, name in enumerate(names)))
    return {(s, e, i) for s, e, ids in matcher.all(words) for i in ids}


@pytest.mark.parametrize(
    "names, words, expected",
    [
        (["chest pain", "pain"], ["chest", "pain"], {(0, 2, 0), (1, 2, 1)}),
        (["negative for"], ["negative", " ", "for", "edema"], {(0, 3, 0)}),
        (["change in vision"], ["change", "in", "\n", "vision"], {(0, 4, 0)}),
        (["crohn disease"], ["Crohn", "'s", "disease"], {(0, 3, 0)}),
        (["x ray"], ["x-ray"], {(0, 1, 0)}),
        (["xray"], ["x-ray"], {(0, 1, 0)}),
        (["<num> years ago"], ["3", "years", "ago"], {(0, 3, 0)}),
        (["2 d echo", "<num> weeks"], ["2", "weeks"], {(0, 2, 1)}),
        (["in <year>"], ["in", "2019"], {(0, 2, 0)}),
        (["in <year>"], ["in", "3019"], set()),
        (["*ectomy"], ["lobectomy"], {(0, 1, 0)}),
        (["*ectomy"], ["ectomy"], set()),
        (["pain"], [], set()),
        ([], ["pain"], set()),
    ],
)
def test_all(names: list[str], words: list[str], expected: set) -> None:
    assert spans(names, words) == expected


def reference(names: list[str], words: list[str]) -> set[tuple[int, int, int]]:
    """Every name compared with every run of tokens, slowly: each token in all of its readings."""
    found = set()
    forms = [symbols(name) for name in names]
    read = [readings(word) for word in words]
    for start, first in enumerate(read):
        if first == ((),):
            continue
        for number, form in enumerate(forms):
            ends = {0}  # how much of the name the tokens may have been
            for place in range(start, len(words)):
                ends = {e + len(r) for e in ends for r in read[place] if r == form[e : e + len(r)]}
                if form and len(form) in ends and read[place] != ((),):
                    found.add((start, place + 1, number))
    return found


WORD = st.sampled_from(
    ["a", "b", "c", "B", "pain", "pains", "oedema", "edema", "'s", " ", "II", "\u2161", "2", "3.5", "2019"]
    + ["x-ray", "xray", "x", "ray", "type-2", "non-b-c", "a/b", "/", "-", "b.", "1/2"]
    + ["S\u00e9zary", "sezary", "\u00df", "ss", "na\u00efve", "nai\u0308ve", "\u0130", "i", "\ufb01brosis", "fibrosis"]
    + ["\u809d\u708e", "\u809d", "\u708e", "\U0001f912"]
)
# of few words, that names come up at all
FEW = st.sampled_from(["a", "b", "x-ray", "xray", "x", "ray", "a/b", "/", "'s", "II", "2"])


@pytest.mark.parametrize("word", [WORD, FEW], ids=["many", "few"])
@settings(deadline=None)
@given(st.data())
def test_agrees_with_the_reference(word: st.SearchStrategy[str], data: st.DataObject) -> None:
    words = data.draw(st.lists(word, max_size=30))
    names = data.draw(st.lists(st.lists(word, min_size=1, max_size=14).map(" ".join), max_size=12))
    places = st.integers(0, len(words))
    for start, length in data.draw(st.lists(st.tuples(places, st.integers(1, 14)), max_size=4)):  # names of the text
        names.append(" ".join(words[start : start + length]))
    assert spans(names, words) == reference(names, words)


@settings(deadline=None)
@given(st.lists(WORD, min_size=1, max_size=14))
def test_a_name_is_found_where_it_is_written(words: list[str]) -> None:
    name = " ".join(words)
    found = spans([name], split_words(name))
    assert bool(found) is bool(symbols(name))


@given(st.lists(WORD, max_size=30))
def test_longest_is_leftmost_and_disjoint(words: list[str]) -> None:
    matcher = Matcher(TermIndex.build((n, i) for i, n in enumerate(["a b", "b c pain", "a", "pain edema", "c"])))
    chosen = matcher.longest(words)
    assert all(a.end <= b.start for a, b in pairwise(chosen))
    everything = list(matcher.all(words))
    for match in chosen:
        assert match.end == max(e for s, e, _ in everything if s == match.start)


def test_memory_is_bounded() -> None:
    matcher = Matcher(TermIndex.build([("pain", 0)]))
    matcher.limit = 10
    for n in range(100):
        assert matcher.longest([f"w{n}", "pain"]) == [(1, 2, (0,))]
    assert matcher._size <= 13


def test_file_round_trip(tmp_path: Path) -> None:
    names = ["chest pain", "pain", "*ectomy", "<num> years", "Crohn's disease"]
    index = TermIndex.build((name, i) for i, name in enumerate(names))
    index.to_file(tmp_path / "a.index", payload={"names": names, "empty": []})
    index.to_file(tmp_path / "b.index", payload={"names": names, "empty": []})
    assert (tmp_path / "a.index").read_bytes() == (tmp_path / "b.index").read_bytes()
    opened = TermIndex.open(tmp_path / "a.index", verify=True)
    assert list(opened.payload["names"]) == names and len(opened.payload["empty"]) == 0
    assert opened.payload["names"][-1] == names[-1] and opened.payload["names"][1:3] == names[1:3]
    assert [opened.lookup(name) for name in names[:2]] == [(0,), (1,)]
    assert opened.lookup("chest") == () and len(opened) == len(names)
    matcher = Matcher(opened)
    words = ["chest", "pain", "lobectomy"]
    assert list(matcher.all(words)) == list(Matcher(index).all(words)) != []


@pytest.mark.parametrize("damage", ["foreign", "empty", "truncated", "longer", "header"])
def test_bad_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.index"
    TermIndex.build([("chest pain", 0)]).to_file(path)
    data = path.read_bytes()
    path.write_bytes(
        {
            "foreign": b"PK\3\4" + data[4:],
            "empty": b"",
            "truncated": data[:-7],
            "longer": data + b"x",
            "header": data[:48] + b"\xff\xff" + data[50:],
        }[damage]
    )
    with pytest.raises(IndexFileError, match=r"x\.index"):
        TermIndex.open(path)


def test_flipped_bit_is_found_when_verified(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    TermIndex.build([("chest pain", 0)]).to_file(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IndexFileError, match="digest"):
        TermIndex.open(path, verify=True)


CASED = st.sampled_from(["MS", "ms", "Ms", "GERD", "gerd", "flu", "Flu", "s\u00e9zary", "SEZARY", "II", "2"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(CASED, min_size=1, max_size=3).map(" ".join)), min_size=1, max_size=6),
    st.lists(CASED, max_size=12),
)
def test_written_case_agrees_with_the_reference(names: list[tuple[bool, str]], words: list[str]) -> None:
    """A name given with = is found in exactly that case alone; of those that may be found the leftmost, longest."""
    terms = Terms()
    terms.add_terms([{"term": "=" * exact + name, "label": "CONDITION"} for exact, name in names])
    doc = terms(NLP.make_doc(" ".join(words)))
    found = [(span.start, span.end) for span in doc.spans.get("user_terms", [])]
    expected, start = [], 0
    while start < len(words):
        ends = [
            end
            for end in range(start + 1, len(words) + 1)
            for exact, name in names
            if (words[start:end] == name.split() if exact else symbols(" ".join(words[start:end])) == symbols(name))
        ]
        expected += [(start, max(ends))] if ends else []
        start = max(ends, default=start + 1)
    assert found == expected
