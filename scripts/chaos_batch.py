"""A batch run that is disturbed by hand, against one that is left alone: the tables must be the same.

    python scripts/chaos_batch.py notes.jsonl --workers 2 --kills 20 --restarts 5

Beside the notes lie a damaged gzip file and a file that cannot be read. While the run goes on, its workers are killed
at random times; it is killed itself and resumed ``--restarts`` times. With ``--on`` its disk is full once: mount a
small one first (``mount -t tmpfs -o size=40m tmpfs /mnt/small``). Then every table is compared with that of a run of
the same notes that nobody disturbed: rows and order, but for the column ``seconds``. Other options go
to ``clinspan extract`` (``--exclude ner`` is five times as fast). Notes that crash or hang are in the tests.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from clinspan import schema
from clinspan.tables import read_table

COMMAND = [sys.executable, "-c", "from clinspan.cli import main; main()", "extract", "-q"]


def workers_of(process: int) -> list[int]:
    """The processes that a run started and that hold a pipeline (Python's own helper among them is left alone)."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, parent, *args in rows if parent == str(process) and "spawn_main" in " ".join(args)]


def disturbed(
    command: Sequence[str], *, kills: int, restarts: int, chance: random.Random, ballast: Path, every: float
) -> None:
    """Run until it ends by itself, killing workers and the run meanwhile; make room where the disk is full."""
    code: int | None = -1
    while code not in (0, 1):
        process = subprocess.Popen([*command, "--resume"])
        last = time.monotonic() + chance.uniform(0.7, 1.3) * every
        while (code := process.poll()) is None:
            time.sleep(chance.uniform(0.2, 1.0))
            workers = workers_of(process.pid)
            if restarts and time.monotonic() > last:
                process.send_signal(signal.SIGKILL)
                restarts -= 1
                print(f"the run is killed; {restarts} more times", flush=True)
            elif kills and workers and chance.random() < 0.5:
                try:
                    os.kill(chance.choice(workers), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills -= 1
        if code == 3 and ballast.exists():
            ballast.unlink()
            print("the disk was full; room is made", flush=True)
        elif code > 1:
            raise SystemExit(f"the run ended with {code}")
    if ballast.exists():
        print("the disk was never full: leave less room")
    if kills or restarts:
        print(f"it ended before {kills} kills and {restarts} restarts more: take more notes")


def beside(notes: Path, folder: Path) -> list[str]:
    """The notes, a damaged gzip file, and a folder with a file that cannot be read."""
    (folder / "texts").mkdir(parents=True)
    (folder / "texts" / "nowhere.txt").symlink_to(folder / "is" / "not" / "there")
    lines = "".join(json.dumps({"note_id": f"damaged {i}", "text": f"No fever. {i}"}) + "\n" for i in range(2000))
    damaged = folder / "damaged.jsonl.gz"
    damaged.write_bytes(gzip.compress(lines.encode())[:-500])
    return [str(damaged), str(folder / "texts"), str(notes)]


def differences(alone: pa.Table, other: pa.Table) -> str:
    """Which columns differ and where first (never a value); nothing when none does."""
    if alone.num_rows != other.num_rows:
        return f"{other.num_rows:,} rows in the disturbed run"
    found = []
    for name in alone.column_names:
        pairs = zip(alone.column(name).to_pylist(), other.column(name).to_pylist())
        rows = [i for i, (one, two) in enumerate(pairs) if one != two]
        if rows:
            found.append(f"{name} in {len(rows):,} rows, first in {rows[0]:,}")
    return "; ".join(found)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--every", type=float, default=9.0, help="seconds, about, after which the run is killed")
    parser.add_argument("--on", type=Path, help="a folder on a small disk, for the disturbed run's tables")
    parser.add_argument("--room", type=float, default=1.0, help="MB left there until it was full once")
    parser.add_argument("--seed", type=int, default=0)
    options, extra = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir=options.on) as small:
        sources = beside(options.notes, Path(name, "notes"))
        runs = [Path(name, "alone"), Path(small, "disturbed")]
        ballast = Path(small, "ballast")
        if options.on:
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, int(shutil.disk_usage(small).free - options.room * 1e6))
        commands = [[*COMMAND, *sources, "-o", str(run), "--workers", str(options.workers), *extra] for run in runs]
        subprocess.run(commands[0], check=False)
        chance = random.Random(options.seed)
        disturbed(
            commands[1],
            kills=options.kills,
            restarts=options.restarts,
            chance=chance,
            ballast=ballast,
            every=options.every,
        )
        same = True
        for table in schema.TABLES:
            alone, other = (
                found.drop_columns(["seconds"]) if "seconds" in found.column_names else found
                for found in (read_table(run, table) for run in runs)
            )
            differing = differences(alone, other)
            same &= not differing
            print(f"{table}: {alone.num_rows:,} rows, {'NOT the same: ' + differing if differing else 'the same'}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
