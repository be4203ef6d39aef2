"""The detector, and the clips around key frames that it sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_clips import geometry, numbers, write

from expander.errors import UsageError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from trainers.checkpoint import save_weights
from trainers.data.ava import Person, Sample
from trainers.data.clips import Damaged
from trainers.detection.clips import KeyFrames, TestKeyFrames, TrainingKeyFrames
from trainers.detection.network import Detector, detector
from trainers.networks.x3d import X3D

WHOLE = Person((0.0, 0.0, 1.0, 1.0))
SMALL = Geometry(4, 2, 32, (Stage(1, 8, 18, 8), Stage(1, 16, 36, 8)), classes=3, head_width=32)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """40 frames of 60 x 40 pixels, 25 a second; see `write`."""
    return write(tmp_path_factory.mktemp("videos") / "video.mkv", 40)


def frames(video, *persons, second=1, start=0.0):
    return KeyFrames([Sample(("video", second), persons)], [video], start)


def test_a_clip_is_centred_at_the_key_frame_and_the_border_frames_stand_in_beyond_the_ends(video):
    for second, wanted in ((1, [19, 22, 25, 28]), (0, [0, 0, 0, 3])):
        clip = TestKeyFrames(frames(video, WHOLE, second=second), geometry(4, 3))[0]
        assert numbers(clip.pixels) == wanted
    late = TestKeyFrames(frames(video, WHOLE, second=1), geometry(4, 9))[0]
    assert numbers(late.pixels) == [7, 16, 25, 34]
    single = TestKeyFrames(frames(video, WHOLE, second=1), geometry(1))[0]
    assert numbers(single.pixels) == [25]


def test_videos_may_begin_within_avas_time(video):
    clip = TestKeyFrames(frames(video, WHOLE, second=901, start=900), geometry(1))[0]
    assert numbers(clip.pixels) == [25]


def test_a_key_frame_beyond_the_end_is_damage_that_is_named(video):
    damaged = TestKeyFrames(frames(video, WHOLE, second=902), geometry())[0]
    assert isinstance(damaged, Damaged)
    assert damaged.reason == "lasts 1.60 s: it has no key frame at second 902 (see --video-start)"
    assert isinstance(TestKeyFrames(frames(video, WHOLE, second=1, start=2), geometry())[0], Damaged)


def columns(pixels):
    """Columns of the file that the first and last column of a clip show."""
    red = pixels[0, 0, :, 0].float() / 4
    return red[0].item(), red[-1].item()


def test_a_test_clip_is_the_centre_crop_or_the_whole_frame_and_its_boxes_are_cut_at_its_border(video):
    # A crop of 35 is tested at 40 pixels, the video's own shorter side.
    persons = (Person((0.25, 0.25, 0.5, 0.75)), Person((0.0, 0.0, 0.5, 1.0)), Person((0.0, 0.0, 0.1, 1.0)))
    clip = TestKeyFrames(frames(video, *persons), geometry(crop=35))[0]
    assert clip.pixels.shape == (4, 40, 40, 3)
    assert columns(clip.pixels) == (10, 49)
    assert clip.boxes.tolist() == [[5, 10, 20, 30], [0, 0, 20, 40]]
    assert clip.persons.tolist() == [0, 1]  # the third is outside
    whole = TestKeyFrames(frames(video, *persons), geometry(crop=35), whole_frame=True)[0]
    assert whole.pixels.shape == (4, 40, 60, 3)
    assert whole.boxes.tolist() == [[15, 10, 30, 30], [0, 0, 30, 40], [0, 0, 6, 40]]


def test_in_training_the_boxes_follow_the_scale_the_crop_and_the_mirror(video):
    # Red and green tell where a pixel was in the frame: the box's corners must show the same places in every crop.
    person = Person((0.3, 0.25, 0.7, 0.75))
    clips = TrainingKeyFrames(frames(video, person), geometry(crop=24), Recipe(), seed=0)
    mirrored, sizes = set(), set()
    for epoch in range(12):
        clip = clips[epoch, 0]
        assert clip.pixels.shape == (4, 24, 24, 3)
        (box,) = clip.boxes
        red, green = clip.pixels[0, ..., 0].float() / 4, clip.pixels[0, ..., 1].float() / 4
        left, right = red[12, 0].item(), red[12, -1].item()
        mirrored.add(left > right)
        x1, x2 = (box[2], box[0]) if left > right else (box[0], box[2])
        for place, wanted in ((x1, 18), (x2, 42)):
            if 1 < place < 23:
                assert np.interp(place - 0.5, np.arange(24), red[12]) == pytest.approx(wanted - 0.5, abs=1.5)
        for place, wanted in ((box[1], 10), (box[3], 30)):
            if 1 < place < 23:
                assert np.interp(place - 0.5, np.arange(24), green[:, 12]) == pytest.approx(wanted - 0.5, abs=1.5)
        sizes.add(round((box[2] - box[0]).item(), 3))
    assert mirrored == {True, False}
    assert len(sizes) > 3


def test_a_training_clip_follows_from_seed_epoch_and_place_alone(video):
    def clip(seed, epoch):
        return TrainingKeyFrames(frames(video, WHOLE), geometry(), Recipe(), seed)[epoch, 0].pixels

    assert torch.equal(clip(0, 1), clip(0, 1))
    assert not torch.equal(clip(0, 1), clip(0, 2))
    assert not torch.equal(clip(0, 1), clip(1, 1))


def test_the_features_of_a_box_are_those_of_its_place_and_its_clip():
    torch.manual_seed(0)
    model = detector(SMALL, None, 5).eval()
    torch.nn.init.normal_(model.classifier.weight)
    clips = torch.randn(2, 3, 4, 64, 64)
    boxes = torch.tensor([[0, 0, 32, 32], [32, 32, 64, 64], [0, 0, 32, 32.0]])
    logits = model(clips, boxes, torch.tensor([0, 0, 1]))
    assert logits.shape == (3, 5)
    assert (logits[0] - logits[1]).abs().max() > 1e-4
    assert (logits[0] - logits[2]).abs().max() > 1e-4
    alone = model(clips[1:], boxes[2:], torch.tensor([0]))
    assert torch.allclose(alone[0], logits[2], atol=1e-5)


def test_the_box_features_are_averaged_over_time_and_their_largest_in_space_taken():
    torch.manual_seed(0)
    model = detector(SMALL, None, 5).eval()
    clips = torch.randn(1, 3, 4, 64, 64)
    features = model.stages(model.stem(clips))
    # 64 pixels are 8 of the features: 7 x 7 bins of up to 2 x 2 samples each; their shares by numpy alone.
    samples = np.clip((np.arange(14) + 0.5) / 14 * 8 - 0.5, 0, 7)
    shares = torch.tensor(np.stack([np.interp(samples, np.arange(8), row) for row in np.eye(8)])).float()
    values = torch.einsum("cthw,hp,wq->ctpq", features[0], shares, shares)
    bins = values.view(16, 4, 7, 2, 7, 2).mean((3, 5))
    wanted = model.classifier(bins.mean(1).amax((1, 2)))
    found = model(clips, torch.tensor([[0, 0, 64, 64.0]]), torch.tensor([0]))
    assert torch.allclose(found[0], wanted, atol=1e-6)


def test_it_begins_with_the_weights_of_an_instance_but_for_its_head(tmp_path):
    torch.manual_seed(1)
    trained = X3D(SMALL)
    save_weights(tmp_path / "weights.safetensors", trained)
    model = detector(SMALL, tmp_path / "weights.safetensors", 60)
    for name, tensor in trained.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(model.state_dict()[name], tensor)
    assert model.classifier.weight.shape == (60, 16)
    with pytest.raises(UsageError, match="are of another network"):
        detector(
            Geometry(4, 2, 32, (Stage(1, 8, 18, 8), Stage(2, 16, 36, 8)), classes=3, head_width=32),
            tmp_path / "weights.safetensors",
            60,
        )


def test_every_parameter_of_the_detector_learns():
    torch.manual_seed(0)
    model = Detector(X3D(SMALL), 5, dropout=0.5)
    # New blocks start as their shortcuts, so their inner weights get no gradient before the first step.
    for name, parameter in model.named_parameters():
        if "project_norm.weight" in name:
            torch.nn.init.ones_(parameter)
    logits = model(torch.randn(2, 3, 4, 64, 64), torch.tensor([[0, 0, 64, 40.0]] * 2), torch.tensor([0, 1]))
    logits.square().sum().backward()
    assert [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()] == []
