"""The same partition function inside Spark.

:func:`extract` takes a DataFrame of notes and gives one of a table's rows: for notes that are in the cluster already,
and tables that stay there. :class:`SparkWorkers` stands in for the worker processes of a batch run: the run reads,
writes and keeps its manifest as always, Spark's tasks make the rows.

Rows of DataFrames go between Spark and Python as Arrow (``mapInArrow``), without a detour over pandas. Each executor
process loads the pipeline once. Needs ``pip install 'clinspan[spark]'`` on the driver and the executors, and Java.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clinspan import schema
from clinspan.notes import Note, decode
from clinspan.partition import Options, Partition, Summary, partitions, process_partition
from clinspan.pipeline import Recipe, codes_only
from clinspan.tables import arrow_schema
from clinspan.workers import TIME_LIMIT, Result, WorkerError, Workers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from spacy.language import Language

_SQL = {"string": "string", "int64": "bigint", "float64": "double", "bool": "boolean"}


def extract(
    df: DataFrame,
    *,
    recipe: Recipe | None = None,
    table: str = "entities",
    id_column: str = "note_id",
    text_column: str = "text",
    keep: Sequence[str] = (),
    snippet: int = 0,
) -> DataFrame:
    """Rows of the notes in a DataFrame.

    A note without text is empty; a note that fails is in ``errors`` and in ``notes`` with status ``failed``. Ids are
    taken as they are: repeated ones stay repeated. Each table is a pass of its own over the notes.

    Args:
        df: a note a row.
        recipe: the pipeline, which the executors load; files in it must be there on every machine.
        table: ``entities``, ``notes``, ``sections`` or ``errors``.
        id_column: ids, made strings.
        text_column: texts, strings or bytes.
        keep: columns to copy into ``notes``, as text.
        snippet: characters of context each side in ``entities``; 0 for none.

    Returns:
        A DataFrame with the columns of the table (:mod:`clinspan.schema`), lazily.

    Raises:
        ValueError: no such table, or no such column.
    """
    if table not in schema.TABLES:
        raise ValueError(f"table is not one of {', '.join(schema.TABLES)}: {table!r}")
    missing = [name for name in (id_column, text_column, *keep) if name not in df.columns]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}; the columns are {', '.join(df.columns)}")
    options = Options(tuple(dict.fromkeys(keep)), snippet)
    found = recipe or Recipe()

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from rows_of(batches, found, options, table, id_column, text_column)

    names = list(dict.fromkeys([id_column, text_column, *options.keep]))
    return df.select(*names).mapInArrow(rows, sql_schema(table, options))


def sql_schema(table: str, options: Options) -> str:
    """The table's columns in Spark's notation."""
    cue = ", ".join(f"{c.name}: {_SQL[c.type]}" for c in schema.CUE_FIELDS)
    types = {**_SQL, "list<cue>": f"array<struct<{cue}>>"}
    return ", ".join(f"`{c.name}` {types[c.type]}" for c in options.columns()[table])


def rows_of(
    batches: Iterable[pa.RecordBatch], recipe: Recipe, options: Options, table: str, id_column: str, text_column: str
) -> Iterator[pa.RecordBatch]:
    """The rows of a table for the notes in Arrow batches; what an executor runs."""
    nlp = _loaded(recipe)
    wanted = arrow_schema(options.columns()[table])
    for partition in partitions(_notes(batches, options, id_column, text_column)):
        tables, _ = process_partition(nlp, partition, options)
        yield from tables[table].cast(wanted).to_batches()


def _notes(batches: Iterable[pa.RecordBatch], options: Options, id_column: str, text_column: str) -> Iterator[Note]:
    for batch in batches:
        for row in batch.to_pylist():
            text: Any = row[text_column]
            if isinstance(text, bytes):
                text, _ = decode(text)
            yield Note(str(row[id_column]), text or "", extra={name: row[name] for name in options.keep})


@lru_cache(maxsize=1)
def _loaded(recipe: Recipe) -> Language:
    nlp = recipe.load()
    codes_only(nlp)
    return nlp


# --- a batch run by Spark's tasks ---

_ATTEMPTS = 4  # at a partition, before it is taken out of Spark


class SparkWorkers:
    """Spark's tasks in place of :class:`clinspan.workers.Workers`, with the same arguments and the same rows.

    Each partition is a job of one task, sent from the driver, which gets its rows back; as many run at a time as Spark
    has cores. Where there is no session and nothing says otherwise (``spark-submit`` does), Spark runs on this machine
    with ``count`` cores, bound to loopback. A partition whose tasks fail is run by a worker process of the driver,
    which finds the note that is to blame; only there does ``time_limit`` hold.

    Raises:
        ImportError: pyspark is not installed.
        WorkerError: Spark does not start.
    """

    def __init__(
        self,
        recipe: Recipe,
        options: Options,
        count: int,
        *,
        time_limit: float = TIME_LIMIT,
        progress: Callable[[int, int], None] | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._recipe, self._options = recipe, options
        self._limit = time_limit
        self._progress = progress or (lambda characters, notes: None)
        self._report = report or (lambda message: None)
        self._own = False
        self._session = self._start(max(1, count))

    def _start(self, count: int) -> SparkSession:
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        if session is not None:
            return session
        self._own = True
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName("clinspan")
        if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not begun by spark-submit
            if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
                raise WorkerError("Spark needs Java, and there is none on the path nor in JAVA_HOME")
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            settings = {
                "spark.master": f"local[{count},{_ATTEMPTS}]",
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
                "spark.log.level": "ERROR",
                "spark.io.encryption.enabled": "true",  # what Spark puts on a disk, and notes go by socket, not file
            }
            for key, value in settings.items():
                builder = builder.config(key, value)
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise WorkerError(f"Spark does not start ({type(error).__name__})") from None
        session.sparkContext.setLogLevel("ERROR")
        return session

    def __enter__(self) -> SparkWorkers:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        context = self._session.sparkContext
        if kind is not None:
            context.cancelAllJobs()
        if self._own:
            self._session.stop()

    def run(self, partitions: Iterator[Partition]) -> Iterator[Result]:
        """The rows of the partitions, in their order."""
        context = self._session.sparkContext
        cores = context.defaultParallelism
        held: deque[tuple[Partition, Future[Any]]] = deque()
        with ThreadPoolExecutor(cores) as threads:
            try:
                for partition in partitions:
                    held.append((partition, threads.submit(self._job, partition)))
                    if len(held) > 2 * cores:
                        yield self._result(*held.popleft())
                while held:
                    yield self._result(*held.popleft())
            except BaseException:  # nobody waits for what is under way
                threads.shutdown(wait=False, cancel_futures=True)
                context.cancelAllJobs()
                raise

    def _job(self, partition: Partition) -> tuple[dict[str, pa.Table], Summary]:
        recipe, options = self._recipe, self._options

        def task(item: Partition) -> tuple[dict[str, pa.Table], Summary]:
            return process_partition(_loaded(recipe), item, options)

        found: tuple[dict[str, pa.Table], Summary] = (
            self._session.sparkContext.parallelize([partition], 1).map(task).collect()[0]
        )
        return found

    def _result(self, partition: Partition, future: Future[Any]) -> Result:
        try:
            tables, summary = future.result()
        except Exception as error:
            self._report(
                f"partition {partition.number}: its tasks failed ({type(error).__name__}); done outside of Spark"
            )
            with Workers(self._recipe, self._options, 1, time_limit=self._limit, report=self._report) as workers:
                result = next(iter(workers.run(iter([partition]))))
        else:
            result = Result(partition, tables, summary)
        self._progress(result.summary.characters, result.summary.notes)
        return result
