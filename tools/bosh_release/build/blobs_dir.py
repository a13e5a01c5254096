"""The folder blobs/ as a build expects it: no links, and what has an object_id is as it should be.

Unlike the BOSH CLI, which deletes files in blobs/ that config/blobs.yml does not list, this only
leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bosh_release.build.tar_format import file_pieces, size_of
from bosh_release.source.specs import Blob, FinalConfig
from bosh_release.support.atomic import write_atomically
from bosh_release.support.digests import has_digest, parse_digest
from bosh_release.support.errors import ContextError, MultiError, ReleaseError


def check_blobs(release_dir: Path, blobs: Sequence[Blob], final: FinalConfig) -> None:
    """Make sure of every blob that has been uploaded, from a local blobstore if there is one.

    Raises ReleaseError. Blobs without object_id are not looked at, as in the CLI: that is what
    `release.py blobs` does.
    """
    folder = release_dir / "blobs"
    if any(path.is_symlink() for path in folder.rglob("*")):
        raise ReleaseError(
            f"Bailing because symlinks found in blobs directory '{folder}':"
            " replace them by the files they point to"
        )
    uploaded = [blob for blob in blobs if blob.object_id]
    failed = [(blob, e) for blob in uploaded if (e := _bring(release_dir, blob, final)) is not None]
    if failed:
        heads = [f"Blob download '{blob.path}' (id: {blob.object_id}) failed" for blob, _ in failed]
        raise ReleaseError("\n".join((*heads, str(MultiError([error for _, error in failed])))))


def absent_blobs(release_dir: Path, blobs: Sequence[Blob]) -> list[str]:
    """Return the paths of listed blobs that are not in blobs/."""
    return [blob.path for blob in blobs if not (release_dir / "blobs" / blob.path).is_file()]


def wrong_blobs(release_dir: Path, blobs: Sequence[Blob], packed: Mapping[Path, str]) -> list[str]:
    """Return the paths of blobs that are there, but have another digest than the listed one.

    `packed` has the SHA256 of files that were read already: they need no second look, and what
    is looked at is then what is packed.
    """
    return [
        blob.path
        for blob in blobs
        if blob.digest
        and (path := release_dir / "blobs" / blob.path).is_file()
        and not _is_as_listed(path, blob, packed.get(path))
    ]


def _is_as_listed(path: Path, blob: Blob, sha256: str | None) -> bool:
    try:
        digest = parse_digest(blob.digest)
    except ReleaseError:
        return False
    if sha256 is not None and digest.algorithm == "sha256":
        return digest.hex == sha256
    return has_digest(path, digest)


def _bring(release_dir: Path, blob: Blob, final: FinalConfig) -> ReleaseError | None:
    path = release_dir / "blobs" / blob.path
    try:
        digest = parse_digest(blob.digest)
    except ReleaseError as error:
        what = f"Generating multi digest for blob '{blob.object_id}' for path '{blob.path}'"
        return ContextError(what, error)
    if path.is_file() and has_digest(path, digest):
        return None
    try:
        source = _object_path(release_dir, blob, final)
    except ReleaseError as error:
        return ContextError(f"Getting blob '{blob.object_id}' for path '{blob.path}'", error)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, file_pieces(source, size_of(source), digest))
    except ReleaseError as error:  # it has changed since
        return error
    return None


def _object_path(release_dir: Path, blob: Blob, final: FinalConfig) -> Path:
    """Return where a blobstore on this machine has the blob."""
    if not final.blobstore_provider:
        config = release_dir / "config" / "final.yml"
        raise ReleaseError(f"Expected non-empty 'blobstore.provider' in config '{config}'")
    if final.blobstore_provider != "local":
        raise ReleaseError(
            f"this tool cannot download from a blobstore '{final.blobstore_provider}':"
            f" run `bosh sync-blobs --dir {release_dir}`"
        )
    path = release_dir / final.local_blobstore / blob.object_id
    if not path.is_file():
        raise ReleaseError(f"open {path}: no such file or directory")
    if not has_digest(path, parse_digest(blob.digest)):
        raise ReleaseError(f"{path} does not have the digest {blob.digest} of config/blobs.yml")
    return path
