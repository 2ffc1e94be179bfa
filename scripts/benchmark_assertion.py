"""Assertion on given spans: the bundled pipeline next to medspaCy, negspaCy and umlsmatch, as Markdown.

    python scripts/benchmark_assertion.py                                    # corpora that are there, all peers
    python scripts/benchmark_assertion.py demo --peers negspacy --draws 100  # "none": ours alone, nothing installed

Each judges the gold spans of the same texts with its default rules, a peer the envelope of a discontinuous one.
medspaCy brings its tokenizer and PyRuSH; negspaCy and umlsmatch get spaCy's sentencizer, so umlsmatch has no parse.
F1 with its interval, and a peer's difference from ours with the p-value; nothing for an axis that it does not know. A
span that a peer does not judge counts as of default values; a peer that cannot be installed or run is left out. Speed
is CPU time of judging, without loading, over that of the blank English tokenizer on the same texts in the same process,
and of a note of 80,000 characters over one of 20,000: medians of alternating repeats (least to greatest).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
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


def long_note(documents: list[Document], length: int) -> Document:
    """Texts one after the other, from the first again after the last, cut to a length, with their spans."""
    text, spans = "", []
    for d in documents * (1 + length // sum(len(d.text) + 2 for d in documents)):
        moved = [(a, a.start + len(text), a.end + len(text)) for a in d.annotations]
        spans += [replace(a, start=i, end=j, fragments=((i, j),), id="") for a, i, j in moved if j <= length]
        text += d.text + "\n\n"
    return Document(str(length), text[:length], tuple(spans))


def python_of(peer: str, folder: Path) -> str:
    """The peer's Python; its environment is made where it is not there yet."""
    python = str(folder.absolute() / peer / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    known = [python, "-c", f"from importlib.metadata import version; version({peer!r})"]
    if not Path(python).exists() or subprocess.run(known, capture_output=True).returncode:
        install = [python, "-m", "pip", "install", "--quiet", PEERS[peer]]
        for command in ([sys.executable, "-m", "venv", str(folder / peer)], install):
            subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def ask(python: str, peer: str, documents: list[Document], notes: list[Document], n: int) -> tuple[Predictions, Any]:
    """What a peer says of the documents' spans, and its times."""
    with tempfile.TemporaryDirectory() as folder:
        jsonl.write(documents, Path(folder, "documents.jsonl"))
        jsonl.write(notes, Path(folder, "long.jsonl"))
        command = [python, str(Path(__file__).with_name("assertion_peers.py")), peer, folder, str(n)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(Path(folder, "run.json").read_text())
        found = read_predictions(Path(folder, "predictions.jsonl"), format_name="jsonl")
        return replace(found, name=row["name"], axes=tuple(row["axes"])), row


def cells(gold: Gold, ours: Predictions, system: Predictions, draws: int) -> dict[str, str]:
    """F1 of a system by axis, or value of one, for what gold has at least ten of."""
    report = run(gold, system, against=ours, given=True, draws=draws)[0]
    out = {}
    for axis in AXES:
        for value, row in report["scores"]["assertion"]["axes"].get(axis, {}).items():
            if value not in ("patient", "micro", "macro") and row["gold"] >= 10:
                less = report["against"]["differences"]["assertion"][axis][value]["f1"]
                tested = system is not ours and less["p"] is not None
                text = f"; {to_text({**less, 'low': None}, signed=True)}, p {less['p']:.4f}" if tested else ""
                out[axis if value == "true" else f"{axis} {value}"] = to_text(row["f1"]) + text
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
        ours, texts = judge(nlp, documents), [d.text for d in documents]
        systems = {"clinspan": (ours, measure(lambda d: judge(nlp, d), documents, notes, texts, options.repeats))}
        for peer in list(names)[1:]:
            try:
                systems[peer] = ask(python_of(peer, options.environments), peer, documents, notes, options.repeats)
                names[peer] = systems[peer][0].name
            except (OSError, subprocess.CalledProcessError) as error:
                reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
                print(f"{peer} is left out on {spec.name}: {reason}", file=sys.stderr)
        column = {name: cells(gold, ours, found, options.draws) for name, (found, _) in systems.items()}
        for axis in column["clinspan"]:
            rows.append([f"{spec.name} {split}", axis, *(column.get(name, {}).get(axis, "") for name in names)])
        for name, (_, times) in systems.items():
            spread = [f"{median(r):.2f} ({min(r):.2f}-{max(r):.2f})" for r in (times["ratio"], times["growth"])]
            speed.append([f"{spec.name} {split}", names[name], *spread, str(times.get("skipped", 0))])
    print(*table(("corpus", "axis", *names.values()), rows), sep="\n")
    print(*table(("corpus", "system", "judging / tokenizer", "80k / 20k", "spans not judged"), speed), sep="\n")


if __name__ == "__main__":
    main()
