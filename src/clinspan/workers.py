"""Worker processes that run partitions, and outlive whatever a note does to them.

Each worker is an executor of one process, so a death is known to be its own: it costs a retry of the one partition that
it held. A process says in shared memory which notes it is at. Where it dies there a second time, or stands still for
longer than allowed, those notes are tried one by one; the one that kills, twice, is set aside, and the partition run
without it.
Rows come back, never Docs; partitions come back in their order, and few are held at a time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from clinspan.partition import Options, Partition, Summary, process_partition
from clinspan.pipeline import Recipe

if TYPE_CHECKING:
    import pyarrow as pa

#: Seconds that notes run together may take before they are tried one by one, and then that a single one may.
TIME_LIMIT = 300.0
_LOADING = 600.0  # seconds that a pipeline may take to load
_LOOK = 0.2  # seconds between looks at what the workers are at
_DEATHS_AT_START = 3  # workers that may die in a row before any note is run
_AGAIN = 4  # deaths at the same notes, of which none kills alone, before they are run one by one

# What a worker says of itself in shared memory.
_PID, _PLACE, _BEATS, _CHARACTERS, _NOTES = range(5)
_LOADED, _IDLE = -2, -1


class WorkerError(RuntimeError):
    """Workers cannot be kept alive; the message says where they die."""


class Result(NamedTuple):
    """A partition's rows, by table, and what was done."""

    partition: Partition
    tables: dict[str, pa.Table]
    summary: Summary


def available_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


# --- in the worker ---

_STATE: dict[str, Any] = {}


def _start(recipe: Recipe, options: Options, said: Any) -> None:
    """Load the pipeline once, leave interruptions to the parent, and end with it."""
    from clinspan.pipeline import codes_only

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said[_PID] = os.getpid()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    nlp = recipe.load()
    codes_only(nlp)
    _STATE.update(nlp=nlp, options=options, said=said)
    said[_PLACE] = _IDLE


def _end_with(sentinel: int) -> None:
    from multiprocessing.connection import wait as wait_for

    wait_for([sentinel])
    os._exit(1)


def _run(partition: Partition) -> tuple[dict[str, pa.Table], Summary]:
    said = _STATE["said"]

    def begun(place: int) -> None:
        said[_PLACE] = place
        said[_BEATS] += 1

    def done(characters: int) -> None:
        said[_CHARACTERS] += characters
        said[_NOTES] += 1

    found = process_partition(_STATE["nlp"], partition, _STATE["options"], begun=begun, done=done)
    said[_PLACE] = _IDLE
    return found


# --- in the parent ---


@dataclass
class _Job:
    """A partition on its way, and what happened to it.

    Attributes:
        deaths: of workers, by place of the first of the notes that they were at.
        alone: deaths of workers that ran nothing but the note at the place.
        suspects: places of notes still to be tried one by one.
        tried: the place that is being tried; ``None`` where the whole partition runs.
    """

    partition: Partition
    deaths: Counter[int] = field(default_factory=Counter)
    alone: Counter[int] = field(default_factory=Counter)
    suspects: list[int] = field(default_factory=list)
    tried: int | None = None

    def next(self) -> Partition:
        """What to run."""
        if self.suspects:
            self.tried = self.suspects[0]
            return replace(self.partition, notes=[self.partition.notes[self.tried]], failed={}, alone=())
        self.tried = None
        return self.partition

    def survived(self) -> bool:
        """What ran came through; whether the job is done."""
        if self.tried is None:
            return True
        self.suspects.pop(0)
        return False

    def died(self, place: int, reason: str, *, still: bool) -> None:
        """A worker died at the notes that begin at ``place``, or stood still there.

        A single note is set aside when it happens to it a second time: the first may have been chance.
        """
        if self.tried is not None:
            self.alone[self.tried] += 1
            if still or self.alone[self.tried] > 1:
                self.suspects.pop(0)
                self._set_aside(self.tried, reason)
            return
        self.deaths[place] += 1
        group = next(group for group in self.partition.groups() if place in group)
        if place in self.partition.alone:
            self.alone[place] += 1
            if still or self.alone[place] > 1:
                self._set_aside(place, reason)
        elif self.deaths[place] >= _AGAIN:
            self.partition = replace(self.partition, alone={*self.partition.alone, *group})
        elif still or self.deaths[place] == 2:
            self.suspects = [i for i in group if i not in self.partition.failed]

    def _set_aside(self, place: int, reason: str) -> None:
        self.partition = replace(self.partition, failed={**self.partition.failed, place: reason})


