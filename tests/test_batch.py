"""The command line and the batch run behind it, as a user meets them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from spacy.language import Language

import clinspan
from clinspan import batch, partition, schema
from clinspan.notes import Note, ReadFailure
from clinspan.tables import FORMATS, read_table
from command import run

SECRET = "hemoptysis"


@pytest.mark.parametrize("format", FORMATS)
def test_extract(notes: Path, tmp_path: Path, format: str) -> None:
    code, out, err = run("extract", notes, "-o", tmp_path / "out", "--format", format, "--snippet", 10)
    assert (code, out) == (0, "")
    assert "4 notes, 0 failed" in err
    entities = read_table(tmp_path / "out", "entities").to_pylist()
    assert [(e["note_id"], e["text"]) for e in entities] == [
        ("a", "chest pain"),
        ("deep/b", "œdema"),
        ("deep/b", "fever"),
        ("deep/er/c", "Cough"),
        ("deep/er/c", "wheezing"),
    ]
    rows = read_table(tmp_path / "out", "notes").to_pylist()
    assert [(n["note_id"], n["entities"], n["status"]) for n in rows] == [
        ("a", 1, "done"),
        ("deep/b", 2, "done"),
        ("deep/er/c", 2, "done"),
        ("empty", 0, "done"),
    ]
    assert [n["changed_characters"] for n in rows] == [0, 1, 0, 0]
    assert [n["encoding"] for n in rows] == ["utf-8", "utf-8", "cp1252", "utf-8"]
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["notes"] == 4 and record["entities"] == 5 and record["pipeline"].startswith("en_clinspan")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "entities",
        "errors",
        "manifest.jsonl",
        "notes",
        "run.json",
        "sections",
    ]


def test_the_log_counts_and_quotes_nothing(notes: Path, tmp_path: Path) -> None:
    (notes / "page.txt").write_text(f"<html><body>{SECRET}</body></html>")
    (notes / "z.txt").write_text(f"{SECRET} and fever")
    log = tmp_path / "log.jsonl"
    for _ in range(2):
        assert run("extract", notes, "-o", tmp_path / "out", "--log-json", log, "--resume", "--workers", "0")[0] == 1
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [r["event"] for r in records] == ["begin", "partition", "end", "begin", "end"]
    assert (records[1]["notes"], records[1]["failed"]) == (6, 1) and records[3]["written"] == 1
    assert records[4]["notes"] == 6
    assert SECRET not in log.read_text()


def test_one_bad_note_never_stops_the_others(notes: Path, tmp_path: Path) -> None:
    (notes / "b_page.txt").write_text(f"<html><body>{SECRET}</body></html>")
    (notes / "z_bad.txt.gz").write_bytes(b"not gzip " + SECRET.encode())
    code, out, err = run("extract", notes, "-o", tmp_path / "out")
    assert code == 1 and "6 notes, 2 failed" in err and SECRET not in out + err
    errors = read_table(tmp_path / "out", "errors").to_pylist()
    assert [(e["note_id"], e["stage"]) for e in errors] == [("b_page", "read"), ("z_bad", "read")]
    assert len(read_table(tmp_path / "out", "entities")) == 5
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


class _Fragile:
    """A component that fails on some notes, quoting their text as libraries do."""

    def __call__(self, doc):
        if "crash" in doc.text:
            raise RuntimeError(f"cannot handle {doc.text}")
        return doc


def test_a_failing_pipeline_costs_one_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from spacy.language import Language as Lang

    Lang.factory("test_fragile", func=lambda nlp, name: _Fragile())
    nlp = clinspan.load()
    nlp.add_pipe("test_fragile", name="fragile", last=True)
    notes = [Note("1", "No fever."), Note("2", f"crash {SECRET}"), ReadFailure("3", "read", "X"), Note("4", "Cough.")]
    summary = batch.run(notes, nlp=nlp, output=batch.prepare_output(tmp_path / "out"))
    assert (summary.notes, summary.failed, summary.entities) == (4, 2, 2)
    errors = read_table(tmp_path / "out", "errors").to_pylist()
    assert [(e["note_id"], e["stage"], e["error"]) for e in errors] == [
        ("2", "pipeline", "RuntimeError"),
        ("3", "read", "X"),
    ]
    assert SECRET not in json.dumps(errors) + caplog.text


def test_partitions(tmp_path: Path, nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "NOTES", 3)
    notes = [Note(str(i), "No fever.") for i in range(7)]
    seen: list[int] = []
    summary = batch.run(
        notes, nlp=nlp, output=batch.prepare_output(tmp_path / "out"), progress=lambda chars, notes: seen.append(chars)
    )
    assert summary.notes == len(seen) == 7 and sum(seen) == summary.characters == 63
    parts = sorted(p.name for p in (tmp_path / "out/entities").iterdir())
    assert parts == [f"part-0000{n}.parquet" for n in range(3)]
    assert read_table(tmp_path / "out", "notes").column("note_id").to_pylist() == [str(i) for i in range(7)]
    assert summary.by_assertion == {"absent": 7} and summary.by_label == {"CONDITION": 7}


def test_an_interrupted_partition_leaves_no_part(tmp_path: Path, nlp: Language) -> None:
    def notes():
        yield Note("1", "No fever.")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.run(notes(), nlp=nlp, output=batch.prepare_output(tmp_path / "out"))
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_columns_and_keep(tmp_path: Path) -> None:
    table = tmp_path / "notes.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["hadm", "body_of_note", "ward"], ["007", "No fever.", "A"], ["NA", "Cough.\n\nRash.", ""]]
        )
    code, _, _ = run(
        "extract",
        table,
        "-o",
        tmp_path / "out",
        "--id-column",
        "hadm",
        "--text-column",
        "body_of_note",
        "--keep",
        "ward",
    )
    assert code == 0
    rows = read_table(tmp_path / "out", "notes")
    assert rows.column_names == ["note_id", "ward", *[c.name for c in schema.NOTES[1:]]]
    assert rows.select(["note_id", "ward"]).to_pylist() == [
        {"note_id": "007", "ward": "A"},
        {"note_id": "NA", "ward": ""},
    ]


def test_own_terms_and_rules(notes: Path, tmp_path: Path) -> None:
    terms = tmp_path / "mine.csv"
    terms.write_text("term,label,code\nwheezing,CONDITION,W1\nhas fever,OBSERVATION,F1\n")
    rules = tmp_path / "rules.tsv"
    rules.write_text("id\taxis\tvalue\tdirection\tscope\tstops\tlabels\tcues\nZ1\tuncertain\t\tbefore\t2\t\t\tand\n")
    code, _, _ = run("extract", notes, "-o", tmp_path / "out", "--terms", terms, "--rules", rules)
    assert code == 0
    rows = {e["text"]: e for e in read_table(tmp_path / "out", "entities").to_pylist()}
    assert rows["wheezing"]["concept_id"] == "W1" and rows["wheezing"]["source"] == "mine.csv"
    assert rows["wheezing"]["uncertain"] and rows["wheezing"]["cues"][0]["rule_id"] == "Z1"
    assert rows["has fever"]["label"] == "OBSERVATION"


def test_usage_errors(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    terms = tmp_path / "terms.csv"
    terms.write_text("word,label\nx,DRUG\n")
    mac = tmp_path / "mac.csv"
    mac.write_bytes(b"term,label\r,DRUG\r,,\r")
    cases = [
        (["extract", tmp_path / "missing.csv", "-o", tmp_path / "o"], "missing.csv"),
        (["extract", tmp_path / "nothing", "-o", tmp_path / "o"], "nothing"),
        (["extract", table, "-o", tmp_path / "o", "--text-column", "note"], "note"),
        (["extract", notes, "-o", tmp_path / "o", "--workers", "many"], "--workers"),
        (["extract", notes, "-o", tmp_path / "o", "--resume", "--overwrite"], "--resume"),
        (["extract", notes, "-o", tmp_path / "full"], "--overwrite"),
        (["extract", notes, "-o", table], "not a folder"),
        (["extract", notes, "-o", "/proc/nowhere/out"], "cannot be written"),
        (["extract", notes, "-o", tmp_path / "o", "--format", "xlsx"], "--format"),
        (["extract", notes, "-o", tmp_path / "o2", "--pipeline", "no_such"], "no_such"),
        (["extract", notes, "-o", tmp_path / "o3", "--terms", terms], "no column term"),
        (["extract", notes, "-o", tmp_path / "o4", "--rules", tmp_path / "r.tsv"], "no such file"),
        (["extract", notes, "-o", tmp_path / "o5", "--keep", "status"], "cannot keep status"),
        (["extract", notes, "-o", tmp_path / "o6", "--exclude", "contxt"], "contxt"),
        (["extract", notes, "-o", notes, "--overwrite"], "holds the notes"),
        (["extract", notes, "-o", tmp_path / "o7", "--terms", mac], "row 1"),
        (["show", tmp_path / "missing.txt"], "missing.txt"),
        (["show", table, "--id", "nope"], "nope"),
        (["evaluate", "no_such_corpus"], "no_such_corpus"),
        (["sample", tmp_path / "nothing"], "entities"),
    ]
    for arguments, message in cases:
        code, _, err = run(*arguments)
        assert code == 2 and message in err, (arguments, code, err)


def test_overwrite_waits_until_all_else_is_in_order(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out[/x]"
    assert run("extract", notes, "-o", out)[0] == 0
    assert run("extract", notes, "-o", out, "--overwrite", "--pipeline", "no_such")[0] == 2
    assert len(read_table(out, "entities")) == 5


def test_overwrite_removes_only_its_own_tables(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("extract", notes, "-o", out, "--format", "csv")[0] == 0
    (out / "my_notebook.ipynb").touch()
    assert run("extract", notes, "-o", out)[0] == 2
    code, _, err = run("extract", notes, "-o", out, "--resume")
    assert code == 2 and "other settings (tables)" in err
    assert run("extract", notes, "-o", out, "--overwrite")[0] == 0
    assert run("extract", notes, "-o", out, "--resume")[0] == 0
    assert (out / "my_notebook.ipynb").exists()
    assert [p.name for p in (out / "entities").iterdir()] == ["part-00000.parquet"]


def test_memory_stays_flat_over_many_notes(tmp_path: Path) -> None:
    nlp = clinspan.load()
    notes = (Note(str(i), " ".join(f"w{i}x{j}" for j in range(20)) + " fever") for i in range(1_500))
    batch.run(notes, nlp=nlp, output=batch.prepare_output(tmp_path / "out"))
    assert len(nlp.vocab.strings) < 5_000


def test_repeated_ids_are_kept_apart_and_reported(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("note_id,text\n7,No fever.\n7,Cough.\n")
    code, _, err = run("extract", tmp_path / "n.csv", "-o", tmp_path / "out")
    assert code == 0 and "1 notes had the id of an earlier one" in err
    assert read_table(tmp_path / "out", "entities").column("note_id").to_pylist() == ["7", "7#2"]
    assert json.loads((tmp_path / "out/run.json").read_text())["repeated_ids"] == 1
