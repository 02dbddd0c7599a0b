"""Pathfinder: a tracer that knows nothing of the generator finds the same labels; released files are read safely."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from ssm_teach import data, tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks import _pathfinder_files, _snakes, pathfinder
from ssm_teach.tasks._pathfinder_baselines import find_discs

SIZES = (32, 64, 128)
GAP = 2  # margins between the paddles of a snake


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))


def distance_field(paddles: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """How far every point (ys, xs) is from the nearest paddle."""
    field = np.full(np.broadcast(ys, xs).shape, np.inf)
    for y0, x0, y1, x1 in paddles:
        along = ((ys - y0) * (y1 - y0) + (xs - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2)
        along = along.clip(0, 1)
        field = np.minimum(field, np.hypot(ys - y0 - along * (y1 - y0), xs - x0 - along * (x1 - x0)))
    return field


def trace_in_pixels(scene: pathfinder.Scene, size: int, finer: int) -> int:
    """Paint all paddles, in no order, thick enough to close the gaps of a snake and no others; flood from the discs."""
    paddles = np.random.RandomState(0).permutation(np.concatenate(scene.snakes))
    axis = np.arange(size * finer) / finer
    field = distance_field(paddles, axis[:, None], axis)
    painted, _ = ndimage.label(field <= scene.margin + 0.75 / finer)
    # A disc belongs to the line that begins closest to its middle.
    first, second = ((scene.markers * finer).round().astype(int)).clip(0, size * finer - 1)
    return int(painted[tuple(first)] == painted[tuple(second)] != 0)


def trace_by_tips(scene: pathfinder.Scene) -> int:
    """Join paddles whose tips are no farther apart than a gap; compare what the discs are joined to."""
    paddles = np.random.RandomState(1).permutation(np.concatenate(scene.snakes))
    tips = paddles.reshape(-1, 2, 2)
    between = np.linalg.norm(tips[:, None, :, None] - tips[None, :, None, :], axis=-1).min((2, 3))
    group = np.arange(len(tips))
    for first, second in np.argwhere(between <= GAP * scene.margin + 1e-6):
        group[group == group[first]] = group[second]
    ends = [group[np.linalg.norm(tips - marker, axis=-1).min(1).argmin()] for marker in scene.markers]
    return int(ends[0] == ends[1])


@pytest.mark.parametrize(("size", "n"), [(32, 400), (64, 100), (128, 100)])
def test_a_tracer_of_the_paddles_finds_every_label(size, n):
    scenes = [pathfinder.draw_scene(11, k, size) for k in range(n)]
    assert [trace_by_tips(scene) for scene in scenes] == [scene.label for scene in scenes]


@pytest.mark.parametrize(("size", "n", "finer"), [(32, 120, 8), (64, 30, 6), (128, 20, 3)])
def test_a_tracer_of_the_pixels_at_high_resolution_finds_every_label(size, n, finer):
    scenes = [pathfinder.draw_scene(12, k, size) for k in range(n)]
    assert [trace_in_pixels(scene, size, finer) for scene in scenes] == [scene.label for scene in scenes]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("difficulty", pathfinder.DIFFICULTIES)
def test_snakes_are_chains_of_paddles_that_never_touch_another(size, difficulty):
    shape = pathfinder.SHAPES[size].shape
    for k in range(10):
        scene = pathfinder.draw_scene(3, k, size, difficulty)
        paddles = pathfinder.DIFFICULTIES[difficulty]
        assert [len(snake) for snake in scene.snakes] == [paddles] * 2 + [paddles // 3] * (len(scene.snakes) - 2)
        for snake in scene.snakes:
            np.testing.assert_allclose(np.hypot(*(snake[:, 2:] - snake[:, :2]).T), shape.length, atol=1e-9)
            gaps = np.hypot(*(snake[1:, :2] - snake[:-1, 2:]).T)
            assert gaps.max(initial=0) <= GAP * scene.margin + 1e-9
        for s, snake in enumerate(scene.snakes):
            others = np.concatenate(scene.snakes[:s] + scene.snakes[s + 1 :])
            along = np.linspace(snake[:, :2], snake[:, 2:], 9).reshape(-1, 2)
            field = distance_field(others, along[:, 0], along[:, 1])
            assert field.min() >= GAP * scene.margin + shape.thickness - 1e-9


@pytest.mark.parametrize("size", SIZES)
def test_long_snakes_begin_where_the_description_says(size):
    shape, margins = pathfinder.SHAPES[size].shape, pathfinder.SHAPES[size].margins
    seen = set()
    for k in range(20):
        scene = pathfinder.draw_scene(4, k, size)
        starts = [first[:2] - (first[2:] - first[:2]) / shape.length * scene.margin for first, *_ in scene.snakes[:2]]
        assert np.hypot(*(starts[0] - starts[1])) == pytest.approx(shape.seed_distance)
        assert 2 * shape.seed_distance - 1e-9 <= starts[0].min()
        assert starts[0].max() <= size - 1 - 2 * shape.seed_distance + 1e-9
        seen.add(scene.margin)
    assert seen == set(margins)


def test_turns_are_likelier_the_smaller_they_are_and_never_sharper_than_the_continuity_allows():
    weights = pathfinder.SHAPES[64].shape.weights
    assert weights.argmax() == len(weights) // 2
    np.testing.assert_array_equal(weights, weights[::-1])
    assert {abs(k - 18) * 5 for k in np.flatnonzero(weights)} == set(range(0, 50, 5))  # 1.8 · 50° = 90°
    headings = [np.arctan2(*(s[:, 2:] - s[:, :2]).T) for k in range(20) for s in pathfinder.draw_scene(0, k, 64).snakes]
    turns = np.concatenate([np.angle(np.exp(1j * np.diff(h))) for h in headings])
    assert np.abs(np.degrees(turns)).max() <= 45 + 1e-6


def test_half_of_the_pictures_are_of_either_class():
    labels = pathfinder.generate(3000, seed=5, difficulty="easy")[1]
    assert abs(labels.mean() - 0.5) < 3 * 0.5 / 3000**0.5


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_shows_its_paddles_and_its_discs_and_nothing_else(size):
    shape = pathfinder.SHAPES[size].shape
    for k in range(5):
        scene = pathfinder.draw_scene(6, k, size)
        assert scene.picture.dtype == np.uint8
        axis = np.arange(size)
        away = distance_field(np.concatenate(scene.snakes), axis[:, None], axis)
        discs = np.min([np.hypot(axis[:, None] - y, axis - x) for y, x in scene.markers], axis=0)
        assert (scene.picture[discs <= shape.marker - 0.5] == 255).all()
        dark = (away > 3 + shape.thickness) & (discs > shape.marker + 0.5)
        assert (scene.picture[dark] == 0).all()
        middles = np.concatenate(scene.snakes).reshape(-1, 2, 2).mean(1).round().astype(int)
        assert (scene.picture[tuple(middles.T)] > 40).mean() > 0.95


def test_halving_is_that_of_an_independent_lanczos():
    canvas = np.zeros((64, 64))
    canvas[20:40, 17:22] = 1
    expected = Image.fromarray(canvas.astype(np.float32), mode="F").resize((32, 32), Image.LANCZOS)
    np.testing.assert_allclose(_snakes._halve(canvas)[4:-4, 4:-4], np.asarray(expected)[4:-4, 4:-4], atol=1e-6)


def test_a_picture_depends_on_its_seed_and_number_alone():
    pictures, labels = pathfinder.generate(12, seed=2)
    later, later_labels = pathfinder.generate(5, seed=2, first=7)
    np.testing.assert_array_equal(pictures[7:], later)
    np.testing.assert_array_equal(labels[7:], later_labels)
    assert len({picture.tobytes() for picture in (*pictures, *pathfinder.generate(12, seed=3)[0])}) == 24


def test_pictures_are_the_same_on_every_machine_and_with_every_version():
    """Typed in on purpose."""
    pictures, labels = pathfinder.generate(8, seed=0)
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 0, 1]
    assert pictures.astype(int).sum(1).tolist() == [20321, 24112, 24824, 21829, 22183, 18645, 22351, 20682]


def test_more_draws_of_a_stream_begin_with_the_same_numbers():
    first, more = (np.random.RandomState([3, 4]).random_sample(n) for n in (100, 400))
    np.testing.assert_array_equal(first, more[:100])


def test_a_scene_that_runs_out_of_draws_says_so():
    shape, margins = pathfinder._shape(32, "hard")
    assert _snakes.grow_scene(shape, margins, shape.weights, np.full(10, 0.4))[0] == -1


@pytest.mark.parametrize(("reading", "d_input", "vocab"), [("numerical", 1, None), ("categorical", None, 256)])
def test_task_has_the_shape_that_a_model_is_built_for(reading, d_input, vocab):
    task = tasks.load("pathfinder", reading=reading, examples=12, held_out=5)
    inputs, targets, mask = task.train[torch.tensor([3, 1])]
    assert (task.length, task.n_classes, task.d_input, task.vocab, mask) == (1024, 2, d_input, vocab, None)
    assert inputs.shape == ((2, 1024) if vocab else (2, 1024, 1))
    assert [len(split) for split in (task.train, task.validation, task.test)] == [12, 5, 5]
    assert set(targets.tolist()) <= {0, 1}
    if vocab:
        assert inputs.dtype == torch.int64
    else:
        assert (inputs.min(), inputs.max()) == (-1, 1)
    assert task.limited
    again = tasks.load(task.name, **task.options)
    assert torch.equal(again.train.raw, task.train.raw)


def test_readings_are_of_the_same_pixels():
    numbers, symbols = (
        tasks.load("pathfinder", reading=reading, examples=4, held_out=2).test[:][0]
        for reading in ("numerical", "categorical")
    )
    torch.testing.assert_close(numbers[..., 0], symbols / 127.5 - 1)


def test_splits_share_no_picture_and_more_training_leaves_the_others():
    small = tasks.load("pathfinder", examples=10, held_out=5)
    large = tasks.load("pathfinder", examples=20, held_out=5)
    assert torch.equal(large.train.raw[:10], small.train.raw)
    assert torch.equal(large.test.raw, small.test.raw)
    parts = (large.train, large.validation, large.test)
    assert len({row.numpy().tobytes() for split in parts for row in split.raw}) == 30


def test_path_x_is_the_largest_size():
    task = tasks.load("pathfinder", size=128, examples=3, held_out=1)
    assert (task.length, task.full_epochs) == (16384, 50)
    assert task.train.raw.shape == (3, 16384)


@pytest.mark.parametrize("size", SIZES)
def test_discs_are_found_in_the_pixels(size):
    scenes = [pathfinder.draw_scene(8, k, size) for k in range(60)]
    found = find_discs(np.stack([scene.picture for scene in scenes]))
    misses = 0
    for scene, discs in zip(scenes, found, strict=True):
        misses += (
            min(abs(scene.markers - order).max() for order in (discs, discs[::-1]))
            > pathfinder.SHAPES[size].shape.marker
        )
    assert misses <= 1


def test_baselines_find_a_label_that_hangs_on_the_distance_of_the_discs():
    task = tasks.load("pathfinder", difficulty="easy", examples=400, held_out=200)
    for split in (task.train, task.validation, task.test):
        discs = find_discs(split.raw.numpy().reshape(-1, 32, 32))
        far = np.hypot(*(discs[:, 0] - discs[:, 1]).T) > 11
        split.targets.copy_(torch.from_numpy(far))
    for found in (task.weak_baseline(), task.baseline()):
        assert found["train_examples"] == 400
        assert found["accuracy"] > 0.9
        assert "logistic regression on the discs' distance" in found["kind"]


def test_strong_baseline_sees_what_lies_between_the_discs():
    """A bright spot beside each disc, towards the other one, gives the label away, whichever way the discs lie."""
    task = tasks.load("pathfinder", difficulty="easy", examples=400, held_out=200)
    for split in (task.train, task.validation, task.test):
        pictures = split.raw.reshape(-1, 32, 32)
        for picture, label, (first, second) in zip(
            pictures, split.targets, find_discs(pictures.numpy()).astype(float), strict=True
        ):
            y, x = (first + (second - first) / np.hypot(*(second - first)) * 3).round().astype(int)
            picture[y, x] = 200 if label else 0
    assert task.weak_baseline()["accuracy"] < 0.65
    assert task.baseline()["accuracy"] > 0.8


# ---- the released files ----------------------------------------------------------------------------------------------


def write_release(folder, n: int = 30, size: int = 32) -> tuple[np.ndarray, list[int]]:
    """A folder as Long Range Arena has it: pictures in imgs/0 and imgs/1, and text in metadata/0.npy and 1.npy."""
    pictures, labels = pathfinder.generate(n, seed=9, size=size)
    for part in range(2):
        (folder / "imgs" / str(part)).mkdir(parents=True)
        (folder / "metadata").mkdir(exist_ok=True)
        lines = []
        for k in range(part, n, 2):
            Image.fromarray(pictures[k].reshape(size, size)).save(folder / "imgs" / str(part) / f"sample_{k}.png")
            lines.append(f"imgs/{part} sample_{k}.png {k} {labels[k]} 1.8 6 2.0 5 1.5 2 1")
        (folder / "metadata" / f"{part}.npy").write_text("\n".join(lines) + "\n")
    return pictures, labels.tolist()


def read(folder, **options) -> tasks.Task:
    return tasks.load("pathfinder", folder=str(folder), **options)


def test_released_pictures_are_read_with_their_labels_and_split_80_10_10(tmp_path):
    pictures, labels = write_release(tmp_path)
    task = read(tmp_path)
    assert [len(split) for split in (task.train, task.validation, task.test)] == [24, 3, 3]
    wanted = sorted((picture.tobytes(), label) for picture, label in zip(pictures, labels, strict=True))
    splits = (task.train, task.validation, task.test)
    assert (
        sorted((r.numpy().tobytes(), int(t)) for s in splits for r, t in zip(s.raw, s.targets, strict=True)) == wanted
    )
    assert torch.equal(read(tmp_path, examples=5).train.raw, task.train.raw[:5])


def test_released_pictures_that_were_fetched_need_no_folder(tmp_path, monkeypatch):
    write_release(tmp_path / "pathfinder32/curv_contour_length_14")
    monkeypatch.setattr(data, "folder", {"lra-pathfinder": tmp_path}.__getitem__)
    task = tasks.load("pathfinder", folder="official")
    assert torch.equal(task.train.raw, read(tmp_path / "pathfinder32/curv_contour_length_14").train.raw)
    assert task.options["folder"] == "official"


def test_released_pictures_are_decoded_once(tmp_path, monkeypatch):
    write_release(tmp_path)
    first = read(tmp_path)
    monkeypatch.setattr(_pathfinder_files, "_decode", None)
    assert torch.equal(read(tmp_path).train.raw, first.train.raw)


def test_the_one_empty_picture_of_the_release_is_left_out(tmp_path):
    write_release(tmp_path)
    (tmp_path / "imgs/0/sample_4.png").write_bytes(b"")
    task = read(tmp_path)
    assert sum(len(split) for split in (task.train, task.validation, task.test)) == 29
    (tmp_path / "imgs/0/sample_6.png").write_bytes(b"")
    (tmp_path / "metadata/1.npy").open("a").write("imgs/1 sample_1.png 1 0\n")
    with pytest.raises(UserError, match=r"2 pictures of .*metadata/0\.npy are empty; unpack the archive again"):
        read(tmp_path)


def cut_short(folder):
    picture = folder / "imgs/1/sample_3.png"
    picture.write_bytes(picture.read_bytes()[:60])


def replace_line(line: str):
    def spoil(folder):
        file = folder / "metadata/1.npy"
        lines = file.read_text().splitlines()
        file.write_text("\n".join([*lines[:2], line, *lines[3:]]))

    return spoil


def pickled(folder):
    np.save(folder / "metadata/1.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def other_size(folder):
    Image.new("L", (300, 300)).save(folder / "imgs/1/sample_3.png")


def not_a_png(folder):
    Image.new("L", (32, 32)).save(folder / "imgs/1/sample_3.png", format="GIF")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (cut_short, r"sample_3\.png is not a whole PNG picture"),
        (not_a_png, r"sample_3\.png is not a whole PNG picture"),
        (other_size, r"sample_3\.png is 300 × 300 pixels, not 32 × 32; give its size as the option size"),
        (replace_line("imgs/1 sample_5.png"), r"metadata/1\.npy, line 3: expected .* got 'imgs/1 sample_5\.png'"),
        (replace_line("imgs/1 sample_5.png 5 2"), r"metadata/1\.npy, line 3: expected .* with a label 0 or 1"),
        (replace_line("imgs/1 gone.png 5 1"), r"metadata/1\.npy, line 3: there is no picture imgs/1/gone\.png"),
        (replace_line("imgs/../metadata 1.npy 5 1"), r"line 3: there is no picture imgs/\.\./metadata/1\.npy"),
        (replace_line("imgs/1 /etc/hostname 5 1"), r"line 3: there is no picture imgs/1//etc/hostname"),
        (pickled, r"metadata/1\.npy is not text"),
        (
            lambda folder: (folder / "metadata/0.npy").unlink() or (folder / "metadata/1.npy").unlink(),
            "must hold imgs/",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_one_sentence(tmp_path, spoil, sentence):
    write_release(tmp_path / "release")
    spoil(tmp_path / "release")
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / "release")
    assert not list((tmp_path / "cache").glob("tasks/*"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 33}, "size of pathfinder must be one of 32, 64, 128; got 33"),
        ({"size": "32"}, "got '32'"),
        ({"difficulty": "medium"}, "unknown difficulty 'medium'; choose one of easy, intermediate, hard"),
        ({"difficulty": 2}, "difficulty of pathfinder must be a whole number, at least 3; got 2"),
        ({"difficulty": 60}, "two snakes of 60 paddles hardly ever fit into a Pathfinder picture of 32 × 32"),
        ({"reading": "rgb"}, "unknown reading 'rgb'; choose one of numerical, categorical"),
        ({"examples": 0}, "examples of pathfinder must be a whole number, at least 1; got 0"),
        ({"seed": 2**31}, "seed of pathfinder must be at most 1073741824; got 2147483648"),
        ({"folder": "official", "size": 64}, "no official Pathfinder pictures are 64 × 64; choose 32 or 128"),
        ({"folder": "official"}, "ssm-teach data get lra-pathfinder"),
        ({"folder": "/nowhere"}, "folder of pathfinder must hold imgs/ and metadata"),
    ],
)
def test_impossible_settings_are_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        tasks.load("pathfinder", **options)
