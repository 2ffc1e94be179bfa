"""Assertion on given spans: the bundled pipeline next to medspaCy, negspaCy and umlsmatch, as Markdown.

    python scripts/benchmark_assertion.py                                    # corpora that are there, all peers
    python scripts/benchmark_assertion.py demo --peers negspacy --draws 100  # "none": ours alone, nothing installed

Each judges the gold spans of the same texts with its default rules, a peer the envelope of a discontinuous one.
medspaCy brings its tokenizer and PyRuSH; negspaCy and umlsmatch get spaCy's sentencizer, so umlsmatch has no parse.
F1 with its interval, and for a peer its difference from ours with the p-value; nothing where it does not know an axis.
Spans that a peer does not judge stand for the default. A peer whose environment or run fails is left out. Speed is CPU
time of judging, without loading, over that of the blank English tokenizer on the same texts in the same process, and of
a note of 80,000 characters over one of 20,000: medians of alternating repeats, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import clinspan
from assertion_peers import measure
from clinspan.corpora import CorpusError, Document, Gold, gold_of, jsonl, load_spec
from clinspan.evaluate import run
from clinspan.predictions import Predictions, judge, read_predictions
from clinspan.report import to_text
from results import ASSERTION, table

PEERS = {"medspacy": "medspacy", "negspacy": "negspacy", "umlsmatch": "umlsmatch[nlp]"}
AXES = ("negated", "uncertain", "hypothetical", "historical", "experiencer")


def long_note(documents: Sequence[Document], length: int) -> Document:
    """Texts one after the other, from the first again after the last, cut to a length, with their spans."""
    text, spans = "", []
    for document in cycle(documents):
        for a in document.annotations:
            fragments = tuple((start + len(text), end + len(text)) for start, end in a.fragments)
            spans.append(replace(a, start=fragments[0][0], end=a.end + len(text), fragments=fragments, id=""))
        text += document.text + "\n\n"
        if len(text) >= length:
            break
    return Document(str(length), text[:length], tuple(a for a in spans if a.end <= length))


def python_of(peer: str, folder: Path) -> str:
    """The peer's Python; its environment is made where it is not there yet."""
    python = str(folder / peer / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    known = [python, "-c", f"from importlib.metadata import version; version({peer!r})"]
    if not Path(python).exists() or subprocess.run(known, capture_output=True).returncode:
        install = [python, "-m", "pip", "install", "--quiet", PEERS[peer]]
        for command in ([sys.executable, "-m", "venv", str(folder / peer)], install):
            subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def of_peer(peer: str, documents: Sequence[Document], notes: Sequence[Document], options: Any) -> tuple[Predictions, Any]:
    """What a peer says of the documents' spans, and its times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jsonl.write(documents, folder / "documents.jsonl")
        jsonl.write(notes, folder / "long.jsonl")
        script = str(Path(__file__).with_name("assertion_peers.py"))
        command = [python_of(peer, options.environments.absolute()), script, peer, name, str(options.repeats)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads((folder / "run.json").read_text())
        return replace(read_predictions(folder / "predictions.jsonl", format_name="jsonl"), name=row["name"]), row


def cells(gold: Gold, ours: Predictions, system: Predictions, draws: int) -> dict[tuple[str, str], str]:
    """F1 of a system by axis and value, for what gold has at least ten of."""
    report = run(gold, system, against=None if system is ours else ours, given=True, draws=draws)[0]
    axes = report["scores"]["assertion"]["axes"]
    out = {}
    for axis, value in ((axis, value) for axis in AXES for value in axes.get(axis, ())):
        if value in ("patient", "micro", "macro") or axes[axis][value]["gold"] < 10:
            continue
        out[axis, value] = to_text(axes[axis][value]["f1"])
        if system is not ours and (d := report["against"]["differences"]["assertion"][axis][value]["f1"])["p"] is not None:
            p = f"{d['p']:.4f}" if d["p"] >= 0.0001 else "< 0.0001"
            out[axis, value] += f"; {to_text({**d, 'low': None}, signed=True)}, p {p}"
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=ASSERTION, help=f"by default {', '.join(ASSERTION)}")
    parser.add_argument("--split", help="by default dev, or the only one")
    parser.add_argument("--peers", nargs="+", choices=(*PEERS, "none"), default=list(PEERS))
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "clinspan-peers")
    parser.add_argument("--limit", type=int, help="at most so many documents of a corpus")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    names = {"clinspan": f"clinspan {clinspan.__version__}"} | {peer: peer for peer in options.peers if peer != "none"}
    nlp = clinspan.load()
    rows, speed = [], []
    for spec in map(load_spec, options.corpora):
        split = options.split or ("dev" if "dev" in spec.splits else next(iter(spec.splits)))
        try:
            gold = gold_of(spec, split=split)
        except CorpusError as error:
            print(f"{spec.name} is left out: {error}", file=sys.stderr)
            continue
        gold = replace(gold, documents=gold.documents[: options.limit])
        spans = [tuple(replace(a, attributes={}, concepts=()) for a in d.annotations) for d in gold.documents]
        documents = [Document(d.doc_id, d.text, own) for d, own in zip(gold.documents, spans)]
        notes = [long_note(documents, length) for length in (20_000, 80_000)]
        ours = judge(nlp, documents)
        column = {}
        for system in names:
            try:
                if system == "clinspan":
                    found, texts = ours, [d.text for d in documents]
                    times = measure(lambda some: judge(nlp, some), documents, notes, texts, options.repeats)
                else:
                    found, times = of_peer(system, documents, notes, options)
                    names[system] = found.name
            except (OSError, subprocess.CalledProcessError) as error:
                reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
                print(f"{system} is left out on {gold.name}: {reason}", file=sys.stderr)
                continue
            column[system] = cells(gold, ours, found, options.draws)
            both = (times["ratio"], times["growth"])
            spread = (f"{statistics.median(r):.2f} ({min(r):.2f}-{max(r):.2f})" for r in both)
            skipped = sum(not a.attributes for d in found.documents for a in d.annotations)
            speed.append([f"{spec.name} {split}", names[system], *spread, f"{skipped:,}"])
        for axis, value in column["clinspan"]:
            name = axis if value == "true" else f"{axis} {value}"
            rows.append([f"{spec.name} {split}", name, *(column.get(s, {}).get((axis, value), "") for s in names)])
    print(*table(("corpus", "axis", *names.values()), rows), sep="\n")
    print(*table(("corpus", "system", "judging / tokenizer", "80k / 20k", "spans not judged"), speed), sep="\n")


if __name__ == "__main__":
    main()
