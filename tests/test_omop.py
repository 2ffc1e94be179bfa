"""OMOP tables: what they say, and that databases with the specification's constraints take them."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import databases
from clinspan import omop
from clinspan.omop import Codes
from command import run

NOTES = (
    "note_id,person_id,visit_id,date,category,text\n"
    '7,101,5,2020-03-01,Discharge summary,"No fever. Type 2 diabetes mellitus.\n\nFather had asthma."\n'
    'b,x,,,,"History of pneumonia. Will start metformin."\n'
    f"{'c' * 60},102,,2021-01-31,,{'word ' * 100}cough{' word' * 100}\n"
)
CONCEPTS = "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omop")
    (folder / "n.csv").write_text(NOTES)
    assert run("extract", folder / "n.csv", "-o", folder / "out", "--workers", "0")[0] == 0
    from clinspan.tables import read_table

    codes = {e["text"]: (e["vocabulary"], e["concept_id"]) for e in read_table(folder / "out", "entities").to_pylist()}
    fever, diabetes = codes["fever"], codes["Type 2 diabetes mellitus"]
    rows = [f"437663\tFever\tCondition\t{fever[0].title()}\tx\tS\t{fever[1]}\n"]
    rows.append(f'201826\tDiabetes "2\tCondition\t{diabetes[0]}\tx\t\t{diabetes[1]}\n')
    (folder / "CONCEPT.csv").write_text(CONCEPTS + "".join(rows))
    (folder / "CONCEPT_RELATIONSHIP.csv").write_text(
        "concept_id_1\tconcept_id_2\trelationship_id\n201826\t1\tIs a\n201826\t4193704\tMaps to\n"
    )
    code, _, err = run(
        "omop", folder / "out", folder / "n.csv", "-o", folder / "cdm", "--ddl",
        "--concepts", folder / "CONCEPT.csv", "--relationships", folder / "CONCEPT_RELATIONSHIP.csv",
    )  # fmt: skip
    assert code == 0, err
    assert "3 notes" in err and "1 notes without a person's number" in err and "1 notes without a date" in err
    return folder


def table(folder: Path, name: str) -> list[dict]:
    return pq.read_table(folder / "cdm" / name / "part-00000.parquet").to_pylist()


def test_note(made: Path) -> None:
    rows = table(made, "note")
    assert [(r["note_id"], r["person_id"], r["visit_occurrence_id"], r["note_date"]) for r in rows] == [
        (1, 101, 5, datetime.date(2020, 3, 1)),
        (2, 0, None, datetime.date(1970, 1, 1)),
        (3, 102, None, datetime.date(2021, 1, 31)),
    ]
    assert [r["note_source_value"] for r in rows] == ["7", "b", "c" * 50]
    assert rows[0]["note_title"] == "Discharge summary" and rows[0]["note_text"].endswith("asthma.")
    assert {(r["note_type_concept_id"], r["encoding_concept_id"], r["language_concept_id"]) for r in rows} == {
        (32831, 32678, 4180186)
    }


def test_note_nlp(made: Path) -> None:
    texts = {r["note_id"]: r["note_text"] for r in table(made, "note")}
    rows = table(made, "note_nlp")
    assert [r["note_nlp_id"] for r in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        start, variant = int(row["offset"]), row["lexical_variant"]
        assert texts[row["note_id"]][start : start + len(variant)] == variant
        assert variant in row["snippet"] and len(row["snippet"]) <= 250
        assert row["nlp_system"].startswith("clinspan en_clinspan ")
    found = {r["lexical_variant"]: r for r in rows}
    say = ("term_exists", "term_temporal", "note_nlp_concept_id", "note_nlp_source_concept_id")
    assert [found["fever"][c] for c in say] == ["N", "present", 437663, 437663]
    assert [found["Type 2 diabetes mellitus"][c] for c in say] == ["Y", "present", 4193704, 201826]
    assert [found["asthma"][c] for c in say] == ["N", "present", 0, 0]
    assert [found["pneumonia"][c] for c in say[:2]] == ["Y", "past"]
    assert [found["metformin"][c] for c in say[:2]] == ["N", "present"]
    assert "negated=true" in found["fever"]["term_modifiers"]
    assert "subject=family" in found["asthma"]["term_modifiers"]
    assert "hypothetical=true" in found["metformin"]["term_modifiers"]
    assert ";source=" in found["asthma"]["term_modifiers"]  # the code is kept where there is no concept


def test_types_are_the_specifications(made: Path) -> None:
    for name, fields in omop.TABLES.items():
        there = pq.read_schema(made / "cdm" / name / "part-00000.parquet")
        assert there.names == [f.name for f in fields]
        assert [field.nullable for field in there] == [f.nullable for f in fields]
    # columns that the specification requires, and lengths, as published
    assert [f.name for f in omop.NOTE_NLP if not f.nullable] == [
        "note_nlp_id", "note_id", "lexical_variant", "nlp_date",
    ]  # fmt: skip
    assert len(omop.NOTE) == 16 and len(omop.NOTE_NLP) == 14
    assert {f.name: f.type for f in omop.NOTE_NLP if "varchar" in f.type} == {
        "snippet": "varchar(250)", "offset": "varchar(50)", "lexical_variant": "varchar(250)",
        "nlp_system": "varchar(250)", "term_exists": "varchar(1)", "term_temporal": "varchar(50)",
        "term_modifiers": "varchar(2000)",
    }  # fmt: skip


def test_postgresql_takes_them(made: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    if databases.programs() is None:
        pytest.skip("no PostgreSQL server is installed")
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.postgres(Path(folder)) as url,
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute((made / "cdm/ddl.sql").read_text())
        for name, fields in omop.TABLES.items():
            names = ", ".join(f'"{f.name}"' for f in fields)
            with cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy:
                for row in table(made, name):
                    copy.write_row(row.values())
        cursor.execute("SELECT count(*) FROM note_nlp JOIN note USING (note_id) WHERE term_exists = 'N'")
        assert cursor.fetchone()[0] == sum(row["term_exists"] == "N" for row in table(made, "note_nlp")) > 0
        for wrong, error in (
            ("UPDATE note_nlp SET note_id = 99",
             psycopg.errors.ForeignKeyViolation),
            ("UPDATE note_nlp SET lexical_variant = NULL", psycopg.errors.NotNullViolation),
            ("UPDATE note_nlp SET term_exists = 'no'", psycopg.errors.StringDataRightTruncation),
        ):  # fmt: skip
            with pytest.raises(error), connection.transaction():
                cursor.execute(wrong)


def test_duckdb_takes_them(made: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute((made / "cdm/ddl.sql").read_text())
        for name in omop.TABLES:
            connection.execute(f"INSERT INTO {name} SELECT * FROM read_parquet('{made}/cdm/{name}/*.parquet')")
        [(count,)] = connection.execute("SELECT count(*) FROM note_nlp JOIN note USING (note_id)").fetchall()
        assert count == len(table(made, "note_nlp")) > 5


def test_csv(made: Path, tmp_path: Path) -> None:
    code, _, err = run("omop", made / "out", made / "n.csv", "-o", tmp_path / "cdm", "--format", "csv", "--quiet")
    assert (code, err) == (0, "")
    options = pa_csv.ParseOptions(newlines_in_values=True)
    rows = pa_csv.read_csv(tmp_path / "cdm/note/part-00000.csv", parse_options=options)
    assert rows.column("note_id").to_pylist() == [1, 2, 3]


def test_what_is_refused(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "n.csv"
    other.write_text(NOTES.replace("No fever", "No cough"))
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(NOTES.splitlines(keepends=True)[:1]) + "b,1,,,,x\n")
    concepts = tmp_path / "CONCEPT.csv"
    concepts.write_text(CONCEPTS + "x\ty\tz\tv\tc\tS\t1\n")
    short = tmp_path / "short.csv"
    short.write_text(CONCEPTS + "1\ty\n")
    cases = [
        ([made / "out", other], "note 7 is not the one"),
        ([made / "out", fewer], "note 7 of the run is not where"),
        ([tmp_path, other], "no table"),
        ([made / "out", made / "n.csv", "--concepts", concepts], "line 2: an id is not a number"),
        ([made / "out", made / "n.csv", "--concepts", short], "line 2: 2 fields"),
        ([made / "out", made / "n.csv", "--concepts", other], "no column concept_id"),
        ([made / "out", made / "n.csv", "--format", "xml"], "--format"),
    ]
    for number, (arguments, message) in enumerate(cases):
        code, _, err = run("omop", *arguments, "-o", tmp_path / f"o{number}")
        assert code == 2 and message in err and "diabetes" not in err, (arguments, err)


def test_codes() -> None:
    codes = Codes()
    assert codes.find("ICD10CM", "I10") == (0, 0) and codes.find(None, None) == (0, 0)


def test_snippet_is_at_most_so_long() -> None:
    text = "a" * 300 + "fever" + "b" * 300
    found = omop.snippet(text, 300, 305)
    assert len(found) == 250 and found.index("fever") in range(120, 124)
    assert omop.snippet("fever", 0, 5) == "fever"
    assert len(omop.snippet("x" * 900, 100, 800)) == 250
