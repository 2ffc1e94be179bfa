"""Reading notes: every format and encoding, and what cannot be read.

`SECRET` stands in for note text: no error may contain it.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from clinspan import notes
from clinspan.notes import Note, NotesError, ReadFailure, read_notes, sanitize, to_notes

SECRET = "hemoptysis"


def write(path: Path, data: bytes | str) -> Path:
    """Write `data` as it is (line ends too), compressed if the name says so."""
    data = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def write_parquet(path: Path, columns: dict) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)
    return path


def pairs(items) -> list[tuple[str, str]]:
    """(id, text) of notes, (id, error) of failures; checks that no failure shows text."""
    items = list(items)
    for item in items:
        if isinstance(item, ReadFailure):
            assert item.stage == "read"
            assert SECRET not in repr(item)
    return [(item.note_id, item.text if isinstance(item, Note) else item.error) for item in items]


def one_note(items) -> Note:
    (note,) = items
    assert isinstance(note, Note)
    return note


# --- the note as read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected", "changed"),
    [
        ("", "", 0),
        ("chest pain\r\n", "chest pain\r\n", 0),
        ("chest\0pain\0", "chest pain ", 2),
        ("37 °C \U0001f600", "37 °C \U0001f600", 0),
        ("a\ud800b\udfffc", "a\ufffdb\ufffdc", 2),
        ("é\0\ud800", "é \ufffd", 2),
        ("\ud83d\ude00", "\ufffd\ufffd", 2),  # two code points stay two
        ("\ud7ff\ue000\ufffd\x01\u2028", "\ud7ff\ue000\ufffd\x01\u2028", 0),  # the neighbours stay
    ],
)
def test_sanitize(text, expected, changed):
    assert sanitize(text) == expected
    assert notes.changed_characters(text) == changed
    assert len(sanitize(text)) == len(text)
    assert notes.changed_characters(sanitize(text)) == 0


def test_note_does_not_show_its_text():
    assert SECRET not in repr(Note("1", SECRET, extra={"raw": SECRET}))


@pytest.mark.parametrize(("note_id", "text"), [(7, "x"), ("7", None), ("7", b"x")])
def test_note_refuses_other_types(note_id, text):
    with pytest.raises(TypeError):
        Note(note_id, text)


def test_note_is_hashable_picklable_and_positional():
    note = Note("1", "x", "p", "e", datetime.date(2024, 1, 31), "discharge", {"ward": "3"})
    assert {note: 1}[note] == 1
    assert pickle.loads(pickle.dumps(note)) == note  # between processes
    assert (note.person_id, note.encounter_id, note.note_type, note.extra) == ("p", "e", "discharge", {"ward": "3"})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{\\rtf1\\ansi x}", "RtfContent"),
        ("\r\n {\\rtf1 x}", "RtfContent"),
        ("%PDF-1.7", "PdfContent"),
        ("<html><body>x", "HtmlContent"),
        ("\n<!DOCTYPE HTML>", "HtmlContent"),
        ('<?xml version="1.0"?>\n<html xmlns="x">', "HtmlContent"),
        ('<ClinicalDocument xmlns="urn:hl7-org:v3">', "CdaContent"),
        ('\ufeff<?xml version="1.0"?>\n<!-- x -->\n<ClinicalDocument>', "CdaContent"),
        ("<?xml version='1.0'?><hl7:ClinicalDocument>", "CdaContent"),
        ("<?xml version='1.0'?><report>", "XmlContent"),
        ("", None),
        ("BP <html> 120", None),
        ("<htmlish", None),
        ("< 5 days", None),
        ("The note says {\\rtf", None),
    ],
)
def test_content_kind(text, kind):
    assert notes.content_kind(text) == kind


# --- encodings --------------------------------------------------------------------------------------------------------

ENCODINGS = [
    # data, declared, text, encoding used
    (b"", None, "", "utf-8"),
    ("37 °C".encode(), None, "37 °C", "utf-8"),
    ("37 °C".encode(), "latin-1", "37 °C", "utf-8"),
    (b"\xef\xbb\xbfpain", None, "pain", "utf-8"),
    ("37 °C".encode("utf-16"), None, "37 °C", "utf-16"),
    (b"\xfe\xff" + "37 °C".encode("utf-16-be"), None, "37 °C", "utf-16"),
    ("37 °C".encode("utf-32"), None, "37 °C", "utf-32"),
    ("37 °C".encode("utf-16-le"), "utf-16-le", "37 °C", "utf-16-le"),
    ("37 °C".encode("utf-16-le"), "utf-16", "37 °C", "utf-16-le"),
    ("pain".encode("cp500"), "cp500", "pain", "cp500"),
    (b"37 \xb0C \x93quoted\x94", None, "37 °C “quoted”", "cp1252"),
    (b"37 \xb0C \x93", "latin-1", "37 °C \x93", "latin-1"),
    (b"37 \xb0C", "ascii", "37 °C", "cp1252"),  # what was declared does not fit
    (b"\x81\xb0", None, "\x81°", "latin-1"),
    (b"ab\xc3", None, "abÃ", "cp1252"),  # cut within a UTF-8 character
    (b"\xff\xfea\0b", None, "a\ufffd", "utf-16"),  # cut within a UTF-16 character
    (b"\xed\xa0\x80", None, "í\xa0€", "cp1252"),  # a surrogate is not UTF-8
]


@pytest.mark.parametrize(("data", "declared", "text", "used"), ENCODINGS)
def test_text_encodings(tmp_path, data, declared, text, used):
    note = one_note(read_notes([write(tmp_path / "a.txt", data)], encoding=declared))
    assert (note.text, note.encoding) == (text, used)


@pytest.mark.parametrize(
    ("name", "template"),
    [("a.csv", 'id,text\r\n1,"{}"\r\n'), ("a.csv.gz", "id,text\n1,{}\n"), ("a.jsonl", '{{"id": 1, "text": "{}"}}\n')],
)
@pytest.mark.parametrize(
    ("encoding", "declared", "used"),
    [
        ("utf-8", None, "utf-8"),
        ("utf-8-sig", None, "utf-8"),
        ("utf-16", None, "utf-16"),
        ("utf-16-be", "utf-16-be", "utf-16-be"),
        ("cp1252", None, "cp1252"),
        ("latin-1", "latin-1", "latin-1"),
    ],
)
def test_table_encodings(tmp_path, name, template, encoding, declared, used):
    path = write(tmp_path / name, template.format("37 °C").encode(encoding))
    note = one_note(read_notes([path], encoding=declared))
    assert (note.note_id, note.text, note.encoding) == ("1", "37 °C", used)


def test_one_bad_line_does_not_change_the_others(tmp_path):
    path = write(tmp_path / "a.csv", "id,text\n1,37 °C\n".encode() + b'2,"37 \xb0C\n\xef\xbb\xbfx"\n' + "3,°".encode())
    assert [(note.text, note.encoding) for note in read_notes([path])] == [
        ("37 °C", "utf-8"),
        ("37 °C\n\ufeffx", "cp1252"),
        ("°", "utf-8"),
    ]


@pytest.mark.parametrize("encoding", ["no-such", "hex"])
def test_unknown_encoding(tmp_path, encoding):
    with pytest.raises(NotesError, match=encoding):
        read_notes([write(tmp_path / "a.txt", "x")], encoding=encoding)


# --- files and ids ----------------------------------------------------------------------------------------------------

FILES = ["b.txt", "a.TXT", "sub/a.txt", "sub/deep/007.text", "sub/c.d.txt.gz", ".hidden.txt", ".git/x.txt", "meta.csv"]
FOLDER_IDS = ["a", "b", "sub/a", "sub/c.d", "sub/deep/007"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["{}"], FOLDER_IDS),
        (["{}/sub"], ["a", "c.d", "deep/007"]),
        (["{}/b.txt"], ["b"]),
        (["{}/sub/c.d.txt.gz"], ["c.d"]),
        (["{}/b.txt", "{}"], ["b", "a", "sub/a", "sub/c.d", "sub/deep/007"]),  # each file once
        (["{}/b.txt", "{}/sub/../b.txt"], ["b"]),
        (["{}/a.TXT", "{}/sub/a.txt"], ["a", "a#2"]),
        (["{}/*.txt"], ["b"]),
        (["{}/**/*.txt"], ["b", "sub/a"]),
        (["{}/**"], FOLDER_IDS),
        (["{}/s*/*"], ["sub/a", "sub/c.d"]),
        ("{}/b.txt", ["b"]),
    ],
)
def test_sources(tmp_path, sources, expected):
    for name in FILES:
        write(tmp_path / name, f"text of {name}")
    sources = sources.format(tmp_path) if isinstance(sources, str) else [s.format(tmp_path) for s in sources]
    assert [item.note_id for item in read_notes(sources)] == expected


def test_relative_pattern_and_brackets_in_a_name(tmp_path, monkeypatch):
    write(tmp_path / "a[1].txt", "x")
    monkeypatch.chdir(tmp_path)
    assert pairs(read_notes(["a[1].txt"])) == [("a[1]", "x")]
    assert pairs(read_notes([Path("*.txt")])) == [("a[1]", "x")]
    assert pairs(read_notes(["."])) == [("a[1]", "x")]


def test_folder_of_tables(tmp_path):
    for name in ("part-1.csv", "part-0.csv.gz", "_SUCCESS", "sub/part-0.csv", "readme.md"):
        write(tmp_path / name, f"text\n{name}\n")
    expected = [("part-0:1", "part-0.csv.gz"), ("part-1:1", "part-1.csv"), ("sub/part-0:1", "sub/part-0.csv")]
    assert pairs(read_notes([tmp_path])) == expected


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        ([], "gone.txt", "gone.txt: no such file"),
        ([], "gone/*.txt", "no notes found"),
        ([], "", "no notes found"),
        (["a.docx", ".b.txt"], "", "no notes found"),
        (["a.docx"], "a.docx", "a.docx: unsupported suffix"),
        (["a.parquet.gz"], "a.parquet.gz", "unsupported suffix"),
        (["a.gz"], "a.gz", "unsupported suffix"),
        (["a.csv", "b.jsonl"], "", "several kinds \\(csv, jsonl\\)"),
    ],
)
def test_sources_that_cannot_be_used(tmp_path, files, source, message):
    for name in files:
        write(tmp_path / name, "text\nx\n")
    with pytest.raises(NotesError, match=message):  # at the call, not at the first note
        read_notes([tmp_path / source])


def test_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "x")

    def refuse(folder):
        raise PermissionError(13, "no", str(folder))

    monkeypatch.setattr(notes.os, "scandir", refuse)
    with pytest.raises(NotesError, match="folder cannot be listed \\(PermissionError\\)"):
        read_notes([tmp_path])


def test_no_sources():
    with pytest.raises(NotesError, match="no notes"):
        read_notes([])


# --- tables -----------------------------------------------------------------------------------------------------------

TABLES = [
    # name, content, options, expected (id, text)
    ("a.csv", "note_id,text\n007,pain\n", {}, [("007", "pain")]),
    ("a.csv.gz", "note_id,text\n007,pain\n", {}, [("007", "pain")]),
    ("a.csv", "id,text\n1,NA\n2,None\n3,n/a\n4,\n", {}, [("1", "NA"), ("2", "None"), ("3", "n/a"), ("4", "")]),
    ("a.csv", "id,text\n1.0,1.0\n", {}, [("1.0", "1.0")]),
    ("a.csv", "NOTE ID;Note Text\n1;a, b\n", {}, [("1", "a, b")]),
    ("a.csv", "id|report\n1|a, b; c\n", {}, [("1", "a, b; c")]),
    ("a.csv", "id\ttext\n1\ta, b\n", {}, [("1", "a, b")]),
    ("a.csv", '"id","a;b;c;d","text"\n1,x,y\n', {}, [("1", "y")]),
    ("a.tsv", 'id\ttext, or "so"\n1\tsaid "ouch"\n', {}, [("1", 'said "ouch"')]),
    ("a.csv", "text\npain\n\nfever\n", {}, [("a:1", "pain"), ("a:2", "fever")]),
    ("a.csv", 'id,text\r\n1,"a\r\nb\n\nc\rd"\r\n2,x\r\n', {}, [("1", "a\r\nb\n\nc\rd"), ("2", "x")]),
    ("a.csv", "id,text\r1,x\r2,y\r", {}, [("1", "x"), ("2", "y")]),
    ("a.csv", 'id,text\n1,"say ""ah"""\n', {}, [("1", 'say "ah"')]),
    ("a.csv", "id,text\n1,chest pain\0\n", {}, [("1", "chest pain\0")]),
    ("a.csv", 'id,text\n1,"a\0\nb"\n', {}, [("1", "a\0\nb")]),
    ("a.csv", "id,text\n,x\n  ,y\n", {}, [("a:1", "x"), ("a:2", "y")]),
    ("a.csv", "key,a,words\n7,x,long words here\n", {}, [("a:1", "long words here")]),
    ("a.csv", "key,a,words\n7,x,long words here\n", {"id_column": "key", "text_column": "a"}, [("7", "x")]),
    ("a.csv", "note,longer\n7,long words here\n", {"id_column": "note"}, [("7", "long words here")]),
    ("a.csv", "ROW_ID,CATEGORY,TEXT,BODY\n1,ecg,x,yyyy\n", {}, [("1", "x")]),
    ("a.csv", "", {}, []),
    ("a.csv", "id,text\n", {}, []),
    ("a.csv", "id,text\n1," + "x" * 200_000, {}, [("1", "x" * 200_000)]),
    ("a.csv", "TEXT,text\nx,yyyy\n", {}, [("a:1", "x")]),
    ("a.csv", 'id,text\r\n1,"a\r\nb\rc"'.encode("utf-16"), {}, [("1", "a\r\nb\rc")]),
    ("a.csv", "id,text\n1,ab".encode("utf-16") + b"\0", {}, [("1", "ab\ufffd")]),
    ("a.jsonl", '{"note_id": "007", "text": "pain"}\n', {}, [("007", "pain")]),
    ("a.ndjson.gz", '{"id": 7, "text": "a"}\r\n\r\n{"id": 8.0, "text": "b"}', {}, [("7", "a"), ("8", "b")]),
    ("a.jsonl", '{"id": 1, "text": "\\ud800\\u0000"}\n', {}, [("1", "\ud800\0")]),
    ("a.jsonl", '{"id": 1, "text": "\\ud83d\\ude00 a\\r\\nb"}\n', {}, [("1", "\U0001f600 a\r\nb")]),
    ("a.jsonl", '{"id": 1, "text": "a\u2028b\tc"}\n', {}, [("1", "a\u2028b\tc")]),
    ("a.jsonl", '{"text": null}\n{"id": null}\n{"text": ""}\n', {}, [("a:1", ""), ("a:2", ""), ("a:3", "")]),
    ("a.jsonl", '{"note": 3, "words": "pain"}\n', {}, [("a:1", "pain")]),
    ("a.jsonl", '{"text": "a"}\n{"text": "b", "id": "x"}\n', {}, [("a:1", "a"), ("x", "b")]),
    ("a.jsonl", "", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "options", "expected"), TABLES)
