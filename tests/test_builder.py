"""An index of the user's own: what is searched for, what is not and why, and what a pipeline finds with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

import clinspan
from clinspan.components.linker import Linker
from clinspan.components.terms import ANY, Name, pack_names
from clinspan.matching import Concept, ConceptIndex, IndexFileError, TermIndex
from clinspan.matching.container import open_file
from clinspan.matching.normal import symbols
from clinspan.pipeline import add_terms_file, choose_vocabularies
from clinspan.terminologies import Term, TermsFileError, builder
from clinspan.terminologies.builder import Report, as_written, build, everyday_words


def term(name: str, code: str = "1", kind: str = "preferred", label: str = "CONDITION", **more: object) -> Term:
    return Term("V", code, name, kind, label, **more)  # type: ignore[arg-type]


def parts() -> Language:
    """The parts that find and link, without a dictionary; the others take a second to make."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinspan.tokenizer.v1"}}})
    for part in ("terms", "abbreviations", "entities", "linker"):
        nlp.add_pipe(f"clinspan_{part}", name=part)
    return nlp


def found(nlp: Language, text: str) -> list[str]:
    return [e.text for e in nlp(text).spans["entities"]]


def with_terms(path: Path, *terms: Term, **options: object) -> Language:
    """Those parts with an index of these terms."""
    build(terms, path, **options)  # type: ignore[arg-type]
    nlp = parts()
    add_terms_file(nlp, path)
    return nlp


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.index"


# which names are searched for


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("-----", "no word in it"),
        ("--", "no word in it"),
        ("gout (of toe)", "a qualifier in brackets"),
        ("[D] gout", "a qualifier in brackets"),
        ("'s", "no word in it"),
        ("", "no word in it"),
        ("C", "a single character or a number"),
        ("7", "a single character or a number"),
        ("250", "a single character or a number"),
        ("one two three four five six seven eight nine", "more than 8 words"),
        ("fracture of other bone", "unspecified, other, unknown"),
        ("Unspecified gout", "unspecified, other, unknown"),
        ("tumour not elsewhere classified of bone", "unspecified, other, unknown"),
        ("tumour NEC", "unspecified, other, unknown"),
        ("Sequela of gout", "unspecified, other, unknown"),
        ("gout, of toe, of heel", "a list or a formula"),
        ("gout, podagric, of toe", "a list or a formula"),
        ("gout=severe", "a list or a formula"),
        ("<gout>", "a list or a formula"),
        ("gou", "three characters or fewer, not in capitals"),
        ("Flu", "three characters or fewer, not in capitals"),
        ("discharge", "an everyday word"),
        ("Falls", "an everyday word"),
    ],
)
def test_names_that_are_not_searched_for(path: Path, name: str, reason: str) -> None:
    dropped: list[tuple[Term, str]] = []
    given = term(name)
    report = build([given, term("tophus", "2")], path, dropped=lambda *each: dropped.append(each))
    if reason == "an everyday word":
        assert symbols(name)[0] in everyday_words()
    assert dropped == [(given, reason)] and report.dropped == {reason: 1} and (report.read, report.names) == (2, 1)
    nlp = parts()
    add_terms_file(nlp, path)
    assert found(nlp, f"Has {name} and tophus.") == ["tophus"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gout", "gout"),
        ("Gout", "GOUT"),
        ("gout of toe", "Gouts of the toe".replace("the ", "")),
        ("FLU", "FLU"),
        ("T4", "T4"),
        ("one two three four five six seven eight", "one two three four five six seven eight"),
        ("brotherly gout", "brotherly gout"),
        ("nosocomial gout", "nosocomial gout"),
        ("HAND", "HAND"),
        ("Falls of foot", "falls of foot"),
        ("S\u00e9zary", "Sezary"),
        ("gout (disorder)", "gout"),
        ("gout (disorder)", "gout"),
        ("gout [disease]", "gout"),
        ("gout, with swelling", "gout, with swelling"),
        ("anemia, aplastic", "anemia, aplastic"),
        ("gout, unspecified", "gout"),
        ("gout NOS", "gout"),
        ("Gout, not otherwise specified", "gout"),
        ("anemia, aplastic", "aplastic anemia"),
        ("anemia, hypoplastic congenital", "hypoplastic congenital anemia"),
        ("Anemia, Aplastic (disorder)", "aplastic anemia"),
        ("gout/podagra", "gout/podagra"),
        ("\u809d\u708e\u708e\u708e", "\u809d\u708e\u708e\u708e"),
    ],
)
def test_names_that_are_searched_for(path: Path, name: str, text: str) -> None:
    nlp = with_terms(path, term(name))
    (entity,) = nlp(f"Has {text}.").spans["entities"]
    assert (entity.text, entity._.concept_name) == (text, " ".join(name.split()))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gout (disorder)", "disorder"),
        ("pain, and gout", "and gout pain"),
        ("pain, or gout", "or gout pain"),
        ("pain, one two three four", "one two three four pain"),
    ],
)
def test_what_no_note_has_is_not_found(path: Path, name: str, text: str) -> None:
    assert found(with_terms(path, term(name)), text) == []


