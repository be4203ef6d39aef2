"""The forms in which people have their annotations: what is read, and what is refused with which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from expander.errors import ManifestError
from trainers.data.manifest import Manifest, ManifestSource, check_classes, fingerprint, read_pair

DATA = Path(__file__).parents[1].parent / "shared" / "data"


def touch(folder: Path, *videos: str) -> None:
    for video in videos:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        (folder / video).touch()


def write(file: Path, content: Any, *videos: str) -> ManifestSource:
    """A manifest, text or what becomes JSON, and empty files for its videos."""
    touch(file.parent, *videos)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return ManifestSource(file)


def refusal(source: ManifestSource) -> str:
    with pytest.raises(ManifestError) as error:
        source.read()
    return str(error.value)


def rows(manifest: Manifest) -> list[tuple[str, str]]:
    """The path from the manifest's folder, and the class, of each video."""
    folder = manifest.path if manifest.path.is_dir() else manifest.path.parent
    return [(video.path.relative_to(folder).as_posix(), manifest.classes[video.label]) for video in manifest.videos]


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a.mp4,3", "a.mp4", "3"),
        ("a.mp4, 3", "a.mp4", "3"),
        ("b c/d,e.mp4 3", "b c/d,e.mp4", "3"),
        ("b c/d, e.mp4,3", "b c/d, e.mp4", "3"),
        ("take 3.mp4\t3", "take 3.mp4", "3"),
        ('"b c/d ""e"".mp4" 3', 'b c/d "e".mp4', "3"),
        ('"a, b.mp4",3', "a, b.mp4", "3"),
        ('"Hi" he said "bye" 3', '"Hi" he said "bye"', "3"),
        ("[a].mp4 3", "[a].mp4", "3"),
        ("{a}.mp4,03", "{a}.mp4", "3"),
        ("take 3 1", "take 3", "1"),
    ],
)
def test_a_label_is_after_the_last_white_space_or_comma_and_a_path_may_be_quoted(tmp_path, line, path, label):
    assert rows(write(tmp_path / "list.csv", f"{line}\n", path).read()) == [(path, label)]


@pytest.mark.parametrize("line", ["some/folder-1 163 1", "some/folder-1,163,1", "a.mp4 0 10"])
def test_three_columns_are_no_path_and_label(tmp_path, line):
    text = refusal(write(tmp_path / "list.txt", f"{line}\nb.mp4 2\n", "b.mp4"))
    assert "line 1: three columns: a path, a number and a label, as MMAction2 lists folders of frames" in text
    assert "line 2" not in text
    assert "(list.txt was read as 'path label' lines)" in text


@pytest.mark.parametrize(("line", "words"), [(",3", "no path before label '3'"), ("a.mp4,", "'a.mp4,' has no label")])
def test_half_a_line_is_a_mistake(tmp_path, line, words):
    assert f"line 1: {words}" in refusal(write(tmp_path / "list.csv", line))


def of_kinetics(label: object, start: object, end: object, subset: str = "train") -> dict[str, Any]:
    return {"annotations": {"label": label, "segment": [start, end]}, "duration": 10.0, "subset": subset, "url": "u"}


def test_kinetics_json_lists_what_its_csv_lists(tmp_path):
    videos = {"x-1": of_kinetics("air drumming", 7.0, 17.0), "y": of_kinetics("abseiling", 0, 10)}
    from_json = write(tmp_path / "train.json", videos, "air_drumming/x-1_000007_000017.mp4", "y.webm").read()
    header = "label,youtube_id,time_start,time_end,split\n"
    from_csv = write(tmp_path / "t.csv", f"{header}air drumming,x-1,7,17,train\nabseiling,y,0,10,train\n").read()
    assert rows(from_json) == [("air_drumming/x-1_000007_000017.mp4", "air drumming"), ("y.webm", "abseiling")]
    assert fingerprint(from_json, from_json) == fingerprint(from_csv, from_csv)


