"""What another package says of given spans: benchmark_assertion.py runs this with the Python that has the package.

python assertion_peers.py PEER FOLDER REPEATS    # documents.jsonl, long.jsonl to predictions.jsonl, run.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Span

Values = dict[str, Any]
#: For each span (start, end, label) of a text the values of the axes that are known; none for one not judged.
Judge = Callable[[str, list[tuple[int, int, str]]], list[Values]]


def measure(work: Callable[..., Any], documents: Sequence[Any], notes: Sequence[Any], texts: list[str], n: int) -> Any:
    """CPU time of the work, already warm, on documents over that of the blank tokenizer on their texts, and of the
    work on the second note over that on the first, each n times."""

    def cpu(work: Callable[..., Any], some: Sequence[Any]) -> float:
        start = time.process_time()
        work(some)
        return time.process_time() - start

    make_doc = spacy.blank("en").make_doc

    def tokenize(texts: Sequence[str]) -> int:
        return sum(len(make_doc(text)) for text in texts)

    tokenize(texts)
    out: dict[str, list[float]] = {"ratio": [], "growth": []}
    for _ in range(n):
        base = cpu(tokenize, texts)
        out["ratio"].append(cpu(work, documents) / base)
        short = cpu(work, notes[:1])
        out["growth"].append(cpu(work, notes[1:]) / short)
    return out


def _on_docs(nlp: Language, group: str, values: Callable[[Span], Values]) -> Judge:
    """Spans are given in a span group, so that those that overlap are all judged."""

    def judge(text: str, spans: list[tuple[int, int, str]]) -> list[Values]:
        doc = nlp.make_doc(text)
        given = [doc.char_span(start, end, label=label, alignment_mode="expand") for start, end, label in spans]
        doc.spans[group] = [span for span in given if span is not None]
        for _, component in nlp.pipeline:
            doc = component(doc)
        return [{} if span is None else values(span) for span in given]

    return judge


def _medspacy() -> Judge:
    import medspacy

    nlp = medspacy.load(medspacy_enable={"medspacy_tokenizer", "medspacy_pyrush", "medspacy_context"})
    context = nlp.get_pipe("medspacy_context")
    context.input_span_type = "group"

    def values(span: Span) -> Values:
        flags = ("negated", "uncertain", "hypothetical", "historical")
        said: Values = {axis: bool(span._.get(f"is_{axis}")) for axis in flags}
        return said | {"experiencer": "family" if span._.is_family else "patient"}

    return _on_docs(nlp, context.span_group_name, values)


def _with_sentences() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return nlp


def _negspacy() -> Judge:
    import negspacy.negation  # noqa: F401 - registers the component

    nlp = _with_sentences()
    nlp.add_pipe("negex", config={"span_keys": ["given"]})
    return _on_docs(nlp, "given", lambda span: {"negated": bool(span._.negex)})


def _umlsmatch() -> Judge:
    from umlsmatch import analyze

    # it would look up the concepts of given spans in its dictionary, but its rules do not use what it finds
    analyze.RareWordMatcher = lambda path: SimpleNamespace(_group=str, preferred_text=str)
    pipeline = analyze.ClinicalPipeline(model=_with_sentences())

    def values(said: Any) -> Values:
        if said is None:  # a span across sentences
            return {}
        flags = {"negated": said.negated, "uncertain": said.uncertain, "historical": said.history_of}
        return {**flags, "experiencer": "family" if said.subject == "family_member" else "patient"}

    return lambda text, spans: [values(said) for said in pipeline.assess(text, spans)]


def main(peer: str, folder: Path, repeats: int) -> None:
    judge = {"medspacy": _medspacy, "negspacy": _negspacy, "umlsmatch": _umlsmatch}[peer]()

    def work(documents: Sequence[Any]) -> list[list[Values]]:
        return [judge(d["text"], [(a["start"], a["end"], a["label"]) for a in d["annotations"]]) for d in documents]

    def read(name: str) -> list[Any]:
        rows = map(json.loads, (folder / name).read_bytes().splitlines())
        return [{"text": "", "annotations": [], **row} for row in rows]

    documents = read("documents.jsonl")
    with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for d, said in zip(documents, work(documents)):
            annotations = [{**a, "attributes": values} for a, values in zip(d["annotations"], said)]
            file.write(json.dumps({"doc_id": d["doc_id"], "annotations": annotations}) + "\n")
    times = measure(work, documents, read("long.jsonl"), [d["text"] for d in documents], repeats)
    (folder / "run.json").write_text(json.dumps({"name": f"{peer} {metadata.version(peer)}", **times}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
