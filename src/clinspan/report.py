"""An evaluation, for machines and for people: ``scores.json``, ``errors.csv``, ``report.html``, the terminal.

All show the one dict that :func:`clinspan.evaluate.run` puts together.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinspan.corpora import Document
from clinspan.evaluate import KINDS, Error
from clinspan.scoring import MACRO, MICRO

if TYPE_CHECKING:
    from rich.table import Table

_CONTEXT = 90  # characters on each side of an error
_MODES = ("strict", "relaxed", "partial")
_METRICS = ("precision", "recall", "f1")


FILES: tuple[str, ...] = ("scores.json", "errors.csv", "report.html")


def write(
    report: Mapping[str, Any],
    errors: Sequence[Error],
    documents: Sequence[Document],
    folder: Path,
    *,
    overwrite: bool = False,
) -> None:
    """Write :data:`FILES` into a folder, which is made if it is not there; all of them, or none.

    Raises:
        FileExistsError: when one of them is there and is not to be overwritten.
        OSError: when the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not overwrite and any((folder / name).exists() for name in FILES):
        raise FileExistsError(f"{folder}: holds an evaluation already")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [field.name for field in fields(Error)])
    writer.writeheader()
    writer.writerows(map(asdict, errors))
    contents = (
        json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        table.getvalue(),
        to_page(report, errors, documents),
    )
    aside = [folder / f".{name}.part" for name in FILES]
    try:
        for path, content in zip(aside, contents, strict=True):
            # a note id may be a file name that is not UTF-8
            path.write_bytes(content.encode("utf-8", errors="backslashreplace"))
        for path, name in zip(aside, FILES, strict=True):
            path.replace(folder / name)
    finally:
        for path in aside:
            path.unlink(missing_ok=True)


# --- the terminal ---


def to_terminal(report: Mapping[str, Any]) -> Iterator[Table | str]:
    """What ``rich`` prints: a table of entities, one of assertion, one of the comparison; a line each for the rest."""
    scores = report["scores"]
    corpus = report["corpus"]
    yield (f"{_title(report)}: {corpus['documents']:,} documents, {corpus['annotations']:,} annotations")
    if odd := corpus["mismatched"]:
        yield f"{len(odd):,} annotations are not of the text at their offsets, which hold: {', '.join(odd[:5])}"
    if entities := scores["entities"]:
        rows = []
        for label, strict in entities["strict"].items():
            relaxed = entities["relaxed"][label]
            counts = [_count(strict[side]) if side in strict else "" for side in ("gold", "predicted")]
            shares = [_plain(relaxed[m]) for m in ("precision", "recall")]
            rows.append([label, *counts, *shares, to_text(relaxed["f1"]), to_text(strict["f1"])])
        yield _table(("label", "gold", "predicted", "P", "R", "relaxed F1", "strict F1"), rows)
    judged = scores["assertion"]
    if judged["axes"] and judged["entities"]:
        rows = []
        for axis, value, row in _assertion_rows(judged["axes"]):
            count = _count(row["gold"]) if "gold" in row else ""
            rows.append([axis, value, count, _plain(row["precision"]), _plain(row["recall"]), to_text(row["f1"])])
        yield f"assertion on {judged['entities']:,} {judged['spans']} spans"
        yield _table(("axis", "value", "gold", "P", "R", "F1"), rows)
        agreed = [f"{axis} {value:.3f}" for axis, value in judged["kappa"].items() if value is not None]
        if agreed:
            yield f"Cohen's kappa: {', '.join(agreed)}"
    judges = corpus["layer"] == "entities" and (entities or judged["entities"])
    if judges and (silent := [axis for axis in corpus["axes"] if axis not in judged["axes"]]):
        yield f"not scored, since {report['pipeline']} says nothing of them: {', '.join(silent)}"
    if linking := scores["linking"]:
        ranks = ", ".join(f"{name} {to_text(linking[name])}" for name in linking if name.startswith("accuracy"))
        yield f"linking, {linking['entities']:,} matched entities with gold codes: {ranks}"
    if scores["entities"] or judged["entities"]:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in scores["errors"].items() if n)
        yield f"disagreements: {kinds or 'none'}"
    for side in (report, report["against"]):
        if side and (missing := side["without_predictions"]):
            yield f"{side['pipeline']} has no line for {missing:,} documents: all in them counts as missed"
    if against := report["against"]:
        yield f"less {against['pipeline']}"
        yield _table(
            ("what", "difference", "p"),
            [
                [name, to_text(row["f1"], signed=True), _p(row["f1"]["p"])]
                for name, row in _difference_rows(against["differences"])
            ],
        )
        yield "p: approximate randomization over documents, not corrected for the number of rows"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        name = heading in ("label", "axis", "value", "what")
        table.add_column(heading, justify="left" if name else "right", no_wrap=name)
    for row in rows:
        table.add_row(*map(Text, row))  # a label may look like markup
    return table


