"""BioC JSON, through the library ``bioc``; :mod:`~clinspan.corpora._bioc` says what of BioC is read and written.

It is BioC XML's content in JSON, as https://github.com/ncbi-nlp/BioC-JSON defines it. A file holds a collection;
a list of collections or documents, one document, and the object ``PubTator3`` of that service are read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clinspan.corpora import _bioc
from clinspan.corpora._documents import fault
from clinspan.corpora._files import library, parse_json
from clinspan.corpora.model import CorpusError, Document, read_text


def read(path: Path) -> Iterator[Document]:
    """The documents of a BioC JSON file.

    Raises:
        CorpusError: for a file that cannot be read or is not BioC JSON, for what
            :func:`clinspan.corpora._bioc.documents` refuses, and when the library is not installed.
    """
    path = Path(path)
    yield from _bioc.documents(_decoded(path), path)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as one collection.

    Raises:
        ValueError: for a document with a :func:`problem`.
        CorpusError: when the library is not installed.
    """
    path = Path(path)
    biocjson = library("bioc.biocjson", path)
    content = biocjson.dumps(_bioc.collection(documents, path, problem), ensure_ascii=False, indent=1)
    path.write_bytes(f"{content}\n".encode())


def problem(document: Document) -> str:
    """Why BioC JSON cannot hold the document: no id, text that is not Unicode, or annotations outside it. Empty when it
    can."""
    return fault(document) if document.doc_id else "it has no id"


def _decoded(path: Path) -> Iterator[Any]:
    biocjson = library("bioc.biocjson", path)
    for raw in _raw_documents(parse_json(read_text(path).removeprefix("\ufeff"), path), path):
        yield biocjson.fromJSON(raw, "BioCDocument")


def _raw_documents(raw: Any, path: Path) -> list[Any]:
    if isinstance(raw, list):
        return [document for item in raw for document in _raw_documents(item, path)]
    if isinstance(raw, dict):
        for key in ("documents", "PubTator3"):
            if isinstance(raw.get(key), list):
                return _raw_documents(raw[key], path)
        if "passages" in raw:
            return [raw]
    raise CorpusError(path, 0, "not BioC: neither a collection nor a document")
