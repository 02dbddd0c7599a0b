"""Archives are not trusted: no path leaves the folder, no link is followed, no bomb goes off, no damage passes."""

import gzip
import io
import lzma
import stat
import sys
import tarfile
import types
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssm_teach.data import archives
from ssm_teach.data.archives import Limits
from ssm_teach.errors import UserError

FILES = {"a.txt": b"one\n" * 50, "folder/b.bin": bytes(range(256))}


def tar(members: dict[str, bytes] = FILES, mode: str = "w:gz", change=lambda info: None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zipped(members: dict[str, bytes] = FILES, mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def deb(data: bytes | None = None, name: str = "data.tar.xz") -> bytes:
    out = b"!<arch>\n"
    for member, content in {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        name: data or tar(mode="w:xz"),
    }.items():
        header = f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += header + content + b"\n" * (len(content) % 2)
    return out


KINDS = {
    "tar": lambda: tar(mode="w"),
    "tar.gz": tar,
    "tar.bz2": lambda: tar(mode="w:bz2"),
    "tar.xz": lambda: tar(mode="w:xz"),
    "zip": zipped,
    "deb": deb,
    "deb with gz": lambda: deb(tar(), "data.tar.gz"),
    "deb without compression": lambda: deb(tar(mode="w"), "data.tar"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def put(tmp_path):
    """Write an archive's bytes to a file in a folder of its own."""

    def write(content: bytes) -> Path:
        path = tmp_path / "archive"
        path.write_bytes(content)
        return path

    return write


def everything(path: Path, limits: Limits = archives.LIMITS) -> dict[str, bytes]:
    return {name: stream.read() for name, stream in archives.members(path, lambda name: True, limits)}


@every_kind
def test_every_kind_gives_the_files_that_were_packed(kind, put):
    path = put(KINDS[kind]())
    assert everything(path) == FILES
    assert archives.read(path, ["folder/b.bin", "a.txt"]) == [FILES["folder/b.bin"], FILES["a.txt"]]
    with pytest.raises(UserError, match="has no regular file c, d"):
        archives.read(path, ["c", "a.txt", "d"])


def test_names_are_the_same_with_and_without_a_leading_dot(put):
    assert everything(put(tar({f"./{name}": content for name, content in FILES.items()}))) == FILES


# ---- paths, links, devices ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [tar, zipped, lambda members: deb(tar(members, "w:xz"))])
@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/outside", "..\\outside", "C:\\outside", "\\x"])
def test_a_name_that_leaves_the_folder_refuses_the_whole_archive(pack, name, put, tmp_path):
    path = put(pack({"a.txt": b"fine", name: b"bad"}))
    before = sorted(tmp_path.rglob("*"))
    for wanted in (["a.txt"], [name]):
        with pytest.raises(
            UserError, match=r"is refused: its member .*outside' would leave|is refused: its member .*x'"
        ):
            archives.read(path, wanted)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_pipes_in_a_tar_are_never_read(kind, put):
    def change(info):
        if info.name == "wanted":
            info.type, info.linkname, info.size = kind, "/etc/hostname", 0

    path = put(tar({"wanted": b"", "a.txt": b"fine"}, change=change))
    assert everything(path) == {"a.txt": b"fine"}
    with pytest.raises(UserError, match="no regular file wanted"):
        archives.read(path, ["wanted"])


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_devices_and_pipes_in_a_zip_are_never_read(kind, put):
    with pytest.raises(UserError, match=r"no regular file a\.txt"):
        archives.read(put(zipped(mode=kind | 0o644)), ["a.txt"])


def test_a_file_that_is_there_twice_is_refused(put):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for content in (b"first", b"other"):
            info = tarfile.TarInfo("a.txt")
            info.size = 5
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(UserError, match=r"holds a\.txt twice"):
        archives.read(put(out.getvalue()), ["a.txt"])


# ---- bombs ----------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(file=255), "folder/b.bin would unpack to more|data.tar.* would unpack to more"),
        (Limits(total=300), "it would unpack to more"),
        (Limits(members=1), "more than 1 members"),
    ],
)
def test_what_is_too_large_or_too_much_is_refused(kind, limits, sentence, put):
    with pytest.raises(UserError, match=rf"is refused: .*({sentence})"):
        everything(put(KINDS[kind]()), limits)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_bomb_is_refused_before_it_is_unpacked(pack, wanted, put, monkeypatch):
    path = put(pack({"bomb": bytes(30_000_000)}))
    assert path.stat().st_size < 50_000
    seen = 0
    read = archives._Limited.read

    def counting(self, size):
        nonlocal seen
        seen += size
        return read(self, size)

    monkeypatch.setattr(archives._Limited, "read", counting)
    with pytest.raises(UserError, match="bomb would unpack to more than the 1 MB"):
        list(archives.members(path, lambda name: wanted, Limits(file=1_000_000)))
    assert seen < 100_000


def test_a_bomb_in_the_name_of_a_member_is_refused(put):
    """tarfile reads a long name into memory before anybody sees its size."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("x" * 5_000_000))
    with pytest.raises(UserError, match="it would unpack to more than the 1 MB"):
        everything(put(out.getvalue()), Limits(total=1_000_000))


def test_a_sparse_file_counts_with_the_size_it_unpacks_to(put):
    """Old GNU tar stores a file of holes in no space at all."""

    header = bytearray(tarfile.TarInfo("holes").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (1 << 32)  # the real size
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:512]) + 8 * 32)
    with pytest.raises(UserError, match="holes would unpack to more"):
        everything(put(bytes(header) + bytes(1024)))


def test_a_gzip_bomb_is_refused():
    with pytest.raises(UserError, match=r"bomb.gz is refused: .* more than the 1 MB"):
        archives.unzip(gzip.compress(bytes(2_000_000), mtime=0), "bomb.gz", Limits(file=1_000_000))


# ---- damage ---------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("left", [0.0, 0.1, 0.5, 0.9])
def test_an_archive_cut_short_is_one_sentence(kind, left, put):
    whole = KINDS[kind]()
    content = 1792 if kind == "tar" else len(whole)  # a plain tar ends with zeros that nobody would miss
    path = put(whole[: int(left * content)])
    with pytest.raises(UserError, match=r"data: ") as error:
        archives.read(path, list(FILES))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("tar", "deb without compression")])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(kind, put, place, bit):
    """Formats with a check sum (a plain tar has none): what comes out is what was packed, or a sentence."""
    content = bytearray(KINDS[kind]())
    content[int(place * len(content))] ^= 1 << bit
    with suppress(UserError):
        assert archives.read(put(bytes(content)), list(FILES)) == list(FILES.values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from([b"", b"PK\3\4", b"!<arch>\n", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0"]), rest=st.binary())
def test_bytes_that_are_no_archive_are_one_sentence(put, start, rest):
    with pytest.raises(UserError, match="data: "):
        archives.read(put(start + rest), ["a.txt"])


@pytest.mark.parametrize("content", [b"\x1f\x8b", gzip.compress(b"four", mtime=0)[:-3], b"not gzip"])
def test_a_broken_gzip_file_is_one_sentence_with_its_name(content):
    with pytest.raises(UserError, match=r"x\.gz is not an archive, or is damaged or cut short"):
        archives.unzip(content, "x.gz")


@pytest.mark.parametrize("content", [b"!<arch>\n", b"!<arch>\n" + b"x" * 60, deb(name="data")])
def test_a_broken_debian_package_is_one_sentence(content, put):
    with pytest.raises(UserError, match="Debian package"):
        everything(put(content))


def test_an_encrypted_zip_is_one_sentence(put):
    content = bytearray(zipped({"a.txt": b"secret"}))
    content[6] |= 1  # the flag in the local header, and in the directory
    content[content.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(UserError, match=r"a\.txt of archive is encrypted"):
        archives.read(put(bytes(content)), ["a.txt"])


def test_zstd_is_read_where_python_can_and_is_one_sentence_elsewhere(put, monkeypatch):
    path = put(deb(b"\x28\xb5\x2f\xfd" + lzma.compress(tar(mode="w")), "data.tar.zst"))
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(UserError, match=r"packed with zstd needs Python 3\.14"):
        everything(path)

    def open_(file):  # stands in for a Python that has it
        file.seek(4)
        return lzma.open(file)

    monkeypatch.setitem(sys.modules, "compression", types.SimpleNamespace(zstd=types.SimpleNamespace(open=open_)))
    assert everything(path) == FILES
