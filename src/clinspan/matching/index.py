"""TermIndex: an index of names over normal forms, in memory or mapped from a file.

The names form a trie over symbols. Its nodes are numbered level by level, so the child reached by the edge ``e`` is
the node ``e + 1`` and a file needs two integers a node: where its edges begin, and each edge's symbol. Nothing is
decoded on opening. Matching walks the trie through a lazily built automaton: states are remembered by written token,
so a text costs about one dictionary look-up a token, whatever the number of names.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from clinspan.matching import container
from clinspan.matching.container import Container, IndexFileError, fingerprint
from clinspan.matching.normal import SUFFIX_MARK, classes, readings, symbols

_ROOT = (0,)
_ARRAYS = ("symbol_hashes", "edge_first", "edge_symbols", "id_first", "ids")


class Match(NamedTuple):
    """A name found: tokens ``[start, end)`` and the ids of the names filed under that normal form."""

    start: int
    end: int
    ids: tuple[int, ...]


class _State(dict):
    """A set of trie nodes; maps a token to the next state (None: no name goes on so; itself: looked through)."""

    __slots__ = ("_matcher", "ids", "is_leaf", "nodes")

    def __init__(self, matcher: Matcher, nodes: tuple[int, ...]) -> None:
        super().__init__()
        self._matcher = matcher
        self.nodes = nodes
        self.ids = matcher.index.ids_at(nodes)
        self.is_leaf = not any(matcher.index.goes_on(node) for node in nodes)

    def __missing__(self, word: str) -> _State | None:
        nxt = self._matcher.step(self, word)
        self[word] = nxt
        return nxt


class TermIndex:
    """Names filed by normal form, each with the integer id it was given.

    Build one with :meth:`build`, or open a file with :meth:`open` (the file is mapped, not read: processes share it).
    """

    def __init__(self, arrays: dict[str, Any], meta: dict[str, Any], payload: dict[str, Any] | None = None) -> None:
        arrays = {k: memoryview(a) if isinstance(a, np.ndarray) else a for k, a in arrays.items()}  # plain ints out
        self._arrays = arrays
        self.meta = meta
        self._sym_hash = arrays["symbol_hashes"]
        self._first = arrays["edge_first"]
        self._edge_symbol = arrays["edge_symbols"]
        self._id_first = arrays["id_first"]
        self._ids = arrays["ids"]
        self._suffixes: tuple[str, ...] = tuple(meta["suffixes"])
        self.payload: dict[str, Any] = payload or {}
        self._path: str | None = None

    def __len__(self) -> int:
        return int(self.meta["names"])

    # --- building ---

    @classmethod
    def build(cls, names: Iterable[tuple[str, int]]) -> TermIndex:
        """An index in memory of ``(name, id)`` pairs; names without a normal form are left out."""
        return cls.build_symbols((symbols(name), number) for name, number in names)

    @classmethod
    def build_symbols(cls, names: Iterable[tuple[Sequence[str], int]]) -> TermIndex:
        """As :meth:`build`, of names already in normal form."""
        symbol_ids: dict[str, int] = {}
        flat, lengths, ids = array("I"), array("I"), array("I")
        for form, number in names:
            if not form:
                continue
            flat.extend(symbol_ids.setdefault(symbol, len(symbol_ids)) for symbol in form)
            lengths.append(len(form))
            ids.append(number)
        hashes = np.fromiter((fingerprint(s) for s in symbol_ids), dtype=np.uint64, count=len(symbol_ids))
        order = np.argsort(hashes, kind="stable")
        if len(hashes) > 1 and (np.diff(hashes[order].astype(np.uint64)) == 0).any():
            raise IndexFileError("two symbols share a hash: rename one of the names")  # 1 in 10^7 at a million symbols
        rank = np.empty(len(order), dtype=np.uint32)
        rank[order] = np.arange(len(order), dtype=np.uint32)
        suffixes = sorted(
            (s[1:] for s in symbol_ids if s.startswith(SUFFIX_MARK) and len(s) > 3), key=lambda s: -len(s)
        )
        arrays = _trie(
            rank[np.frombuffer(flat, dtype=np.uint32)] if flat else np.zeros(0, np.uint32),
            np.asarray(lengths, dtype=np.int64),
            np.asarray(ids, dtype=np.uint32),
        )
        arrays["symbol_hashes"] = hashes[order]
        return cls(arrays, {"names": len(ids), "symbols": len(symbol_ids), "suffixes": suffixes})

    # --- files ---

    def arrays(self) -> dict[str, Any]:
        """The index's arrays, for :func:`clinspan.matching.container.write`."""
        return {name: np.asarray(self._arrays[name]) for name in _ARRAYS}

    def to_file(self, path: str | os.PathLike[str], *, payload: dict[str, list[str]] | None = None) -> None:
        """Write the index, with lists of strings beside it (``payload``: read back by :meth:`open` as sequences).

        The same content gives the same bytes.
        """
        container.write(path, self.meta, self.arrays(), payload)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = False) -> TermIndex:
        """Map an index file. Opening reads the header alone; ``verify`` also checks the digest of the whole file.

        Raises:
            IndexFileError: not an index of names, truncated, or (with ``verify``) damaged.
        """
        return cls.of(container.open_file(path, verify=verify))

    @classmethod
    def of(cls, file: Container) -> TermIndex:
        """The index in an opened file."""
        missing = [name for name in _ARRAYS if name not in file.arrays]
        if missing or "suffixes" not in file.meta:
            raise IndexFileError(f"{file.path}: not an index of names to find in text")
        index = cls({name: file.arrays[name] for name in _ARRAYS}, file.meta, dict(file.strings))
        index._path = file.path
        return index

    def __reduce__(self) -> tuple[Any, ...]:
        # a mapped index is opened anew where it arrives; one in memory travels as bytes
        if self._path is not None:
            return TermIndex.open, (self._path,)
        arrays = {key: (view.tobytes(), view.format) for key, view in self._arrays.items()}
        return _from_bytes, (arrays, self.meta, self.payload)

    # --- walking ---

    def child(self, node: int, number: int) -> int:
        """The node reached from ``node`` by the symbol with that number, or -1."""
        low, high = self._first[node], self._first[node + 1]
        edge = bisect_left(self._edge_symbol, number, low, high)
        return edge + 1 if edge < high and self._edge_symbol[edge] == number else -1

    def number(self, symbol: str) -> int:
        """The number of a symbol in this index, or -1."""
        wanted = fingerprint(symbol)
        place = bisect_left(self._sym_hash, wanted)
        return place if place < len(self._sym_hash) and self._sym_hash[place] == wanted else -1

    def read(self, token: str) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
        """The readings of a written token that this index can follow, each a sequence of sets of symbol numbers.

        None where the token is looked through.
        """
        out = []
        for reading in readings(token):
            if not reading:
                return None
            steps = []
            for symbol in reading:
                wider = (symbol, *classes(symbol, self._suffixes))
                numbers = tuple(n for n in map(self.number, wider) if n >= 0)
                if not numbers:
                    break
                steps.append(numbers)
            else:
                out.append(tuple(steps))
        return tuple(out)

    def goes_on(self, node: int) -> bool:
        """Whether some name goes on from ``node``."""
        return bool(self._first[node] != self._first[node + 1])

    def ids_at(self, nodes: Iterable[int]) -> tuple[int, ...]:
        """The ids of the names that end at ``nodes``, in their order."""
        out: list[int] = []
        for node in nodes:
            out.extend(int(i) for i in self._ids[self._id_first[node] : self._id_first[node + 1]])
        return tuple(dict.fromkeys(out))

    def lookup(self, name: str) -> tuple[int, ...]:
        """The ids filed under exactly the normal form of ``name``."""
        node = 0
        for symbol in symbols(name):
            number = self.number(symbol)
            node = self.child(node, number) if number >= 0 else -1
            if node < 0:
                return ()
        return self.ids_at((node,))

    def step(self, nodes: Iterable[int], read: tuple[tuple[tuple[int, ...], ...], ...]) -> tuple[int, ...]:
        """The nodes reached from ``nodes`` by a token, given what :meth:`read` says of it."""
        out: list[int] = []
        for reading in read:
            here = list(nodes)
            for numbers in reading:
                here = [child for n in numbers for node in here if (child := self.child(node, n)) >= 0]
                if not here:
                    break
            out.extend(here)
        return tuple(dict.fromkeys(out))


