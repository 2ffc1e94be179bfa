"""The trained finder's parts: examples from annotations, training, files, calibration, fine-tuning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clinspan
import tagging
from clinspan.corpora import Annotation, Document, Gold
from clinspan.matching import IndexFileError, TermIndex
from clinspan.pipeline import blank
from clinspan.tagger import calibration, register, words
from clinspan.tagger.corpus import examples, fill_unknown, micro_f1, spans_of_tags
from clinspan.tagger.examples import LONGEST, UNKNOWN, annotated, dictionary_codes, sequences
from clinspan.tagger.finetune import GENTLE, fine_tune
from clinspan.tagger.model import Tagger, groups
from clinspan.tagger.network import word_shares

O, B, I, E, S = range(5)  # noqa: E741


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return tagging.tagger()


def mention(start: int, end: int, label: str = "CONDITION", *more: tuple[int, int]) -> Annotation:
    fragments = ((start, end), *more)
    return Annotation(start, max(e for _, e in fragments), label, fragments)


TAGGED = [
    ("one word", "Has asthma now", [mention(4, 10)], [O, S, O]),
    ("several words", "Has chest wall pain", [mention(4, 19)], [O, B, I, E]),
    ("inside a token", "Has asthmatics", [mention(4, 10)], [O, S]),
    ("white space between", "chest    pain", [mention(0, 13)], [B, E]),
    ("the longer of two", "chest wall pain", [mention(6, 10), mention(0, 15)], [B, I, E]),
    ("fragments are unknown", "left and arm pain", [mention(0, 4, "CONDITION", (13, 17))], [UNKNOWN] * 4),
    ("cut by a sentence's end", "Has pain. In arm.", [mention(4, 16)], [O, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, O]),
    ("another label", "Has asthma now", [mention(4, 10, "DRUG")], [O, O, O]),
    ("nothing", "Has asthma now", [], [O, O, O]),
]


@pytest.mark.parametrize("text, annotations, wanted", [row[1:] for row in TAGGED], ids=[row[0] for row in TAGGED])
def test_tags_of_annotations(text, annotations, wanted):
    nlp = blank()
    with nlp.select_pipes(enable=["sentences"]):
        found = list(annotated(nlp(text), annotations, ["CONDITION", "ANATOMY"], ["CONDITION"]))
    tags = np.concatenate([s.tags for s in found])
    assert tags[:, 0].tolist() == wanted
    assert (tags[:, 1] == UNKNOWN).all()  # the corpus does not mark it


def test_dictionary_codes_and_places(nlp):
    doc = nlp("He has  chronic kidney disease.\nTakes metformin.")
    codes = dictionary_codes(doc)
    found = {doc[i].text: int(code) for i, code in enumerate(codes) if code}
    begin, drug = found["kidney"] if "chronic" not in found else found["chronic"], found["metformin"]
    assert begin == 0 + B and drug == 4 * 1 + S  # 4 * label + tag
    assert [[doc[i].text for i in s.places] for s in sequences(doc)] == [s.words for s in sequences(doc)]
    assert not any(word.isspace() for s in sequences(doc) for word in s.words)


def test_long_sentences_are_cut():
    nlp = blank()
    doc = nlp("word " * (2 * LONGEST + 1))
    assert [len(s.words) for s in sequences(doc)] == [80, 80, 81]


def test_it_learns_and_the_same_seed_gives_the_same(tagger):
    held_out = tagging.sentences(60, seed=9)
    assert micro_f1(tagger, held_out) > 0.9
    again = tagging.tagger()
    for name, value in tagger.values.items():
        np.testing.assert_array_equal(value, again.values[name])
    other = tagging.tagger(seed=2, epochs=1)
    assert any((value != other.values[name]).any() for name, value in tagger.values.items())


def test_file_gives_the_same_spans(tagger, tmp_path: Path):
    tagger.to_file(tmp_path / "w")
    read = Tagger.open(tmp_path / "w", verify=True)
    assert read.labels == tagger.labels and read.meta["thresholds"] == {"DRUG": 0.5}
    held_out = tagging.sentences(40, seed=9)
    for found, wanted in zip(read.find(held_out), tagger.find(held_out)):
        assert [f[1:4] for f in found] == [w[1:4] for w in wanted]
        assert [f.probability for f in found] == pytest.approx([w.probability for w in wanted], abs=0.05)
    tagger.to_file(tmp_path / "w2")
    assert (tmp_path / "w").read_bytes() == (tmp_path / "w2").read_bytes()


def test_files_that_are_none(tagger, tmp_path: Path):
    (tmp_path / "text").write_text("no weights")
    TermIndex.build([("fever", 0)]).to_file(tmp_path / "index", payload={})
    tagger.to_file(tmp_path / "w")
    data = bytearray((tmp_path / "w").read_bytes())
    (tmp_path / "short").write_bytes(data[:-10])
    data[-5] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    for name, verify in (("text", False), ("index", False), ("short", False), ("damaged", True)):
        with pytest.raises(IndexFileError, match=name):
            Tagger.open(tmp_path / name, verify=verify)


def test_the_batch_does_not_matter(tagger):
    held_out = tagging.sentences(30, seed=3)
    together = tagger.find(held_out)
    for sentence, found in zip(held_out, together):
        assert [f[1:4] for f in tagger.find([sentence])[0]] == [f[1:4] for f in found]


def test_words_are_forgotten_when_there_are_too_many(tagger, monkeypatch):
    wanted = tagger.find(tagging.sentences(40, seed=4))
    monkeypatch.setattr("clinspan.tagger.model._REMEMBERED", 30)
    assert tagger.find(tagging.sentences(40, seed=4)) == wanted
    assert tagger.find(tagging.sentences(40, seed=4)) == wanted


def test_groups_hold_every_sequence_once():
    random = np.random.default_rng(0)
    lengths = random.integers(0, 90, 500).tolist()
    found = list(groups(lengths))
    assert sorted(i for group in found for i in group) == [i for i, n in enumerate(lengths) if n]
    for group in found:
        assert max(lengths[i] for i in group) <= 1.5 * min(lengths[i] for i in group) + 6


def test_unknown_labels_are_filled_by_what_the_network_is_sure_of(tagger):
    held_out = tagging.sentences(40, seed=6)
    wanted = [s.tags[:, 1].copy() for s in held_out]
    for s in held_out:
        s.tags[:, 1] = UNKNOWN
    fill_unknown(tagger, held_out, sure=0.5)
    right = sum((s.tags[:, 1] == tags).all() for s, tags in zip(held_out, wanted))
    assert right > 35
    fill_unknown(tagger, (doubtful := tagging.sentences(5, seed=6)), sure=2.0)
    assert all((s.tags >= 0).all() for s in doubtful)  # what is annotated stays


def test_word_features():
    assert words.key("HbA1c") == "hba0c" and words.shape("TSH-12mm") == "XXX-00xx" and words.shape("Diabetes") == "Xxxx"
    assert all(0 <= i < rows for i, (rows, _) in zip(words.features("Aspirin"), words.TABLES))
    assert words.features("Aspirin")[0] == words.features("aspirin")[0]
    assert words.vectors_of(tagging.vectors(), []).shape == (0, 8)


def test_calibration_of_scores_that_are_too_sure():
    random = np.random.default_rng(0)
    truth = random.random(4000)
    right = random.random(4000) < truth
    logits = np.log(truth / (1 - truth))
    claimed = (1 / (1 + np.exp(-2 * logits))).tolist()  # twice as sure as it should be
    slope, offset = calibration.fit(claimed, right.tolist())
    assert slope == pytest.approx(0.5, abs=0.05) and abs(offset) < 0.1
    scores = [calibration.calibrated(p, slope, offset) for p in claimed]
    assert calibration.expected_error(scores, right) < 0.03 < calibration.expected_error(claimed, right)
    counts = calibration.reliability(scores, right, bins=4)
    assert [n for n, _, _ in counts] == [1000] * 4 and all(abs(mean - share) < 0.05 for _, mean, share in counts)
    assert calibration.fit([0.9] * 20, [True] * 20) == (1.0, 0.0)  # too few


def corpus(count: int, seed: int, *, labels: tuple[str, ...] = ("CONDITION",)) -> Gold:
    """Documents of one sentence each, in a style that the small network has not seen."""
    documents = []
    for i, s in enumerate(tagging.sentences(count, seed)):
        listed = [("reports" if w == "has" else w) for w in s.words]
        text = " ".join(listed)
        starts = np.cumsum([0, *(len(w) + 1 for w in listed)]).tolist()
        annotations = [
            mention(starts[a], starts[b - 1] + len(listed[b - 1]), tagging.LABELS[column])
            for column in range(2)
            for a, b in spans_of_tags(s.tags[:, column])
            if tagging.LABELS[column] in labels
        ]
        documents.append(Document(str(i), text, tuple(annotations)))
    return Gold("own", "train", tuple(documents), labels, ())


@pytest.fixture
def pipeline(tagger):
    nlp = blank()
    nlp.add_pipe("clinspan_ner", name="ner", before="entities").use(tagger)
    return nlp


def test_fine_tuning_learns_the_new_and_keeps_the_old(pipeline, tagger, tmp_path: Path):
    dev = corpus(40, seed=22)
    settings = replace(GENTLE, epochs=6, rate=5e-3, tokens=120, average=0.9)
    outcome = fine_tune(pipeline, corpus(150, seed=21), dev=dev, settings=settings)
    assert outcome.documents == 150 and outcome.before < 0.6 < 0.8 < outcome.after and outcome.epoch
    new = pipeline.get_pipe("ner").tagger
    both = [s for d in examples(pipeline, corpus(60, 23, labels=("CONDITION", "DRUG")), tagging.LABELS) for s in d]
    for s in both:
        s.tags[:, 0] = UNKNOWN
    assert micro_f1(new, both) > 0.85  # drugs, which the corpus does not mark
    pipeline.to_disk(tmp_path / "tuned")
    doc = clinspan.load(tmp_path / "tuned")("She reports zorbax and takes minfen .")
    assert [(e.text, e.label_) for e in doc.spans["entities"]] == [("zorbax", "CONDITION"), ("minfen", "DRUG")]


def test_fine_tuning_keeps_the_old_weights_where_nothing_is_better(pipeline, tagger):
    outcome = fine_tune(pipeline, corpus(60, seed=21), settings=replace(GENTLE, epochs=1, rate=0.0))
    assert outcome.epoch == 0 and outcome.before == outcome.after and outcome.documents == 54
    for name, value in tagger.values.items():
        np.testing.assert_array_equal(value, pipeline.get_pipe("ner").tagger.values[name])


def test_what_cannot_be_fine_tuned(pipeline):
    with pytest.raises(ValueError, match="none of the labels CONDITION, DRUG"):
        fine_tune(pipeline, corpus(10, seed=1, labels=("ANATOMY",)))
    with pytest.raises(ValueError, match="too few documents"):
        fine_tune(pipeline, corpus(1, seed=1))
    nlp = blank()
    with pytest.raises(ValueError, match="no component 'ner'"):
        fine_tune(nlp, corpus(10, seed=1))
    nlp.add_pipe("clinspan_ner", name="ner", before="entities")
    with pytest.raises(ValueError, match="no weights"):
        fine_tune(nlp, corpus(10, seed=1))


def test_register_is_told_from_words_and_titles(tagger):
    random = np.random.default_rng(0)
    centre = random.standard_normal(8)
    means = np.concatenate([random.standard_normal((200, 8)) + centre, random.standard_normal((50, 8)) - centre])
    kinds = [i < 200 for i in range(250)]
    weights = register.fit(means, kinds)
    assert np.mean([register.is_of_kind(m, weights) == kind for m, kind in zip(means, kinds)]) > 0.95
    middle = weights[-1] / np.linalg.norm(weights[:-1]) ** 2 * -np.array(weights[:-1])  # where neither is likelier
    nearly = middle + 0.5 * np.array(weights[:-1]) / np.linalg.norm(weights[:-1]) ** 2
    assert register.is_of_kind(nearly, weights) and not register.is_of_kind(nearly, weights, titles=1)
    sentences = tagging.sentences(4, seed=1)
    mean = np.mean([words.vectors_of(tagger.vectors, s.words).mean(0) * len(s.words) for s in sentences], axis=0)
    total = sum(len(s.words) for s in sentences)
    np.testing.assert_allclose(tagger.mean_vector(sentences), mean * 4 / total, rtol=1e-4)
    always = Tagger(tagger.labels, tagger.values, tagger.vectors, {"register": [0.0] * 8 + [1.0]})
    assert always.register_of(sentences) == "literature" and always.register_of(sentences, titles=2) == "notes"
    assert always.register_of(sentences[:1]) == "notes"  # too few words to tell
    assert tagger.register_of(sentences) == "notes"  # it was not trained to
    always.meta["abstract"] = [0.0] * 8 + [3.0, 0.0, 0.0, -3.5]  # of a length
    assert always.register_of(sentences) == "literature" and always.register_of(sentences * 3) == "abstract"


def test_groups_of_a_kind_count_alike():
    rows = np.array([[1.0]] * 30 + [[-1.0]] + [[1.0]] * 5 + [[-1.0]] * 5)
    kinds = [True] * 31 + [False] * 10
    alike = register.fit(rows, kinds, [0] * 30 + [1] + [2] * 10)
    assert abs(alike[0]) < 0.02 < register.fit(rows, kinds)[0]


def test_a_kind_of_text_is_read_by_its_own_convention():
    """A label with two columns: texts of a kind take the one named for it."""
    two = tagging.tagger()
    two.labels = ("CONDITION", "CONDITION@abstract")  # the drugs' column in its place
    held_out = tagging.sentences(40, seed=7)
    assert two.columns_for("notes") == (0,) and two.columns_for("abstract") == (1,)
    both = [[span[1:4] for span in spans] for spans in two.find(held_out)]
    for column in (0, 1):
        found = [[span[1:4] for span in spans] for spans in two.find(held_out, (column,))]
        assert found == [[span for span in spans if span[2] == column] for spans in both]
        assert any(found)


def test_annotations_go_into_every_column_of_their_label(nlp):
    doc = nlp("He has asthma")
    columns = ("DRUG", "CONDITION", "CONDITION@abstract")
    [sentence] = annotated(doc, [mention(7, 13)], columns, ["CONDITION"])
    assert sentence.tags.tolist() == [[UNKNOWN, O, O], [UNKNOWN, O, O], [UNKNOWN, S, S]]


def test_sentences_met_before_are_remembered(tagger):
    held_out = tagging.sentences(20, seed=7)
    first = tagger.find(held_out)
    assert all(a is b for a, b in zip(tagger.find(held_out), first))
    tagger.forget()
    assert not any(a is b for a, b in zip(tagger.find(held_out), first) if a)


def test_words_met_before_do_not_change_a_products_rows(tagger, monkeypatch):
    """The last decimals of a product depend on where a row stands in it."""
    from clinspan.tagger import model

    seen = []
    monkeypatch.setattr(model, "word_shares", lambda values, rows: seen.append(rows) or word_shares(values, rows))
    sentences = tagging.sentences(30, seed=8)
    for first in ([], sentences[::-1], tagging.sentences(50, seed=9)):
        tagger._words.numbers = {}
        for sentence in first:
            tagger.mean_vector([sentence])
        tagger.forget()
        tagger.find(sentences)
    assert len(seen) == 3 and all(np.array_equal(rows, seen[0]) for rows in seen)
