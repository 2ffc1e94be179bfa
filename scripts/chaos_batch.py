"""A batch run that is disturbed by hand, against one that is left alone: the tables must be the same.

    python scripts/chaos_batch.py notes.jsonl --workers 2 --kills 20 --restarts 5

While the run goes on, its workers are killed at random times; it is killed itself and resumed ``--restarts`` times.
Then every table is compared with that of a run of the same notes that nobody disturbed: rows and order, but for the
column ``seconds``. Options behind ``--`` go to ``clinspan extract`` (``-- --exclude ner`` is five times as fast).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from clinspan import schema
from clinspan.tables import read_table

COMMAND = [sys.executable, "-c", "from clinspan.cli import main; main()", "extract", "-q"]


def workers_of(process: int) -> list[int]:
    """The processes that a run started and that hold a pipeline (Python's own helper among them is left alone)."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, parent, *args in rows if parent == str(process) and "spawn_main" in " ".join(args)]


def disturbed(command: Sequence[str], *, kills: int, restarts: int, chance: random.Random) -> None:
    """Run until it ends by itself, killing workers and the run meanwhile."""
    code: int | None = -1
    while code not in (0, 1):
        process = subprocess.Popen([*command, "--resume"])
        last = time.monotonic() + chance.uniform(6, 12)
        while (code := process.poll()) is None:
            time.sleep(chance.uniform(0.2, 1.0))
            workers = workers_of(process.pid)
            if restarts and time.monotonic() > last:
                process.send_signal(signal.SIGKILL)
                restarts -= 1
                print(f"the run is killed; {restarts} more times", flush=True)
            elif kills and workers and chance.random() < 0.5:
                with_luck = chance.choice(workers)
                try:
                    os.kill(with_luck, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills -= 1
        if code > 1:
            raise SystemExit(f"the run ended with {code}")
    if kills or restarts:
        print(f"it ended before {kills} kills and {restarts} restarts more: take more notes")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("extra", nargs="*", help="options of clinspan extract, behind --")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        runs = [Path(name, "alone"), Path(name, "disturbed")]
        commands = [
            [*COMMAND, str(options.notes), "-o", str(run), "--workers", str(options.workers), *options.extra]
            for run in runs
        ]
        subprocess.run(commands[0], check=False)
        chance = random.Random(options.seed)
        disturbed(commands[1], kills=options.kills, restarts=options.restarts, chance=chance)
        same = True
        for table in schema.TABLES:
            alone, other = (
                found.drop_columns(["seconds"]) if "seconds" in found.column_names else found
                for found in (read_table(run, table) for run in runs)
            )
            same &= alone.equals(other)
            print(f"{table}: {alone.num_rows:,} rows, {'the same' if alone.equals(other) else 'NOT the same'}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
