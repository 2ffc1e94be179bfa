"""``clinspan terms`` and ``clinspan extract --terms``, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy

from clinspan.components.terms import ANY, Name, pack_names
from clinspan.matching import Concept, TermIndex
from clinspan.tables import read_table
from clinspan.terminologies import Term
from clinspan.terminologies.builder import build
from command import run
from corpus_files import written

CSV = (
    "term,code,label,kind\n"
    "Housemaid's knee,K1,CONDITION,preferred\n"
    "prepatellar bursitis,K1,CONDITION,synonym\n"
    "knee problem,K1,CONDITION,related\n"
    "discharge,K2,CONDITION,preferred\n"
    "zyzzumab,Z1,DRUG,preferred\n"
    "frob,F1,,preferred\n"
)
OBO = """format-version: 1.2
ontology: doid

[Term]
id: DOID:7
name: housemaid knee
synonym: "kneeling knee" EXACT []
xref: LOCAL:K1
"""


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return written(tmp_path, "local.csv", CSV)


@pytest.fixture
def obo(tmp_path: Path) -> Path:
    return written(tmp_path, "knees.obo", OBO)


@pytest.fixture
def index(csv: Path, obo: Path, tmp_path: Path) -> Path:
    arguments = (csv, obo, "--vocabulary", "LOCAL", "-o", tmp_path / "my.index", "--quiet")
    assert run("terms", "build", *arguments) == (0, "", "")
    return tmp_path / "my.index"


def damaged(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    return path


def flat(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line]


# build


@pytest.mark.parametrize("command", ["", "build", "lookup", "info"])
def test_help(command: str) -> None:
    code, out, _ = run("terms", *([command] if command else []), "--help")
    assert code == 0 and len(out) > 200


def test_build_from_a_table(csv: Path, tmp_path: Path) -> None:
    output = tmp_path / "new/my.index"
    code, out, err = run("terms", "build", csv, "-o", output, "--vocabulary", "LOCAL")
    lines = flat(err)
    assert (code, out) == (0, "") and output.is_file()
    assert lines[0].startswith("6 names of 4 concepts; searched for in notes: 3 names -> ")
    assert lines[1:3] == ["2 CONDITION", "1 DRUG"]
    assert sorted(lines[3:]) == [
        "1 left out: an everyday word",
        "1 left out: no label",
        "1 left out: related to its concept",
    ]


def test_build_from_an_ontology(obo: Path, tmp_path: Path) -> None:
    code, _, err = run("terms", "build", obo, "-o", tmp_path / "my.index")
    assert code == 0 and flat(err)[0].startswith("2 names of 1 concepts; searched for in notes: 2")


def test_build_from_two_sources(csv: Path, obo: Path, tmp_path: Path) -> None:
    # --vocabulary is of tables alone; the ontology goes without
    arguments = (csv, obo, "--vocabulary", "LOCAL", "-o", tmp_path / "my.index")
    code, _, err = run("terms", "build", *arguments)
    assert code == 0 and flat(err)[0].startswith("8 names of 5 concepts; searched for in notes: 5")
    code, out, _ = run("terms", "info", tmp_path / "my.index")
    assert code == 0 and {"2 LOCAL CONDITION", "1 DOID CONDITION"} <= set(flat(out))


def test_build_options(tmp_path: Path) -> None:
    table = written(tmp_path, "t.tsv", "naam\tnummer\tsoort\njicht\t1\tCONDITION\nvoetjicht aan de teen\t2\t\n")
    columns = ("--name-column", "naam", "--id-column", "nummer", "--label-column", "soort", "--format", "columns")
    arguments = ("terms", "build", table, "-o", tmp_path / "my.index", *columns)
    assert flat(run(*arguments)[2])[0].startswith("2 names of 2 concepts; searched for in notes: 1")
    assert flat(run(*arguments, "--label", "observation")[2])[1:] == ["1 CONDITION", "1 OBSERVATION"]
    assert "1 left out: more than 2 words" in flat(run(*arguments, "--label", "drug", "--longest", 2)[2])
    run(*arguments, "--label", "drug", "--no-linking")
    assert "names to link" not in run("terms", "info", tmp_path / "my.index")[1]


def test_dropped_and_everyday(csv: Path, tmp_path: Path) -> None:
    arguments = ("terms", "build", csv, "-o", tmp_path / "my.index", "--dropped", tmp_path / "dropped.tsv", "--quiet")
    assert run(*arguments, "--vocabulary", "LOCAL") == (0, "", "")
    assert (tmp_path / "dropped.tsv").read_text("utf-8").splitlines() == [
        "vocabulary\tconcept_id\tname\tkind\treason",
        "LOCAL\tK1\tknee problem\trelated\trelated to its concept",
        "LOCAL\tK2\tdischarge\tpreferred\tan everyday word",
        "LOCAL\tF1\tfrob\tpreferred\tno label",
    ]
    run(*arguments, "--everyday", "--label", "DEVICE")
    assert len((tmp_path / "dropped.tsv").read_text("utf-8").splitlines()) == 2


def test_exclude(csv: Path, tmp_path: Path) -> None:
    lists = [written(tmp_path, "a.txt", "Housemaid knee\n\n  zyzzumab \n"), written(tmp_path, "b.txt", "none such")]
    arguments = [part for path in lists for part in ("--exclude", path)]
    code, _, err = run("terms", "build", csv, "-o", tmp_path / "my.index", *arguments)
    assert code == 0 and "2 left out: on the list of names to leave out" in flat(err)
    assert run("terms", "lookup", "zyzzumab", "--index", tmp_path / "my.index")[0] == 1


def test_a_list_with_a_byte_order_mark(csv: Path, tmp_path: Path) -> None:
    arguments = ("-o", tmp_path / "my.index", "--exclude", written(tmp_path, "a.txt", "\ufeffzyzzumab\n"))
    run("terms", "build", csv, *arguments)
    assert run("terms", "lookup", "zyzzumab", "--index", tmp_path / "my.index")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv"),
        (["local.csv", "none.obo"], "none.obo"),
        (["notes.doc"], "notes.doc: of no format that is known"),
        (["local.csv", "--format", "word"], "word is not a format"),
        (["local.csv", "--label", "PILL"], "label is not one of CONDITION"),
        (["local.csv", "--name-column", "naam"], "local.csv:1: no column naam"),
        (["ragged.csv"], "ragged.csv:3"),
        (["knees.obo", "--id-column", "id"], "--id-column is not for obo"),
        (["local.csv", "--exclude", "none.txt"], "none.txt"),
        (["local.csv", "--dropped", "local.csv"], "one of the files to be read"),
        (["knees.obo", "--source", "X"], "--source is not for obo"),
        (["empty.csv"], "no name in it"),
        (["empty.csv"], "empty.csv"),
        (["local.csv", "--exclude", "latin.txt"], "latin.txt"),
    ],
)
def test_build_refuses(
    csv: Path, obo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    written(tmp_path, "notes.doc", "x")
    written(tmp_path, "ragged.csv", "term,code\na,1\nb\n")
    written(tmp_path, "empty.csv", "term,code\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    monkeypatch.chdir(tmp_path)
    code, out, err = run("terms", "build", *arguments, "-o", "my.index")
    assert (code, out) == (2, "") and err.strip().startswith("clinspan: ") and message in err, err


@pytest.mark.parametrize(
    "content",
    [
        "term,code\na gout,1\nb\n",
        "term,code\n",
    ],
)
def test_a_failure_leaves_the_old_index(index: Path, tmp_path: Path, content: str) -> None:
    before = index.read_bytes()
    assert run("terms", "build", written(tmp_path, "bad.csv", content), "-o", index)[0] == 2
    assert index.read_bytes() == before and not list(tmp_path.glob("*.part"))


def test_an_output_that_cannot_be_written(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for output in (tmp_path / "folder", csv / "my.index"):
        code, _, err = run("terms", "build", csv, "-o", output)
        assert code == 2 and str(output.name if output.is_dir() else csv) in err and "Traceback" not in err


# lookup


def test_lookup(index: Path) -> None:
    code, out, err = run("terms", "lookup", "Housemaid's knees", "--index", index)
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["1.00  DOID   DOID:7  housemaid knee", "1.00  LOCAL  K1      Housemaid's knee"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["zyzzumab"], ["Z1"]),
        (["zyzumab"], ["Z1"]),  # nearly
        (["patellar bursitis"], ["K1"]),
        (["kneeling knee", "--vocabularies", "local"], ["K1"]),  # by cross-reference
        (["kneeling knee", "--vocabularies", "Doid"], ["DOID:7"]),
        (["kneeling knee", "-n", "1"], ["DOID:7"]),
        (["zyzzumab", "--label", "drug"], ["Z1"]),
        (["zyzzumab", "--label", "CONDITION"], []),
        (["qqqq"], []),
        ([""], []),
        (["zyzzumab", "--vocabularies", "doid"], []),
    ],
)
def test_lookup_finds(index: Path, arguments: list[str], expected: list[str]) -> None:
    code, out, err = run("terms", "lookup", *arguments, "--index", index, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["concept_id"] for row in rows][: len(expected) or None] == expected
    assert code == (0 if expected else 1) and ("no concept found" in err) is not expected
    assert all(list(row) == ["concept_id", "vocabulary", "name", "score"] and 0 < row["score"] <= 1 for row in rows)


def test_lookup_in_two_indexes(index: Path, tmp_path: Path) -> None:
    build([Term("W", "w1", "zyzzumab", "synonym", "DRUG")], tmp_path / "w.index")
    code, out, _ = run("terms", "lookup", "zyzzumab", "--index", index, "--index", tmp_path / "w.index")
    assert code == 0 and flat(out) == ["1.00 LOCAL Z1 zyzzumab", "0.98 W w1 zyzzumab"]


def test_lookup_in_a_pipeline(index: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("clinspan_linker", name="linker").open_index(index)  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "pipeline")
    code, out, _ = run("terms", "lookup", "zyzzumab", "--pipeline", tmp_path / "pipeline")
    assert code == 0 and flat(out) == ["1.00 LOCAL Z1 zyzzumab"]


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--index", "none.index", "none.index"),
        ("--index", "local.csv", "local.csv: not a clinspan index"),
        ("--index", "search.index", "search.index: not an index of concepts"),
        ("--pipeline", "no_such_pipeline", "no_such_pipeline"),
    ],
)
def test_lookup_refuses(csv: Path, tmp_path: Path, option: str, name: str, message: str) -> None:
    build([Term("V", "1", "gout", "preferred", "CONDITION")], tmp_path / "search.index", linking=False)
    code, out, err = run("terms", "lookup", "gout", option, tmp_path / name if option == "--index" else name)
    assert (code, out) == (2, "") and message in err


# info


def test_info(index: Path) -> None:
    code, out, err = run("terms", "info", index, "--verify")
    assert (code, err) == (0, "")
    first, *lines = flat(out)
    assert first.startswith(f"{index}: 0.0 MB") and first.endswith("digest right")
    assert lines[0] == "5 names to find in notes"
    # "housemaid knee" and "Housemaid's knee" are one set of words
    assert lines[1] == "7 names to link entities by, as sets of words"
    assert lines[2] == "5 concepts"
    assert sorted(lines[3:]) == ["1 DOID CONDITION", "1 LOCAL DRUG", "1 LOCAL no label", "2 LOCAL CONDITION"]
    assert "digest" not in run("terms", "info", index)[1]


@pytest.mark.parametrize("name", ["none.index", "local.csv", ""])
def test_info_refuses(csv: Path, tmp_path: Path, name: str) -> None:
    code, out, err = run("terms", "info", tmp_path / name)
    assert (code, out) == (2, "") and (name or tmp_path.name) in err


def test_a_damaged_index(index: Path) -> None:
    damaged(index)
    assert run("terms", "info", index)[0] == 0
    code, out, err = run("terms", "info", index, "--verify")
    assert (code, out) == (2, "") and "my.index: the index's digest" in err


# extract --terms


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small pipeline, which loads faster than the bundled one."""
    folder = tmp_path_factory.mktemp("pipeline")
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinspan.tokenizer.v1"}}})
    for part in ("terms", "abbreviations", "entities", "linker"):
        nlp.add_pipe(f"clinspan_{part}", name=part)
    pairs, payload = pack_names([Name(Concept("CONDITION", "clinspan", "c1", "Cough"), ANY, "cough")])
    TermIndex.build(pairs).to_file(folder / "terms.index", payload=payload)
    nlp.get_pipe("terms").open_index(folder / "terms.index")  # type: ignore[attr-defined]
    nlp.to_disk(folder / "pipeline")
    return folder / "pipeline"


