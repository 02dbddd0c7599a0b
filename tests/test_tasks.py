"""Tasks: splits that never change and never overlap, three readings of the same pixels, honest baselines."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from ssm_teach import data, tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks import image


@pytest.fixture
def photographs(monkeypatch):
    """A stand-in for CIFAR-10 in the cache: 100 + 20 noisy pictures in which a picture of class n has row n bright."""
    rng = np.random.default_rng(0)

    def part(n):
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        pictures = rng.integers(0, 20, (n, 32, 32, 3), dtype=np.uint8)
        pictures[np.arange(n), labels] += 200
        return pictures, labels

    arrays = dict(zip(data.PARTS, (*part(100), *part(20)), strict=True))
    monkeypatch.setattr(data, "load", lambda name: arrays)
    return arrays


def rows(split: tasks.Split) -> list[bytes]:
    return [row.numpy().tobytes() for row in split.raw]


def test_digits_are_split_once_and_for_all():
    task = tasks.load("image", dataset="digits")
    images = load_digits().data.astype(np.uint8)
    assert sorted(rows(task.train) + rows(task.validation) + rows(task.test)) == sorted(map(bytes, images))
    first = [split.targets[:8].tolist() for split in (task.train, task.validation, task.test)]
    # Typed in on purpose: the split must be this one on every machine and with every version.
    assert first == [[2, 8, 2, 6, 6, 7, 1, 9], [1, 9, 9, 7, 1, 8, 5, 0], [7, 9, 4, 7, 0, 2, 6, 1]]


def test_fetched_pictures_give_a_tenth_of_training_to_validation_and_keep_the_test_set(photographs):
    task = tasks.load("image", dataset="cifar10", reading="rgb")
    assert [len(split) for split in (task.train, task.validation, task.test)] == [90, 10, 20]
    assert not set(rows(task.train)) & set(rows(task.validation))
    np.testing.assert_array_equal(task.test.raw.numpy(), photographs["test_images"].reshape(20, 1024, 3))


@pytest.mark.parametrize(
    ("dataset", "reading", "shape", "d_input", "vocab"),
    [
        ("digits", "numerical", (2, 64, 1), 1, None),
        ("digits", "categorical", (2, 64), None, 17),
        ("cifar10", "numerical", (2, 1024, 1), 1, None),
        ("cifar10", "categorical", (2, 1024), None, 256),
        ("cifar10", "rgb", (2, 1024, 3), 3, None),
    ],
)
def test_every_reading_has_the_shape_that_the_model_is_built_for(photographs, dataset, reading, shape, d_input, vocab):
    task = tasks.load("image", dataset=dataset, reading=reading)
    inputs, targets, mask = task.train[torch.tensor([3, 1])]
    assert (tuple(inputs.shape), task.d_input, task.vocab, mask) == (shape, d_input, vocab, None)
    assert task.length == shape[1]
    assert targets.dtype == torch.int64
    if vocab:
        assert inputs.dtype == torch.int64
        assert 0 <= task.train[:][0].min() <= task.train[:][0].max() < vocab


def test_numerical_reading_is_the_categorical_one_normalised(photographs):
    for dataset, top, mean, std in (("digits", 16, 0.305, 0.376), ("cifar10", 255, 122.6 / 255, 61 / 255)):
        numbers, symbols = (
            tasks.load("image", dataset=dataset, reading=reading).test[:][0] for reading in ("numerical", "categorical")
        )
        torch.testing.assert_close(numbers[..., 0], (symbols / top - mean) / std)


def test_normalised_digits_have_mean_zero_and_variance_one():
    inputs = tasks.load("image").train[:][0]
    assert abs(inputs.mean()) < 0.01
    assert abs(inputs.std() - 1) < 0.01


def test_grey_is_the_grey_of_pillow():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 17, 19, 3), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in pixels])
    np.testing.assert_array_equal(image.grey(pixels), expected)


def test_sequence_reads_a_picture_row_by_row():
    picture = tasks.load("image").test.raw[0].reshape(8, 8)
    original = load_digits().images.astype(np.uint8)
    assert any(np.array_equal(picture, other) for other in original)


def test_limit_takes_the_first_training_examples_and_leaves_the_rest_whole():
    small, whole = tasks.load("image", limit=100), tasks.load("image")
    assert rows(small.train) == rows(whole.train)[:100]
    assert rows(small.validation) + rows(small.test) == rows(whole.validation) + rows(whole.test)
    assert (small.limited, whole.limited, tasks.load("image", limit=1257).limited) == (True, False, False)


def test_noise_follows_every_row_differs_between_examples_and_is_always_the_same():
    plain, noisy, limited = (tasks.load("image", **more) for more in ({}, {"noise": 5}, {"noise": 5, "limit": 30}))
    assert noisy.length == 8 * 13
    drawn = []
    for name in ("train", "validation", "test"):
        rows_of_pixels = getattr(noisy, name).raw.reshape(-1, 8, 13)
        assert torch.equal(rows_of_pixels[..., :8].flatten(1), getattr(plain, name).raw[..., 0])
        drawn.append(rows_of_pixels[..., 8:].flatten(1))
    drawn = torch.cat(drawn)
    assert len(drawn.unique(dim=0)) == len(drawn)
    counts = drawn.flatten().bincount(minlength=17) / drawn.numel()
    assert (counts - 1 / 17).abs().max() < 0.005
    assert torch.equal(limited.train.raw, noisy.train.raw[:30])
    assert torch.equal(limited.test.raw, noisy.test.raw)


def test_noise_of_a_coloured_picture_is_grey(photographs):
    pixels = tasks.load("image", dataset="cifar10", reading="rgb", noise=3).test.raw.reshape(-1, 32, 35, 3)
    np.testing.assert_array_equal(pixels[:, :, :32].reshape(-1, 1024, 3), photographs["test_images"].reshape(20, -1, 3))
    noise = pixels[:, :, 32:]
    assert (noise == noise[..., :1]).all()
    assert noise.unique().numel() > 200


def test_options_are_enough_to_load_the_same_task_again():
    task = tasks.load("image", reading="categorical", limit=50)
    assert rows(tasks.load(task.name, **task.options).train) == rows(task.train)


def test_chance_is_the_share_of_the_class_most_frequent_in_training():
    task = tasks.load("image")
    guess = task.train.targets.bincount().argmax()
    assert task.chance == pytest.approx(float((task.test.targets == guess).sum()) / 360, abs=1e-15)


def test_baseline_is_measured_on_the_test_split(photographs):
    assert tasks.load("image", dataset="digits").baseline()["accuracy"] > 0.9
    separable = tasks.load("image", dataset="cifar10")  # the bright row gives the class away
    assert separable.baseline()["accuracy"] == 1.0
    photographs["test_labels"][:] = (photographs["test_labels"] + 1) % 10
    assert tasks.load("image", dataset="cifar10").baseline()["accuracy"] == 0.0


def test_baseline_says_how_many_examples_it_saw():
    assert tasks.load("image", limit=40).baseline()["train_examples"] == 40


def test_batches_cover_a_split_in_order():
    split = tasks.load("image").validation
    targets = [batch[1] for batch in split.batches(64)]
    assert [len(t) for t in targets] == [64, 64, 52]
    assert torch.equal(torch.cat(targets), split.targets)


def test_masks_travel_with_their_examples():
    masks = torch.tensor([[True, True], [True, False]])
    split = tasks.Split(torch.zeros(2, 2, 1), torch.tensor([0, 1]), lambda raw: raw, masks)
    assert torch.equal(split.to(torch.device("cpu"))[torch.tensor([1])][2], masks[1:])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "imagee"}, r"unknown task 'imagee'; choose one of image, .* \(did you mean image\?\)"),
        ({"name": "image", "datset": "digits"}, r"unknown option of task 'image' 'datset'.*did you mean dataset"),
        (
            {"name": "image", "dataset": "mnist"},
            "unknown dataset 'mnist'; choose one of digits, fashion-mnist, cifar10",
        ),
        ({"name": "image", "reading": "color"}, "unknown reading 'color'; choose one of numerical, categorical, rgb"),
        ({"name": "image", "reading": "rgb"}, "digits has no colours"),
        ({"name": "image", "noise": -1}, "noise must be a whole number of pixels, at least 0; got -1"),
        ({"name": "image", "noise": 1.5}, "noise must be a whole number of pixels, at least 0; got 1.5"),
        ({"name": "image", "limit": 0}, "limit must be a whole number from 10 to 1257, .*; got 0"),
        ({"name": "image", "limit": 1258}, "got 1258"),
        ({"name": "image", "limit": "many"}, "got 'many'"),
    ],
)
def test_wrong_options_get_one_sentence(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        tasks.load(**arguments)
