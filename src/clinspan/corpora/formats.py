"""The annotation formats there are modules for, and reading a file or a folder in one of them.

A format's module has ``read(path) -> Iterator[Document]`` for one file and, where it can be written,
``write(documents, path)``; ``problem(document) -> str`` says why a document cannot be written in it, or nothing.
A writer puts down what its format can express of the others and leaves out the rest:
:mod:`clinspan.corpora.conversion` reads the result back and reports the difference.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from clinspan.corpora.model import CorpusError, Document


@dataclass(frozen=True)
class Format:
    """An annotation format.

    Attributes:
        module: the module of this package.
        title: what it is, in a few words.
        files: patterns of the files to read in a folder; for formats with several files a document, of one of them.
        writes: whether there is a writer.
        folder: whether a corpus is a folder of files rather than one file.
    """

    module: str
    title: str
    files: tuple[str, ...]
    writes: bool = True
    folder: bool = False


FORMATS: dict[str, Format] = {
    "brat": Format("brat", "BRAT standoff, .txt and .ann", ("*.ann",), folder=True),
    "pubtator": Format("pubtator", "PubTator", ("*.PubTator.txt", "*.pubtator", "*.PubTator")),
    "bioc_xml": Format("bioc_xml", "BioC XML", ("*.xml",)),
    "bioc_json": Format("bioc_json", "BioC JSON", ("*.json",)),
    "conll": Format("conll", "CoNLL columns with IOB, IOB2 or BIOES tags", ("*.conll", "*.iob", "*.bio", "*.tsv")),
    "i2b2": Format("i2b2", "i2b2 2010: .txt, .con, .ast, .rel", ("*.con",), folder=True),
    "docbin": Format("docbin", "spaCy DocBin", ("*.spacy",)),
    "jsonl": Format("jsonl", "JSON lines with spans", ("*.jsonl", "*.jsonl.gz")),
    "negex": Format("negex", "the NegEx test kit's table", ("*.tsv",)),
    "inline": Format("inline", "mentions marked in the text", ("*.inline", "*.txt")),
    "anafora": Format("anafora", "Anafora XML, as cTAKES users have", ("*.xml",), folder=True),
    "xmi": Format("xmi", "UIMA CAS XMI, as INCEpTION and WebAnno export", ("*.xmi",), folder=True),
    "prodigy": Format("prodigy", "Prodigy JSON lines", ("*.jsonl",)),
    "doccano": Format("doccano", "Doccano JSON lines", ("*.jsonl",)),
    "label_studio": Format("label_studio", "Label Studio JSON", ("*.json",)),
    "phee": Format("phee", "PHEE's events, JSON lines", ("*.json",), writes=False),
    "tagged_json": Format("tagged_json", "JSON lines of tokens and their tags", ("*.json", "*.jsonl"), writes=False),
    "ab3p": Format("ab3p", "abstracts with their abbreviations, as Med1250", ("*.txt",), writes=False),
    "sections": Format("sections", "tables of notes or sections with headers", ("*.csv",), writes=False),
    "plain": Format("plain", "texts without annotations", ("*.csv", "*.json", "*.txt"), writes=False),
}

#: The formats that can be written.
WRITABLE: tuple[str, ...] = tuple(name for name, known in FORMATS.items() if known.writes)

#: What a file's name tells, for formats that have a suffix to themselves.
_SUFFIXES = {
    ".ann": "brat",
    ".pubtator": "pubtator",
    ".pubtator.txt": "pubtator",
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".con": "i2b2",
    ".spacy": "docbin",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".inline": "inline",
    ".xmi": "xmi",
}


def module_of(name: str) -> ModuleType:
    """The module of a format.

    Raises:
        CorpusError: for an unknown format, or one whose library is not installed.
    """
    if name not in FORMATS:
        raise CorpusError(name, 0, f"not a format: these are {', '.join(FORMATS)}")
    return importlib.import_module(f"{__package__}.{FORMATS[name].module}")


def guess_format(path: str | Path) -> str | None:
    """The format that the name of a file, or of the files in a folder, tells; ``None`` where it tells none."""
    path = Path(path)
    names = [path.name]
    if path.is_dir():
        names = sorted(file.name for file in path.rglob("*") if file.is_file())
    for name in names:
        for suffix, format_name in _SUFFIXES.items():
            if name.lower().endswith(suffix):
                return format_name
    return None


def read_files(path: str | Path, format_name: str) -> Iterator[Document]:
    """The documents of a file, or of the files of the format at any depth of a folder, in the order of their paths.

    Raises:
        CorpusError: for what :func:`module_of` and the format's reader refuse, no such file, a folder without files
            of the format, and a document id that comes twice.
    """
    path = Path(path)
    read = module_of(format_name).read
    if path.is_dir():
        patterns = FORMATS[format_name].files
        files = sorted({file for pattern in patterns for file in path.rglob(pattern) if file.is_file()})
        if not files:
            raise CorpusError(path, 0, f"no file matches {', '.join(patterns)}")
    elif path.exists():
        files = [path]
    else:
        raise CorpusError(path, 0, "no such file or folder")
    seen: set[str] = set()
    for file in files:
        for document in read(file):
            if document.doc_id in seen:
                raise CorpusError(file, 0, f"document {document.doc_id} comes twice")
            seen.add(document.doc_id)
            yield document