def test_a_name_is_no_pattern(path: Path) -> None:
    assert found(with_terms(path, term("*ectomy")), "lobectomy") == []


@pytest.mark.parametrize("name", ["2-3", "10 20", "1, 2"])
def test_numbers_are_no_names(path: Path, name: str) -> None:
    assert build([term(name)], path).names == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anemia, aplastic", ["anemia, aplastic", "aplastic anemia"]),
        ("gout [x] (y)", ["gout [x] (y)"]),
        ("gout (Disorder)", ["gout"]),
        ("gout, unspecified", ["gout"]),
        ("gout, with tophus", ["gout, with tophus"]),
        ("a, b, c", ["a, b, c"]),
        ("(x)", ["(x)"]),
        ("gout,", ["gout,"]),
    ],
)
def test_as_written(name: str, expected: list[str]) -> None:
    assert list(as_written(name)) == expected


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("GERD", {"GERD": True, "gerd": False, "Gerd": False, "GERDs": True}),
        ("HAND", {"HAND": True, "hand": False}),
        ("T4", {"T4": True, "t4": False}),
        ("Gerd", {"GERD": True, "gerd": True}),
        ("COVID", {"COVID": True, "covid": True}),  # five letters
        ("GE RD", {"GE RD": True, "ge rd": True}),  # two words
    ],
)
def test_short_names_in_capitals_are_found_as_written(path: Path, name: str, texts: dict[str, bool]) -> None:
    nlp = with_terms(path, term(name))
    assert {text: found(nlp, f"has {text} now") == [text] for text in texts} == texts


def test_a_name_given_in_both_cases_is_found_in_both(path: Path) -> None:
    for names in (("Gerd", "GERD"), ("GERD", "Gerd")):
        nlp = with_terms(path, *(term(name) for name in names))
        assert found(nlp, "GERD or gerd") == ["GERD", "gerd"], names


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("preferred", ""),
        ("synonym", ""),
        ("abbreviation", ""),
        ("broad", "broader than its concept"),
        ("narrow", "narrower than its concept"),
        ("related", "related to its concept"),
    ],
)
def test_names_that_do_not_mean_their_concept(path: Path, kind: str, reason: str) -> None:
    report = build([term("gout"), term("podagra", kind=kind)], path)
    assert (report.names, report.dropped) == ((1, {reason: 1}) if reason else (2, {}))


def test_everyday_words_can_be_kept(path: Path) -> None:
    assert found(with_terms(path, term("discharge")), "has discharge") == []
    assert found(with_terms(path, term("discharge"), everyday=True), "has discharge") == ["discharge"]


def test_longest(path: Path) -> None:
    report = build([term("gout of toe"), term("gout", "2")], path, longest=2)
    assert report.dropped == {"more than 2 words": 1} and report.names == 1


@pytest.mark.parametrize(
    "excluded", ["podagra", "PODAGRA", "Podagras", "podagra (disorder)"], ids=lambda name: name.replace(" ", "_")
)
def test_excluded_names_are_left_out_altogether(path: Path, excluded: str) -> None:
    name = "Podagra (disorder)" if "(" in excluded else "Podagra"
    nlp = with_terms(path, term("gout"), term(name, kind="synonym"), excluded=[excluded])
    assert found(nlp, "podagra or gout") == ["gout"]
    index = ConceptIndex(open_file(path))
    assert index.exact(symbols("podagra")) == [] and index.exact(symbols("gout")) == [(0, 1.0)]
    report = build([term("gout"), term(name, kind="synonym")], path, excluded=[excluded])
    assert report.dropped == {"on the list of names to leave out": 1}


def test_excluded_in_its_usual_order(path: Path) -> None:
    for excluded in ("aplastic anemia", "anemia, aplastic"):
        report = build([term("Anemia, aplastic")], path, excluded=[excluded])
        assert report.dropped == {"on the list of names to leave out": 1}, excluded