def test_tables(tmp_path, name, content, options, expected):
    assert pairs(read_notes([write(tmp_path / name, content)], **options)) == expected


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ({"note_id": ["007", "8"], "text": ["a\r\nb", "NA"]}, {}, [("007", "a\r\nb"), ("8", "NA")]),
        ({"id": [1, None], "text": ["a", "b"]}, {}, [("1", "a"), ("a:2", "b")]),
        ({"id": [1.0, 2.5], "text": ["a", "b"]}, {}, [("1", "a"), ("2.5", "b")]),
        ({"id": [1, 2], "text": ["a", None]}, {}, [("1", "a"), ("2", "")]),
        ({"id": [1], "text": [b"37 \xb0C"]}, {}, [("1", "37 °C")]),
        ({"n": [1, 2], "words": ["aa", "b"], "w": ["c", "c"]}, {}, [("a:1", "aa"), ("a:2", "b")]),
        ({"n": [1], "words": ["a"], "w": ["c"]}, {"text_column": "w", "id_column": "words"}, [("a", "c")]),
        ({"id": [str(i) for i in range(250)], "text": ["x"] * 250}, {}, [(str(i), "x") for i in range(250)]),
    ],
)
def test_parquet(tmp_path, columns, options, expected):
    assert pairs(read_notes([write_parquet(tmp_path / "a.parquet", columns)], **options)) == expected


