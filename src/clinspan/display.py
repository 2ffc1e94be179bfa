"""A note with its entities, for people: in the terminal, as a page, in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from clinspan.attributes import ENTITIES
from clinspan.components.memo import spans_of
from clinspan.components.sections import TITLES
from clinspan.rules import AXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table
    from rich.text import Text
    from spacy.tokens import Doc, Span

    from clinspan.components.context import Context

#: Colours by assertion, for the terminal and the page.
_TERMINAL = {
    "present": "black on green3",
    "absent": "black on grey70",
    "possible": "black on yellow3",
    "hypothetical": "black on sky_blue1",
    "historical": "black on tan",
    "allergy": "white on red3",
    "family": "black on plum2",
    "other": "black on plum3",
}
_PAGE = {
    "present": "#bfe8c5",
    "absent": "#dadde1",
    "possible": "#fbe7a1",
    "hypothetical": "#c3e0f7",
    "historical": "#ead7bd",
    "allergy": "#f6b9b3",
    "family": "#e4cdf2",
    "other": "#d2bfe8",
}


def _flat(doc: Doc) -> list[Span]:
    """The entities, outermost and leftmost where they overlap."""
    out: list[Span] = []
    for span in sorted(spans_of(doc, ENTITIES), key=lambda s: (s.start_char, -s.end_char)):
        if not out or span.start_char >= out[-1].end_char:
            out.append(span)
    return out


def to_terminal(doc: Doc) -> Text:
    """The note as ``rich`` text: entities coloured by assertion, each with its label and assertion behind it."""
    from rich.text import Text

    text = Text(doc.text)
    for title in spans_of(doc, TITLES):
        text.stylize("bold underline", title.start_char, title.end_char)
    shown = Text()
    place = 0
    for span in _flat(doc):
        style = _TERMINAL[span._.assertion]
        shown.append_text(text[place : span.start_char])
        shown.append(span.text, style=style)
        shown.append(f" {span.label_.lower()}\u00b7{span._.assertion}", style="dim italic")
        place = span.end_char
    shown.append_text(text[place:])
    return shown


def to_html(doc: Doc) -> str:
    """The note as an HTML fragment: sections, entities coloured by assertion, and on hover what set the flags."""
    marks: list[tuple[int, int, str, str]] = []
    for span in _flat(doc):
        tip = escape(_tip(span), quote=True)
        marks.append(
            (
                span.start_char,
                span.end_char,
                f'<mark tabindex="0" class="{span._.assertion}" data-tip="{tip}">',
                f"<small>{escape(span.label_.lower())}</small></mark>",
            )
        )
    taken = [(s, e) for s, e, _, _ in marks]
    for title in spans_of(doc, TITLES):
        start, end = title.start_char, title.end_char
        if all(end <= s or start >= e for s, e in taken):
            marks.append((start, end, f'<b title="section: {escape(title.label_)}">', "</b>"))
    out = []
    place = 0
    text = doc.text
    for start, end, before, after in sorted(marks):
        out.append(escape(text[place:start]) + before + escape(text[start:end]) + after)
        place = end
    out.append(escape(text[place:]))
    return '<div class="clinspan">' + "".join(out) + "</div>"


def _tip(span: Span) -> str:
    lines = [f"{span.label_} \u00b7 {span._.assertion}"]
    if span._.concept_id:
        lines.append(f"{span._.vocabulary}:{span._.concept_id} {span._.concept_name}")
    if span._.section:
        lines.append(f"section: {span._.section}")
    for cue in span._.cues:
        value = "" if cue["value"] == "true" else f" ({cue['value']})"
        lines.append(f"{cue['axis']}{value}: \u201c{' '.join(cue['text'].split())}\u201d [{cue['rule_id']}]")
    return "\n".join(lines)


def explanation(doc: Doc, context: Context) -> Iterator[Text | Table]:
    """How each entity was judged, as ``rich`` prints it: the note, then entities with their cues, then all wordings of
    rules in the note, with what each does or did not do."""
    from rich.table import Table
    from rich.text import Text

    yield to_terminal(doc)
    entities = Table(box=None, pad_edge=False)
    for heading in ("entity", "label", "assertion", "set by"):
        entities.add_column(heading)
    reached: dict[tuple[int, int], list[str]] = {}
    for span in spans_of(doc, ENTITIES):
        said = []
        for cue in span._.cues:
            value = "" if cue["value"] in ("true", cue["axis"]) else f" ({cue['value']})"
            said.append(f"{cue['axis']}{value}: \u201c{' '.join(cue['text'].split())}\u201d {cue['rule_id']}")
            names = reached.setdefault((cue["start"], cue["end"]), [])
            if span.text not in names:
                names.append(span.text)
        judged = (" ".join(span.text.split()), span.label_, span._.assertion, "; ".join(said) or "no cue")
        entities.add_row(*map(Text, judged))
    yield entities
    cues = Table(box=None, pad_edge=False)
    for heading in ("wording", "rule", "says", "direction", "reaches"):
        cues.add_column(heading)
    for first, past, rules in context.cues(doc):
        wording = doc[first:past]
        names = reached.get((wording.start_char, wording.end_char), [])
        for rule in rules:
            said_of = "+".join(rule.axes) if len(rule.axes) < len(AXES) else "all"
            value = "" if rule.value == "true" else f" ({rule.value})"
            where = rule.direction + (f", up to {rule.scope} words" if rule.scope else "")
            cells = (" ".join(wording.text.split()), rule.id, said_of + value, where, ", ".join(names))
            cues.add_row(*map(Text, cells), style="" if names else "dim")
    yield cues


STYLE = """
.clinspan { white-space: pre-wrap; line-height: 1.9; overflow-wrap: anywhere; }
.clinspan mark { position: relative; border-radius: 3px; padding: 1px 3px; color: #111; cursor: help; }
.clinspan mark small { font-size: .62em; margin-left: .35em; color: #444; text-transform: uppercase; }
.clinspan mark.absent { text-decoration: line-through; text-decoration-color: #888; }
.clinspan mark:hover::after, .clinspan mark:focus::after { content: attr(data-tip); position: absolute; left: 0;
  top: 100%; z-index: 9; white-space: pre; background: #222; color: #fff; font: 12px/1.5 system-ui, sans-serif;
  padding: 6px 9px; border-radius: 4px; text-decoration: none; max-width: 90vw; overflow: hidden; }
""" + "".join(f".clinspan mark.{name} {{ background: {colour}; }}\n" for name, colour in _PAGE.items())


def to_page(doc: Doc, *, title: str) -> str:
    """A self-contained HTML page of one note (no scripts, no external resources)."""
    legend = " ".join(f'<mark class="{name}">{name}</mark>' for name in _PAGE)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
body {{ font: 16px/1.6 Georgia, serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
header {{ font-family: system-ui, sans-serif; border-bottom: 1px solid #ccc; margin-bottom: 1rem; }}
h1 {{ font-size: 1.1rem; }}
{STYLE}</style></head>
<body><header><h1>{escape(title)}</h1><p class="clinspan">{legend}</p></header>
<main>{to_html(doc)}</main></body></html>
"""


class Notebook:
    """Shows a Doc's entities in a notebook: ``clinspan.display.Notebook(doc)`` as a cell's last line."""

    def __init__(self, doc: Doc) -> None:
        self._doc = doc

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{to_html(self._doc)}"

    def __repr__(self) -> str:
        return f"<{len(_flat(self._doc))} entities>"


__all__ = ["STYLE", "Notebook", "explanation", "to_html", "to_page", "to_terminal"]
