"""Another pipeline's entities in place of the trained finder's: any spaCy or scispaCy model, with a map of its labels.

The other pipeline reads the note's text with its own tokenizer; its entities (``doc.ents``) are taken where they touch
tokens of ours. ``doc.spans["ner"]`` holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan.attributes import values_of
from clinspan.components import Stateless
from clinspan.components.memo import set_spans
from clinspan.components.ner import NER
from clinspan.schema import LABELS

#: What labels of well-known models mean here; clinspan's own stand for themselves. A label that is in neither is left
#: out: those of genes, cells, species, and of general English.
KNOWN_LABELS: Mapping[str, str] = MappingProxyType(
    {
        # scispaCy: en_ner_bc5cdr_md, en_ner_bionlp13cg_md, en_ner_craft_md
        "DISEASE": "CONDITION",
        "CHEMICAL": "DRUG",
        "SIMPLE_CHEMICAL": "DRUG",
        "CANCER": "CONDITION",
        "PATHOLOGICAL_FORMATION": "CONDITION",
        "ORGAN": "ANATOMY",
        "TISSUE": "ANATOMY",
        "ANATOMICAL_SYSTEM": "ANATOMY",
        "MULTI_TISSUE_STRUCTURE": "ANATOMY",
        "ORGANISM_SUBDIVISION": "ANATOMY",
        "CHEBI": "DRUG",
        # i2b2 2010
        "PROBLEM": "CONDITION",
        "TREATMENT": "PROCEDURE",
        "TEST": "MEASUREMENT",
    }
)


class ExternalNer(Stateless):
    """The component.

    Args:
        model: name of an installed package, or a folder.
        labels: the model's labels to clinspan's, beside :data:`KNOWN_LABELS`; one mapped to ``""`` is left out.

    Raises:
        OSError: no such model.
        ValueError: a label is mapped to one that clinspan does not have, or none of the model's labels is mapped.
    """

    def __init__(self, model: str, labels: Mapping[str, str] | None = None) -> None:
        self.model = model
        self.given = dict(labels or {})
        if unknown := sorted(set(self.given.values()) - {*LABELS, ""}):
            raise ValueError(f"not labels of clinspan: {', '.join(unknown)}; they are {', '.join(LABELS)}")
        self.labels = {**{label: label for label in LABELS}, **KNOWN_LABELS, **self.given}
        self.nlp = spacy.load(model)
        self.nlp.max_length = 100_000_000
        own = {label for name in self.nlp.pipe_names for label in self.nlp.pipe_labels.get(name, ())}
        if own and not any(self.labels.get(label) for label in own):
            listed = ", ".join(sorted(own)[:20])
            raise ValueError(f"no label of {model} has a counterpart; say which they are (it has {listed})")

    def __call__(self, doc: Doc) -> Doc:
        spans: list[Span] = []
        for entity in self.nlp(doc.text).ents:
            label = self.labels.get(entity.label_)
            if not label:
                continue
            span = doc.char_span(
                entity.start_char, entity.end_char, label=label, span_id=self.model, alignment_mode="expand"
            )
            if span is not None and len(span):
                spans.append(span)
                values_of(doc, span.start_char, span.end_char, label).setdefault("source", self.model)
        if spans:
            set_spans(doc, NER, spans)
        return doc

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.given)


@Language.factory("clinspan_external_ner", requires=["doc.spans"], assigns=["doc.spans"], default_config={"labels": {}})
def make_external_ner(nlp: Language, name: str, model: str, labels: dict[str, str]) -> ExternalNer:
    """Another pipeline as the finder; see :class:`ExternalNer`."""
    return ExternalNer(model, labels)
