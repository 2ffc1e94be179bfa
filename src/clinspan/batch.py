"""Batch runs: notes in, tables out, no note lost, none doubled, none half-written.

Notes are taken in partitions (:mod:`clinspan.partition`). A partition's rows are written aside, flushed and renamed, or
in one transaction of a database; then its line is added to the manifest (:mod:`clinspan.manifest`). A run that was
interrupted goes on behind what the manifest proves. A note that fails lands in ``errors`` and in ``notes`` with status
``failed``; the others go on, in worker processes (:mod:`clinspan.workers`) even if it takes its process with it.
``run.json`` is written last.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clinspan
from clinspan import schema
from clinspan.manifest import FILE as MANIFEST_FILE
from clinspan.manifest import Manifest, ManifestError
from clinspan.notes import Note, ReadFailure
from clinspan.partition import Options, Partition, Summary, partitions, process_partition
from clinspan.pipeline import Recipe, pipeline_name
from clinspan.sinks import FileSink, Sink
from clinspan.workers import TIME_LIMIT, Result, Workers

if TYPE_CHECKING:
    from spacy.language import Language

    from clinspan.spark import SparkWorkers

RUN_FILE = "run.json"
ENGINES = ("processes", "spark")


class OutputError(ValueError):
    """The output folder cannot be used; the message names it and says why."""


def prepare_output(output: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False) -> Path:
    """Make the output folder, or clear an earlier run out of it.

    Args:
        overwrite: remove what an earlier run wrote.
        resume: leave what an earlier run wrote.

    Raises:
        OutputError: it holds something and neither is set, it holds something else than a run to go on with, is a
            file, or cannot be written to.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, not a folder")
    try:
        if folder.exists() and any(folder.iterdir()):
            if overwrite:
                _clear(folder)
            elif not resume:
                more = "; --resume goes on with it" if (folder / MANIFEST_FILE).exists() else ""
                raise OutputError(f"{folder}: is not empty; choose another folder or pass --overwrite{more}")
            elif not (folder / MANIFEST_FILE).exists() and any((folder / table).exists() for table in schema.TABLES):
                raise OutputError(f"{folder}: has no {MANIFEST_FILE} to go on from; pass --overwrite to begin anew")
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({type(error).__name__})") from None
    return folder


