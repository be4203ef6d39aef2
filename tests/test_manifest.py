from dataclasses import replace
from pathlib import Path

import pytest

from expander.errors import DataError
from trainers.data.manifest import (
    DataFingerprint,
    Manifest,
    ManifestSource,
    check_classes,
    fingerprint,
    read_pair,
)

ANNOTATIONS = Path(__file__).parents[1].parent / "shared" / "data" / "annotations"
HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


def write(folder: Path, text: str, *videos: str, name: str = "train.csv") -> ManifestSource:
    """A manifest, and empty files for its videos."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    for video in videos:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        (folder / video).touch()
    return ManifestSource(folder / name)


def mistakes(source: ManifestSource) -> str:
    with pytest.raises(DataError) as error:
        source.read()
    return str(error.value)


def test_a_line_is_a_path_and_after_its_last_white_space_a_label(tmp_path):
    manifest = write(tmp_path, "a.mp4 0\n\nb c/d e.mp4\t2\n", "a.mp4").read()
    assert [(video.path, video.label, video.where) for video in manifest.videos] == [
        (tmp_path / "a.mp4", 0, "line 1"),
        (tmp_path / "b c" / "d e.mp4", 2, "line 3"),
    ]
    assert manifest.classes == ("0", "1", "2")


def test_paths_start_from_the_root_where_one_is_given(tmp_path):
    source = write(tmp_path / "lists", "a.mp4 0\n")
    write(tmp_path / "videos", "", "a.mp4")
    assert replace(source, root=tmp_path / "videos").read().videos[0].path == tmp_path / "videos" / "a.mp4"


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_line(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"\xef\xbb\xbfa.mp4 1\r\n")
    (tmp_path / "a.mp4").touch()
    (video,) = ManifestSource(tmp_path / "train.csv").read().videos
    assert (video.path, video.label) == (tmp_path / "a.mp4", 1)


def test_every_mistake_of_a_file_is_reported_with_its_line(tmp_path):
    text = mistakes(write(tmp_path, "a.mp4 0\nb.mp4\nc.mp4 -1\nd.mp4 one\ne.mp4 1.5\na.mp4 1\n./a.mp4 2\nf 20130412\n"))
    for line, words in {
        2: "'b.mp4' has no label",
        3: "label '-1' of 'c.mp4' is not a whole number",
        4: "label 'one'",
        5: "label '1.5'",
        6: "a.mp4 has label '1', but '0' in line 1",
        7: "a.mp4 has label '2', but '0' in line 1",
        8: "label 20130412 of 'f' is too large",
    }.items():
        assert any(f"train.csv: line {line}:" in row and words in row for row in text.splitlines()), (line, text)


def test_after_twenty_mistakes_the_rest_is_counted(tmp_path):
    rows = mistakes(write(tmp_path, "a.mp4\n" * 1023)).splitlines()
    assert len(rows) == 22
    assert rows[-2].startswith("and 1,003 more mistakes in ")
    assert rows[-1] == "(train.csv was read as 'path label' lines)"


def test_a_video_listed_twice_with_one_label_is_kept_twice(tmp_path):
    assert len(write(tmp_path, "a.mp4 0\na.mp4 0\n", "a.mp4").read().videos) == 2


@pytest.mark.parametrize("text", ["", "\n \n", HEADER])
def test_a_manifest_without_videos_is_a_mistake(tmp_path, text):
    assert "it lists no video" in mistakes(write(tmp_path, text))


def test_a_manifest_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"a.mp4 \xff\xfe")
    assert "not a text file in UTF-8" in mistakes(ManifestSource(tmp_path / "binary.csv"))
    assert "no such manifest" in mistakes(ManifestSource(tmp_path / "none.csv"))


def test_missing_videos_are_no_mistake_unless_the_first_hundred_are(tmp_path):
    lines = "".join(f"{number}.mp4 0\n" for number in range(150))
    assert len(write(tmp_path / "some", lines, "99.mp4").read().videos) == 150
    text = mistakes(write(tmp_path / "none", lines, "100.mp4"))
    assert "none of its first 100 videos exists" in text
    assert str(tmp_path / "none" / "0.mp4") in text
    assert "Set the root" in text


@pytest.mark.parametrize(
    "file",
    [
        "x-1_000007_000017.mp4",
        "x-1_000007_000017.webm",
        "x-1.mkv",
        "air drumming/x-1_000007_000017.avi",
        "air_drumming/x-1_000007_000017.mp4",
        "air_drumming/x-1.mp4",
    ],
)
def test_a_video_of_kinetics_is_found_where_the_downloaders_put_it(tmp_path, file):
    source = write(tmp_path, HEADER + '"air drumming",x-1,7,17,train,0\nabseiling,y,0,10,train,0\n', file)
    manifest = source.read()
    assert manifest.classes == ("abseiling", "air drumming")
    assert [(video.path, video.label) for video in manifest.videos] == [
        (tmp_path / file, 1),
        (tmp_path / "y_000000_000010.mp4", 0),
    ]


def test_the_clip_of_a_video_goes_before_the_whole_video(tmp_path):
    source = write(tmp_path, HEADER + "a,x,7,17,train,0\n", "x.mp4", "a/x_000007_000017.mp4")
    assert source.read().videos[0].path.name == "x_000007_000017.mp4"


def test_mistakes_of_a_kinetics_csv_are_reported_with_their_lines(tmp_path):
    text = mistakes(write(tmp_path, HEADER + "a,x,7,17,train,0\n,y,1,2\nb,z,one,2\nb,z,1\na,v,1,2\nb,v,1,2\n"))
    for words in (
        "line 3: no label",
        "line 4: time_start 'one' is not a whole number of seconds",
        "line 5: no time_end",
        "line 7: v_000001_000002 has label 'b', but 'a' in line 6",
    ):
        assert words in text
    long = mistakes(write(tmp_path, HEADER + f"a,x,7,{'9' * 5000},train,0\n"))
    assert "line 2: time_end 999999999... has 5,000 digits; at most 9 are a time in a video" in long
    test_list = "youtube_id,time_start,time_end,split\nx,1,2,test\n"
    assert "line 1: no column label" in mistakes(write(tmp_path, test_list, name="test.csv"))


def test_a_validation_list_with_fewer_classes_gets_the_numbers_of_training(tmp_path):
    train = write(tmp_path, HEADER + "b,x,0,1,train,0\na,y,0,1,train,0\nc,z,0,1,train,0\n", "x.mp4")
    val = write(tmp_path, HEADER + "c,v,0,1,val,0\n", "v.mp4", name="val.csv")
    first, second = read_pair(train, val)
    assert [video.label for video in first.videos] == [1, 0, 2]
    assert [video.label for video in second.videos] == [2]
    assert first.classes == second.classes == ("a", "b", "c")


def test_a_class_that_training_lacks_is_a_mistake_of_validation(tmp_path):
    train = write(tmp_path / "numbers", "a 0\nb 3\n", "a")
    val = write(tmp_path / "numbers", "a 3\nb 4\n", "a", name="val.csv")
    with pytest.raises(DataError, match=r"val.csv: line 2: label '4' is not among the 4 classes of .*train.csv"):
        read_pair(train, val)
    names = write(tmp_path / "names", HEADER + "a,x,0,1,train,0\n", "x.mp4")
    other = write(tmp_path / "names", HEADER + "zumba,x,0,1,val,0\n", name="val.csv")
    with pytest.raises(DataError, match=r"line 2: label 'zumba' is not among the 1 classes"):
        read_pair(names, other)


def test_numbers_and_names_do_not_make_a_pair(tmp_path):
    numbers = write(tmp_path, "a.mp4 0\n", "a.mp4")
    names = write(tmp_path, HEADER + "a,x,0,1,val,0\n", "x.mp4", name="val.csv")
    with pytest.raises(DataError, match=r"train.csv has numbers for labels and .*val.csv has names"):
        read_pair(numbers, names)


def test_labels_beyond_the_classes_of_the_space_are_named(tmp_path):
    manifest = write(tmp_path, "a 0\nb 9\n\nc 10\n", "a").read()
    check_classes(manifest, 11)
    with pytest.raises(DataError) as error:
        check_classes(manifest, 10)
    assert "line 4: label 10; the network has 10 classes, so labels go from 0 to 9" in str(error.value)
    assert "line 2" not in str(error.value)


def pair(folder: Path, train: str = "a.mp4 0\nb.mp4 1\n", val: str = "c.mp4 1\n") -> tuple[Manifest, Manifest]:
    return read_pair(write(folder, train, "a.mp4"), write(folder, val, "c.mp4", name="val.csv"))


def test_a_fingerprint_is_of_the_lists_and_not_of_their_place(tmp_path):
    here = fingerprint(*pair(tmp_path / "here"))
    assert fingerprint(*pair(tmp_path / "there")) == here
    absolute = "".join(f"{tmp_path}/abs/./{name} {label}\n" for name, label in (("a.mp4", 0), ("b.mp4", 1)))
    assert fingerprint(*pair(tmp_path / "abs", train=absolute)) == here


@pytest.mark.parametrize("train", ["b.mp4 1\na.mp4 0\n", "a.mp4 0\nb.mp4 2\n", "a.mp4 0\n", "a.mp4 0\nd.mp4 1\n"])
def test_a_fingerprint_changes_with_order_labels_and_videos(tmp_path, train):
    before = fingerprint(*pair(tmp_path / "a", val="c.mp4 0\n"))
    assert before.id != fingerprint(*pair(tmp_path / "b", train, "c.mp4 0\n")).id


def test_a_fingerprint_of_kinetics_does_not_depend_on_where_the_videos_lie(tmp_path):
    text = HEADER + "air drumming,x,0,1,train,0\n"
    flat = write(tmp_path / "flat", text, "x.mp4").read()
    folders = write(tmp_path / "folders", text, "air_drumming/x_000000_000001.mp4").read()
    assert fingerprint(flat, flat) == fingerprint(folders, folders)


def test_a_difference_says_what_was_recorded_and_what_is_there_now(tmp_path):
    recorded = fingerprint(*pair(tmp_path / "a"))
    now = fingerprint(*pair(tmp_path / "b", train="a.mp4 0\nb.mp4 1\nd.mp4 1\n"))
    assert recorded.difference(recorded) == ()
    (line,) = recorded.difference(now)
    assert line == (
        f"train: 2 videos of 2 classes (sha256 {recorded.train.sha256[:8]}…) recorded, "
        f"3 of 2 ({now.train.sha256[:8]}…) now"
    )
    assert DataFingerprint.from_dict(recorded.as_dict()) == recorded


@pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason="../shared/data/annotations is absent")
def test_the_official_lists_of_kinetics_are_read(tmp_path):
    (tmp_path / "0wR5jVB-WPk_000417_000427.mp4").touch()
    manifest = ManifestSource(ANNOTATIONS / "kinetics-400_val.csv", tmp_path).read()
    assert len(manifest.videos) == 19_906
    assert len(manifest.classes) == 400
    assert manifest.classes[0] == "abseiling"
    assert manifest.videos[0].path.exists()
    assert {video.label for video in manifest.videos} == set(range(400))
