"""AVA's files, and the samples that are made from them."""

from __future__ import annotations

import pytest
from conftest import SHARED

from expander.errors import ManifestError
from trainers.data import ava
from trainers.detection.frame_ap import Labelled, frame_mean_ap

OFFICIAL = SHARED / "data" / "annotations" / "ava"
needs_official = pytest.mark.skipif(not OFFICIAL.is_dir(), reason="../shared/data/annotations is absent")
FILM = ("film", 902)


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_lines_of_one_box_are_one_person_with_all_its_actions(tmp_path):
    truth = ava.read_truth(
        write(
            tmp_path / "train.csv",
            "film,0902,0.1,0.2,0.5,0.9,12,0",
            "film,0902,0.1,0.2,0.5,0.9,17,0",
            "film,0902,0.6,0.2,0.9,0.9,12,1",
            "film,0903,,,,,,",
            "film,0904,0.1,0.2,0.5,0.9,99,0",
        )
    )
    assert truth[0] == Labelled(FILM, (0.1, 0.2, 0.5, 0.9), 12)
    assert ava.training_samples(truth, [], {12, 17}) == (
        ava.Sample(
            FILM,
            (
                ava.Person((0.1, 0.2, 0.5, 0.9), frozenset({12, 17})),
                ava.Person((0.6, 0.2, 0.9, 0.9), frozenset({12})),
            ),
        ),
    )
    assert ava.training_samples(truth, [], {12, 17}, {FILM}) == ()


def test_proposals_to_train_on_overlap_by_more_than_nine_tenths_and_have_all_actions_of_what_they_overlap():
    truth = [
        Labelled(FILM, (0.0, 0.0, 1.0, 1.0), 1),
        Labelled(FILM, (0.0, 0.0, 1.0, 0.96), 2),
        Labelled(FILM, (0.0, 0.0, 1.0, 0.85), 3),
    ]
    near = ava.Proposal(FILM, (0.0, 0.0, 1.0, 0.95), 0.1)
    far = ava.Proposal(FILM, (0.0, 0.0, 1.0, 0.7), 0.99)
    elsewhere = ava.Proposal(("film", 903), (0.0, 0.0, 1.0, 1.0), 0.99)
    (sample,) = ava.training_samples(truth, [near, far, elsewhere], {1, 2, 3})
    # IoU of the near one is 0.95, 0.99 and 0.89.
    assert sample.persons[3:] == (ava.Person(near.box, frozenset({1, 2})),)


def test_an_overlap_of_exactly_the_limit_is_not_enough():
    truth = [Labelled(FILM, (0.0, 0.0, 1.0, 1.0), 1)]
    half = ava.Proposal(FILM, (0.0, 0.0, 0.5, 1.0), 0.9)
    assert len(ava.training_samples(truth, [half], {1}, overlap=0.5)[0].persons) == 1
    assert len(ava.training_samples(truth, [half], {1}, overlap=0.49)[0].persons) == 2


def test_proposals_to_test_on_have_a_score_of_more_than_eight_tenths_and_no_excluded_key_frame(tmp_path):
    lines = (
        "film,0902,0,0,1,1,0.81",
        "film,0902,0,0,1,0.5,,0.8",
        "film,0902,0,0,0.5,1,1,0.95",
        "film,903,0,0,1,1,0.99",
    )
    proposals = ava.read_proposals(write(tmp_path / "boxes.csv", *lines))
    assert ava.proposed_samples(proposals, {("film", 903)}) == (
        ava.Sample(FILM, (ava.Person((0, 0, 1, 1)), ava.Person((0, 0, 0.5, 1)))),
    )


def test_every_mistake_is_named_with_file_and_line(tmp_path):
    path = write(
        tmp_path / "train.csv",
        "film,0902,0.1,0.2,0.5,0.9,12,0",
        "film,0902,0.1,0.2,0.5",
        "film,soon,0.1,0.2,0.5,0.9,12,0",
        "film,0902,0.1,0.2,50,0.9,12,0",
        "film,0902,0.5,0.2,0.5,0.9,12,0",
        "film,0902,0.1,nan,0.5,0.9,12,0",
        "film,0902,0.1,0.2,0.5,0.9,sit,0",
        ",0902,0.1,0.2,0.5,0.9,12,0",
    )
    with pytest.raises(ManifestError) as raised:
        ava.read_truth(path)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[1].strip() for line in lines[:-1]] == [f"line {number}" for number in range(2, 9)]
    assert all(line.startswith(str(path)) for line in lines[:-1])
    for part, line in zip(("5 columns", "'soon'", "50", "no area", "'nan'", "'sit'", "no video"), lines, strict=False):
        assert part in line
    with pytest.raises(ManifestError, match=r"line 1: score 1\.5; expected one in \[0, 1\]"):
        ava.read_proposals(write(tmp_path / "boxes.csv", "film,0902,0.1,0.2,0.5,0.9,1.5"))
    with pytest.raises(ManifestError, match=r"nowhere\.csv: cannot be read: No such file"):
        ava.read_excluded(tmp_path / "nowhere.csv")


