"""Where a run's rows go: part files, or the tables of a database. A partition is there whole or not at all.

Rows that a partition brought before are replaced, never doubled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from clinspan.partition import Options
from clinspan.tables import FORMATS, PartWriter, flat

if TYPE_CHECKING:
    import pyarrow as pa


class Sink(Protocol):
    """What a run writes to.

    Attributes:
        name: what the manifest calls it; a run goes on only into the sink it began with.
    """

    name: str

    def write(self, number: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
        """Write a partition's rows, so that they stay. Returns what the manifest is to say of them."""

    def has(self, record: Mapping[str, Any]) -> bool:
        """Whether the rows of a partition in the manifest are there."""

    def remove(self, record: Mapping[str, Any]) -> None:
        """Take the rows of a partition in the manifest away."""

    def close(self) -> None:
        """The run is over, or broken off."""


class FileSink:
    """``FOLDER/<table>/part-00000.<format>``, a part a partition.

    Raises:
        ValueError: an unknown format.
    """

    def __init__(self, folder: Path, format: str = "parquet") -> None:
        if format not in FORMATS:
            raise ValueError(f"format is not one of {', '.join(FORMATS)}: {format!r}")
        self.folder, self.format = folder, format
        self.name = format

    def _path(self, table: str, number: int) -> Path:
        return self.folder / table / f"part-{number:05d}.{self.format}"

    def write(self, number: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
        writers: dict[str, PartWriter] = {}
        try:
            for name, table in tables.items():
                writers[name] = PartWriter(self._path(name, number), table.schema, self.format)
                writers[name].write(table)
            for writer in writers.values():
                writer.close()
        except BaseException:
            for writer in writers.values():
                writer.abandon()
            raise
        for name in tables:
            _keep_names(self.folder / name)
        return {"bytes": {name: self._path(name, number).stat().st_size for name in tables}}

    def has(self, record: Mapping[str, Any]) -> bool:
        for table, size in record["bytes"].items():
            path = self._path(table, record["partition"])
            if not path.is_file() or path.stat().st_size != size:
                return False
        return True

    def remove(self, record: Mapping[str, Any]) -> None:
        for table in record["bytes"]:
            self._path(table, record["partition"]).unlink(missing_ok=True)

    def close(self) -> None:
        for path in self.folder.glob("*/.part-*.writing"):
            path.unlink(missing_ok=True)


def _keep_names(folder: Path) -> None:
    """See to it that files renamed keep their new names, where the system asks for it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder cannot be opened on this system
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- databases ---

_BOOKS = "clinspan_notes_written"  # which notes each partition of a run brought


def database_sink(url: str, folder: Path, options: Options) -> DatabaseSink:
    """The sink for ``sqlite:///FILE``, ``duckdb:///FILE`` or ``postgresql://…``.

    Args:
        folder: of the run, by which the database tells runs apart.
        options: which columns the tables have.

    Raises:
        ValueError: another kind of database, or a package that it needs is not installed.
        DatabaseError: the database cannot be opened, or its tables have other columns.
    """
    kinds: dict[str, type[DatabaseSink]] = {"sqlite": SqliteSink, "duckdb": DuckdbSink, "postgresql": PostgresSink}
    scheme = url.partition("://")[0]
    kind = kinds.get({"postgres": "postgresql"}.get(scheme, scheme))
    if kind is None:
        raise ValueError(f"{without_password(url)}: not the address of a database: {', '.join(kinds)}://…")
    return kind(url, folder, options)


def without_password(url: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1@", url)


class DatabaseError(OSError):
    """The database cannot be used; the message says what it is and the class of the error."""


class DatabaseSink:
    """The tables of a run as tables of a database, ``cues`` as JSON.

    A partition is one transaction: what its notes, or the partition itself, brought before is replaced. So a run may be
    broken off anywhere, gone on with, or made again, and no row is there twice.
    """

    types: ClassVar[dict[str, str]] = {
        "string": "TEXT",
        "int64": "BIGINT",
        "float64": "DOUBLE PRECISION",
        "bool": "BOOLEAN",
    }
    json = "TEXT"
    mark = "?"

    def __init__(self, url: str, folder: Path, options: Options) -> None:
        self.name = without_password(url)
        self.run = os.fspath(folder.resolve())
        columns = {table: [(c.name, c.type, c.nullable) for c in found] for table, found in options.columns().items()}
        columns[_BOOKS] = [("run", "string", False), ("partition", "int64", False), ("note_id", "string", False)]
        self.columns = {table: [name for name, _, _ in found] for table, found in columns.items()}
        with self._explained():
            self.connection = self.connect(url)
            try:
                self._make(columns)
            except BaseException:
                self.connection.close()
                raise

    def _make(self, columns: Mapping[str, Sequence[tuple[str, str, bool]]]) -> None:
        """Make the tables that are not there; of those that are, see to their columns."""
        for table, found in columns.items():
            fields = ", ".join(
                f'"{name}" {self.types.get(kind, self.json)}{"" if nullable else " NOT NULL"}'
                for name, kind, nullable in found
            )
            self.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({fields})')
            self.execute(f'CREATE INDEX IF NOT EXISTS "{table}_note_id" ON "{table}" ("note_id")')
        for table, names in self.columns.items():
            there = [column[0] for column in self.execute(f'SELECT * FROM "{table}" LIMIT 0').description]
            if there != names:
                raise DatabaseError(f"{self.name}: table {table} has other columns: {', '.join(there)}")
        self.connection.commit()

    def connect(self, url: str) -> Any:
        """A connection, of Python's database interface."""
        raise NotImplementedError

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement; ``?`` stands for values."""
        return self.connection.execute(statement.replace("?", self.mark), values)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows."""
        raise NotImplementedError

    def delete(self, table: str, ids: Sequence[str]) -> None:
        """Take away the rows of these notes."""
        raise NotImplementedError

    def write(self, number: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
        import pyarrow as pa

        ids = list(dict.fromkeys(tables["notes"].column("note_id").to_pylist()))
        with self._explained(), self._transaction():
            self._clear(number, ids)
            for table, rows in tables.items():
                self.insert(table, flat(rows))
            books = {"run": [self.run] * len(ids), "partition": [number] * len(ids), "note_id": ids}
            self.insert(_BOOKS, pa.table(books))
        return {}

    def _clear(self, number: int, ids: Sequence[str] = ()) -> None:
        found = self.execute(f"SELECT note_id FROM {_BOOKS} WHERE run = ? AND partition = ?", (self.run, number))
        gone = list({*ids, *(note_id for (note_id,) in found.fetchall())})
        for table in self.columns:
            self.delete(table, gone)

    def has(self, record: Mapping[str, Any]) -> bool:
        with self._explained():
            where = f"FROM {_BOOKS} WHERE run = ? AND partition = ?"
            [(count,)] = self.execute(f"SELECT count(*) {where}", (self.run, record["partition"])).fetchall()
        return bool(count == record["rows"]["notes"])

    def remove(self, record: Mapping[str, Any]) -> None:
        with self._explained(), self._transaction():
            self._clear(record["partition"])

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            yield
            self.connection.commit()
        except BaseException:
            with suppress(Exception):  # what failed before is what counts
                self.connection.rollback()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the database by their class: their messages may quote rows."""
        try:
            yield
        except (OSError, ImportError, ValueError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise DatabaseError(f"{self.name}: {type(error).__name__}") from None


class SqliteSink(DatabaseSink):
    """SQLite, of Python's own library."""

    def connect(self, url: str) -> Any:
        import sqlite3

        return sqlite3.connect(url.partition(":///")[2])

    def insert(self, table: str, rows: pa.Table) -> None:
        marks = ", ".join("?" * rows.num_columns)
        values = zip(*(column.to_pylist() for column in rows.columns))
        self.connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)

    def delete(self, table: str, ids: Sequence[str]) -> None:
        self.connection.executemany(f'DELETE FROM "{table}" WHERE note_id = ?', [(i,) for i in ids])


class DuckdbSink(DatabaseSink):
    """DuckDB, which takes Arrow's tables as they are."""

    types: ClassVar[dict[str, str]] = {"string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "bool": "BOOLEAN"}
    json = "VARCHAR"

    def connect(self, url: str) -> Any:
        try:
            import duckdb
        except ImportError:
            raise ValueError("duckdb:// needs the package duckdb: pip install 'clinspan[duckdb]'") from None
        connection = duckdb.connect(url.partition(":///")[2])
        connection.begin()
        return connection

    def insert(self, table: str, rows: pa.Table) -> None:
        self.connection.register("arriving", rows)
        self.execute(f'INSERT INTO "{table}" SELECT * FROM arriving')
        self.connection.unregister("arriving")

    def delete(self, table: str, ids: Sequence[str]) -> None:
        self.execute(f'DELETE FROM "{table}" WHERE note_id IN (SELECT unnest(?))', (list(ids),))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with suppress(Exception):  # the one that made the tables is still open
            self.connection.begin()
        with super()._transaction():
            yield


class PostgresSink(DatabaseSink):
    """PostgreSQL, by COPY."""

    json = "JSONB"
    mark = "%s"

    def connect(self, url: str) -> Any:
        try:
            import psycopg
        except ImportError:
            raise ValueError("postgresql:// needs the package psycopg: pip install 'clinspan[postgres]'") from None
        return psycopg.connect(url)

    def insert(self, table: str, rows: pa.Table) -> None:
        names = ", ".join(f'"{name}"' for name in rows.column_names)
        with self.connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for row in zip(*(column.to_pylist() for column in rows.columns)):
                copy.write_row(row)

    def delete(self, table: str, ids: Sequence[str]) -> None:
        self.execute(f'DELETE FROM "{table}" WHERE note_id = ANY(?)', (list(ids),))