def test_concepts_without_a_label(path: Path) -> None:
    terms = [term("gout", label=""), term("aspirin", "2", label="DRUG")]
    report = build(terms, path)
    assert report.dropped == {"no label": 1} and report.labels == {"DRUG": 1}
    report = build(terms, path, label="CONDITION")
    assert report.dropped == {} and report.labels == {"DRUG": 1, "CONDITION": 1}
    nlp = parts()
    add_terms_file(nlp, path)
    assert [(e.text, e.label_) for e in nlp("aspirin for gout").spans["entities"]] == [
        ("aspirin", "DRUG"),
        ("gout", "CONDITION"),
    ]
    for label in ("PILL", "condition"):
        with pytest.raises(ValueError, match=f"label is not one of .*: {label}"):
            build(terms, path, label=label)


def test_report(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_REPORTED", 3)
    dropped: list[str] = []
    counted: list[int] = []
    terms = [
        term("Gout"),
        term("gout", kind="synonym"),
        term("podagra", kind="synonym"),
        term("toe trouble", kind="related"),
        term("x", "2"),
        term("Gout", "3"),  # of another concept
        term("aspirin", "4", label="DRUG"),
    ]
    report = build(
        iter(terms), path, dropped=lambda t, why: dropped.append(f"{t.name}: {why}"), progress=counted.append
    )
    assert report == Report(
        read=7,
        names=4,
        concepts=4,
        dropped=Counter(
            {
                "the same as another name of its concept": 1,
                "related to its concept": 1,
                "a single character or a number": 1,
            }
        ),
        labels=Counter({"CONDITION": 3, "DRUG": 1}),
    )
    assert [line.split(":")[0] for line in dropped] == ["gout", "toe trouble", "x"] and counted == [3, 6]


def test_no_terms(path: Path) -> None:
    with pytest.raises(TermsFileError, match="no name"):
        build([], path)
    assert not path.exists()


# the file


TERMS = [
    term("Gout", xrefs=("MESH:D1",)),
    term("podagra", kind="synonym"),
    Term("MESH", "D1", "Gouty toe", "preferred", "CONDITION"),
    term("anemia, aplastic", "2"),
    term("AA", "2", "abbreviation"),
    term("discharge", "3"),
    term("renal failure", "4"),
    term("kidney failure", "4", "synonym"),
]


def test_the_same_terms_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    build(TERMS, path, excluded=["podagra"])
    build(iter(TERMS), tmp_path / "again.index", excluded={"podagra"})
    assert (tmp_path / "again.index").read_bytes() == path.read_bytes()


def test_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom clinspan.terminologies import Term\nfrom clinspan.terminologies.builder import build\n"
        f"build([Term(*each) for each in {[tuple(each) for each in TERMS]!r}], sys.argv[1])\n"
    )
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    subprocess.run([sys.executable, "-c", code, tmp_path / "there"], env=environment, check=True)
    build(TERMS, tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]])
def test_the_preferred_name_is_the_concepts(path: Path, order: list[int]) -> None:
    terms = [term("Gout, (of) Toe"), term("podagra", kind="synonym"), term("second Gout")]
    build([terms[i] for i in order], path)
    concept = ConceptIndex(open_file(path)).concept(0)
    first = next(terms[i].name for i in order if terms[i].kind == "preferred")
    assert concept == Concept("CONDITION", "V", "1", first)


def test_without_a_preferred_name_the_first_one_counts(path: Path) -> None:
    build([term("podagra", kind="synonym"), term("gout", kind="synonym")], path)
    assert ConceptIndex(open_file(path)).concept(0).name == "podagra"


def test_a_name_is_kept_as_it_is_but_for_line_breaks(path: Path) -> None:
    nlp = with_terms(path, term(" Gout\tof \n the  toe (disorder), NOS "))
    assert ConceptIndex(open_file(path)).concept(0).name == "Gout of   the  toe (disorder), NOS"
    (entity,) = nlp("Has gout of the toe.").spans["entities"]
    assert entity._.concept_name == "Gout of   the  toe (disorder), NOS"


def test_names_that_are_not_searched_for_still_link(path: Path) -> None:
    names = {
        "discharge": "preferred",
        "Flu": "preferred",
        "toe trouble": "related",
        "one two three four five six seven eight nine": "synonym",
    }
    report = build([term(name, name, kind) for name, kind in names.items()], path)
    assert report.names == 0
    linker = Linker()
    linker.add_index(path)
    for name in names:
        assert linker.candidates(name, "CONDITION")[0].concept_id == name