class Matcher:
    """Finds an index's names in sequences of written tokens."""

    #: Remembered transitions before the memory is dropped and built anew.
    limit = 400_000

    def __init__(self, index: TermIndex) -> None:
        self.index = index
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.index,)  # remembered transitions stay behind

    def reset(self) -> None:
        """Forget the remembered transitions."""
        self._states: dict[tuple[int, ...], _State] = {}
        self._read: dict[str, tuple[tuple[tuple[int, ...], ...], ...] | None] = {}
        self._size = 0
        self.root = self._state(_ROOT)

    def _state(self, nodes: tuple[int, ...]) -> _State:
        state = self._states.get(nodes)
        if state is None:
            state = self._states[nodes] = _State(self, nodes)
        return state

    def step(self, state: _State, word: str) -> _State | None:
        """Compute one transition (the automaton calls this once a state and word)."""
        self._size += 1
        read = self.read(word)
        if read is None:
            return state if state.nodes != _ROOT else None
        nodes = self.index.step(state.nodes, read) if read else ()
        return self._state(nodes) if nodes else None

    def read(self, word: str) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
        """:meth:`TermIndex.read`, remembered."""
        if word not in self._read:
            self._read[word] = self.index.read(word)
        return self._read[word]

    def trim(self) -> None:
        """Forget the remembered transitions if there are too many; called once a document."""
        if self._size > self.limit:
            self.reset()

    def begins(self, word: str) -> bool:
        """Whether some name begins with a written token."""
        return self.root[word] is not None

    def all(
        self, words: Sequence[str], places: Iterable[int] | None = None, end: int | None = None
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Every match as (start, end, ids), by start, then by length, longest first.

        ``places`` are the tokens for which :meth:`begins` holds, where they are known; no match goes past ``end``.
        One at a time: a list of them all would wake the garbage collector in long notes.
        """
        self.trim()
        total = len(words) if end is None else end
        root = self.root
        if places is None:
            places = [i for i, state in enumerate(map(root.__getitem__, words)) if state is not None]
        for start in places:
            state = root[words[start]]
            assert state is not None
            place = start + 1
            if state.is_leaf:  # nothing goes on from here
                yield start, place, state.ids
                continue
            last = (place, state.ids) if state.ids else None
            shorter: list[tuple[int, tuple[int, ...]]] | None = None
            while place < total:
                after = state[words[place]]
                if after is None:
                    break
                place += 1
                if after is not state:
                    state = after
                    if state.ids:
                        if last is not None:
                            if shorter is None:
                                shorter = []
                            shorter.append(last)
                        last = (place, state.ids)
            if last is not None:
                yield start, last[0], last[1]
                if shorter is not None:
                    for end, ids in reversed(shorter):
                        yield start, end, ids

    def longest(self, words: Sequence[str]) -> list[Match]:
        """The leftmost-longest matches, none overlapping another."""
        found: list[Match] = []
        last = 0
        for start, end, ids in self.all(words):
            if start >= last:
                found.append(Match(start, end, ids))
                last = end
        return found

    def at(self, words: Sequence[str], start: int) -> Match | None:
        """The longest match that begins at token ``start``."""
        state: _State = self.root
        best = None
        for place in range(start, len(words)):
            after = state[words[place]]
            if after is None:
                break
            if after is not state:
                state = after
                if state.ids:
                    best = Match(start, place + 1, state.ids)
        return best


def _from_bytes(arrays: dict[str, tuple[bytes, str]], meta: dict[str, Any], payload: dict[str, Any]) -> TermIndex:
    views = {key: memoryview(data).cast(code) for key, (data, code) in arrays.items()}
    return TermIndex(views, meta, payload)


def _trie(flat: np.ndarray, lengths: np.ndarray, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a trie, built level by level: nodes of a level are numbered in order of (parent, symbol)."""
    count = len(lengths)
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    node = np.zeros(count, dtype=np.int64)  # each name's node at the level so far
    degrees: list[np.ndarray] = []
    edge_symbols: list[np.ndarray] = []
    level_first, level_size = 0, 1
    alive = np.arange(count)
    depth = 0
    while True:
        alive = alive[lengths[alive] > depth]
        if not len(alive):
            break
        key = ((node[alive] - level_first).astype(np.uint64) << np.uint64(32)) | flat[offsets[alive] + depth].astype(
            np.uint64
        )
        unique, inverse = np.unique(key, return_inverse=True)
        parents = (unique >> np.uint64(32)).astype(np.int64)
        degrees.append(np.bincount(parents, minlength=level_size))
        edge_symbols.append((unique & np.uint64(0xFFFFFFFF)).astype(np.uint32))
        level_first, level_size = level_first + level_size, len(unique)
        node[alive] = level_first + inverse.reshape(-1)
        depth += 1
    nodes = level_first + level_size
    degree = np.zeros(nodes, dtype=np.int64)
    if degrees:
        head = np.concatenate(degrees)
        degree[: len(head)] = head
    edge_first = np.zeros(nodes + 1, dtype=np.uint32)
    np.cumsum(degree, out=edge_first[1:])
    order = np.argsort(node, kind="stable")
    id_first = np.zeros(nodes + 1, dtype=np.uint32)
    np.cumsum(np.bincount(node, minlength=nodes), out=id_first[1:])
    return {
        "edge_first": edge_first,
        "edge_symbols": np.concatenate(edge_symbols) if edge_symbols else np.zeros(0, np.uint32),
        "id_first": id_first,
        "ids": ids[order],
    }