def test_mistakes_of_a_kinetics_json_are_named_with_their_videos(tmp_path):
    good = json.dumps(of_kinetics("a", 1, 2))
    bad = {
        "no": {"subset": "train"},
        "test": {"duration": 10.0, "subset": "test", "url": "u"},
        "label": of_kinetics(4, 1, 2),
        "empty": of_kinetics("", 1, 2),
        "segment": of_kinetics("a", 1.5, 2),
        "object": 3,
    }
    rest = ",".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in bad.items())
    text = refusal(write(tmp_path / "train.json", f'{{"good": {good}, "good": {good}, {rest}}}'))
    for words in (
        "'good' stands twice",
        "video 'no': no \"annotations\"",
        "video 'test': no label: it is of the test set, which is published without labels",
        "video 'label': label 4 is not the name of a class",
        "video 'empty': no \"label\"",
        "video 'segment': segment [1.5, 2] is not [start, end] in whole seconds",
        "video 'object': no \"annotations\"",
        "(train.json was read as Kinetics' json)",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Opening something": "0"}, "JSON of an unknown form"),
        ({"database": {"x": {"subset": "train"}}}, "JSON of an unknown form"),
        ([], "JSON of an unknown form"),
        ('{"a": 1', "not JSON: "),
    ],
)
def test_other_json_is_refused_with_the_forms_that_are_read(tmp_path, content, words):
    assert words in refusal(write(tmp_path / "train.json", content))


LABELS = {"Pushing something": "1", "Opening something": "0", "Folding something": "2"}


def of_something(key: str, template: str) -> dict[str, Any]:
    return {"id": key, "label": "opening a box", "template": template, "placeholders": ["a box"]}


def test_something_something_has_the_numbers_of_its_labels_file(tmp_path):
    write(tmp_path / "labels.json", LABELS)
    content = [of_something("7", "Pushing [something]"), of_something("8", "Opening [something]")]
    manifest = write(tmp_path / "train.json", content, "7.webm", "8.mp4").read()
    assert manifest.classes == ("Opening something", "Pushing something", "Folding something")
    assert rows(manifest) == [("7.webm", "Pushing something"), ("8.mp4", "Opening something")]
    assert [video.label for video in manifest.videos] == [1, 0]


def test_mistakes_of_a_something_something_json_are_named_with_their_entries(tmp_path):
    content = [{"id": "1"}, {"label": "x"}, of_something("2", "Closing [something]"), of_something("3", "Opening []")]
    source = write(tmp_path / "train.json", content)
    assert "labels.json or something-something-v2-labels.json, and neither lies in" in refusal(source)
    write(tmp_path / "labels.json", {"Opening something": "1"})
    assert "expected the number of each template" in refusal(source)
    write(tmp_path / "labels.json", LABELS)
    text = refusal(source)
    for words in (
        'entry 1 (id 1): no "template"; the test list is published without',
        'entry 2: no "id"',
        "entry 3 (id 2): template 'Closing something' is not among the 3 of the labels file",
        "(train.json was read as Something-Something v2's json)",
    ):
        assert words in text
    write(tmp_path / "something-something-v2-labels.json", LABELS)
    assert "both lie in" in refusal(source)


def test_a_folder_of_classes_is_read_in_sorted_order(tmp_path):
    touch(tmp_path / "train", "run/b.MP4", "run/a.mov", "run/notes.txt", "jump up/c.avi", ".cache/d.mp4", "read.me")
    manifest = ManifestSource(tmp_path / "train", tmp_path / "elsewhere").read()
    assert manifest.classes == ("jump up", "run")
    assert rows(manifest) == [("jump up/c.avi", "jump up"), ("run/a.mov", "run"), ("run/b.MP4", "run")]


