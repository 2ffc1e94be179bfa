"""The same partition function inside Spark: a DataFrame of notes in, a DataFrame of a table's rows out.

Rows go between Spark and Python as Arrow (``mapInArrow``), without a detour over pandas. Each executor process loads
the pipeline once. Needs ``pip install 'clinspan[spark]'`` on the driver and the executors, and Java.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clinspan import schema
from clinspan.notes import Note, decode
from clinspan.partition import Options, partitions, process_partition
from clinspan.pipeline import Recipe, codes_only
from clinspan.tables import arrow_schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
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
