"""Inside Spark, the rows of a run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import chaos
from clinspan import batch, schema
from clinspan.notes import read_notes
from clinspan.partition import Options
from clinspan.pipeline import Recipe
from clinspan.spark import extract, rows_of, sql_schema
from clinspan.tables import read_table
from clinspan.workers import WorkerError
from command import run as command_line

NOTES = Path(__file__).parents[1] / "corpora/demo/notes"


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("spark") / "out"
    batch.run(read_notes(NOTES), nlp=Recipe().load(), output=batch.prepare_output(folder), snippet=10)
    return {table: _comparable(read_table(folder, table).to_pylist()) for table in schema.TABLES}


def _comparable(rows: list[dict]) -> list[dict]:
    """In the order of notes and text; without what depends on the company in which a note is read."""
    for row in rows:
        row.pop("seconds", None)
        row.pop("encoding", None)  # Spark delivers texts
        if row.get("score") is not None:
            row["score"] = round(row["score"], 3)
    return sorted(rows, key=lambda row: (row["note_id"], row.get("start", 0), row.get("end", 0)))


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    return [(note.note_id, note.text) for note in read_notes(NOTES)]  # type: ignore[union-attr]


def test_the_partition_function(texts: list, wanted: dict) -> None:
    whole = pa.table({"note_id": [i for i, _ in texts], "text": [t for _, t in texts]})
    options = Options(snippet=10)
    for table in schema.TABLES:
        batches = rows_of(whole.to_batches(max_chunksize=5), Recipe(), options, table, "note_id", "text")
        assert _comparable([row for b in batches for row in b.to_pylist()]) == wanted[table]
    assert sum(b.num_rows for b in rows_of([], Recipe(), options, "notes", "note_id", "text")) == 0


def test_the_schema_in_sparks_notation() -> None:
    assert sql_schema("errors", Options()) == "`note_id` string, `stage` string, `error` string"
    assert "`cues` array<struct<axis: string, value: string," in sql_schema("entities", Options())
    assert sql_schema("entities", Options(snippet=3)).endswith("`snippet` string")
    assert "`ward` string" in sql_schema("notes", Options(keep=("ward",)))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    pyspark = pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("no Java is installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for executors to find the pipelines of tests
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS", "1"))
        builder = pyspark.sql.SparkSession.builder.master("local[2]")
        for key, value in {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
        }.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


def test_spark_gives_the_rows_of_a_run(spark: Any, texts: list, wanted: dict) -> None:
    df = spark.createDataFrame([(i, t, "A") for i, t in texts], "note_id string, text string, ward string")
    df = df.repartition(3)
    for table in ("entities", "errors"):
        found = [row.asDict(recursive=True) for row in extract(df, table=table, snippet=10).collect()]
        assert _comparable(found) == wanted[table]
    notes = [row.asDict() for row in extract(df, table="notes", keep=["ward"]).collect()]
    assert {row.pop("ward") for row in notes} == {"A"}
    assert _comparable(notes) == wanted["notes"]
    with pytest.raises(ValueError, match="no column body"):
        extract(df, text_column="body")
    with pytest.raises(ValueError, match="table is not one of"):
        extract(df, table="people")


def test_a_run_by_sparks_tasks_is_a_run(spark: Any, tmp_path: Path) -> None:
    for engine in batch.ENGINES:
        code, _, err = command_line("extract", NOTES, "-o", tmp_path / engine, "--workers", 2, "--engine", engine, "-q")
        assert code == 0, err
    for table in schema.TABLES:
        one, other = (read_table(tmp_path / engine, table) for engine in batch.ENGINES)
        if table == "notes":
            one, other = one.drop_columns(["seconds"]), other.drop_columns(["seconds"])
        assert one.equals(other) and (one.num_rows or table == "errors")


def test_a_note_that_kills_sparks_process_is_set_aside(spark: Any, tmp_path: Path) -> None:
    said: list[str] = []
    items = chaos.notes(40, {25: chaos.SEGFAULT})
    total = chaos.run(tmp_path / "spark", items, workers=2, engine="spark", report=said.append)
    chaos.run(tmp_path / "processes", items, workers=1)
    assert total.failed == 1 and total.notes == 40
    assert chaos.tables(tmp_path / "spark") == chaos.tables(tmp_path / "processes")
    assert [row["note_id"] for row in read_table(tmp_path / "spark", "errors").to_pylist()] == ["n25"]
    assert any("partition 2: its tasks failed" in line for line in said)


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    code, _, err = command_line("extract", NOTES, "-o", tmp_path / "out", "--engine", "dask")
    assert code == 2 and "--engine is not one of processes, spark" in err and not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="engine is not one of"):
        batch.run([], recipe=Recipe(), engine="dask", output=batch.prepare_output(tmp_path / "out"))


def test_without_java_spark_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
    with pytest.raises(WorkerError, match="needs Java"):
        batch.run([], recipe=Recipe(), engine="spark", output=batch.prepare_output(tmp_path / "out"))
