"""The trained finder: a network's entities beside those of the dictionary.

It reads each sentence's words and what the dictionary says of them, and proposes entities of each label with the
probability that it gives them. In notes, what is less likely than the label's threshold is left out.

``doc.spans["ner"]`` holds the proposals, ``span._.score`` the calibrated probability, and
``doc.user_data["clinspan.register"]`` what kind of text it takes the document for: the merger
(:mod:`~clinspan.components.entities`) goes by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan.attributes import KEY, REGISTER, user_data
from clinspan.components import keep_files, resource_rows
from clinspan.components.abbreviations import short_forms
from clinspan.components.memo import set_spans, spans_of, together, tokens_of
from clinspan.components.sections import TITLES
from clinspan.matching.normal import symbols
from clinspan.tagger.calibration import calibrated
from clinspan.tagger.examples import Sentence, label_of, sequences
from clinspan.tagger.model import Tagger
from clinspan.tagger.register import NOTES, REGISTERS

NER = "ner"
AUTO = "auto"
# Headings, references back and normal statements that no open vocabulary names, and so is not excluded from the index.
_NONE = ("allergies", "allergic", "allergy", "medication", "incision", "normocephalic", "PERRL", "ROS", "MDM")
MODEL_FILE = "ner.weights"
_TOGETHER = 12_000  # tokens of Docs that are read in one go


class Ner:
    """The component; :meth:`find` is the pure function inside.

    Args:
        thresholds: by label, the least score of an entity that the dictionary does not find in a note; what is not
            listed takes the model's own.
        register: ``notes``, ``abstract`` or ``literature`` (of other kinds); ``auto`` to tell it from the words.

    Raises:
        ValueError: another register.
    """

    def __init__(self, *, thresholds: Mapping[str, float] | None = None, register: str = AUTO) -> None:
        if register not in (AUTO, *REGISTERS):
            raise ValueError(f"register is not one of {', '.join((AUTO, *REGISTERS))}: {register!r}")
        self.thresholds = dict(thresholds or {})
        self.register = register
        self.tagger: Tagger | None = None
        self._path: Path | None = None

    def open_model(self, path: str | Path) -> None:
        """Use the weights in the file at ``path``.

        Raises:
            OSError: the file cannot be read.
            IndexFileError: it holds no weights of this version.
        """
        self.tagger = Tagger.open(path)
        self._path = Path(path).resolve()

    def use(self, tagger: Tagger) -> None:
        """Use a network that has no file yet; saving the pipeline writes one."""
        self.tagger, self._path = tagger, None

    @property
    def labels(self) -> tuple[str, ...]:
        """What it finds."""
        return tuple(dict.fromkeys(map(label_of, self.tagger.labels))) if self.tagger else ()

    def __call__(self, doc: Doc) -> Doc:
        self.together([doc])
        return doc

    def pipe(self, docs: Iterable[Doc], *, batch_size: int = 0, **kwargs: Any) -> Iterator[Doc]:
        """Read a stream of Docs, several at a time."""
        for batch in together(docs, len, most=_TOGETHER):
            self.together(batch)
            yield from batch

    def together(self, docs: Sequence[Doc]) -> None:
        """Read several Docs in one go, which takes less time than one by one and gives the same."""
        if self.tagger is None:
            return
        for doc, (register, found) in zip(docs, self.find(docs)):
            user_data(doc)[REGISTER] = register
            tokens = tokens_of(doc)
            data = user_data(doc)
            spans = []
            for start, end, label, score in found:
                spans.append(Span(doc, start, end, label=label, span_id=NER))
                first, last = tokens.offsets[start], tokens.offsets[end - 1] + len(tokens.words[end - 1])
                data.setdefault((KEY, first, last, label), {"source": NER}).setdefault("score", score)
            taken = {i for span in spans for i in range(span.start, span.end)}
            for i, long in list(short_forms(doc, spans)):
                if i not in taken:
                    spans.append(Span(doc, i, i + 1, label=long.label, span_id=NER))
                    first, last = tokens.offsets[i], tokens.offsets[i] + len(tokens.words[i])
                    score = data[(KEY, long.start_char, long.end_char, long.label_)]["score"]
                    data.setdefault((KEY, first, last, long.label_), {"source": NER}).setdefault("score", score)
            if spans:
                set_spans(doc, NER, spans)

    def forget(self) -> None:
        """Forget what was found in sentences met before."""
        if self.tagger is not None:
            self.tagger.forget()

    def find(self, docs: Sequence[Doc]) -> list[tuple[str, list[tuple[int, int, str, float]]]]:
        """Of each Doc its register, and its proposals as (first token, one past the last, label, score), in the order
        of the text."""
        tagger = self.tagger
        assert tagger is not None
        least = {**tagger.meta.get("thresholds", {}), **self.thresholds}
        calibration = tagger.meta.get("calibration", {})
        by_doc = [list(sequences(doc)) for doc in docs]
        registers = [self._register_of(doc, sentences) for doc, sentences in zip(docs, by_doc)]
        out: list[list[tuple[int, int, str, float]]] = [[] for _ in docs]
        for register in set(registers):
            columns = tagger.columns_for(register)
            listed = [(i, s) for i, kind in enumerate(registers) if kind == register for s in by_doc[i]]
            for (i, sentence), found in zip(listed, tagger.find([sentence for _, sentence in listed], columns)):
                places = sentence.places
                for _, start, end, number, probability in found:
                    column = tagger.labels[number]
                    label = label_of(column)
                    score = round(calibrated(probability, *calibration.get(column, (1.0, 0.0))), 4)
                    if register == NOTES and (score < least.get(label, 0.0) or is_no_entity(sentence.words[start:end])):
                        continue
                    out[i].append((places[start], places[end - 1] + 1, label, score))
        return [(register, sorted(found)) for register, found in zip(registers, out)]

    def _register_of(self, doc: Doc, sentences: Sequence[Sentence]) -> str:
        if self.register != AUTO:
            return self.register
        assert self.tagger is not None
        return self.tagger.register_of(sentences, len(spans_of(doc, TITLES)))

    # --- saving ---

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Write the weights into the pipeline's folder."""
        if self.tagger is not None and self._path is None:
            Path(path).mkdir(parents=True, exist_ok=True)
            self.tagger.to_file(Path(path) / MODEL_FILE)
        else:
            keep_files(Path(path), MODEL_FILE, self._path, ())

    def from_disk(self, path: str | Path, **kwargs: Any) -> Ner:
        """Open the weights in the pipeline's folder, where there are any."""
        file = Path(path) / MODEL_FILE
        if file.exists():
            self.open_model(file)
        return self

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Where the weights lie (they are not copied).

        Raises:
            ValueError: they have no file yet.
        """
        if self.tagger is not None and self._path is None:
            raise ValueError("weights without a file: save the pipeline first")
        return str(self._path or "").encode()

    def from_bytes(self, data: bytes, **kwargs: Any) -> Ner:
        """Read what :meth:`to_bytes` gave."""
        if data:
            self.open_model(data.decode())
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.thresholds, self.register, self.to_bytes())


def is_no_entity(words: Sequence[str]) -> bool:
    """Whether the words of a proposal are none in notes by the annotation guidelines, whatever the corpora mark.

    Verbs ("was removed"), headings and references back, statements that all is normal, everyday words: the names that
    are left out of the dictionary as well (``resources/en/excluded_names.tsv``).
    """
    if len(words) == 1 and words[0].endswith("ed"):
        return True
    form = symbols(" ".join(words))
    return not form or form in _excluded()


@cache
def _excluded() -> frozenset[tuple[str, ...]]:
    listed = [row["name"] for row in resource_rows("en/excluded_names.tsv")]
    return frozenset(map(symbols, [*listed, *_NONE]))


def _restored(thresholds: Mapping[str, float], register: str, data: bytes) -> Ner:
    return Ner(thresholds=thresholds, register=register).from_bytes(data)


@Language.factory(
    "clinspan_ner", requires=["doc.spans"], assigns=["doc.spans"], default_config={"thresholds": {}, "register": AUTO}
)
def make_ner(nlp: Language, name: str, thresholds: dict[str, float], register: str) -> Ner:
    """The trained finder; its weights come with the pipeline's folder. For the settings see :class:`Ner`."""
    return Ner(thresholds=thresholds, register=register)
