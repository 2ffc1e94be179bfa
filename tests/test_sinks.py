"""The databases that rows go into: what is written is what files hold, and is there once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import chaos
import databases
from clinspan import batch, partition
from clinspan.notes import Note
from clinspan.partition import Options
from clinspan.sinks import DatabaseError, DatabaseSink, database_sink
from command import run

KINDS = ("sqlite", "duckdb", "postgresql")


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "NOTES", chaos.PER_PARTITION)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("psycopg")
    if databases.programs() is None:
        pytest.skip("no PostgreSQL server is installed")
    with tempfile.TemporaryDirectory() as folder, databases.postgres(Path(folder)) as url:
        yield url


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        import psycopg

        address = request.getfixturevalue("server")
        with psycopg.connect(address) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return address
    if request.param == "duckdb":
        pytest.importorskip("duckdb")
    return f"{request.param}:///{tmp_path / 'rows.db'}"


def rows(url: str) -> dict[str, list[dict]]:
    """All rows but the seconds, in the order of notes and text."""
    sink = database_sink(url, Path("."), Options())
    found = {}
    for table in ("entities", "notes", "sections", "errors"):
        cursor = sink.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        found[table] = [dict(zip(names, row)) for row in cursor.fetchall()]
    sink.close()
    for row in found["entities"]:
        row["cues"] = json.loads(row["cues"]) if isinstance(row["cues"], str) else row["cues"]
    return _sorted(found)


def _sorted(found: dict[str, list[dict]]) -> dict[str, list[dict]]:
    def key(row: dict) -> tuple:
        return (int(row["note_id"][1:]), row.get("start", 0))

    return {
        table: sorted([{k: v for k, v in row.items() if k != "seconds"} for row in listed], key=key)
        for table, listed in found.items()
    }


def extract(notes: list[Note], url: str, folder: Path, **options) -> partition.Summary:
    sink: DatabaseSink = database_sink(url, folder, Options())
    return batch.run(notes, nlp=chaos.Small().load(), output=folder, sink=sink, resume=True, **options)


def test_a_database_holds_what_files_hold_and_once(url: str, tmp_path: Path) -> None:
    out, files = tmp_path / "out", tmp_path / "files"
    out.mkdir()
    notes = chaos.notes(34)
    batch.run(notes, nlp=chaos.Small().load(), output=batch.prepare_output(files))
    wanted = _sorted(chaos.tables(files))
    assert extract(notes, url, out).notes == 34
    assert rows(url) == wanted and len(wanted["entities"]) > 50
    assert sorted(p.name for p in out.iterdir()) == ["manifest.jsonl", "run.json"]
    extract(notes, url, out)  # nothing is left to do
    assert rows(url) == wanted
    (out / "manifest.jsonl").unlink()
    extract(notes, url, out)  # the same again
    assert rows(url) == wanted
    other = tmp_path / "other"
    other.mkdir()
    extract(notes, url, other)  # another run of the same notes
    assert rows(url) == wanted


def test_notes_that_move_or_go(url: str, tmp_path: Path) -> None:
    notes = chaos.notes(34)
    extract(notes, url, tmp_path)
    moved = [Note("n99", "No rash."), *notes[:13], *notes[15:22]]
    said: list[str] = []
    extract(moved, url, tmp_path, report=said.append)
    assert [row["note_id"] for row in rows(url)["notes"]] == sorted(
        (note.note_id for note in moved), key=lambda i: int(i[1:])
    )
    assert said[-1] == "partition 3: its notes are gone from the input; its rows are removed"
    files = tmp_path / "files"
    batch.run(moved, nlp=chaos.Small().load(), output=batch.prepare_output(files))
    assert rows(url) == _sorted(chaos.tables(files))


def test_a_partition_is_there_whole_or_not_at_all(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = chaos.notes(34)
    sink = database_sink(url, tmp_path, Options())
    insert, calls = type(sink).insert, []

    def failing(self, table, arriving):
        calls.append(table)
        if len(calls) == 8:  # in the second partition, after entities and notes
            raise RuntimeError("fever")
        insert(self, table, arriving)

    with monkeypatch.context() as patch:
        patch.setattr(type(sink), "insert", failing)
        with pytest.raises(DatabaseError, match="RuntimeError") as raised:
            batch.run(notes, nlp=chaos.Small().load(), output=tmp_path, sink=sink, resume=True)
    assert "fever" not in str(raised.value)
    assert [row["note_id"] for row in rows(url)["notes"]] == [f"n{i}" for i in range(10)]
    assert {row["note_id"] for row in rows(url)["entities"]} == {f"n{i}" for i in range(10)}
    extract(notes, url, tmp_path)
    files = tmp_path / "files"
    batch.run(notes, nlp=chaos.Small().load(), output=batch.prepare_output(files))
    assert rows(url) == _sorted(chaos.tables(files))


def test_other_columns_are_refused(url: str, tmp_path: Path) -> None:
    database_sink(url, tmp_path, Options()).close()
    with pytest.raises(DatabaseError, match="table entities has other columns"):
        database_sink(url, tmp_path, Options(snippet=5))


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("note_id,text\nn1,No fever.\n")
    code, _, err = run(
        "extract", tmp_path / "n.csv", "-o", tmp_path / "out", "--into", f"sqlite:///{tmp_path / 'x.db'}"
    )
    assert code == 0, err
    assert [(e["text"], e["negated"]) for e in rows(f"sqlite:///{tmp_path / 'x.db'}")["entities"]] == [("fever", 1)]
    assert json.loads((tmp_path / "out/run.json").read_text())["settings"]["into"].startswith("sqlite:///")
    for address, message in (
        ("mysql://u:secret@h/db", "not the address"),
        ("postgresql://u:secret@127.0.0.1:1/db", "OperationalError"),
        (f"sqlite:///{tmp_path}/no/such.db", "OperationalError"),
    ):
        code, _, err = run("extract", tmp_path / "n.csv", "-o", tmp_path / "o2", "--into", address)
        assert code == 2 and message in err and "secret" not in err, (address, err)
