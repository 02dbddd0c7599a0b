"""Pictures of a scan: they show what the trace says, fit their cells, play in a page and are written to files."""

import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from ssm_teach import viz
from ssm_teach.errors import UserError
from ssm_teach.scan import AFFINE, CONCATENATE, SUM, Trace, blelloch, chunked, hillis_steele, odd_even, sequential
from ssm_teach.viz import scans


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context():
        viz.use_style()
        yield
        plt.close("all")


def trace_of(algorithm, monoid=SUM, elements=range(8), **options):
    trace = Trace()
    algorithm(monoid.op, list(elements), monoid.identity, trace=trace, **options)
    return trace


TRACES = {
    "loop": lambda: trace_of(sequential),
    "doubling": lambda: trace_of(hillis_steele, elements=range(13)),
    "exclusive": lambda: trace_of(blelloch, inclusive=False),
    "inclusive": lambda: trace_of(blelloch, CONCATENATE, "abcdefghijklm"),
    "odd-even": lambda: trace_of(odd_even, AFFINE, [(0.5, k) for k in range(11)]),
    "chunks": lambda: trace_of(chunked, elements=range(16), chunk=4),
    "one": lambda: trace_of(blelloch, elements=[5]),
    "nothing to do": lambda: trace_of(hillis_steele, elements=[5]),
}
every_trace = pytest.mark.parametrize("trace", [make() for make in TRACES.values()], ids=list(TRACES))


# The network.


@every_trace
def test_the_network_has_a_mark_for_every_action_and_a_line_for_every_read(trace):
    ax = viz.plot_scan_network(trace)
    marks = {}
    for line in ax.lines:
        for point in line.get_xydata() if line.get_marker() in scans._MARKERS.values() else ():
            marks[tuple(point)] = line.get_marker()
    assert marks == {
        (action.target, row): scans._MARKERS[len(action.sources)]
        for row, step in enumerate(trace.steps, 1)
        for action in step.actions
    }
    ways = [tuple(map(tuple, line.get_xydata())) for line in ax.lines[trace.width :] if line.get_marker() == "None"]
    assert len(ways) == trace.reads
    within = {
        ((source, row - 1), (action.target, row))
        for row, step in enumerate(trace.steps, 1)
        for action in step.actions
        for source in action.sources
        if source < trace.width
    }
    assert within <= set(ways)


def test_kinds_of_action_differ_by_shape_and_copies_by_dashes_too():
    assert len(set(scans._MARKERS.values())) == 3
    ax = viz.plot_scan_network(trace_of(blelloch, elements=range(4), inclusive=False))
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 3


def test_the_network_tells_work_and_depth_or_what_it_is_told():
    trace = trace_of(hillis_steele, elements=range(16))
    assert viz.plot_scan_network(trace).get_title("left") == "Hillis–Steele: work 49, depth 4"
    _, ax = plt.subplots()
    assert viz.plot_scan_network(trace, ax, title="doubling") is ax
    assert ax.get_title("left") == "doubling"


def test_a_long_row_of_phases_names_few_of_them():
    names = [
        label.get_text() for label in viz.plot_scan_network(trace_of(sequential, elements=range(40))).get_yticklabels()
    ]
    assert names == ["input", "position 1", "position 39"]


# The animation.


def frames_of(trace, **options):
    """The texts of every frame: of the cells by (row, cell), and around them; and the boxes by (row, cell)."""
    animation = viz.animate_scan(trace, **options)
    moving = animation()
    ax = moving._fig.axes[0]
    for step in range(len(trace.steps) + 1):
        moving._draw_was_started = True  # drawn by hand below
        animation._draw(ax, step)
        cells = {(round(text.get_position()[1]), round(text.get_position()[0])): text for text in ax.texts}
        yield step, cells, [text.get_text() for text in moving._fig.texts]


@every_trace
def test_each_frame_shows_the_contents_of_all_cells_after_its_step(trace):
    for step, cells, _ in frames_of(trace, format=repr):
        contents = trace.steps[step - 1].cells if step else trace.initial
        assert [cells[step, k].get_text() for k in range(trace.width)] == [
            repr(cell) for cell in contents[: trace.width]
        ]
        assert max(row for row, _ in cells) == step


@every_trace
def test_what_is_read_and_what_is_written_stand_in_boxes_of_different_shape(trace):
    for step, cells, _ in frames_of(trace):
        if step == 0:
            continue
        for action in trace.steps[step - 1].actions:
            written = cells[step, action.target].get_bbox_patch()
            expected = scans._WRITTEN[len(action.sources)]
            assert written.get_linewidth() == expected["linewidth"]
            assert type(written.get_boxstyle()).__name__ == "Square"
            for source in action.sources:
                place = (0, source - trace.width) if source >= trace.width else (step - 1, source)
                assert type(cells[place].get_bbox_patch().get_boxstyle()).__name__ == "Round"
    looks = [(box["linewidth"], str(box.get("linestyle"))) for box in scans._WRITTEN.values()]
    assert len(set(looks)) == 3


@every_trace
def test_the_caption_counts_work_and_depth_so_far(trace):
    for step, _, words in frames_of(trace):
        done = Trace()
        done.steps = trace.steps[:step]
        assert f"work {done.work} of {trace.work}" in words
        assert f"depth {done.depth} of {trace.depth}" in words
        assert (
            f"step {step} of {len(trace.steps)}: {trace.steps[step - 1].phase if step else 'before it begins'}" in words
        )