def test_parquet_folder_and_empty_table(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    write_parquet(tmp_path / "d.parquet" / "part-0.parquet", {"text": ["a"]})
    write_parquet(tmp_path / "d.parquet" / "part-1.parquet", {"text": pyarrow.array([], pyarrow.string())})
    assert pairs(read_notes([tmp_path / "d.parquet"])) == [("part-0:1", "a")]


def test_other_fields(tmp_path):
    row = "note_id,subject_id,HADM_ID,Note Date,category,ward,text\n1,07,22,2024-01-31 10:00:00,ecg,\0 3,x\n"
    note = one_note(read_notes([write(tmp_path / "a.csv", row)], keep=["ward", "note_id"]))
    expected = Note("1", "x", "07", "22", datetime.date(2024, 1, 31), "ecg", {"ward": "  3", "note_id": "1"}, "utf-8")
    assert note == expected
    names = {"person_column": "ward", "encounter_column": "category", "date_column": "text", "type_column": "HADM_ID"}
    note = one_note(read_notes([tmp_path / "a.csv"], text_column="note_id", **names))
    assert (note.person_id, note.encounter_id, note.note_date, note.note_type) == ("  3", "ecg", None, "22")


def test_other_fields_of_parquet(tmp_path):
    date = datetime.date(2024, 1, 31)
    columns = {"text": ["x"], "person_id": [12], "note_date": [date], "tags": [["a", "b"]], "score": [1.5]}
    note = one_note(read_notes([write_parquet(tmp_path / "a.parquet", columns)], keep=["tags", "score"]))
    assert note == Note("a:1", "x", "12", None, date, None, {"tags": ["a", "b"], "score": 1.5})


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2024-01-31", (2024, 1, 31)),
        ("2024-01-31T10:00:00Z", (2024, 1, 31)),
        (" 2118-06-02 00:00:00 ", (2118, 6, 2)),
        ("2024/1/31", (2024, 1, 31)),
        ("20240131", (2024, 1, 31)),
        (20240131, (2024, 1, 31)),
        ("1/2/2024", (2024, 1, 2)),  # month first
        ("1/31/2024 9:05 AM", (2024, 1, 31)),
        ("31.1.2024", (2024, 1, 31)),
        ("31-Jan-2024", (2024, 1, 31)),
        ("31 january 2024", (2024, 1, 31)),
        ("January 31, 2024", (2024, 1, 31)),
        (datetime.datetime(2024, 1, 31, 10), (2024, 1, 31)),
        ("2024-02-31", None),
        ("31/1/2024", None),
        ("20241399", None),
        ("1/31/24", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (float("nan"), None),
        (1706659200000, None),
    ],
)
def test_dates(value, date):
    assert notes._as_date(value) == (date and datetime.date(*date))