def test_a_label_map_of_either_form_is_read_and_its_mistakes_are_named(tmp_path):
    path = tmp_path / "labels.pbtxt"
    write(path, 'item { name: "hit (id: 5)" id: 34 }', 'label {\n  name: "sit"\n  label_id: 11\n  label_type: POSE\n}')
    assert ava.read_label_map(path) == {11: "sit", 34: "hit (id: 5)"}
    write(path, 'item { name: "sit" id: 1 }', 'item { name: "run" id: 1 }', 'item { name: "eat" }')
    with pytest.raises(
        ManifestError, match=r"line 2: id 1 stands twice; 'sit' has it(.|\n)*line 3: the entry has no id"
    ):
        ava.read_label_map(path)
    with pytest.raises(ManifestError, match="holds no entry"):
        ava.read_label_map(write(path, "1: sit"))


def test_written_detections_are_read_back_in_the_official_form(tmp_path):
    lines = list(ava.detection_lines([Labelled(FILM, (0.0, 0.021, 0.998, 1.0), 12, 0.503)]))
    assert lines == ["film,0902,0.0000,0.0210,0.9980,1.0000,12,0.503000\n"]
    assert ava.read_proposals(write(tmp_path / "found.csv", *lines))[0].score == 0.503


def test_videos_are_found_by_name_anywhere_below_the_root(tmp_path):
    for name in ("a/film.mp4", "b/other.mkv", "b/twice.mkv", "c/twice.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    samples = [ava.Sample((name, 1), ()) for name in ("other", "film", "other", "notes")]
    paths = ava.find_videos(samples, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths[:3]] == ["b/other.mkv", "a/film.mp4", "b/other.mkv"]
    assert not paths[3].exists()  # damaged, once it is read
    with pytest.raises(ManifestError, match=r"video twice is there twice: b/twice\.mkv and c/twice\.mp4"):
        ava.find_videos([ava.Sample(("twice", 1), ())], tmp_path)
    with pytest.raises(ManifestError, match="nowhere: is no folder"):
        ava.find_videos(samples, tmp_path / "nowhere")


@needs_official
def test_the_official_files_are_read():
    truth = ava.read_truth(OFFICIAL / "ava_sample.csv")
    assert truth[0] == Labelled(("0f39OWEqJ24", 902), (0.031, 0.162, 0.670, 0.995), 12)
    lines = (OFFICIAL / "ava_sample.csv").read_text().splitlines()
    assert len(truth) == len(lines)
    names = [ava.read_label_map(path) for path in sorted(OFFICIAL.glob("*2.*.pbtxt"))]
    assert [len(each) for each in names] == [60, 80, 60]
    assert names[0][64] == names[1][64] == names[2][64] == "fight/hit (a person)"
    assert len(ava.read_excluded(OFFICIAL / "ava_val_excluded_timestamps_v2.2.csv")) == 37
    assert ("_-Z6wFjXtGQ", 902) in ava.read_excluded(OFFICIAL / "ava_excluded_timestamps_sample.csv")
    assert len(ava.read_proposals(OFFICIAL / "detections_results_example.csv")) == len(
        (OFFICIAL / "detections_results_example.csv").read_text().splitlines()
    )


@needs_official
def test_the_ground_truth_taken_for_detections_has_a_perfect_score():
    truth = ava.read_truth(OFFICIAL / "ava_sample.csv")
    classes = ava.read_label_map(OFFICIAL / "ava_action_list_v2.2.pbtxt")
    assert frame_mean_ap(truth, truth, classes).mean == 1
    excluded = ava.read_excluded(OFFICIAL / "ava_excluded_timestamps_sample.csv")
    assert frame_mean_ap(truth, truth, classes, excluded).boxes < len(truth)