def test_folders_of_classes_agree_by_the_names_of_their_classes(tmp_path):
    touch(tmp_path, "train/a/1.mp4", "train/b/2.mp4", "val/b/3.mp4", "other/c/4.mp4")
    train, val, other = (ManifestSource(tmp_path / name) for name in ("train", "val", "other"))
    assert [video.label for video in read_pair(train, val)[1].videos] == [1]
    with pytest.raises(ManifestError, match=r"folder c: label 'c' is not among the 2 classes of .*train"):
        read_pair(train, other)
    with pytest.raises(ManifestError, match=r"folder b: label 1 \(b\); the network has 1 classes"):
        check_classes(train.read(), 1)


def test_all_that_is_wrong_with_a_folder_of_classes_is_told(tmp_path):
    touch(tmp_path, "a/1.mp4", "b/notes.txt", "train/c/2.mp4", "3.mp4")
    text = refusal(ManifestSource(tmp_path))
    for words in (
        "1 videos are in no folder of a class, 3.mp4 first",
        "class 'b' holds no video",
        "class 'train' holds folders (c) and no video; videos are read one level deep only",
        "was read as a folder of classes",
    ):
        assert words in text
    (tmp_path / "empty").mkdir()
    assert "it holds no folder of a class" in refusal(ManifestSource(tmp_path / "empty"))


def ucf101(folder: Path, train: str, test: str = "") -> tuple[ManifestSource, ManifestSource]:
    write(folder / "classInd.txt", "1 Archery\r\n2 Biking\r\n3 Bowling\r\n")
    videos = [f"{name}/v_{name}_g01_c01.avi" for name in ("Archery", "Biking")]
    return write(folder / "trainlist01.txt", train, *videos), write(folder / "testlist01.txt", test)


def test_the_splits_of_ucf101_have_the_numbers_of_class_ind(tmp_path):
    train, test = ucf101(
        tmp_path, "Biking/v_Biking_g01_c01.avi 2\r\nArchery/v_A.avi 1\n", "Archery/v_Archery_g01_c01.avi\n"
    )
    first, second = read_pair(train, test)
    assert first.classes == second.classes == ("Archery", "Biking", "Bowling")
    assert rows(first) == [("Biking/v_Biking_g01_c01.avi", "Biking"), ("Archery/v_A.avi", "Archery")]
    assert [video.label for video in second.videos] == [0]
    assert test.read().classes == first.classes


def test_a_video_of_a_split_is_found_with_another_suffix(tmp_path):
    train, _ = ucf101(tmp_path, "Biking/v_x.avi 2\n")
    touch(tmp_path, "Biking/v_x.mp4")
    (video,) = train.read().videos
    assert (video.path.name, video.name) == ("v_x.mp4", "Biking/v_x.avi")


def test_labels_that_are_not_those_of_class_ind_are_mistakes_of_a_split(tmp_path):
    train, test = ucf101(tmp_path, "Biking/a.avi 2\nBiking/b.avi 1\nBiking/c.avi\nRun/d.avi 4\n", "Archery/e\nRun/f\n")
    text = refusal(train)
    for words in (
        "line 2: 'Biking/b.avi' has label '1', but Biking is 2 in classInd.txt",
        "line 3: 'Biking/c.avi' has no label, but Biking is 2",
        "line 4: 'Run/d.avi' is in no folder named by a class",
        "(trainlist01.txt was read as UCF101's official split, by classInd.txt beside it)",
    ):
        assert words in text
    assert "line 2: 'Run/f' is in no folder" in refusal(test)


def test_a_list_beside_class_ind_that_counts_from_0_is_one_of_paths_and_labels(tmp_path):
    train, _ = ucf101(tmp_path, "Archery/v_Archery_g01_c01.avi 0\nBiking/v_Biking_g01_c01.avi 1\n")
    assert train.read().classes == ("0", "1")