# --- what cannot be read ----------------------------------------------------------------------------------------------

FAILURES = [
    # name, content, expected (id, text or error)
    ("a.txt", "{\\rtf1 " + SECRET, [("a", "RtfContent: recognised, not plain text")]),
    ("a.txt.gz", " <HTML>" + SECRET, [("a", "HtmlContent: recognised, not plain text")]),
    (
        "a.csv",
        f'id,text\n1,<ClinicalDocument>{SECRET}\n2,"\n<!doctype html>{SECRET}"\n3,ok\n',
        [
            ("1", "CdaContent: recognised, not plain text, at line 2"),
            ("2", "HtmlContent: recognised, not plain text, at line 3"),
            ("3", "ok"),
        ],
    ),
    ("a.jsonl", '{"text": "{\\\\rtf1"}', [("a:1", "RtfContent: recognised, not plain text, at line 1")]),
    (
        "a.csv",
        f"id,text\n1,ok\n{SECRET}\n3,a,{SECRET}\n4,fine\n",
        [
            ("1", "ok"),
            ("a:2", "RowLength: 1 fields, 2 expected, at line 3"),
            ("a:3", "RowLength: 3 fields, 2 expected, at line 4"),
            ("4", "fine"),
        ],
    ),
    # a stray quote and backslash escapes would be read as something else than was written
    ("a.csv", f'id,text\n1,"{SECRET} " so"\n2,ok\n', [("a:1", "CsvError at lines 2 to 2"), ("2", "ok")]),
    ("a.csv", f'id,text\n1,"a \\"{SECRET}\\", b"\n2,ok\n', [("a:1", "CsvError at lines 2 to 2"), ("2", "ok")]),
    # an unclosed quote swallows all that follows
    ("a.csv", f'id,text\n1,ok\n2,"{SECRET}\n3,x\n4,y\n', [("1", "ok"), ("a:2", "CsvError at lines 3 to 5")]),
    ("a.csv", f'id,"text\n1,{SECRET}\n', [("a", "CsvError after the start")]),
    (
        "a.jsonl",
        f'{{"text": "ok"}}\n{{"text": "{SECRET}\n["{SECRET}"]\n\n{{"text": ["{SECRET}"]}}\n{{"text": "fine"}}\n',
        [
            ("a:1", "ok"),
            ("a:2", "JSONDecodeError at line 2"),
            ("a:3", "NotAnObject at line 3"),
            ("a:4", "TypeError: text of type list, at line 5"),
            ("a:5", "fine"),
        ],
    ),
    ("a.jsonl", "[" * 100_000 + "\n", [("a:1", "RecursionError at line 1")]),
    # no good row among the first, from which the columns are chosen
    (
        "a.jsonl",
        "{\n" * 150 + '{"id": 1, "text": "ok"}\n',
        [*((f"a:{n}", f"JSONDecodeError at line {n}") for n in range(1, 151)), ("1", "ok")],
    ),
    (
        "a.csv",
        "id,words\n" + "x\n" * 150 + "1,ok\n",
        [*((f"a:{n}", f"RowLength: 1 fields, 2 expected, at line {n + 1}") for n in range(1, 151)), ("1", "ok")],
    ),
    ("a.parquet", SECRET, [("a", "ArrowInvalid after the start")]),
    ("a.parquet", "", [("a", "ArrowInvalid after the start")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), FAILURES)
def test_failures(tmp_path, name, content, expected):
    assert pairs(read_notes([write(tmp_path / name, content)])) == expected


@pytest.mark.parametrize(
    ("name", "damage", "error"),
    [
        ("b.txt.gz", lambda data: b"not gzip " + SECRET.encode(), "BadGzipFile"),
        ("b.txt.gz", lambda data: data[:-12], "EOFError"),
        ("b.csv.gz", lambda data: b"not gzip " + SECRET.encode(), "BadGzipFile after the start"),
        ("b.jsonl.gz", lambda data: data[:10] + b"\xff" * 50, "error after the start"),  # zlib.error
    ],
)
def test_damaged_gzip(tmp_path, name, damage, error):
    content = {"txt": SECRET, "csv": f"text\n{SECRET}\n", "jsonl": json.dumps({"text": SECRET})}[name.split(".")[1]]
    other = write(tmp_path / "a.txt", "ok")
    damaged = write(tmp_path / name, content * 3)
    damaged.write_bytes(damage(damaged.read_bytes()))
    last = write(tmp_path / "c.txt", "ok")
    assert pairs(read_notes([other, damaged, last])) == [("a", "ok"), ("b", error), ("c", "ok")]


def test_truncated_table_gives_the_rows_before(tmp_path):
    path = write(tmp_path / "a.csv.gz", "text\n" + "".join(f"note {n} {SECRET} {n * n}\n" for n in range(20_000)))
    path.write_bytes(path.read_bytes()[:-2000])
    *rows, last = read_notes([path])
    assert len(rows) > 1000
    assert all(isinstance(row, Note) for row in rows)
    assert last == ReadFailure("a", "read", f"EOFError after line {len(rows) + 1}")


def test_unreadable_file(tmp_path):
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone")
    write(tmp_path / "b.txt", "ok")
    assert pairs(read_notes([tmp_path])) == [("a", "FileNotFoundError"), ("b", "ok")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("option", ["text_column", "id_column", "date_column", "person_column", "keep"])
def test_missing_column(tmp_path, name, option):
    columns = {"id": ["1"], "text": [SECRET]}
    content = {
        "a.csv": f"id,text\n1,{SECRET}\n",
        "a.tsv": f"id\ttext\n1\t{SECRET}\n",
        "a.jsonl": json.dumps({"id": "1", "text": SECRET}),
    }
    path = write(tmp_path / name, content[name]) if name in content else write_parquet(tmp_path / name, columns)
    with pytest.raises(NotesError) as caught:
        read_notes([path], **{option: ["gone"] if option == "keep" else "gone"})
    assert str(caught.value) == f"{path}: no column 'gone'; columns are id, text"


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.csv", "id,text\n", {"text_column": "gone"}, "no column 'gone'"),  # without a row, too
        ("a.csv", "id,text,text\n1,a,b\n", {}, "column 'text' occurs more than once"),
        ("a.csv", "id,a,b\n1,,\n", {}, "no column of text found; columns are id, a, b"),
        ("a.jsonl", '{"id": "1", "n": 2}\n', {}, "no column of text found; columns are id, n"),
        # no header row: what stands in its place is text
        ("a.csv", f'1,"Has {SECRET} since May"\n', {"id_column": "id"}, "no column 'id'; columns are 1, (column 2)"),
    ],
)  # fmt: skip
def test_table_that_cannot_be_used(tmp_path, name, content, options, message):
    with pytest.raises(NotesError) as caught:
        read_notes([write(tmp_path / name, content)], **options)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_mistake_in_a_later_file_is_found_first(tmp_path):
    write(tmp_path / "a.csv", "id,words\n1,x\n")
    write(tmp_path / "b.csv", "id,text\n1,x\n")
    with pytest.raises(NotesError, match=r"b\.csv: no column 'words'"):
        read_notes([tmp_path], text_column="words")