def _clear(folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for name in (RUN_FILE, MANIFEST_FILE):
        (folder / name).unlink(missing_ok=True)
    for table in schema.TABLES:
        for path in [*(folder / table).glob("part-*"), *(folder / table).glob(".part-*.writing")]:
            path.unlink()
        with contextlib.suppress(OSError):
            (folder / table).rmdir()


def run(
    notes: Iterable[Note | ReadFailure],
    *,
    output: Path,
    nlp: Language | None = None,
    recipe: Recipe | None = None,
    workers: int = 0,
    engine: str = "processes",
    format: str = "parquet",
    sink: Sink | None = None,
    keep: Sequence[str] = (),
    snippet: int = 0,
    settings: dict[str, Any] | None = None,
    resume: bool = False,
    time_limit: float = TIME_LIMIT,
    progress: Callable[[int, int], None] | None = None,
    report: Callable[[str], None] | None = None,
    log: Callable[[dict[str, Any]], None] | None = None,
) -> Summary:
    """Run a pipeline over notes and write the tables.

    The tables are the same, row for row (but for ``seconds``), whatever the number of workers and interruptions.

    Args:
        notes: from :func:`clinspan.notes.read_notes`.
        output: a folder made ready by :func:`prepare_output`.
        nlp: the pipeline, run in this process; or
        recipe: how each worker process is to load it.
        workers: how many, with ``recipe``; at least one.
        engine: what the workers are, with ``recipe``: ``processes`` of this machine, or ``spark``'s tasks
            (:class:`clinspan.spark.SparkWorkers`).
        format: ``parquet``, ``csv`` or ``jsonl``.
        sink: where the tables go instead of files in the folder, which then holds the manifest and run.json alone.
        keep: names in ``Note.extra`` that become columns of ``notes``, as text.
        snippet: characters of context each side in the entities table; 0 for none.
        settings: recorded in ``run.json`` (never note text).
        resume: leave alone the partitions that the folder's manifest proves written, of the same notes.
        time_limit: seconds after which a worker that stands still at a note is stopped, and the note set aside.
        progress: called now and then with the characters and notes done since.
        report: called with lines for the user: what was redone and why; ids and numbers, never text.
        log: called with what happened, as a record: counts, rates and ids, never text.

    Raises:
        ImportError: Spark is wanted and not installed.
        ValueError: an unknown format or engine, or a column to keep that ``notes`` has itself.
        ManifestError: the folder's run had another pipeline or other options, or another process writes to it.
        WorkerError: workers cannot be kept alive.
        OSError: writing failed; what the manifest has is whole, and the run can be resumed.
    """
    if (nlp is None) == (recipe is None):
        raise ValueError("either a pipeline or a recipe for one")
    options = Options(kept_columns(keep), snippet)
    sink = sink or FileSink(output, format)

    def note_down(event: str, **values: Any) -> None:
        if log:
            log({"time": datetime.datetime.now(datetime.timezone.utc).isoformat(), "event": event, **values})

    def say(message: str) -> None:
        note_down("mended", message=message)
        if report:
            report(message)

    started = datetime.datetime.now(datetime.timezone.utc)
    clock = time.perf_counter()
    with _locked(output):
        manifest = Manifest.read(output) if resume else Manifest(output)
        head = {
            "clinspan": clinspan.__version__,
            "pipeline": recipe.digest() if recipe else pipeline_name(nlp),  # type: ignore[arg-type]
            "options": asdict(options),
            "tables": sink.name,
        }
        if manifest.head:
            manifest.begin(head)
        total, count = Summary(), 0
        note_down("begin", written=len(manifest.partitions), **head)
        digests: dict[int, str] = {}

        def wanted() -> Iterator[Partition]:
            """The partitions to be run; the others are counted as they were."""
            nonlocal count
            for partition in partitions(notes):
                count += 1
                digest = partition.digest()
                known = manifest.partitions.get(partition.number)
                if known and known["input"] == digest and sink.has(known):
                    total.add(Summary(**known["summary"]))
                    if progress:
                        progress(known["summary"]["characters"], known["summary"]["notes"])
                    continue
                if known:
                    why = "its notes changed" if known["input"] != digest else "its rows are gone"
                    say(f"partition {partition.number}: {why}; done again")
                digests[partition.number] = digest
                yield partition

        with contextlib.ExitStack() as stack:
            stack.callback(sink.close)
            if recipe is not None:
                pool = stack.enter_context(
                    _pool(engine)(recipe, options, workers, time_limit=time_limit, progress=progress, report=say)
                )
                results = pool.run(wanted())
            else:
                assert nlp is not None
                results = _here(nlp, wanted(), options, progress)
            for result in results:
                number = result.partition.number
                if not manifest.head:
                    manifest.begin(head)
                result.summary.seconds = round(sum(result.tables["notes"].column("seconds").to_pylist()), 3)
                written = sink.write(number, result.tables)
                manifest.add(
                    {
                        "partition": number,
                        "input": digests.pop(number),
                        "rows": {name: table.num_rows for name, table in result.tables.items()},
                        **written,
                        "summary": asdict(result.summary),
                    }
                )
                total.add(result.summary)
                counts = {name: getattr(result.summary, name) for name in ("notes", "failed", "entities", "characters")}
                rate = round(total.notes / max(1e-9, time.perf_counter() - clock), 1)
                note_down("partition", partition=number, **counts, notes_so_far=total.notes, notes_a_second=rate)
            for number in [n for n in manifest.partitions if n >= count]:
                say(f"partition {number}: its notes are gone from the input; its rows are removed")
                sink.remove(manifest.partitions[number])
                manifest.remove(number)
        total.seconds = round(time.perf_counter() - clock, 3)
        note_down("end", notes=total.notes, failed=total.failed, entities=total.entities, seconds=total.seconds)
        record = {
            "clinspan": clinspan.__version__,
            "python": platform.python_version(),
            "pipeline": recipe.title() if recipe else pipeline_name(nlp),  # type: ignore[arg-type]
            "pipeline_digest": head["pipeline"],
            "settings": settings or {},
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "parts": count,
            **asdict(total),
        }
        aside = output / f".{RUN_FILE}.writing"
        aside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(output / RUN_FILE)
    return total


def _pool(engine: str) -> type[Workers | SparkWorkers]:
    if engine == "processes":
        return Workers
    if engine == "spark":
        from clinspan.spark import SparkWorkers

        return SparkWorkers
    raise ValueError(f"engine is not one of {', '.join(ENGINES)}: {engine!r}")


def _here(
    nlp: Language, wanted: Iterator[Partition], options: Options, progress: Callable[[int, int], None] | None
) -> Iterator[Result]:
    """The rows of partitions run in this process."""
    for partition in wanted:
        yield Result(
            partition,
            *process_partition(nlp, partition, options, done=(lambda chars: progress(chars, 1)) if progress else None),
        )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to the folder, where the system can."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ManifestError(f"{folder}: another process is writing to it") from None
        yield
    finally:
        os.close(handle)


def kept_columns(keep: Iterable[str]) -> tuple[str, ...]:
    """The columns to keep, each once.

    Raises:
        ValueError: the ``notes`` table has a column of that name.
    """
    names = tuple(dict.fromkeys(keep))
    taken = [name for name in names if name in {column.name for column in schema.NOTES}]
    if taken:
        raise ValueError(f"cannot keep {', '.join(taken)}: the notes table has its own column of that name")
    return names
