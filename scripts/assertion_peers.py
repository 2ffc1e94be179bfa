"""What another package says of given spans: benchmark_assertion.py runs this with the Python that has the package.

python assertion_peers.py PEER FOLDER REPEATS    # documents.jsonl, long.jsonl to predictions.jsonl, run.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import spacy

#: For each span of a text the values of the axes that are known; none for one that is not judged.
Judge = Callable[[str, list[tuple[int, int, str]]], list[dict[str, Any]]]


def measure(work: Callable[..., Any], documents: Sequence[Any], notes: Sequence[Any], texts: list[str], n: int) -> Any:
    """CPU time of the work, already warm, on documents over that of the blank tokenizer on their texts, and of the
    work on the second note over that on the first, each n times."""
    make_doc = spacy.blank("en").make_doc

    def tokenize(texts: Sequence[str]) -> int:
        return sum(len(make_doc(text)) for text in texts)

    tokenize(texts)
    out: dict[str, list[float]] = {"ratio": [], "growth": []}
    for _ in range(n):
        times = [time.process_time()]
        for job, some in ((tokenize, texts), (work, documents), (work, notes[:1]), (work, notes[1:])):
            job(some)
            times.append(time.process_time())
        base, judged, short, long = (after - before for before, after in pairwise(times))
        out["ratio"].append(judged / base)
        out["growth"].append(long / short)
    return out


def on_docs(nlp: spacy.Language, group: str, values: Callable[..., dict[str, Any]]) -> Judge:
    """Spans are given in a span group, so that those that overlap are all judged."""

    def judge(text: str, spans: list[tuple[int, int, str]]) -> list[dict[str, Any]]:
        doc = nlp.make_doc(text)
        given = [doc.char_span(start, end, label=label, alignment_mode="expand") for start, end, label in spans]
        doc.spans[group] = [span for span in given if span is not None]
        for _, component in nlp.pipeline:
            doc = component(doc)
        return [{} if span is None else values(span._) for span in given]

    return judge


def with_medspacy() -> Judge:
    import medspacy

    nlp = medspacy.load(medspacy_enable={"medspacy_tokenizer", "medspacy_pyrush", "medspacy_context"})
    context = nlp.get_pipe("medspacy_context")
    context.input_span_type = "group"

    def values(said: Any) -> dict[str, Any]:
        flags = ("negated", "uncertain", "hypothetical", "historical")
        return {axis: said.get(f"is_{axis}") for axis in flags} | {"experiencer": ("patient", "family")[said.is_family]}

    return on_docs(nlp, context.span_group_name, values)


def with_negspacy() -> Judge:
    import negspacy.negation  # noqa: F401 - registers the component

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("negex", config={"span_keys": ["given"]})
    return on_docs(nlp, "given", lambda said: {"negated": said.negex})


def with_umlsmatch() -> Judge:
    from umlsmatch import analyze

    # it looks up the codes of given spans, but its rules do not use what it finds
    analyze.RareWordMatcher = lambda path: SimpleNamespace(_group=str, preferred_text=str)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    pipeline = analyze.ClinicalPipeline(model=nlp)

    def values(said: Any) -> dict[str, Any]:
        flags = {"negated": said.negated, "uncertain": said.uncertain, "historical": said.history_of}
        return {**flags, "experiencer": "family" if said.subject == "family_member" else "patient"}

    return lambda text, spans: [values(said) if said else {} for said in pipeline.assess(text, spans)]


def main(peer: str, folder: Path, repeats: int) -> None:
    judge = {"medspacy": with_medspacy, "negspacy": with_negspacy, "umlsmatch": with_umlsmatch}[peer]()

    def judged(d: dict[str, Any]) -> dict[str, Any]:
        said = judge(d["text"], [(a["start"], a["end"], a["label"]) for a in d["annotations"]])
        return {"doc_id": d["doc_id"], "annotations": [{**a, "attributes": v} for a, v in zip(d["annotations"], said)]}

    def read(name: str) -> list[Any]:
        return [{"text": "", "annotations": []} | json.loads(row) for row in (folder / name).read_bytes().splitlines()]

    documents, notes = read("documents.jsonl"), read("long.jsonl")
    found = [judged(d) for d in documents]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    said = [a["attributes"] for row in found for a in row["annotations"]]
    times = measure(lambda some: [judged(d) for d in some], documents, notes, [d["text"] for d in documents], repeats)
    row = {"name": f"{peer} {metadata.version(peer)}", "axes": sorted(set().union(*said)), "skipped": said.count({})}
    (folder / "run.json").write_text(json.dumps({**row, **times}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