def test_duplicate_ids(tmp_path):
    rows = ["a", "a", "a#2", "a", "b", "a#2", "c", "c#2", "c"]
    path = write(tmp_path / "x.csv", "id,text,duplicate_of\n" + "".join(f"{id_},{n},\n" for n, id_ in enumerate(rows)))
    found = list(read_notes([path]))
    assert [note.text for note in found] == list("012345678")
    assert [note.note_id for note in found] == ["a", "a#2", "a#2#2", "a#3", "b", "a#2#3", "c", "c#2", "c#3"]
    assert [note.extra.get("duplicate_of") for note in found] == [None, "a", "a#2", "a", None, "a#2", None, None, "c"]


def test_duplicate_ids_of_failures(tmp_path):
    path = write(tmp_path / "x.csv", "id,text\na,ok\na,{\\rtf1\na,ok\n")
    assert [item.note_id for item in read_notes([path])] == ["a", "a#2", "a#3"]


def test_reading_is_lazy(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "x"}\n' * 5000 + "{")
    items = read_notes([path])
    assert next(items).text == "x"
    items.close()


def test_csv_never_meets_a_nul(tmp_path, monkeypatch):
    """Python 3.10 refuses NUL, later versions do not: hold every version to the same."""
    reader = csv.reader

    def strict_reader(lines, **options):
        def checked():
            for line in lines:
                assert "\0" not in line
                yield line

        return reader(checked(), **options)

    monkeypatch.setattr(notes.csv, "reader", strict_reader)
    path = write(tmp_path / "a.csv", "id,te\0xt\n1,chest pain\0\n")
    assert pairs(read_notes([path])) == [("1", "chest pain\0")]