NOTE = "Cough. No housemaid's knee. Given Zyzzumab."


def extracted(tmp_path: Path, pipeline: Path, *arguments: object) -> tuple[int, list[tuple], str]:
    note = written(tmp_path, "note.txt", NOTE)
    code, _, err = run("extract", note, "-o", tmp_path / "out", "--pipeline", pipeline, *arguments)
    rows = read_table(tmp_path / "out", "entities").to_pylist() if code == 0 else []
    columns = ("text", "vocabulary", "concept_id", "concept_name", "source")
    return code, [tuple(row[column] for column in columns) for row in rows], err


def test_extract_with_an_index(tmp_path: Path, pipeline: Path, index: Path) -> None:
    assert extracted(tmp_path, pipeline, "--terms", index)[:2] == (
        0,
        [
            ("Cough", "clinspan", "c1", "Cough", "terms"),
            ("housemaid's knee", "LOCAL", "K1", "Housemaid's knee", "my.index"),
            ("Zyzzumab", "LOCAL", "Z1", "zyzzumab", "my.index"),
        ],
    )
    record = json.loads((tmp_path / "out/run.json").read_text("utf-8"))
    assert str(index) in json.dumps(record)


def test_extract_with_vocabularies(tmp_path: Path, pipeline: Path, index: Path) -> None:
    code, rows, _ = extracted(tmp_path, pipeline, "--terms", index, "--vocabularies", "doid")
    assert (code, [row[:4] for row in rows]) == (
        0,
        [
            ("Cough", None, None, None),
            ("housemaid's knee", "DOID", "DOID:7", "housemaid knee"),
            ("Zyzzumab", None, None, None),
        ],
    )


