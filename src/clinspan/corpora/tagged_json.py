"""JSON lines of tokens and their IOB2 tags, as the trial summaries of NeuroTrialNER come and many sets for training.

A line is an object with ``tokens``, one tag for each under ``ner_tags`` or ``tags``, and an id under ``id`` or
``nct_id`` (else ``<file stem>:<line>``)::

    {"tokens": ["No", "chest", "pain", "."], "ner_tags": ["O", "B-COND", "I-COND", "O"], "nct_id": "NCT00000001"}

The text is the tokens with one space between them: what stood there before the text was cut into tokens is not known.
``B-X`` begins a mention, ``I-X`` continues one of the same label and else begins one. Tags given as numbers are
refused: their names are not in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_TAG_KEYS = ("ner_tags", "tags")
_ID_KEYS = ("id", "nct_id")


def read(path: Path) -> Iterator[Document]:
    """The documents of a file, one a line; blank lines are passed over.

    Raises:
        CorpusError: for a line that is not a JSON object, tokens that are not strings, an empty one, a tag that is not
            ``O``, ``B-X`` or ``I-X``, and another number of tags than of tokens.
    """
    path = Path(path)
    for number, row in objects(path):
        if reason := _problem(row):
            raise CorpusError(path, number, reason)
        yield _document(row, f"{path.stem}:{number}")


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines and the numbers of their lines.

    Raises:
        CorpusError: for a file that is not UTF-8, a line that is not a JSON object, and a lone surrogate, which no
            text can hold.
    """
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").split("\n"), start=1):
        if line.strip():
            yield number, json_object(line, path, number)


def json_object(content: str, file: Path, line: int) -> dict[str, Any]:
    """The JSON object a line, or a whole file (then ``line`` is 0), consists of.

    Raises:
        CorpusError: when it is none, and for a lone surrogate.
    """
    try:
        value = json.loads(content)
        if "\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CorpusError(file, line, "a lone surrogate") from None
    except (ValueError, RecursionError):
        raise CorpusError(file, line, "not JSON") from None
    if not isinstance(value, dict):
        raise CorpusError(file, line, "not a JSON object")
    return value


def _problem(row: Mapping[str, Any]) -> str:
    tokens = row.get("tokens")
    tags = _first(row, _TAG_KEYS)
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        return "tokens is not a list of strings that are not empty"
    if not isinstance(tags, list) or not all(isinstance(tag, str) and _is_tag(tag) for tag in tags):
        return "the tags are not a list of O, B-X and I-X"
    if len(tags) != len(tokens):
        return f"{len(tags)} tags for {len(tokens)} tokens"
    if not isinstance(_first(row, _ID_KEYS), (str, int, type(None))):
        return "the id is neither a string nor a number"
    return ""


def _document(row: Mapping[str, Any], default_id: str) -> Document:
    tokens: list[str] = row["tokens"]
    starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))
    doc_id = _first(row, _ID_KEYS)
    return Document(
        doc_id=default_id if doc_id is None else str(doc_id),
        text=" ".join(tokens),
        annotations=tuple(
            _annotation(f"T{number}", label, starts[first], starts[last] + len(tokens[last]))
            for number, (label, first, last) in enumerate(_mentions(_first(row, _TAG_KEYS)), start=1)
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


def _first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((row[key] for key in keys if key in row), None)