# --- the library's objects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ("pain", [("0", "pain")]),
        ("", [("0", "")]),
        (["a", "b"], [("0", "a"), ("1", "b")]),
        (("a", None, float("nan")), [("0", "a"), ("1", ""), ("2", "")]),
        ([], []),
        (Note("7", "a"), [("7", "a")]),
        ([Note("7", "a"), "b", Note("7", "c")], [("7", "a"), ("1", "b"), ("7#2", "c")]),
        (["{\\rtf1"], [("0", "{\\rtf1")]),
    ],
)
def test_to_notes(obj, expected):
    assert pairs(to_notes(obj)) == expected


def test_to_notes_passes_notes_and_is_lazy():
    note = Note("7", "a")
    endless = iter(lambda: note, None)
    assert next(to_notes(endless)) is note


@pytest.mark.parametrize("obj", [None, 3, b"x", {"a": "b"}, Path("a.txt"), [SECRET, 3], [b"x"], [[SECRET]]])
def test_to_notes_refuses(obj):
    with pytest.raises(TypeError) as caught:
        list(to_notes(obj))
    assert SECRET not in str(caught.value)


def test_to_notes_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "note_id": ["007", "8", "8"],
            "text": ["a", None, "c\r\n"],
            "person_id": [1, 2, 3],
            "encounter_id": [1.0, float("nan"), 2.0],
            "note_date": pandas.to_datetime(["2024-01-31", None, "2024-02-01"]),
            "note_type": ["ecg", None, ""],
            "ward": ["x", "y", "z"],
        }
    )
    date = datetime.date
    assert list(to_notes(frame)) == [
        Note("007", "a", "1", "1", date(2024, 1, 31), "ecg", {"ward": "x"}),
        Note("8", "", "2", None, None, None, {"ward": "y"}),
        Note("8#2", "c\r\n", "3", "2", date(2024, 2, 1), None, {"ward": "z", "duplicate_of": "8"}),
    ]


