"""JSON lines of tokens and their IOB2 tags, as the trial summaries of NeuroTrialNER come and many sets for training.

A line is an object with ``tokens``, one tag for each under ``ner_tags`` or ``tags``, and an id under ``id`` or
``nct_id`` (else ``<file stem>:<line>``)::

    {"tokens": ["No", "chest", "pain", "."], "ner_tags": ["O", "B-COND", "I-COND", "O"], "nct_id": "NCT00000001"}

The text is the tokens with one space between them: what stood there before the text was cut into tokens is not known.
``B-X`` begins a mention, ``I-X`` continues one of the same label and else begins one. Tags given as numbers are
refused: their names are not in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from clinspan.corpora._files import Malformed, as_string, documents_of_lines, first_of, strings
from clinspan.corpora.model import Annotation, Document

_TAG_KEYS = ("ner_tags", "tags")
_ID_KEYS = ("id", "nct_id")


def read(path: Path) -> Iterator[Document]:
    """The documents of a file, one a line; blank lines are passed over.

    Raises:
        CorpusError: for a line that is not a JSON object, tokens that are not strings, an empty one, a tag that is not
            ``O``, ``B-X`` or ``I-X``, and another number of tags than of tokens.
    """
    return documents_of_lines(path, _document)


def _document(row: Mapping[str, Any], default_id: str) -> Document:
    tokens = strings(row.get("tokens"), "tokens")
    tags = strings(first_of(row, _TAG_KEYS), "the tags")
    if not all(tokens):
        raise Malformed("an empty token")
    if not all(map(_is_tag, tags)):
        raise Malformed("a tag is none of O, B-X and I-X")
    if len(tags) != len(tokens):
        raise Malformed(f"{len(tags)} tags for {len(tokens)} tokens")
    starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))
    doc_id = first_of(row, _ID_KEYS)
    return Document(
        doc_id=default_id if doc_id is None else as_string(doc_id, "the id"),
        text=" ".join(tokens),
        annotations=tuple(
            _annotation(f"T{number}", label, starts[first], starts[last] + len(tokens[last]))
            for number, (label, first, last) in enumerate(_mentions(tags), start=1)
        ),
    )


def _mentions(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Label, first token and last token of each mention."""
    found: list[tuple[str, int, int]] = []
    before = "O"
    for index, tag in enumerate(tags):
        label = tag[2:]
        if tag.startswith("I-") and before[2:] == label:
            found[-1] = (label, found[-1][1], index)
        elif tag != "O":
            found.append((label, index, index))
        before = tag
    return found


def _annotation(identifier: str, label: str, start: int, end: int) -> Annotation:
    return Annotation(start=start, end=end, label=label, fragments=((start, end),), id=identifier)


def _is_tag(tag: str) -> bool:
    return tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)
