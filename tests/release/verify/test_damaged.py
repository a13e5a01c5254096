"""Files that are no tarball any more, or never were: truncated, flipped, padded, endless."""

from __future__ import annotations

import gzip
import random
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.release.verify.repacking import FILES, rebuilt, refusal, unchecked

from bosh_release.build.building import build_release
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball import inflating
from bosh_release.tarball.release_checks import verify_tarball

MakeRelease = Callable[[dict[str, Any]], Path]


def test_a_truncated_tarball_is_told_wherever_it_ends(good: Path, tmp_path: Path) -> None:
    whole = good.read_bytes()
    plain = gzip.decompress(whole)
    for data in (whole, plain):
        for end in (0, 1, 5, 300, 512, 1024, 4096, len(data) // 2, len(data) - 9):
            cut = tmp_path / "cut.tgz"
            cut.write_bytes(data[:end])
            if data is plain and end == len(data) - 9:
                continue  # padding at the end of a plain tar may be missing
            said = refusal(cut)
            assert len(said.splitlines()) <= 3, said


def test_every_flipped_byte_of_a_small_tarball_is_noticed_or_harmless(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    path = build_release(make_release({"LICENSE": "l"}), version="1", output=tmp_path / "o").path
    whole = path.read_bytes()
    harmless = 0
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            verify_tarball(path)
            harmless += 1
        except ReleaseError:
            pass
    assert harmless <= 1  # the time and system in the gzip header mean nothing


def test_a_flipped_byte_in_an_archive_is_not_called_a_truncation(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    # Found by hand: the archive's reader took the failure of the tarball around it for its own.
    blob = random.Random(1).randbytes(600_000)
    folder = make_release({**FILES, "src/app/data": blob})
    path = build_release(folder, version="1", output=tmp_path / "o.tgz").path
    whole = bytearray(path.read_bytes())
    whole[-100_000] ^= 1
    path.write_bytes(bytes(whole))
    assert "it is corrupt: gzip says" in refusal(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is truncated"),
        (b"no tarball at all" * 100, "it is not a tar archive"),
        (gzip.compress(b"not a tar" * 100, mtime=0), "it is not a tar archive"),
        (b"BZh91AY&SY", "it is compressed with bzip2"),
        (b"\xfd7zXZ\0\0", "it is compressed with xz"),
        (b"\x28\xb5\x2f\xfd\0\0", "it is compressed with zstd"),
        (b"\x1f\x8b\x08" + b"rubbish" * 9, "it is corrupt"),
    ],
)
def test_what_is_no_tarball_is_told(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(data)
    assert message in refusal(path)


def test_something_after_the_end_is_told(good: Path) -> None:
    whole = good.read_bytes()
    good.write_bytes(whole + b"more")
    assert "it is corrupt" in refusal(good)
    good.write_bytes(gzip.decompress(whole) + b"more".ljust(512, b"\0"))
    assert "something follows the end" in refusal(good)


def test_padding_without_end_is_not_read_to_its_end(good: Path) -> None:
    plain = gzip.decompress(good.read_bytes())
    good.write_bytes(plain + bytes(1 << 20))
    assert unchecked(verify_tarball(good)) == []
    with good.open("r+b") as file:
        file.truncate(1 << 40)  # no byte of it takes room on the disk
    assert "more than 64 MiB of padding" in refusal(good)


def test_a_wrong_checksum_of_gzip_is_told(good: Path) -> None:
    whole = bytearray(good.read_bytes())
    whole[-6] ^= 1
    good.write_bytes(bytes(whole))
    assert "incorrect data check" in refusal(good)


def test_a_bomb_is_not_unpacked_to_its_end(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflating, "_HARMLESS_SIZE", 1 << 20)
    bomb = gzip.compress(b"\0" * (64 << 20))

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, bomb if member.name == "packages/p.tgz" else data

    assert "packages/p.tgz: it unpacks to more than 100 times its size" in refusal(
        rebuilt(good, change)
    )


def test_a_made_up_length_of_a_name_does_not_fill_memory(good: Path) -> None:
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"L"
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    good.write_bytes(bytes(header) + b"\0" * 2048)
    assert "a name of 8589934591 bytes" in refusal(good)


def test_a_made_up_length_of_a_pax_record_is_told(good: Path) -> None:
    record = b"9" * 5000 + b" comment=x\n"  # more digits than int() takes
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(record)
    head = header.tobuf(tarfile.USTAR_FORMAT)
    good.write_bytes(head + record.ljust(10 * 512, b"\0") + b"\0" * 1024)
    assert "a PAX header that cannot be read" in refusal(good)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "no such file or directory" in refusal(tmp_path / "gone.tgz")
    assert "is a directory" in refusal(tmp_path)


def test_a_large_archive_is_read_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    big = zlib.compressobj(1, zlib.DEFLATED, 31)
    member = tarfile.TarInfo("x")
    member.size = 200 << 20
    pieces = [big.compress(member.tobuf(tarfile.GNU_FORMAT))]
    pieces += [big.compress(b"\0" * (1 << 20)) for _ in range(200)]
    pieces += [big.compress(b"\0" * 1024), big.flush()]
    path = tmp_path / "big.tgz"
    path.write_bytes(b"".join(pieces))
    tracemalloc.start()
    try:
        assert "it has no release.MF" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
