"""The geometry of Pathfinder: snakes of short paddles that grow without touching, and how they are drawn.

A snake is a chain of joints, ``length + 2 margin`` apart, with a paddle of ``length`` in the middle of each link.
Points are (y, x) in pixels; pixel (0, 0) has its centre at the origin. A heading is a multiple of 5°: with a table of
72 directions no picture hangs on the last bit of a machine's cosine.

Random numbers are taken one after the other from ``draws``, uniform in [0, 1); ``at[0]`` counts them. When they run
out, the scene is given up, and the caller starts again with the same numbers and more of them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

__all__ = ["DIRECTIONS", "Shape", "grow_scene", "render"]

TURNS = 72  # headings, 5° apart
_ANGLES = 2 * np.pi * np.arange(TURNS) / TURNS
DIRECTIONS = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], 1).round(12)
SHARPEST = TURNS // 4  # a snake never turns by more than 90°
BACK, SHUT_IN = 4, 12  # paddles that a snake loses when it is shut in, and how often that may happen to a pair
RETRIES = 15  # of a distractor, each from another place
PLACES = 100  # tried for its beginning: where none is free, less than about 1% of the picture is


class Shape(NamedTuple):
    """What a scene is made from; lengths in pixels."""

    size: int
    seed_distance: float
    marker: float  # radius of a disc
    length: float  # of a paddle
    thickness: float
    continuity: float  # the larger, the straighter
    contrast: float
    paddles: int = 0  # of each of the two long snakes
    distractors: int = 0
    distractor_paddles: int = 0
    padding: float = 1.0  # pixels at the border that stay empty

    @property
    def weights(self) -> np.ndarray:
        """How likely each turn is, from −90° to 90°, before anything is in the way."""
        turns = np.abs(np.arange(-SHARPEST, SHARPEST + 1)) * (2 * np.pi / TURNS)
        return (np.cos(np.minimum(self.continuity * turns, np.pi / 2)) ** 2).round(12)


class _Scene(NamedTuple):
    """Snakes that are growing: the two long ones first, then the distractors."""

    starts: np.ndarray  # (snakes, 2), first joint
    paddles: np.ndarray  # (snakes, most paddles, 4): y0, x0, y1, x1
    headings: np.ndarray  # (snakes, most paddles)
    counts: np.ndarray  # (snakes,), paddles so far


@njit(cache=True)
def _draw(draws, at):
    at[0] += 1
    return draws[at[0] - 1] if at[0] <= len(draws) else 0.5


@njit(cache=True)
def _whole(draws, at, n):
    return min(int(_draw(draws, at) * n), n - 1)


@njit(cache=True)
def _squared_distance(y, x, paddle):
    y0, x0, y1, x1 = paddle
    dy, dx = y1 - y0, x1 - x0
    along = ((y - y0) * dy + (x - x0) * dx) / (dy * dy + dx * dx)
    along = min(max(along, 0.0), 1.0)
    return (y - y0 - along * dy) ** 2 + (x - x0 - along * dx) ** 2


@njit(cache=True)
def _apart(first, second, distance):
    """Whether two paddles are at least ``distance`` apart; they are too short to cross without an end being nearer."""
    far = distance + abs(first[2] - first[0]) + abs(first[3] - first[1])
    y, x = (first[0] + first[2] - second[0] - second[2]) / 2, (first[1] + first[3] - second[1] - second[3]) / 2
    if y * y + x * x >= far * far:
        return True
    nearest = min(
        _squared_distance(first[0], first[1], second),
        _squared_distance(first[2], first[3], second),
        _squared_distance(second[0], second[1], first),
        _squared_distance(second[2], second[3], first),
    )
    return nearest >= distance * distance


@njit(cache=True)
def _fits(scene, s, paddle, shape, margin):
    """Whether a paddle of snake s keeps clear of the border and of all paddles but the one before it."""
    low, high = shape.padding + margin, shape.size - 1 - shape.padding - margin
    for coordinate in paddle:
        if not low <= coordinate <= high:
            return False
    for other in range(len(scene.counts)):
        for k in range(scene.counts[other] - (other == s)):
            if not _apart(paddle, scene.paddles[other, k], 2 * margin + shape.thickness):
                return False
    return True


@njit(cache=True)
def _joint(scene, s, margin):
    """Where snake s ends now."""
    k = scene.counts[s] - 1
    if k < 0:
        return scene.starts[s, 0], scene.starts[s, 1]
    dy, dx = DIRECTIONS[scene.headings[s, k]]
    return scene.paddles[s, k, 2] + margin * dy, scene.paddles[s, k, 3] + margin * dx


@njit(cache=True)
def _link(y, x, heading, shape, margin):
    """The paddle in the link that leaves the joint (y, x)."""
    dy, dx = DIRECTIONS[heading]
    far = margin + shape.length
    return y + margin * dy, x + margin * dx, y + far * dy, x + far * dx


@njit(cache=True)
def _set_paddle(scene, s, heading, paddle):
    k = scene.counts[s]
    scene.headings[s, k] = heading
    for axis in range(4):
        scene.paddles[s, k, axis] = paddle[axis]
    scene.counts[s] += 1


@njit(cache=True)
def _begin(scene, s, shape, margin, draws, at):
    """The first paddle of snake s, in any direction. False if it does not fit."""
    scene.counts[s] = 0
    heading = _whole(draws, at, TURNS)
    paddle = _link(scene.starts[s, 0], scene.starts[s, 1], heading, shape, margin)
    if not _fits(scene, s, paddle, shape, margin):
        return False
    _set_paddle(scene, s, heading, paddle)
    return True


@njit(cache=True)
def _grow(scene, s, shape, margin, weights, draws, at):
    """One more paddle, the likelier the less it turns, among all that fit. False if snake s is shut in."""
    y, x = _joint(scene, s, margin)
    before = scene.headings[s, scene.counts[s] - 1]
    likely, total = np.zeros(len(weights)), 0.0
    for k in range(len(weights)):
        if weights[k] > 0.0:
            paddle = _link(y, x, (before + k - SHARPEST) % TURNS, shape, margin)
            if _fits(scene, s, paddle, shape, margin):
                likely[k] = weights[k]
                total += weights[k]
    if total == 0.0:
        return False
    left, chosen = _draw(draws, at) * total, 0
    for k in range(len(weights)):
        if likely[k] > 0.0 and left >= 0.0:
            left -= likely[k]
            chosen = k
    heading = (before + chosen - SHARPEST) % TURNS
    _set_paddle(scene, s, heading, _link(y, x, heading, shape, margin))
    return True


@njit(cache=True)
def _grow_pair(scene, shape, margin, weights, draws, at):
    """Two snakes that begin ``seed_distance`` apart and grow in turn. False if they got nowhere."""
    scene.counts[:] = 0
    clear = 2 * shape.seed_distance
    for axis in range(2):
        scene.starts[0, axis] = clear + _draw(draws, at) * (shape.size - 1 - 2 * clear)
    towards = DIRECTIONS[_whole(draws, at, TURNS)]
    for axis in range(2):
        scene.starts[1, axis] = scene.starts[0, axis] + shape.seed_distance * towards[axis]
    for s in range(2):
        if not _begin(scene, s, shape, margin, draws, at):
            return False
    shut_in = 0
    while min(scene.counts[0], scene.counts[1]) < shape.paddles:
        s = 0 if scene.counts[0] <= scene.counts[1] else 1
        if not _grow(scene, s, shape, margin, weights, draws, at):
            shut_in += 1
            if shut_in > SHUT_IN:
                return False
            scene.counts[s] = max(scene.counts[s] - BACK, 1)
    return True


@njit(cache=True)
def _find_place(scene, s, shape, margin, draws, at):
    """Put the start of snake s on a random point that is clear of everything. False if hardly any is."""
    for _ in range(PLACES):
        y, x = _draw(draws, at) * (shape.size - 1), _draw(draws, at) * (shape.size - 1)
        clear = True
        for other in range(s):
            for k in range(scene.counts[other]):
                near = _squared_distance(y, x, scene.paddles[other, k]) < (2 * margin + shape.thickness) ** 2
                clear = clear and not near
        if clear:
            scene.starts[s, 0], scene.starts[s, 1] = y, x
            return True
    return False


@njit(cache=True)
def _grow_distractor(scene, s, shape, margin, weights, draws, at):
    """A short snake in the room that is left. False if it was shut in."""
    if not (_find_place(scene, s, shape, margin, draws, at) and _begin(scene, s, shape, margin, draws, at)):
        return False
    while scene.counts[s] < shape.distractor_paddles:
        if not _grow(scene, s, shape, margin, weights, draws, at):
            scene.counts[s] = 0
            return False
    return True


@njit(cache=True)
def grow_scene(shape, margins, weights, draws):
    """Return (label, paddles, counts, markers, margin); label −1 where the draws did not suffice.

    paddles is (snakes, most paddles, 4), of which ``counts`` (snakes,) are there: first the two long snakes, then the
    distractors; markers is (2, 2). The label is 1 if the markers are at the two ends of the same snake.
    """
    at = np.zeros(1, np.int64)
    label, marked = _whole(draws, at, 2), _whole(draws, at, 2)
    margin = margins[_whole(draws, at, len(margins))]
    snakes, most = 2 + shape.distractors, shape.paddles
    scene = _Scene(
        np.zeros((snakes, 2)),
        np.zeros((snakes, most, 4)),
        np.zeros((snakes, most), np.int64),
        np.zeros(snakes, np.int64),
    )
    while not _grow_pair(scene, shape, margin, weights, draws, at):
        if at[0] > len(draws):
            break
    for s in range(2, snakes):
        for _ in range(1 + RETRIES):
            if _grow_distractor(scene, s, shape, margin, weights, draws, at):
                break
    markers = np.empty((2, 2))
    markers[0] = scene.starts[marked]
    markers[1] = _joint(scene, marked if label == 1 else 1 - marked, margin)
    return label if at[0] <= len(draws) else -1, scene.paddles, scene.counts, markers, margin


# Lanczos' kernel of radius 3 at the twelve half-pixels around a pixel, for shrinking a picture to half its size.
_OFFSETS = (np.arange(12) - 5.5) / 2
LANCZOS = np.sinc(_OFFSETS) * np.sinc(_OFFSETS / 3)
LANCZOS = (LANCZOS / LANCZOS.sum()).round(12)


@njit(cache=True)
def _draw_paddle(canvas, paddle, thickness):
    """Fill the half-pixels whose centres lie on the paddle; at least one half-pixel thick, so that it has no gaps."""
    y0, x0, y1, x1 = paddle
    middle_y, middle_x, length = (y0 + y1) / 2, (x0 + x1) / 2, np.sqrt((y1 - y0) ** 2 + (x1 - x0) ** 2)
    dy, dx = (y1 - y0) / length, (x1 - x0) / length
    half = max(thickness, 0.5) / 2
    reach = length / 2 + half
    for row in range(max(int(2 * (middle_y - reach)), 0), min(int(2 * (middle_y + reach)) + 2, len(canvas))):
        for column in range(max(int(2 * (middle_x - reach)), 0), min(int(2 * (middle_x + reach)) + 2, len(canvas))):
            y, x = row / 2 - 0.25 - middle_y, column / 2 - 0.25 - middle_x
            if abs(y * dy + x * dx) <= length / 2 and abs(y * dx - x * dy) <= half:
                canvas[row, column] = 1.0


@njit(cache=True)
def _halve(canvas):
    """(2n, 2n) → (n, n) by Lanczos' kernel, first along one axis, then along the other; outside is empty."""
    n = len(canvas) // 2
    narrow, small = np.zeros((2 * n, n)), np.zeros((n, n))
    for k in range(12):
        for column in range(max(0, (6 - k) // 2), min(n, n + (6 - k) // 2)):
            narrow[:, column] += LANCZOS[k] * canvas[:, 2 * column + k - 5]
    for k in range(12):
        for row in range(max(0, (6 - k) // 2), min(n, n + (6 - k) // 2)):
            small[row] += LANCZOS[k] * narrow[2 * row + k - 5]
    return small


@njit(cache=True)
def render(paddles, counts, markers, shape):
    """(size, size) uint8: the paddles, antialiased and scaled by their contrast, and the two discs, full white."""
    size = shape.size
    canvas = np.zeros((2 * size, 2 * size))
    for s in range(len(counts)):
        for k in range(counts[s]):
            _draw_paddle(canvas, paddles[s, k], shape.thickness)
    small = _halve(canvas)
    picture = np.empty((size, size), np.uint8)
    for row in range(size):
        for column in range(size):
            value = min(max(small[row, column] * shape.contrast, 0.0), 1.0)
            for y, x in markers:
                distance = np.sqrt((row - y) ** 2 + (column - x) ** 2)
                value = max(value, min(max(shape.marker + 0.5 - distance, 0.0), 1.0))
            picture[row, column] = int(255 * value + 0.5)
    return picture