class _Worker:
    """One process, made when it is needed and again when it died."""

    def __init__(self, recipe: Recipe, options: Options) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (recipe, options)
        self._executor: ProcessPoolExecutor | None = None
        self.job: _Job | None = None
        self.future: Future[Any] | None = None
        self.counted = (0, 0)  # characters and notes

    def start(self, job: _Job) -> None:
        if self._executor is None:
            self.said = self._context.Array("q", 5, lock=False)
            self.said[_PLACE] = _LOADED
            self.counted = (0, 0)
            self._executor = ProcessPoolExecutor(
                1, mp_context=self._context, initializer=_start, initargs=(*self._arguments, self.said)
            )
        self.job = job
        self.future = self._executor.submit(_run, job.next())
        self._beats, self._since = -1, time.monotonic()

    @property
    def place(self) -> int:
        return int(self.said[_PLACE])

    def still_for(self) -> float:
        """Seconds since it last began something."""
        if self.said[_BEATS] != self._beats or self.place == _IDLE:
            self._beats, self._since = self.said[_BEATS], time.monotonic()
        return time.monotonic() - self._since

    def counts(self) -> tuple[int, int]:
        """Characters and notes done since it was last asked."""
        now = (int(self.said[_CHARACTERS]), int(self.said[_NOTES]))
        before, self.counted = self.counted, now
        return now[0] - before[0], now[1] - before[1]

    def kill(self) -> None:
        """End the process at once."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        if self.said[_PID]:
            with contextlib.suppress(OSError):
                os.kill(self.said[_PID], getattr(signal, "SIGKILL", signal.SIGTERM))
        executor.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the process, which has nothing to do."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)


class Workers:
    """Processes that run partitions. A context manager: at its end they are gone, whatever happened.

    Args:
        recipe: the pipeline, which each loads for itself (the parts that are files are shared by the system).
        count: most processes; fewer are started where there is less to do.
        time_limit: seconds, see :data:`TIME_LIMIT`.
        progress: called with the characters and notes done since it was last called.
        report: called with what went wrong and was mended: partition, notes' ids, never text.
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
        self._workers = [_Worker(recipe, options) for _ in range(max(1, count))]
        self._limit = time_limit
        self._progress = progress
        self._report = report or (lambda message: None)
        self._starts_failed = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        for worker in self._workers:
            if kind is None and worker.future is None:
                worker.close()
            else:
                worker.kill()

    def run(self, partitions: Iterator[Partition]) -> Iterator[Result]:
        """The rows of the partitions, in their order.

        Raises:
            WorkerError: workers die before they run any note, one after the other.
        """
        most = 3 * len(self._workers)  # partitions held: running, or done and waiting for an earlier one
        held: deque[_Job] = deque()
        again: deque[_Job] = deque()
        finished: dict[int, Result] = {}
        more = True
        while more or held:
            for worker in self._workers:
                if worker.future is not None:
                    continue
                if again:
                    worker.start(again.popleft())
                elif more and len(held) < most:
                    partition = next(partitions, None)
                    if partition is None:
                        more = False
                        break
                    held.append(job := _Job(partition))
                    worker.start(job)
            busy = [worker for worker in self._workers if worker.future is not None]
            wait([worker.future for worker in busy if worker.future], timeout=_LOOK, return_when=FIRST_COMPLETED)
            for worker in busy:
                waiting, outcome = self._look(worker)
                if outcome is not None:
                    finished[outcome.partition.number] = outcome
                elif waiting is not None:
                    again.append(waiting)
            while held and held[0].partition.number in finished:
                yield finished.pop(held.popleft().partition.number)

    def _look(self, worker: _Worker) -> tuple[_Job | None, Result | None]:
        """What became of a worker: nothing yet, its job to be run again, or its job with the rows."""
        future, job = worker.future, worker.job
        assert future is not None and job is not None
        if self._progress:
            self._progress(*worker.counts())
        if not future.done():
            if worker.still_for() > (_LOADING if worker.place == _LOADED else self._limit):
                worker.kill()
                return self._died(worker, job, f"TimeLimit: {self._limit:g} s", still=True)
            return None, None
        try:
            tables, summary = future.result()
        except BrokenProcessPool:
            return self._died(worker, job, "WorkerDied", still=False)
        except Exception as error:  # too little memory to give the rows back, say
            return self._died(worker, job, type(error).__name__, still=False)
        worker.future = worker.job = None
        self._starts_failed = 0
        if job.survived():
            return job, Result(job.partition, tables, summary)
        return job, None

    def _died(self, worker: _Worker, job: _Job, reason: str, *, still: bool) -> tuple[_Job, None]:
        place = worker.place
        worker.kill()
        worker.future = worker.job = None
        number = job.partition.number
        if place == _LOADED:
            self._starts_failed += 1
            if self._starts_failed >= _DEATHS_AT_START * len(self._workers):
                raise WorkerError(f"{self._starts_failed} workers ended while they loaded the pipeline ({reason})")
            self._report(f"partition {number}: a worker ended while it loaded the pipeline ({reason}); again")
            return job, None
        if place == _IDLE:
            job.deaths[_IDLE] += 1
            if job.deaths[_IDLE] > _AGAIN:
                raise WorkerError(f"partition {number}: workers end when they give its rows back ({reason})")
        else:
            known = len(job.partition.failed)
            job.died(place, reason, still=still)
            if len(job.partition.failed) > known:
                last = job.partition.notes[list(job.partition.failed)[-1]]
                self._report(f"partition {number}: note {last.note_id} set aside ({reason})")
                return job, None
        self._report(f"partition {number}: its worker ended ({reason}); again")
        return job, None