def test_concepts_without_a_label_still_link(path: Path) -> None:
    build([term("gout", label="")], path)
    linker = Linker()
    linker.add_index(path)
    assert [c.concept_id for c in linker.candidates("gout")] == ["1"]
    assert [c.concept_id for c in linker.candidates("gout", "CONDITION")] == ["1"]


def test_cross_references_within_the_sources(path: Path) -> None:
    hp = Term("HP", "HP:7", "toe trouble", "preferred", "CONDITION", (), ("MESH:D1", "UMLS:C1", "V:1"))
    build([*TERMS, hp], path)
    index = ConceptIndex(open_file(path))
    number = {code: index.number(*code) for code in (("V", "1"), ("MESH", "D1"), ("HP", "HP:7"), ("V", "2"))}
    v, mesh, hp_number, other = number.values()
    assert sorted(index.same(v)) == sorted([mesh, hp_number]) and index.same(other) == []
    assert sorted(index.same(mesh)) == sorted([v, hp_number])


def test_codes_that_bring_their_vocabulary_along(path: Path) -> None:
    terms = [term("gout", xrefs=("HP:7",)), Term("HP", "HP:7", "gouty", "preferred", "CONDITION")]
    build(terms, path)
    assert ConceptIndex(open_file(path)).same(0) == [1]


def test_an_index_to_search_with_alone(path: Path, tmp_path: Path) -> None:
    build(TERMS, path, linking=False)
    build(TERMS, tmp_path / "whole.index")
    assert path.stat().st_size < (tmp_path / "whole.index").stat().st_size
    with pytest.raises(IndexFileError, match=r"my\.index: not an index of concepts to look up"):
        Linker().add_index(path)
    nlp = parts()
    assert add_terms_file(nlp, path) == 8
    (entity,) = nlp("Has podagra.").spans["entities"]
    assert (entity._.concept_id, entity._.concept_name) == ("1", "Gout")


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    build(TERMS, tmp_path / "a/b/my.index")
    assert len(TermIndex.open(tmp_path / "a/b/my.index", verify=True)) == 8


def test_what_the_reader_raises_leaves_no_file(path: Path) -> None:
    def terms():  # type: ignore[no-untyped-def]
        yield term("gout")
        raise ValueError("line 2")

    with pytest.raises(ValueError, match="line 2"):
        build(terms(), path)
    assert list(path.parent.iterdir()) == []


# in a pipeline


def with_dictionary(tmp_path: Path) -> Language:
    """Parts with a dictionary of two names."""
    names = [
        Name(Concept("CONDITION", "clinspan", "d1", "Gout"), ANY, "gout"),
        Name(Concept("CONDITION", "clinspan", "d2", "Acute attack of gout"), ANY, "acute attack of gout"),
        Name(Concept("DRUG", "clinspan", "d3", "Aspirin"), ANY, "aspirin"),
    ]
    pairs, payload = pack_names(names)
    TermIndex.build(pairs).to_file(tmp_path / "terms.index", payload=payload)
    nlp = parts()
    nlp.get_pipe("terms").open_index(tmp_path / "terms.index")
    return nlp


def rows(nlp: Language, text: str) -> list[tuple]:
    return [
        (e.text, e.label_, e._.concept_id, e._.vocabulary, e._.concept_name, e._.source)
        for e in nlp(text).spans["entities"]
    ]


MINE = [term("Gout of toe"), term("podagra", kind="synonym"), term("gout", "2"), term("attack of gout", "3")]


def test_a_pipeline_finds_the_names(path: Path, tmp_path: Path) -> None:
    build(MINE, path)
    nlp = with_dictionary(tmp_path)
    assert add_terms_file(nlp, path) == 4 and len(nlp.get_pipe("terms")) == 7
    assert rows(nlp, "Podagra, aspirin") == [
        ("Podagra", "CONDITION", "1", "V", "Gout of toe", "my.index"),
        ("aspirin", "DRUG", "d3", "clinspan", "Aspirin", "terms"),
    ]
    # longer over shorter, and the user's over the dictionary's as long
    assert [(text, code) for text, _, code, *_ in rows(nlp, "gout of toe; gout; an acute attack of gout")] == [
        ("gout of toe", "1"),
        ("gout", "2"),
        ("acute attack of gout", "d2"),
    ]