def _assertion_rows(axes: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(axis, value, scores), without the micro average, which is the same for precision and recall of an axis."""
    for axis, values in axes.items():
        for value, row in values.items():
            if value != MICRO and (row.get("gold") or row.get("predicted") or value == MACRO):
                yield axis, value, row


def _difference_rows(differences: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for mode in ("relaxed", "strict"):
        for label, row in differences["entities"].get(mode, {}).items():
            yield f"{mode} {label}", row
    for axis, values in differences["assertion"].items():
        for value, row in values.items():
            if value != MICRO and row["f1"]["value"] is not None:
                yield f"{axis} {value}", row
    for rank, row in differences["linking"].items():
        yield f"linking {rank}", {"f1": row}


def _title(report: Mapping[str, Any]) -> str:
    corpus = report["corpus"]
    return f"{report['pipeline']} on {corpus['name']} {corpus['split']}".rstrip()


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _plain(interval: Mapping[str, Any]) -> str:
    return "-" if interval["value"] is None else _share(interval["value"])


def to_text(interval: Mapping[str, Any], *, signed: bool = False) -> str:
    """A score with its interval, such as ``.934 [.921, .945]``; ``-`` where it is not defined."""
    text = _plain(interval) if not signed or interval["value"] is None else _share(interval["value"], "+")
    if interval["value"] is None or interval["low"] is None:
        return text
    low, high = (_share(interval[end], "+" if signed else "") for end in ("low", "high"))
    return f"{text} [{low}, {high}]"


def _share(value: float, sign: str = "") -> str:
    """Three digits, in as few characters as a column needs: .934, 1.00."""
    text = f"{value:{sign}.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text[:-1]


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"


# --- the page ---


def to_page(report: Mapping[str, Any], errors: Sequence[Error], documents: Sequence[Document]) -> str:
    """A self-contained HTML page: bars with intervals, confusion matrices, and the errors in their context."""
    scores = report["scores"]
    title = _title(report)
    against = report["against"]
    parts = {
        "TITLE": escape(title),
        "FACTS": _facts(report),
        "SCORES": "".join(
            (
                _entities_section(scores["entities"]),
                _assertion_section(scores["assertion"]),
                _linking_section(scores["linking"]),
                _against_section(against) if against else "",
                _confusion_section(scores["confusion"]),
            )
        ),
        "ERRORS": _script(_error_rows(errors, {d.doc_id: d.text for d in documents})),
        "KINDS": _script([kind for kind in KINDS if any(e.kind == kind for e in errors)]),
        "COMMAND": escape(report["command"]),
        "VERSIONS": escape(", ".join(f"{name} {version}" for name, version in report["versions"].items())),
    }
    page = files("clinspan").joinpath("resources", "report.html").read_text(encoding="utf-8")
    return re.sub("@@([A-Z]+)@@", lambda marker: parts[marker[1]], page)


def _facts(report: Mapping[str, Any]) -> str:
    corpus, settings = report["corpus"], report["settings"]
    units = "" if corpus["units"] == corpus["documents"] else f" in {corpus['units']:,} groups"
    facts = [f"{corpus['documents']:,} documents{units}", f"{corpus['annotations']:,} annotations"]
    if settings.get("draws"):
        facts.append(f"{settings['confidence']:.0%} intervals from {settings['draws']:,} bootstrap draws")
    facts.append(f"corpus {corpus['digest'][:12]}")
    return escape(" \u00b7 ".join(facts))


def _entities_section(entities: Mapping[str, Any]) -> str:
    if not entities:
        return ""
    rows = []
    for label, strict in entities["strict"].items():
        if strict.get("gold") == 0 and strict.get("predicted") == 0:
            continue
        cells = "".join(f"<td>{_bar(entities[mode][label]['f1'], mode)}</td>" for mode in _MODES)
        counts = (
            f"<td class=n>{_count(strict['gold'])}<td class=n>{_count(strict['predicted'])}"
            if "gold" in strict
            else "<td><td>"
        )
        rows.append(f"<tr{_average(label)}><th scope=row>{escape(label)}</th>{counts}{cells}")
    numbers = []
    for mode in _MODES:
        for label, row in entities[mode].items():
            cells = "".join(f"<td class=n>{to_text(row[m])}" for m in _METRICS)
            numbers.append(f"<tr{_average(label)}><td>{mode}<th scope=row>{escape(label)}</th>{cells}")
    return f"""<section><h2>Entities</h2>
<div class=wide><table class=bars><thead><tr><th>label<th>gold<th>predicted<th>strict F1<th>relaxed F1<th>partial F1
<tbody>{"".join(rows)}</table></div>
<p class=note>Strict: same label and offsets. Relaxed: same label, at least one character shared. Partial: paired one to
one within the label, 1 for the same offsets, \u00bd for an overlap. The thin line is the interval.</p>
<details><summary>Precision, recall and F1 as numbers</summary><div class=wide><table><thead><tr><th>match<th>label
<th>precision<th>recall<th>F1<tbody>{"".join(numbers)}</table></div></details></section>"""


def _assertion_section(judged: Mapping[str, Any]) -> str:
    if not judged["axes"] or not judged["entities"]:
        return ""
    rows = [
        f"<tr{_average(value)}><td>{escape(axis)}<th scope=row>{escape(value)}</th>"
        f"<td class=n>{_count(row['gold']) if 'gold' in row else ''}"
        + "".join(f"<td>{_bar(row[m], m)}" for m in _METRICS)
        for axis, value, row in _assertion_rows(judged["axes"])
    ]
    kappas = [f"{axis} {value:.3f}" for axis, value in judged["kappa"].items() if value is not None]
    agreed = f"<p class=note>Cohen\u2019s kappa: {escape(', '.join(kappas))}.</p>" if kappas else ""
    return f"""<section><h2>Assertion</h2>
<p>On {judged["entities"]:,} {"gold" if judged["spans"] == "gold" else "matched"} entities{
        "" if judged["spans"] == "gold" else ": those found, with the right label"
    }.</p>
<div class=wide><table class=bars><thead><tr><th>axis<th>value<th>gold<th>precision<th>recall<th>F1
<tbody>{"".join(rows)}</table></div>{agreed}</section>"""


def _linking_section(linking: Mapping[str, Any] | None) -> str:
    if not linking:
        return ""
    ranks = "".join(
        f"<tr><th scope=row>{name}</th><td>{_bar(row, name)}" for name, row in linking.items() if "accuracy" in name
    )
    return f"""<section><h2>Linking</h2><p>{linking["entities"]:,} matched entities have gold codes;
{linking["with_code"]:,} of these have a predicted one.</p><table class=bars><tbody>{ranks}</table></section>"""


def _against_section(against: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><th scope=row>{escape(name)}</th><td class=n>{to_text(row['f1'], signed=True)}"
        f"<td class=n>{_p(row['f1']['p'])}"
        for name, row in _difference_rows(against["differences"])
    ]
    return f"""<section><h2>Less {escape(against["pipeline"])}</h2>
<div class=wide><table><thead><tr><th>what<th>difference<th>p<tbody>{"".join(rows)}</table></div>
<p class=note>Of F1, or of accuracy; of assertion on the mentions that both were judged on. p: approximate
randomization over documents, {against["differences"]["rounds"]:,} rounds, two-sided; not corrected for the number of
rows.</p></section>"""


def _confusion_section(confusion: Mapping[str, Any]) -> str:
    matrices = "".join(_matrix(name, cells) for name, cells in confusion.items() if cells)
    if not matrices:
        return ""
    return f"""<section><h2>Confusion</h2><p class=note>Gold in rows, predicted in columns.</p>
<div class=matrices>{matrices}</div></section>"""


def _matrix(name: str, cells: Sequence[Sequence[Any]]) -> str:
    counts = {(a, b): n for a, b, n in cells}
    values = sorted({v for pair in counts for v in pair}, key=lambda v: (v is None, v or ""))
    sums = {a: sum(n for (x, _), n in counts.items() if x == a) for a in values}
    rows = []
    for a in values:
        shown = []
        for b in values:
            n = counts.get((a, b), 0)
            share = n / sums[a] if sums[a] else 0.0
            kind = "right" if a == b else "wrong"
            shown.append(f'<td class="n {kind}" style="--share:{share:.3f}">{n or ""}')
        rows.append(f"<tr><th scope=row>{_named(a)}</th>{''.join(shown)}")
    head = "".join(f"<th scope=col><span>{_named(b)}</span>" for b in values)
    return (
        f"<figure><figcaption>{escape(name)}</figcaption><div class=wide>"
        f"<table class=matrix><thead><tr><td>{head}<tbody>{''.join(rows)}</table></div></figure>"
    )


def _named(value: str | None) -> str:
    return "<i>nothing</i>" if value is None else escape(value)


def _bar(interval: Mapping[str, Any], kind: str) -> str:
    value = interval["value"]
    if value is None:
        return '<span class="bar none">\u2013</span>'
    line = ""
    if interval["low"] is not None:
        low, width = 100 * interval["low"], 100 * (interval["high"] - interval["low"])
        line = f'<b style="left:{low:.1f}%;width:{width:.1f}%"></b>'
    return (
        f'<span class="bar {escape(kind)}" title="{escape(to_text(interval))}">'
        f'<span><i style="width:{100 * value:.1f}%"></i>{line}</span><em>{_share(value)}</em></span>'
    )


def _average(label: str) -> str:
    return " class=average" if label in (MICRO, MACRO) else ""


def _error_rows(errors: Sequence[Error], texts: Mapping[str, str]) -> list[list[Any]]:
    """What the page's script needs of each error, the text around it among them."""
    rows = []
    for e in errors:
        text = texts.get(e.note_id, "")
        start, end = _around(text, e.start, e.end)
        gold = [e.gold_start - start, e.gold_end - start] if e.gold_start is not None and e.gold_end else None
        predicted = (
            [e.predicted_start - start, e.predicted_end - start]
            if e.predicted_start is not None and e.predicted_end
            else None
        )
        rows.append(
            [
                e.note_id,
                e.kind,
                e.start,
                e.end,
                e.gold_label,
                e.predicted_label,
                e.axis,
                e.gold_value,
                e.predicted_value,
                text[start:end],
                gold,
                predicted,
            ]
        )
    return rows


def _around(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters to show around a span: up to the context, and no half words where the text has any space."""
    first, last = max(0, start - _CONTEXT), min(len(text), end + _CONTEXT)
    while 0 < first < start and not text[first - 1].isspace():
        first += 1
    while end < last < len(text) and not text[last].isspace():
        last -= 1
    return first, last


def _script(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")
