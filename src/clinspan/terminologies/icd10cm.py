"""ICD-10-CM as CMS and NCHS publish it: the order file (fixed columns) or the tabular list (XML).

The order file has two names a code, the long one preferred; the tabular list has a title and inclusion terms. Codes of
diseases, injuries and symptoms are conditions; external causes (V–Y) and reasons for contact (Z) have no label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinspan.terminologies._files import fail, head, lines, xml_elements
from clinspan.terminologies._labels import labels_of
from clinspan.terminologies.model import PREFERRED, SYNONYM, Term

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_CODE = re.compile(r"[A-Z][0-9A-Z]{2}(\.?[0-9A-Z]{1,4})?")


def read(path: Path) -> Iterator[Term]:
    """The terms of an order file or a tabular list; which one, its first characters tell.

    Raises:
        TermsFileError: for a line or an entry without a code and a name, and for XML that is cut short or has entities.
    """
    path = Path(path)
    return _tabular(path) if head(path).lstrip().startswith("<") else _order(path)


def _order(path: Path) -> Iterator[Term]:
    for number, line in lines(path):
        if not line.strip():
            continue
        code, short, long = line[6:13].strip(), line[16:76].strip(), line[77:].strip()
        if not line[:5].isdecimal() or line[14:15] not in ("0", "1") or not _CODE.fullmatch(code) or not long:
            raise fail(path, number, "not a line of an order file")
        yield from _terms(code if len(code) == 3 else f"{code[:3]}.{code[3:]}", [long, short])


def _tabular(path: Path) -> Iterator[Term]:
    seen = False
    for number, element in xml_elements(path, "section", "ICD10CM.tabular"):
        seen = seen or element.tag == "ICD10CM.tabular"
        for entry in element.iter("diag"):
            code, title = _text(entry.find("name")), _text(entry.find("desc"))
            if not _CODE.fullmatch(code) or not title:
                raise fail(path, number, "an entry without a code and a title in what ends here")
            yield from _terms(code, [title, *map(_text, entry.findall("inclusionTerm/note"))])
    if not seen:
        raise fail(path, 1, "not a tabular list")


def _terms(code: str, names: list[str]) -> Iterator[Term]:
    label = labels_of("icd10cm").get(code[0], "")
    for i, name in enumerate(dict.fromkeys(filter(None, names))):
        yield Term("ICD10CM", code, name, SYNONYM if i else PREFERRED, label)


def _text(element: Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()
