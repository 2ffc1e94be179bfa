from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinspan.matching import IndexFileError, Matcher, TermIndex, readings
from clinspan.matching.normal import symbols


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
    """Every name compared with every run of tokens, slowly."""
    found = set()
    forms = [symbols(name) for name in names]
    read = [readings(word)[0] for word in words]
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if not read[start] or not read[end - 1]:
                continue
            form = tuple(s for r in read[start:end] for s in r)
            found |= {(start, end, i) for i, other in enumerate(forms) if form and form == other}
    return found


WORD = st.sampled_from(["a", "b", "c", "pain", "pains", "oedema", "edema", "'s", " ", "II", "2", "B"])


@given(
    st.lists(st.lists(WORD, min_size=1, max_size=14).map(" ".join), max_size=12),
    st.lists(WORD, max_size=30),
)
def test_agrees_with_the_reference(names: list[str], words: list[str]) -> None:
    assert spans(names, words) == reference(names, words)


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
