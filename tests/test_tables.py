from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from spacy.language import Language

import clinspan
from clinspan import schema, tables

TEXT = 'PMH: asthma.\nDenies "chest pain", fever,\nor cough. Allergic to penicillin.'
DTYPES = {"string": "string", "int64": "int64", "bool": "bool", "float64": "float64", "list<cue>": "object"}


def test_extract_takes_every_kind_of_notes(nlp: Language) -> None:
    note = clinspan.Note("007", "No fever.")
    frame = pd.DataFrame({"note_id": ["007", "NA"], "text": ["No fever.", "Cough."], "ward": ["a", "b"]})
    assert list(clinspan.extract("No fever.", nlp=nlp)["note_id"]) == ["0"]
    assert list(clinspan.extract(["No fever.", "Cough."], nlp=nlp)["note_id"]) == ["0", "1"]
    assert list(clinspan.extract([note], nlp=nlp)["note_id"]) == ["007"]
    assert list(clinspan.extract(frame, nlp=nlp)["note_id"]) == ["007", "NA"]
    assert list(clinspan.extract(iter([note]), nlp=nlp)["negated"]) == [True]


@pytest.mark.parametrize("text", [TEXT, ""])
def test_columns_and_dtypes_are_declared(nlp: Language, text: str) -> None:
    frame = clinspan.extract(text, nlp=nlp)
    assert list(frame.columns) == [c.name for c in schema.ENTITIES]
    assert {c: str(t) for c, t in frame.dtypes.items()} == {c.name: DTYPES[c.type] for c in schema.ENTITIES}


def test_rows_reproduce_the_text(nlp: Language) -> None:
    frame = clinspan.extract(TEXT, nlp=nlp, snippet=5)
    assert len(frame) == 5
    for row in frame.itertuples():
        assert TEXT[row.start : row.end] == row.text
        assert row.entity_id == f"0:{row.start}:{row.end}:{row.label}"
        assert row.snippet == TEXT[max(0, row.start - 5) : row.end + 5]
        assert row.assertion in schema.ASSERTIONS and row.label in schema.LABELS
    assert frame["pipeline"].unique().tolist() == [f"en_clinspan {clinspan.__version__}"]
    assert frame["sentence"].tolist() == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("format", tables.FORMATS)
def test_files_read_back_as_written(nlp: Language, tmp_path: Path, format: str) -> None:
    rows = tables.EntityRows(pipeline="p")
    rows.add(nlp(TEXT), "NA", TEXT)
    rows.add(nlp("No \u00e9d\u00e8me, \U0001f600 fever"), "007", "No \u00e9d\u00e8me, \U0001f600 fever")
    table = rows.take()
    assert len(rows) == 0
    for number, part in enumerate((table, table.slice(0, 0))):
        writer = tables.PartWriter(tmp_path / f"entities/part-0000{number}.{format}", table.schema, format)
        writer.write(part)
        writer.close()
    assert tables.read_table(tmp_path, "entities").equals(table)
    assert sorted(p.name for p in (tmp_path / "entities").iterdir()) == [f"part-0000{n}.{format}" for n in (0, 1)]


def test_an_abandoned_part_leaves_nothing(tmp_path: Path) -> None:
    writer = tables.PartWriter(tmp_path / "notes/part-00000.csv", tables.arrow_schema(schema.NOTES), "csv")
    writer.abandon()
    assert list((tmp_path / "notes").iterdir()) == []


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="xlsx"):
        tables.PartWriter(tmp_path / "part", pa.schema([]), "xlsx")


def test_missing_table(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="entities"):
        tables.read_table(tmp_path, "entities")


@pytest.mark.parametrize(
    "axes, assertion, exists",
    [
        ({}, "present", True),
        ({"negated": True}, "absent", False),
        ({"historical": True}, "historical", True),
        ({"negated": True, "historical": True}, "absent", False),
        ({"uncertain": True, "negated": True}, "possible", False),
        ({"hypothetical": True, "uncertain": True}, "hypothetical", False),
        ({"allergy": True, "hypothetical": True}, "allergy", False),
        ({"experiencer": "family", "allergy": True}, "family", False),
        ({"experiencer": "other"}, "other", False),
    ],
)
def test_assertion_and_exists(axes: dict, assertion: str, exists: bool) -> None:
    assert schema.assertion(**axes) == assertion
    assert schema.exists(**axes) is exists


def test_readme_shows_the_columns_of_the_schema() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert schema.columns_markdown("entities") in readme