def test_the_users_label_wins_over_the_dictionarys(path: Path, tmp_path: Path) -> None:
    build([term("aspirin", "7", label="MEASUREMENT")], path)
    nlp = with_dictionary(tmp_path)
    add_terms_file(nlp, path)
    assert [row[:3] for row in rows(nlp, "aspirin")] == [("aspirin", "MEASUREMENT", "7")]


def test_a_short_form_takes_the_concept_of_the_users_index(path: Path) -> None:
    nlp = with_terms(path, *MINE)
    assert (
        rows(nlp, "Attack of gout (AOG). AOG again.")[1:]
        == [("AOG", "CONDITION", "3", "V", "attack of gout", "abbreviations")] * 2
    )


def test_terms_of_a_table_win_over_those_of_an_index(path: Path, tmp_path: Path) -> None:
    build(MINE, path)
    (tmp_path / "mine.csv").write_text("term,label,code\ngout,OBSERVATION,X\n")
    nlp = parts()
    for file in (path, tmp_path / "mine.csv"):
        add_terms_file(nlp, file)
    assert [row[:3] for row in rows(nlp, "gout of toe")] == [("gout", "OBSERVATION", "X")]


def test_two_indexes(path: Path, tmp_path: Path) -> None:
    build(MINE, path)
    build([term("gout of toe today", "9"), term("aspirin", "8", label="DRUG")], tmp_path / "other.index")
    nlp = parts()
    for file in (path, tmp_path / "other.index"):
        add_terms_file(nlp, file)
    assert [(row[0], row[2], row[5]) for row in rows(nlp, "gout of toe today, podagra, aspirin")] == [
        ("gout of toe today", "9", "other.index"),
        ("podagra", "1", "my.index"),
        ("aspirin", "8", "other.index"),
    ]


@pytest.mark.parametrize("linking", [True, False])
def test_a_saved_pipeline_keeps_the_index(path: Path, tmp_path: Path, linking: bool) -> None:
    build(MINE, path, linking=linking)
    nlp = with_dictionary(tmp_path)
    add_terms_file(nlp, path)
    text = "podagra, gout and aspirin"
    nlp.to_disk(tmp_path / "saved")
    expected = rows(nlp, text)
    path.unlink()
    again = clinspan.load(tmp_path / "saved")
    assert rows(again, text) == expected and {row[5] for row in expected} == {"my.index", "terms"}
    assert len(again.get_pipe("linker").indexes) == linking


def test_an_index_added_twice_counts_once(path: Path) -> None:
    nlp = with_terms(path, *MINE)
    add_terms_file(nlp, path)
    assert found(nlp, "gout") == ["gout"] and len(nlp.get_pipe("terms")) == 4


def test_an_index_added_twice_is_looked_up_in_once(path: Path) -> None:
    nlp = with_terms(path, *MINE)
    add_terms_file(nlp, path)
    assert len(nlp.get_pipe("linker").indexes) == 1


def test_vocabularies_of_an_index_can_be_chosen(path: Path, tmp_path: Path) -> None:
    build([*MINE, Term("LOCAL", "L1", "aspirin", "preferred", "DRUG")], path)
    nlp = with_dictionary(tmp_path)
    add_terms_file(nlp, path)
    choose_vocabularies(nlp, ["local"])
    assert [(row[0], row[2]) for row in rows(nlp, "podagra, aspirin")] == [("podagra", None), ("aspirin", "L1")]


def test_concepts_without_a_code(path: Path) -> None:
    nlp = with_terms(path, term("gout", ""), term("gouty toe", ""))
    assert [(e.text, e._.concept_name, e._.concept_id) for e in nlp("gout, gouty toe").spans["entities"]] == [
        ("gout", "gout", None),
        ("gouty toe", "gouty toe", None),
    ]


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_index_is_refused(path: Path, damage: str) -> None:
    build(MINE, path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data) if damage == "flipped" else bytes(data[:-20]))
    nlp = parts()
    with pytest.raises(IndexFileError, match=r"my\.index"):
        add_terms_file(nlp, path)
    assert len(nlp.get_pipe("terms")) == 0 and found(nlp, "gout") == []


def test_an_index_of_something_else_is_refused(path: Path) -> None:
    TermIndex.build([("gout", 0)]).to_file(path)
    with pytest.raises(IndexFileError, match=r"my\.index: an index without concepts"):
        add_terms_file(parts(), path)
