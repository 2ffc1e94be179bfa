"""Runs that are disturbed, by notes, by kills, by a full disk: their tables are those of a run left alone."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import chaos
from clinspan import batch, partition, workers
from clinspan.manifest import ManifestError
from clinspan.notes import Note, ReadFailure
from clinspan.partition import Partition, partitions
from clinspan.pipeline import Recipe
from clinspan.sinks import FileSink


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "NOTES", chaos.PER_PARTITION)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "NOTES", chaos.PER_PARTITION)
        batch.run(chaos.notes(64), nlp=chaos.Small().load(), output=batch.prepare_output(folder))
    found = chaos.tables(folder)
    assert len(found["notes"]) == 64 and len(found["entities"]) == 107 and not found["errors"]
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_workers_changes_nothing(tmp_path: Path, undisturbed: dict, count: int) -> None:
    seen: list[tuple[int, int]] = []
    summary = chaos.run(
        tmp_path / "out",
        iter(chaos.notes(64)),
        workers=count,
        progress=lambda chars, notes: seen.append((chars, notes)),
    )
    assert chaos.tables(tmp_path / "out") == undisturbed
    assert sum(notes for _, notes in seen) == summary.notes == 64
    assert sum(chars for chars, _ in seen) == summary.characters
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        ["entities", "notes", "sections", "errors", "manifest.jsonl", "run.json"]
    )


def test_notes_that_kill_or_hang_are_set_aside_and_a_kill_costs_a_retry(tmp_path: Path, undisturbed: dict) -> None:
    special = {
        13: chaos.SEGFAULT + " ",
        27: chaos.HANG + " ",
        31: f"{chaos.ONCE}{tmp_path / 'once'} ",
        33: chaos.SEGFAULT + " ",
    }
    said: list[str] = []
    out = tmp_path / "out"
    summary = chaos.run(out, chaos.notes(64, special), workers=2, time_limit=5.0, report=said.append)
    assert (summary.notes, summary.failed) == (64, 3)
    found = chaos.tables(out)
    assert [(e["note_id"], e["stage"], e["error"]) for e in found["errors"]] == [
        ("n13", "worker", "WorkerDied"),
        ("n27", "worker", "TimeLimit: 5 s"),
        ("n33", "worker", "WorkerDied"),
    ]
    kept = [e for e in found["entities"] if e["note_id"] not in ("n13", "n27", "n31", "n33")]
    assert kept == [e for e in undisturbed["entities"] if e["note_id"] not in ("n13", "n27", "n31", "n33")]
    assert [n["note_id"] for n in found["notes"]] == [f"n{i}" for i in range(64)]
    assert [n["note_id"] for n in found["notes"] if n["status"] == "failed"] == ["n13", "n27", "n33"]
    assert "partition 1: note n13 set aside (WorkerDied)" in said
    assert "fever" not in " ".join(said)


def test_a_killed_parent_is_gone_on_with_and_leaves_no_worker(tmp_path: Path) -> None:
    out, count = tmp_path / "out", 400
    chance = random.Random(3)
    script = [sys.executable, str(Path(chaos.__file__)), str(out), str(count), "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    whole = []
    for kill in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, None):
        process = subprocess.Popen(script, env=environment, start_new_session=True, stderr=subprocess.PIPE)
        lines = 1 + len(whole)
        if kill is not None:
            wanted = lines + chance.randint(1, 5)
            limit = time.monotonic() + 60
            while time.monotonic() < limit and process.poll() is None and _lines(out) < wanted:
                time.sleep(0.01)
            process.send_signal(kill)
        _, err = process.communicate(timeout=120)
        _wait_until_gone(process.pid)
        whole = (out / "manifest.jsonl").read_bytes().split(b"\n")[1:-1]
        assert (process.returncode == 0) == (kill is None), err.decode()
    assert len(whole) == count // chaos.PER_PARTITION  # nothing was done twice
    straight = tmp_path / "straight"
    batch.run(chaos.notes(count), nlp=chaos.Small().load(), output=batch.prepare_output(straight))
    assert chaos.tables(out) == chaos.tables(straight)
    assert not list(out.rglob("*.writing"))
    assert json.loads((out / "run.json").read_text())["notes"] == count


def _lines(folder: Path) -> int:
    path = folder / "manifest.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _wait_until_gone(session: int) -> None:
    """The processes of a session end."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        listed = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True).stdout
        alive = [row for row in map(str.split, listed.splitlines()) if row[0] == str(session) and row[1][0] != "Z"]
        if not alive:
            return
        time.sleep(0.1)
    raise AssertionError(f"processes are left: {[' '.join(row[2:4]) for row in alive]}")