@pytest.mark.parametrize(
    "trace",
    [
        trace_of(blelloch, elements=[100 * k for k in range(16)]),
        trace_of(blelloch, CONCATENATE, "abcdefghijklmnop"),
        trace_of(hillis_steele, AFFINE, [(0.5, k / 3) for k in range(16)]),
    ],
    ids=["sum", "letters", "affine"],
)
def test_up_to_sixteen_cells_no_contents_touch_and_letters_stay_readable(trace):
    animation = viz.animate_scan(trace)
    moving = animation()
    moving._draw_was_started = True
    figure = moving._fig
    for step in range(len(trace.steps) + 1):
        animation._draw(figure.axes[0], step)
        figure.savefig(io.BytesIO(), format="png")
        row = sorted(
            (text for text in figure.axes[0].texts if text.get_position()[1] == step), key=lambda t: t.get_position()
        )
        boxes = [text.get_window_extent() for text in row]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
        assert min(text.get_fontsize() for text in row) >= 5.5


def test_contents_are_written_briefly():
    brief = scans.in_few_letters
    assert [brief(cell) for cell in (1 / 3, -0.5, 12, -(2.0**-12), 2e7, (0.25, 2.5), np.array([1.0, -2.0]), "")] == [
        "0.333", "−0.5", "12", "−2e−4", "2e7", "0.25\n2.5", "1\n−2", "ε",
    ]  # fmt: skip
    assert [brief(text) for text in ("abc", "abcd", "efghabcd", "bdca", "gefabcd")] == [
        "abc", "a–d", "e–h a–d", "bdca", "g ef a–d",
    ]  # fmt: skip


def test_a_notebook_shows_it_as_a_page_with_an_alternative_and_every_step():
    animation = viz.animate_scan(trace_of(blelloch, elements=[3, 1, 4, 1]))
    page = animation._repr_html_()
    assert "6 steps: up-sweep, clear, down-sweep, combine with the input" in animation.alt
    assert animation.alt.endswith("The cells hold 3, 1, 4, 1 at first and 3, 4, 8, 9 at last.")
    assert animation.alt in page
    assert "7 / 7" in page
    assert "http" not in page
    assert page == animation._repr_html_()
    assert page == viz.animation(animation, alt=animation.alt, fps=animation.fps).data
    assert plt.get_fignums() == []  # or a notebook would show the figure once more


def test_alternative_title_and_pace_can_be_given():
    page = viz.animate_scan(trace_of(blelloch, elements=[1, 2]), alt="Two cells.", fps=2)._repr_html_()
    assert 'alt="Two cells."' in page
    assert "500.0" in page


def test_a_gif_holds_every_step(tmp_path):
    trace = trace_of(hillis_steele, elements=range(4))
    path = viz.animate_scan(trace).save(tmp_path / "scan.gif", dpi=40)
    with Image.open(path) as file:
        assert file.n_frames == len(trace.steps) + 1
        assert file.info["duration"] == 1250
    assert path == tmp_path / "scan.gif"


def test_a_film_needs_ffmpeg_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(scans.FFMpegWriter, "isAvailable", classmethod(lambda writer: False))
    with pytest.raises(UserError, match=r"animate_scan: scan.mp4 needs ffmpeg, which is not installed; save a \.gif"):
        viz.animate_scan(trace_of(sequential)).save(tmp_path / "scan.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_film_is_handed_to_ffmpeg(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(scans.FFMpegWriter, "isAvailable", classmethod(lambda writer: True))

    def save(moving, path, **options):
        moving._draw_was_started = True  # or matplotlib warns that it was for nothing
        given.update(options, path=path)

    monkeypatch.setattr(scans.FuncAnimation, "save", save)
    assert viz.animate_scan(trace_of(sequential)).save(tmp_path / "scan.MP4", fps=2) == tmp_path / "scan.MP4"
    assert isinstance(given["writer"], scans.FFMpegWriter)
    assert (given["writer"].fps, given["path"]) == (2, tmp_path / "scan.MP4")


@pytest.mark.skipif(not scans.FFMpegWriter.isAvailable(), reason="no ffmpeg")
def test_a_film_is_written_where_ffmpeg_is(tmp_path):
    path = viz.animate_scan(trace_of(hillis_steele, elements=range(4))).save(tmp_path / "scan.mp4", dpi=40)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: viz.animate_scan(Trace()), "animate_scan: trace must hold a scan; got Trace"),
        (lambda: viz.plot_scan_network([1, 2]), r"plot_scan_network: trace must hold a scan; got \[1, 2\]"),
        (lambda: viz.animate_scan(trace_of(blelloch, elements=range(33))), "at most 32 cells to be readable; got 64"),
        (lambda: viz.animate_scan(trace_of(blelloch), fps=0), "fps must be positive; got 0"),
        (
            lambda: viz.animate_scan(trace_of(blelloch)).save("scan.gfi"),
            r"unknown type of file '.gfi'; .*did you mean .gif",
        ),
    ],
)
def test_a_mistake_gets_one_sentence(make, complaint):
    with pytest.raises(UserError, match=complaint):
        make()
