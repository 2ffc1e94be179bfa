"""Batch runs measured: workers, memory, what writing costs, and rows a second into each kind of output.

    python scripts/benchmark_batch.py NOTES --at 10000 100000 --workers 1 2
    python scripts/benchmark_batch.py NOTES --at 20000 --into duckdb:///x.duckdb postgresql://me@host/db

NOTES is a table of notes as ``clinspan extract`` reads it, or a text file (also .xz) with a note a line. Notes are
taken in their order, over and over with new ids, until there are as many as asked for. Memory is the largest sum of
proportional set sizes of the run's processes (pages that they share count once), looked at every half second.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from clinspan.notes import Note, read_notes
from clinspan.partition import Options
from clinspan.sinks import FileSink, Sink, database_sink
from clinspan.tables import FORMATS, part_numbers, read_part


def texts_of(path: Path) -> Iterator[str]:
    if path.suffix == ".xz" or path.suffix == ".txt":
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
            yield from (line.strip() for line in lines)
    else:
        yield from (note.text for note in read_notes(path) if isinstance(note, Note))


def write_notes(source: Path, count: int, path: Path) -> None:
    """So many notes as JSON lines."""
    texts: Iterator[str] = itertools.chain.from_iterable(texts_of(source) for _ in itertools.count())
    with path.open("w", encoding="utf-8") as out:
        for number, text in enumerate(itertools.islice(texts, count)):
            out.write(json.dumps({"note_id": f"b{number}", "text": text}) + "\n")


def memory(process: int) -> int:
    """Proportional set size of a process and those it started, in KiB."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout.split()
    parents = dict(zip(map(int, listed[::2]), map(int, listed[1::2])))
    family = {process}
    while more := {p for p, parent in parents.items() if parent in family} - family:
        family |= more
    total = 0
    for member in family:
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def run(notes: Path, output: Path, workers: int) -> tuple[float, float, int]:
    """Seconds of the clock, seconds of the processor, and memory in KiB."""
    command = [sys.executable, "-c", "from clinspan.cli import main; main()", "extract", str(notes), "-q"]
    clock, before = time.perf_counter(), os.times()
    process = subprocess.Popen([*command, "-o", str(output), "--workers", str(workers), "--id-column", "note_id"])
    most = 0
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.5)
    after = os.times()
    if process.returncode not in (0, 1):
        raise SystemExit(f"the run ended with {process.returncode}")
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - clock, processor, most


def rewrite(source: Path, sink: Sink) -> tuple[float, int]:
    """Seconds that a run's rows take into a sink, and how many rows."""
    parts: list[dict[str, pa.Table]] = [
        {table: read_part(source, table, part) for table in ("entities", "notes", "sections", "errors")}
        for part in part_numbers(source, "notes")
    ]
    clock = time.perf_counter()
    for number, tables in enumerate(parts):
        sink.write(number, tables)
    sink.close()
    return time.perf_counter() - clock, sum(table.num_rows for tables in parts for table in tables.values())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--at", type=int, nargs="+", default=[10_000], help="numbers of notes")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--into", nargs="*", default=[], help="databases to write the rows of the last run into")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name), Path(name)
        print("| notes | workers | seconds | processor seconds | memory, MB | notes a second |")
        print("|---:|---:|---:|---:|---:|---:|")
        for count in options.at:
            notes = folder / f"{count}.jsonl"
            write_notes(options.notes, count, notes)
            for workers in options.workers:
                output = folder / f"{count}-{workers}"
                clock, processor, most = run(notes, output, workers)
                row = (f"{count:,}", workers, f"{clock:.1f}", f"{processor:.1f}", f"{most / 1024:.0f}")
                print("| " + " | ".join(map(str, (*row, f"{count / clock:.0f}"))) + " |", flush=True)
            notes.unlink()
        print("\n| into | rows | seconds | rows a second | of the run's processor time |\n|---|---:|---:|---:|---:|")
        for kind in (*FORMATS, *options.into):
            sink: Sink = (
                database_sink(kind, folder / "database", Options()) if "://" in kind else FileSink(folder / kind, kind)
            )
            seconds, rows = rewrite(output, sink)
            share = f"{seconds / processor:.3f}"
            print(
                f"| {kind.partition(':')[0]} | {rows:,} | {seconds:.2f} | {rows / seconds:,.0f} | {share} |", flush=True
            )


if __name__ == "__main__":
    main()