@pytest.mark.parametrize("table", ["entities", "errors"])
def test_a_full_disk_breaks_off_and_resume_goes_on(
    tmp_path: Path, undisturbed: dict, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    out = tmp_path / "out"
    whole = os.fsync
    count = 0

    def full(handle: int) -> None:
        nonlocal count
        count += table in os.readlink(f"/proc/self/fd/{handle}")
        if count == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(handle)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            chaos.run(out, chaos.notes(64), workers=1)
    assert not list(out.rglob("*.writing")) and not (out / "run.json").exists()
    chaos.run(out, chaos.notes(64), workers=1)
    assert chaos.tables(out) == undisturbed


def test_resume_does_only_what_is_missing(tmp_path: Path, undisturbed: dict) -> None:
    out = tmp_path / "out"

    def interrupted():
        yield from chaos.notes(35)
        raise KeyboardInterrupt

    nlp = chaos.Small().load()

    def resume(items, **options):
        return batch.run(items, nlp=nlp, output=batch.prepare_output(out, resume=True), resume=True, **options)

    with pytest.raises(KeyboardInterrupt):
        resume(interrupted())
    assert _lines(out) == 4  # the head and three partitions
    with (out / "manifest.jsonl").open("ab") as file:
        file.write(b'{"partition": 3, "inp')  # a line that was not finished
    stamp = {path: path.stat().st_mtime_ns for path in out.glob("*/part-0000[012].*")}
    summary = resume(chaos.notes(64))
    assert summary.notes == 64 and chaos.tables(out) == undisturbed
    assert stamp == {path: path.stat().st_mtime_ns for path in stamp} and len(stamp) == 12
    assert _lines(out) == 8
    assert resume(chaos.notes(64)).notes == 64 and _lines(out) == 8  # all there

    said: list[str] = []
    changed = chaos.notes(64)
    changed[25] = Note("n25", "No rash.")
    (out / "sections/part-00004.parquet").unlink()
    resume(changed[:50], report=said.append)
    assert said == [
        "partition 2: its notes changed; done again",
        "partition 4: its rows are gone; done again",
        "partition 5: its notes are gone from the input; its rows are removed",
        "partition 6: its notes are gone from the input; its rows are removed",
    ]
    rows = chaos.tables(out)
    assert [n["note_id"] for n in rows["notes"]] == [f"n{i}" for i in range(50)]
    assert [e["text"] for e in rows["entities"] if e["note_id"] == "n25"] == ["rash"]
    said.clear()
    resume(changed[:50], report=said.append)
    assert said == []

    with pytest.raises(ManifestError, match=r"other settings \(options\)"):
        resume(chaos.notes(64), snippet=5)
    with pytest.raises(ManifestError, match=r"other settings \(tables\)"):
        resume(chaos.notes(64), format="csv")
    with pytest.raises(ManifestError, match=r"other settings \(pipeline\)"):
        chaos.run(out, chaos.notes(64), workers=1)
    (out / "manifest.jsonl").write_text("not a manifest\n")
    with pytest.raises(ManifestError, match="line 1"):
        resume(chaos.notes(64))
    (out / "manifest.jsonl").unlink()
    with pytest.raises(batch.OutputError, match="no manifest"):
        resume(chaos.notes(64))


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    out = tmp_path / "out"
    nlp = chaos.Small().load()

    def meanwhile():
        with pytest.raises(ManifestError, match="another process"):
            batch.run([], nlp=nlp, output=out)
        yield Note("1", "No fever.")

    assert batch.run(meanwhile(), nlp=nlp, output=batch.prepare_output(out)).entities == 1


class _Broken(Recipe):
    def load(self):
        os._exit(3)


def test_a_pipeline_that_does_not_load_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(workers.WorkerError, match="while they loaded"):
        batch.run(chaos.notes(3), recipe=_Broken(), workers=1, output=batch.prepare_output(tmp_path / "out"))


def test_partitions_do_not_depend_on_how_notes_come() -> None:
    items = [Note(str(i), "x" * 10) for i in range(25)]
    found = list(partitions(iter(items)))
    assert [(p.number, len(p.notes)) for p in found] == [(0, 10), (1, 10), (2, 5)]
    assert [len(p.notes) for p in partitions([])] == [0]
    long = [Note("a", "x" * partition.CHARACTERS), Note("b", "y"), Note("c", "z")]
    assert [len(p.notes) for p in partitions(long)] == [1, 2]


def test_digests_tell_everything_apart() -> None:
    different = [
        [],
        [Note("a", "b")],
        [Note("ab", "")],
        [Note("a", "c")],
        [Note("a", "b", extra={"ward": "1"})],
        [Note("a", "b", encoding="cp1252")],
        [Note("a", "b"), Note("a", "b")],
        [ReadFailure("a", "read", "b")],
        [Note("a", "\ud800")],
    ]
    digests = {Partition(0, notes).digest() for notes in different}
    assert len(digests) == len(different)
    assert Partition(0, [Note("a", "b")]).digest() == Partition(7, [Note("a", "b")]).digest()


def test_a_file_sink_leaves_no_part_of_a_partition(tmp_path: Path, undisturbed: dict) -> None:
    tables, _ = partition.process_partition(chaos.Small().load(), Partition(0, chaos.notes(3)), partition.Options())
    (tmp_path / "errors").touch()  # in the way of a folder
    with pytest.raises(OSError):
        FileSink(tmp_path).write(0, tables)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "errors"] == []