@pytest.mark.parametrize("labels", [("", ""), (" 1", " 2")])
def test_a_split_of_ucf101_without_class_ind_is_refused(tmp_path, labels):
    train, _ = ucf101(tmp_path, "".join(f"{c}/v_{c}_g01_c01.avi{n}\n" for c, n in zip("AB", labels, strict=True)))
    (tmp_path / "classInd.txt").unlink()
    assert "labels count from 1; put UCF101's classInd.txt beside it" in refusal(train)


def test_a_class_ind_with_gaps_is_refused(tmp_path):
    train, _ = ucf101(tmp_path, "Biking/a.avi 2\n")
    (tmp_path / "classInd.txt").write_text("1 Archery\n3 Biking\n", encoding="utf-8")
    assert "classInd.txt: expected UCF101's classes" in refusal(train)


def hmdb51(folder: Path) -> None:
    write(folder / "run_test_split1.txt", "r1.avi 1 \nr2.avi 2 \nr3.avi 0 \n", "run/r1.avi", "run/r2.mp4")
    write(folder / "brush_hair_test_split1.txt", "b(1).avi 1 \nb2.avi 2 \n")
    write(folder / "run_test_split2.txt", "r1.avi 2 \n")


def test_the_parts_of_a_split_of_hmdb51_are_named_as_one_list_each(tmp_path):
    hmdb51(tmp_path)
    train, val = read_pair(ManifestSource(tmp_path / "train_split1.txt"), ManifestSource(tmp_path / "test_split1.txt"))
    assert train.classes == val.classes == ("brush_hair", "run")
    assert rows(train) == [("brush_hair/b(1).avi", "brush_hair"), ("run/r1.avi", "run")]
    assert rows(val) == [("brush_hair/b2.avi", "brush_hair"), ("run/r2.mp4", "run")]


def test_what_else_is_given_of_hmdb51_is_refused_with_what_to_give(tmp_path):
    hmdb51(tmp_path)
    one = refusal(ManifestSource(tmp_path / "run_test_split1.txt"))
    assert f"one class of HMDB51's split 1; name the whole split: {tmp_path}/train_split1.txt or" in one
    for folder in tmp_path.iterdir():
        if folder.is_dir():
            folder.rename(tmp_path.parent / f"{tmp_path.name}-{folder.name}")
    assert "for HMDB51's splits, name one as train_split1.txt" in refusal(ManifestSource(tmp_path))
    assert "no such manifest" in refusal(ManifestSource(tmp_path / "train_split3.txt"))
    write(tmp_path / "run_test_split1.txt", "r1.avi 1\nr2.avi\nr3.avi 3\n")
    text = refusal(ManifestSource(tmp_path / "test_split1.txt"))
    assert "run_test_split1.txt line 2: expected a video and 1 (train), 2 (test) or 0 (unused)" in text
    assert "run_test_split1.txt line 3" in text
    assert "was read as HMDB51's official split" in text


@pytest.mark.skipif(not (DATA / "annotations").is_dir(), reason="../shared/data/annotations is absent")
def test_the_official_splits_of_ucf101_are_read(tmp_path):
    videos = ("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi")
    touch(tmp_path, *videos)
    lists = (DATA / "annotations" / "ucf101" / name for name in ("trainlist01.txt", "testlist01.txt"))
    train, val = read_pair(*(ManifestSource(path, tmp_path) for path in lists))
    assert (len(train.videos), len(val.videos)) == (9_537, 3_783)
    assert train.classes == val.classes
    assert (train.classes[0], train.classes[-1]) == ("ApplyEyeMakeup", "YoYo")
    assert {video.label for video in train.videos} == {video.label for video in val.videos} == set(range(101))


@pytest.mark.skipif(not (DATA / "actions").is_dir(), reason="../shared/data/actions is absent")
def test_a_folder_of_real_videos_lists_every_one_of_its_classes():
    manifest = ManifestSource(DATA / "actions" / "videos").read()
    assert list(manifest.classes) == (DATA / "actions" / "classes.txt").read_text(encoding="utf-8").split()
    assert len(manifest.videos) == 1_452