@pytest.mark.parametrize(
    ("columns", "index", "expected"),
    [
        ({"text": ["a", "b"]}, None, [("0", "a"), ("1", "b")]),
        ({"text": ["a", "b"]}, [5, 9], [("5", "a"), ("9", "b")]),
        ({"text": ["a", "b"]}, ["x", "x"], [("x", "a"), ("x#2", "b")]),
        ({"Report": ["a"], "DOC_ID": [7]}, None, [("7", "a")]),
        ({0: ["aaa"], 1: ["b"]}, None, [("0", "aaa")]),
        ({"text": []}, None, []),
        ({}, None, []),
    ],
)
def test_to_notes_frames(columns, index, expected):
    pandas = pytest.importorskip("pandas")
    assert pairs(to_notes(pandas.DataFrame(columns, index=index))) == expected


@pytest.mark.parametrize(("columns", "error"), [({"n": [1, 2]}, NotesError), ({"text": [SECRET, [SECRET]]}, TypeError)])
def test_to_notes_frame_refuses(columns, error):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(error) as caught:
        list(to_notes(pandas.DataFrame(columns)))
    assert SECRET not in str(caught.value)


def test_import_is_light():
    heavy = "{'spacy', 'pandas', 'pyarrow', 'numpy'}"
    code = f"import sys, clinspan.notes; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_text_files_of_an_archive(tmp_path: Path) -> None:
    import gzip
    import io
    import tarfile

    path = tmp_path / "n.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (
            ("a.txt", b"one\r\n"),
            ("deep/b.txt.gz", gzip.compress("zwölf".encode("cp1252"))),
            ("deep/image.png", b"\x89PNG"),
            ("page.txt", b"<html><body>"),
            ("bad.txt.gz", b"no gzip"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = list(read_notes(path))
    assert [n.note_id for n in found] == ["a", "deep/b", "page", "bad"]
    assert [n.text for n in found[:2]] == ["one\r\n", "zwölf"] and found[1].encoding == "cp1252"
    assert [n.error.partition(":")[0] for n in found[2:]] == ["HtmlContent", "BadGzipFile"]
    cut = tmp_path / "cut.tar"
    with tarfile.open(cut, "w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 5000
        archive.addfile(member, io.BytesIO(b"x" * 5000))
    cut.write_bytes(cut.read_bytes()[:3000])
    [failure] = read_notes(cut)
    assert isinstance(failure, ReadFailure) and failure.note_id == "cut" and "after" in failure.error


def test_partitioned_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for year, ward, text in ((2020, "A", "first"), (2020, "B", "second"), (2021, "A", "third")):
        folder = tmp_path / "set" / f"year={year}" / f"ward={ward}"
        folder.mkdir(parents=True)
        parquet.write_table(pa.table({"note_id": [f"{year}{ward}"], "text": [text]}), folder / "part-0.snappy.parquet")
    (tmp_path / "set" / "_SUCCESS").touch()
    found = list(read_notes(tmp_path / "set", keep=["year"]))
    assert [(n.note_id, n.text, n.extra) for n in found] == [
        ("2020A", "first", {"year": "2020"}),
        ("2020B", "second", {"year": "2020"}),
        ("2021A", "third", {"year": "2021"}),
    ]


def test_json_lines_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys
    from types import SimpleNamespace

    lines = b'{"id": 7, "body": "fever and cough", "ward": "A"}\n\n{"id": 8, "body": "NA"}\nnot json\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(lines))))
    found = list(read_notes("-", text_column="body", keep=["ward"]))
    assert [(n.note_id, n.text) for n in found[:2]] == [("7", "fever and cough"), ("8", "NA")]
    assert found[0].extra == {"ward": "A"} and found[1].extra == {"ward": None}
    assert isinstance(found[2], ReadFailure) and found[2].note_id == "stdin:3"


def test_a_query(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    import sqlite3

    from clinspan.notes import read_query

    with sqlite3.connect(tmp_path / "n.db") as database:
        database.execute("CREATE TABLE n (id, body, d TEXT, ward TEXT)")
        rows = [(i, f"note {i}", "2020-03-01", "A") for i in range(250)]
        database.executemany("INSERT INTO n VALUES (?, ?, ?, ?)", [*rows, (250, None, None, None), (251, 1.5, "", "")])
    database.close()
    url = f"sqlite:///{tmp_path / 'n.db'}"
    found = list(read_query(url, "SELECT id, body AS text, d AS date, ward FROM n ORDER BY id", keep=["ward"]))
    assert [n.note_id for n in found] == [*map(str, range(251)), "query:252"]
    assert found[3].text == "note 3" and str(found[3].note_date) == "2020-03-01" and found[3].extra == {"ward": "A"}
    assert found[250].text == "" and isinstance(found[251], ReadFailure)
    for query, message in (
        ("SELECT nothing FROM n", "OperationalError"),
        ("SELECT id FROM n", "no column of text"),
    ):
        with pytest.raises(NotesError, match=message):
            read_query(url, query)
    with pytest.raises(NotesError, match="no column 'x'"):
        read_query(url, "SELECT * FROM n", text_column="x")
    with pytest.raises(NotesError) as raised:
        read_query("postgresql+nosuch://u:secret@h/x", "SELECT 1")
    assert "secret" not in str(raised.value)
