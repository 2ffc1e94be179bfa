"""The file of an index: what is written comes back, and what is not whole is refused with the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinspan.matching.container import MAGIC, IndexFileError, is_index, open_file, write

HEADER = 48  # magic, length of the JSON part, digest
ARRAYS = {
    "bytes": np.arange(3, dtype=np.uint8),
    "small": np.arange(7, dtype=np.uint32),
    "large": np.array([0, 2**64 - 1], dtype=np.uint64),
    "signed": np.array([-1, 5], dtype=np.int64),
    "ratios": np.array([0.5, -2, 1e30], dtype=np.float32),
    "none": np.zeros(0, np.uint32),
}
STRINGS = {"names": ["pain", "", "S\u00e9zary", "\u809d\u708e", "a\tb\n", "\U0001f912"], "nothing": []}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "x.index", {"names": 6, "words": ["a"]}, ARRAYS, STRINGS)
    return tmp_path / "x.index"


def changed(data: bytes, place: int, by: bytes) -> bytes:
    return data[:place] + by + data[place + len(by) :]


def test_round_trip(path: Path) -> None:
    opened = open_file(path, verify=True)
    assert opened.meta == {"names": 6, "words": ["a"]} and opened.path == str(path)
    assert opened.arrays.keys() == ARRAYS.keys() and opened.strings.keys() == STRINGS.keys()
    for name, array in ARRAYS.items():
        view = np.asarray(opened.arrays[name])
        assert view.dtype == array.dtype and view.tolist() == array.tolist(), name
    assert {name: list(values) for name, values in opened.strings.items()} == STRINGS
    names = opened.strings["names"]
    assert names[-1] == STRINGS["names"][-1] and names[1:3] == STRINGS["names"][1:3] and len(names) == 6
    for place in (6, -7):
        with pytest.raises(IndexError):
            names[place]


def test_blocks_are_aligned(path: Path) -> None:
    for name, view in open_file(path).arrays.items():
        assert not np.asarray(view).size or np.asarray(view).ctypes.data % 16 == 0, name


def test_an_empty_file_of_blocks(tmp_path: Path) -> None:
    write(tmp_path / "x.index", {}, {})
    opened = open_file(tmp_path / "x.index", verify=True)
    assert (opened.meta, opened.arrays, opened.strings) == ({}, {}, {})


def test_the_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    # the meta's order is no content; a memory view is as good as the array
    views = {name: memoryview(array) for name, array in ARRAYS.items()}
    write(tmp_path / "y.index", {"words": ["a"], "names": 6}, views, {k: iter(v) for k, v in STRINGS.items()})
    assert (tmp_path / "y.index").read_bytes() == path.read_bytes()


def test_an_opened_file_is_not_to_be_written_to(path: Path) -> None:
    assert all(view.readonly for view in open_file(path).arrays.values())


DAMAGES = {
    "empty": (lambda data: b"", "not a clinspan index"),
    "foreign": (lambda data: b"PK\3\4" + data[4:], "not a clinspan index"),
    "magic alone": (lambda data: MAGIC, "another version|not a clinspan index"),
    "older": (lambda data: changed(data, 0, b"CLSPIDX1"), "another version"),
    "newer": (lambda data: changed(data, 0, b"CLSPIDX3"), "another version"),
    "truncated": (lambda data: data[:-1], "truncated"),
    "truncated header": (lambda data: data[: HEADER + 9], "header is damaged|truncated"),
    "longer": (lambda data: data + b"\0", "something after it"),
    "header that is no text": (lambda data: changed(data, HEADER, b"\xff\xff"), "header is damaged"),
    "header that is no JSON": (lambda data: changed(data, HEADER, b"[["), "header is damaged"),
    "header of no length": (lambda data: changed(data, 8, bytes(8)), "header is damaged"),
    "header of great length": (lambda data: changed(data, 8, b"\xff" * 8), "header is damaged|truncated"),
    "header without layout": (lambda data: data.replace(b'"layout"', b'"layoff"', 1), "header is damaged"),
    "header without size": (lambda data: data.replace(b'"size"', b'"sise"', 1), "header is damaged"),
}


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_whole_is_refused(path: Path, damage: str, verify: bool) -> None:
    change, message = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(IndexFileError, match=rf"x\.index: .*({message})"):
        open_file(path, verify=verify)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"I"', b'"Z"'), (b"28,", b"27,"), (b"names:offsets", b"nanes:offsets")], ids=lambda b: b.decode()
)
def test_a_layout_that_cannot_be_is_refused_without_reading_the_rest(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data[HEADER:]
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(IndexFileError, match=r"x\.index: "):
        open_file(path)


@pytest.mark.parametrize("place", [16, 47, HEADER + 3, -1, -200])
def test_a_flipped_bit_anywhere_is_found_when_verified(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IndexFileError, match=r"x\.index: "):
        open_file(path, verify=True)


def test_opening_does_not_read_the_body(path: Path) -> None:
    data = bytearray(path.read_bytes())
    body = HEADER + int.from_bytes(data[8:16], "little")
    data[body:] = bytes(len(data) - body)
    path.write_bytes(bytes(data))
    assert np.asarray(open_file(path).arrays["small"]).tolist() == [0] * 7
    with pytest.raises(IndexFileError, match="digest"):
        open_file(path, verify=True)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.index"):
        open_file(tmp_path / "none.index")
    with pytest.raises(OSError):
        is_index(tmp_path / "none.index")


def test_writing_over_an_opened_file_leaves_what_is_mapped(path: Path) -> None:
    opened = open_file(path)
    write(path, {}, {"small": np.zeros(7, np.uint32)})
    assert list(opened.strings["names"]) == STRINGS["names"] and opened.arrays["small"][6] == 6
    assert open_file(path).arrays["small"][6] == 0


@pytest.mark.parametrize(
    ("name", "strings"), [("x.index", ["\ud800"]), ("folder", ["pain"])], ids=["no UTF-8", "a folder is there"]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    path: Path, tmp_path: Path, name: str, strings: list[str]
) -> None:
    before = path.read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises((OSError, ValueError)):
        write(tmp_path / name, {}, ARRAYS, {"names": strings})
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "x.index"]


def test_a_disk_that_is_full_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("clinspan.matching.container._HEADER", type("Header", (), {"size": 48, "pack": refuse}))
    with pytest.raises(OSError, match="no space"):
        write(path, {}, ARRAYS)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["x.index"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(MAGIC + b"...", True), (b"CLSPIDX1", True), (b"CLSPID", False), (b"term,label\n", False), (b"", False)],
)
def test_is_index(tmp_path: Path, content: bytes, expected: bool) -> None:
    (tmp_path / "x").write_bytes(content)
    assert is_index(tmp_path / "x") is expected
