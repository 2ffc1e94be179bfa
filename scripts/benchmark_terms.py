"""Matching names in text: our index beside others, for 100,000 names or a million, on the same text in the same run.

    python scripts/benchmark_terms.py notes.csv --names 100000
    python scripts/benchmark_terms.py notes.csv --names 1000000 --only clinspan,marisa
    python scripts/benchmark_terms.py notes.csv --only clinspan,quickumls --limit 20 --repeats 1
    python scripts/benchmark_terms.py notes.csv --bundled     # opening the bundled indexes, and memory not shared
    pip install pyahocorasick ahocorasick-rs marisa-trie      # those that are not there are left out

The names are those of $CLINSPAN_DATA/terms, repeated with a modifier before them until there are enough. Each method
runs in a process of its own: CPU seconds to build; milliseconds to open what was built; resident memory beyond the
process without it, once built or opened and once the text is matched; CPU time of matching the tokens of all notes, as
a ratio to tokenizing them with a blank English pipeline, which takes turns with it (medians), the first time and after.

- clinspan: `clinspan.terminologies.builder` and the matcher of the dictionary, longest matches in normal form.
- PhraseMatcher: spaCy's, on lower-case tokens.
- pyahocorasick, ahocorasick-rs: lower-case names in lower-case text, matches on word boundaries.
- marisa-trie: lower-case names in a static trie; from each token on, the longest run of tokens that is one.
- quickumls: as QuickUMLS looks up, with SimString: every run of up to five tokens, names with a Jaccard likeness of
  character trigrams of .7, candidates by CPMerge; in Python, and so slow that few notes will do (``--limit``).
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

METHODS = ("clinspan", "PhraseMatcher", "pyahocorasick", "ahocorasick-rs", "marisa", "quickumls")
_MODIFIERS = ("acute", "chronic", "left", "right", "severe", "mild", "recurrent", "bilateral", "suspected", "early")


def names(data: Path, count: int) -> Iterator[tuple[str, str]]:
    """(concept id, name) of ``count`` names."""
    found = []
    for path in sorted((data / "terms").glob("*.tsv.xz")):
        with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
            for i, row in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)):
                if row.get("term"):
                    found.append((row.get("concept_id") or f"{path.stem}:{i}", row["term"]))
    found = list(dict.fromkeys(found))
    step = max(1, len(found) // count)
    chosen = found[::step][:count]
    for modifier in ("", *_MODIFIERS):
        for concept, name in chosen[:count]:
            yield (concept, name) if not modifier else (f"{modifier}:{concept}", f"{modifier} {name}")
        count -= len(chosen[:count])
        if count <= 0:
            return


def memory() -> float:
    """Resident memory of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def private() -> float:
    """Memory of this process that it shares with no other and no file, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024


def bundled(texts: Sequence[str]) -> None:
    """Print what opening and using the bundled indexes costs."""
    from clinspan.components.linker import Linker
    from clinspan.components.memo import PerWord, tokens_of
    from clinspan.matching import ConceptIndex, Matcher, TermIndex
    from clinspan.matching.container import open_file
    from clinspan.pipeline import blank, find_model

    folder = find_model()
    given = [tokens_of(doc) for doc in map(blank().make_doc, texts)]
    print("| index | MB | open ms | private MB opened | private MB used |\n|---|---:|---:|---:|---:|")
    found: list[str] = []
    for path in (folder / "terms" / "terms.index", folder / "linker" / "concepts.index"):
        finding = path.name == "terms.index"
        before = private()
        times = []
        for _ in range(20):
            start = time.perf_counter()
            index: Any = TermIndex.open(path) if finding else ConceptIndex(open_file(path))
            times.append((time.perf_counter() - start) * 1000)
        opened = private() - before
        if finding:
            automaton = Matcher(index)
            begins = PerWord(automaton.begins)
            for tokens in given:
                for start, end, _ in automaton.all(tokens.words, begins.places(tokens)):
                    found.append(" ".join(tokens.words[start:end]))
        else:
            linker = Linker()
            linker.open_index(path)
            for name in dict.fromkeys(found):
                linker.candidates(name, "CONDITION")
        size = path.stat().st_size / 1e6
        print(
            f"| {path.name} | {size:.1f} | {statistics.median(times):.2f} | {opened:.1f} | {private() - before:.1f} |"
        )


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    value = function()
    return time.process_time() - start, value


# --- the methods: each gives build(pairs, folder) -> what open(folder) turns into match(texts) ---


def clinspan_method() -> tuple[Any, ...]:
    from clinspan.components.memo import PerWord, tokens_of
    from clinspan.matching import Matcher, TermIndex
    from clinspan.terminologies.builder import build
    from clinspan.terminologies.model import Term

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        terms = (Term("X", concept, name, "synonym", "CONDITION") for concept, name in pairs)
        report = build(terms, folder / "x.index", longest=14, linking=False)
        print(f"clinspan searches for {report.names:,} of {report.read:,} names", file=sys.stderr)

    def opened(folder: Path) -> Any:
        return TermIndex.open(folder / "x.index")

    def matcher(index: Any) -> Callable[[list[Any]], int]:
        automaton = Matcher(index)
        begins = PerWord(automaton.begins)
        return lambda tokens: sum(1 for each in tokens for _ in automaton.all(each.words, begins.places(each)))

    def prepare(texts: Sequence[str]) -> list[Any]:
        from clinspan.pipeline import blank

        nlp = blank()
        return [tokens_of(nlp.make_doc(text)) for text in texts]

    return make, opened, matcher, prepare


def phrase_matcher() -> tuple[Any, ...]:
    import spacy
    from spacy.matcher import PhraseMatcher

    nlp = spacy.blank("en")
    held: dict[str, Any] = {}

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        found = held["matcher"] = PhraseMatcher(nlp.vocab, attr="LOWER")
        found.add("X", [nlp.make_doc(name) for _, name in pairs])

    def matcher(found: Any) -> Callable[[list[Any]], int]:
        return lambda docs: sum(len(found(doc)) for doc in docs)

    return make, lambda folder: held["matcher"], matcher, lambda texts: [nlp.make_doc(text) for text in texts]


def _bounded(text: str, start: int, end: int) -> bool:
    return not (start and text[start - 1].isalnum()) and not (end < len(text) and text[end].isalnum())


def pyahocorasick_method() -> tuple[Any, ...]:
    import ahocorasick

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        automaton = ahocorasick.Automaton()
        for concept, name in pairs:
            automaton.add_word(name.lower(), (len(name.lower()), concept))
        automaton.make_automaton()
        automaton.save(str(folder / "x.bin"), lambda value: json.dumps(value).encode())

    def opened(folder: Path) -> Any:
        return ahocorasick.load(str(folder / "x.bin"), json.loads)

    def matcher(automaton: Any) -> Callable[[list[str]], int]:
        return lambda texts: sum(
            1 for t in texts for end, (n, _) in automaton.iter(t) if _bounded(t, end - n + 1, end + 1)
        )

    return make, opened, matcher, lambda texts: [text.lower() for text in texts]


def ahocorasick_rs_method() -> tuple[Any, ...]:
    import ahocorasick_rs

    held: dict[str, Any] = {}

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        held["names"] = [name.lower() for _, name in pairs]
        held["automaton"] = ahocorasick_rs.AhoCorasick(
            held["names"], matchkind=ahocorasick_rs.MatchKind.LeftmostLongest
        )

    def matcher(automaton: Any) -> Callable[[list[str]], int]:
        return lambda texts: sum(
            1 for t in texts for _, start, end in automaton.find_matches_as_indexes(t) if _bounded(t, start, end)
        )

    return make, lambda folder: held["automaton"], matcher, lambda texts: [text.lower() for text in texts]


def marisa_method() -> tuple[Any, ...]:
    import marisa_trie
    import spacy

    nlp = spacy.blank("en")

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        marisa_trie.Trie(name.lower() for _, name in pairs).save(str(folder / "x.marisa"))

    def opened(folder: Path) -> Any:
        return marisa_trie.Trie().mmap(str(folder / "x.marisa"))

    def matcher(trie: Any) -> Callable[[list[Any]], int]:
        def match(texts: list[Any]) -> int:
            found = 0
            for text, starts, ends in texts:
                for start in starts:
                    prefixes = trie.prefixes(text[start : start + 100])
                    found += any(start + len(prefix) in ends for prefix in prefixes)
            return found

        return match

    def prepare(texts: Sequence[str]) -> list[Any]:
        docs = [nlp.make_doc(text) for text in texts]
        return [(d.text.lower(), [t.idx for t in d], {t.idx + len(t) for t in d}) for d in docs]

    return make, opened, matcher, prepare


def quickumls_method() -> tuple[Any, ...]:
    import spacy

    nlp = spacy.blank("en")
    held: dict[str, Any] = {}

    def grams(text: str) -> set[str]:
        text = f"  {text}  "
        return {text[i : i + 3] for i in range(len(text) - 2)}

    def make(pairs: Sequence[tuple[str, str]], folder: Path) -> None:
        postings: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for i, name in enumerate(dict.fromkeys(name.lower() for _, name in pairs)):
            found = grams(name)
            for gram in found:
                postings[len(found), gram].append(i)
        held["index"] = dict(postings)

    def similar(postings: dict[tuple[int, str], list[int]], text: str, least: float = 0.7) -> bool:
        """Whether a name has a Jaccard likeness of ``least``; candidates as CPMerge finds them."""
        wanted = grams(text)
        for size in range(math.ceil(least * len(wanted)), int(len(wanted) / least) + 1):
            needed = math.ceil(least * (len(wanted) + size) / (1 + least))
            runs = sorted((postings.get((size, gram), []) for gram in wanted), key=len)
            shared: Counter[int] = Counter()
            for run in runs[: len(wanted) - needed + 1]:  # a name found has one of these
                shared.update(run)
            rest = [set(run) for run in runs[len(wanted) - needed + 1 :]] if shared else []
            if any(count + sum(i in run for run in rest) >= needed for i, count in shared.items()):
                return True
        return False

    def matcher(index: dict[tuple[int, str], list[int]]) -> Callable[[list[list[str]]], int]:
        def match(texts: list[list[str]]) -> int:
            return sum(
                similar(index, " ".join(words[start:end]))
                for words in texts
                for start in range(len(words))
                for end in range(start + 1, min(start + 6, len(words) + 1))
            )

        return match

    def prepare(texts: Sequence[str]) -> list[list[str]]:
        return [[token.lower_ for token in nlp.make_doc(text)] for text in texts]

    return make, lambda folder: held["index"], matcher, prepare


_MAKERS = {
    "clinspan": clinspan_method,
    "PhraseMatcher": phrase_matcher,
    "pyahocorasick": pyahocorasick_method,
    "ahocorasick-rs": ahocorasick_rs_method,
    "marisa": marisa_method,
    "quickumls": quickumls_method,
}


def measure(method: str, data: Path, count: int, texts: Sequence[str], repeats: int) -> dict[str, Any]:
    """One method, in this process."""
    import spacy

    nlp = spacy.blank("en")
    make, opened, matcher, prepare = _MAKERS[method]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.fork() == 0:  # building's memory is another process's, where a file is what is built
            building, _ = timed(lambda: make(list(names(data, count)), folder))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            (folder / "built.json").write_text(json.dumps([building, peak]))
            os._exit(0)
        os.wait()
        if not (folder / "built.json").exists():
            return {"method": method, "failed": "while building"}
        building, peak = json.loads((folder / "built.json").read_text())
        (folder / "built.json").unlink()
        given = prepare(texts)
        before = memory()
        if not list(folder.iterdir()):  # in memory alone
            make(list(names(data, count)), folder)
        start = time.perf_counter()
        index = opened(folder)
        opening = (time.perf_counter() - start) * 1000 if list(folder.iterdir()) else None
        after = memory()
        match = matcher(index)
        first, found = timed(lambda: match(given))
        rounds, blanks = [], []
        for _ in range(repeats):
            blanks.append(timed(lambda: [nlp.make_doc(text) for text in texts])[0])
            rounds.append(timed(lambda: match(given))[0])
        blank = statistics.median(blanks)
        return {
            "method": method,
            "build": building,
            "peak": peak,
            "open": opening,
            "opened": after - before,
            "matched": memory() - before,
            "first": first / blank,
            "ratio": statistics.median(rounds) / blank,
            "found": found,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=500, help="notes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default=",".join(METHODS), help="methods, with commas")
    parser.add_argument("--data", type=Path, default=os.environ.get("CLINSPAN_DATA"), help="folder with terms/")
    parser.add_argument("--bundled", action="store_true", help="the bundled indexes instead")
    parser.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.data is None and not options.bundled:
        parser.error("give --data, or set CLINSPAN_DATA")
    if options.one or options.bundled:
        from clinspan.notes import Note, read_notes

        notes = islice(read_notes([str(options.notes)]), options.limit)
        texts = [note.text for note in notes if isinstance(note, Note)]
        if options.bundled:
            bundled(texts)
        else:
            print(json.dumps(measure(options.one, Path(options.data), options.names, texts, options.repeats)))
        return
    heads = "build s|peak MB|open ms|opened MB|after matching MB|first time|ratio|found".split("|")
    print("| method | " + " | ".join(heads) + " |\n|---|" + "---:|" * len(heads))
    for method in options.only.split(","):
        command = [sys.executable, __file__, str(options.notes), "--one", method, "--data", str(options.data)]
        command += ["--names", str(options.names), "--limit", str(options.limit), "--repeats", str(options.repeats)]
        run = subprocess.run(command, capture_output=True, text=True)
        row = json.loads(run.stdout) if run.returncode == 0 else {"failed": run.stderr.strip().split("\n")[-1]}
        sys.stderr.write(run.stderr if run.returncode == 0 else "")
        if "failed" in row:
            print(f"| {method} | {row['failed']} |" + " |" * (len(heads) - 1))
            continue
        opening = "in memory" if row["open"] is None else f"{row['open']:.1f}"
        cells = [f"{row['build']:.1f}", f"{row['peak']:.0f}", opening, f"{row['opened']:.0f}", f"{row['matched']:.0f}"]
        print(
            f"| {method} | "
            + " | ".join([*cells, f"{row['first']:.2f}", f"{row['ratio']:.2f}"])
            + f" | {row['found']:,} |"
        )


if __name__ == "__main__":
    main()