def test_extract_with_vocabularies_in_order(tmp_path: Path, pipeline: Path, index: Path) -> None:
    # the note's name is a preferred one of both; the order of the codes must not decide
    build([Term("B", "1", "knee pain", "preferred", "CONDITION", (), ("A:1",)),
           Term("A", "1", "gonalgia", "preferred", "CONDITION")], tmp_path / "ab.index")  # fmt: skip
    note = written(tmp_path, "knee.txt", "Has knee pain.")
    arguments = ("--pipeline", pipeline, "--terms", tmp_path / "ab.index", "--vocabularies", "a,b")
    assert run("extract", note, "-o", tmp_path / "out", *arguments)[0] == 0
    assert [row["vocabulary"] for row in read_table(tmp_path / "out", "entities").to_pylist()] == ["A"]


def test_extract_with_a_table_and_an_index(tmp_path: Path, pipeline: Path, index: Path) -> None:
    mine = written(tmp_path, "mine.csv", "term;label;code\nknee;ANATOMY;X\n")
    code, rows, _ = extracted(tmp_path, pipeline, "--terms", index, "--terms", mine)
    assert code == 0 and [(row[0], row[2], row[4]) for row in rows] == [
        ("Cough", "c1", "terms"),
        ("knee", "X", "mine.csv"),
        ("Zyzzumab", "Z1", "my.index"),
    ]


def test_extract_refuses(tmp_path: Path, pipeline: Path, index: Path) -> None:
    code, _, err = extracted(tmp_path, pipeline, "--terms", index, "--vocabularies", "local,icd99")
    assert code == 2 and "no vocabulary icd99: these are DOID, LOCAL" in err
    code, _, err = extracted(tmp_path, pipeline, "--terms", damaged(index))
    assert code == 2 and "my.index: the index's digest" in err
    index.write_bytes(index.read_bytes()[:-9])
    code, _, err = extracted(tmp_path, pipeline, "--terms", index)
    assert code == 2 and "my.index: the index is truncated" in err
    code, _, err = extracted(tmp_path, pipeline, "--terms", tmp_path / "none.index")
    assert code == 2 and "none.index" in err and not (tmp_path / "out").exists()
