"""Files of object stores and web servers: listed by fsspec, copied whole, each once per version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.runner.remote.failures import (
    BrokenOff,
    first_lines,
    need_extra,
    without_passwords,
)
from llm_i2i.store.files import replace_file

# Scheme of an address -> the package that reads it; credentials are where that package looks for them.
PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_GLOB = re.compile(r"[*?\[]")
# What stores call the version of an object: ETag of S3 and the web, generation of Google, md5 or change time of others.
_TAGS = ("etag", "versionid", "generation", "content_md5", "content-md5", "md5hash", "last-modified", "lastmodified", "last_modified", "mtime")  # fmt: skip


@dataclass(frozen=True)
class RemoteFile:
    """A file of a store: its path there, its name below the first folder with a pattern, and a digest of its version."""

    path: str
    name: str
    size: int
    digest: str


class FileStore:
    """The filesystem behind an address."""

    def __init__(self, address: str) -> None:
        found = _ADDRESS.match(address)
        scheme = found[1].lower() if found else ""
        need_extra("object-stores", "fsspec", *([PACKAGES[scheme]] if scheme in PACKAGES else []))
        import fsspec

        self.address = address
        self.is_web = scheme in ("http", "https")
        try:
            # A listing that this process kept would hide what was written since.
            self.files, self.path = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ProjectError(
                "no filesystem reads this address",
                found=f"{scheme}:, {first_lines(error)}",
                fix=f"use one of {', '.join(f'{name}:' for name in PACKAGES)}, or copy it to this machine",
            ) from error

    def listed(self) -> list[RemoteFile]:
        """The files that the address or pattern names, sorted by path; nothing of them is read."""
        with self._reached():
            found = self._found()
        root = "/".join(part for part in self.path.split("/")[: self._first_pattern()])
        return [
            RemoteFile(
                path,
                path.removeprefix(root).lstrip("/") or path.rsplit("/", 1)[-1],
                int(info.get("size") or 0),
                fingerprint([self.address, path, info.get("size"), self._tag(path, info)]),
            )
            for path, info in sorted(found.items())
            if info.get("type") != "directory"
        ]

    def _found(self) -> dict[str, dict[str, Any]]:
        if _GLOB.search(self.path) and not self.is_web:
            found: dict[str, dict[str, Any]] = self.files.glob(self.path, detail=True)
            return found
        try:
            return {self.path: self.files.info(self.path)}
        except FileNotFoundError:
            return {}

    def exists(self, below: str) -> bool:
        """Whether there is something of this name below the address."""
        with self._reached():
            return bool(self.files.exists(f"{self.path.rstrip('/')}/{below}"))

    def copy(self, file: RemoteFile, place: Path) -> None:
        """Make a copy that is there only once it is whole.

        Raises:
            ProjectError: The store cannot be reached, or the file has changed since it was listed.
        """

        def download(beside: Path) -> None:
            self.files.get_file(file.path, str(beside))
            if (size := beside.stat().st_size) != file.size and file.size:
                raise OSError(f"{size:,} bytes of {file.path}, which had {file.size:,}")

        with self._reached():
            replace_file(place, download)

    def read(self) -> bytes:
        """The content of the one file that the address names.

        Raises:
            FileNotFoundError: It is not there.
        """
        with self._reached():
            if not self.files.exists(self.path):
                content = None
            else:
                content = bytes(self.files.cat_file(self.path))
        if content is None:
            raise FileNotFoundError(self.address)
        return content

    def put(self, file: Path) -> None:
        """Write a file of this machine to the address; stores show it only once it is whole."""
        with self._reached():
            self.files.put_file(str(file), self.path)

    def write(self, text: str) -> None:
        """Write a text to the address."""
        with self._reached():
            self.files.pipe_file(self.path, text.encode())

    def _first_pattern(self) -> int:
        parts = self.path.split("/")
        return next((n for n, part in enumerate(parts) if _GLOB.search(part)), len(parts) - 1)

    def _tag(self, path: str, info: dict[str, Any]) -> str:
        known = {key.lower(): value for key, value in info.items()}
        tag = next((str(known[name]) for name in _TAGS if known.get(name)), "")
        if not tag:
            raise ProjectError(
                "the server does not say whether the file has changed",
                found=f"neither ETag nor Last-Modified of {path}",
                fix=f"copy it to this machine, such as by curl -LO {self.address}",
            )
        return tag

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except ProjectError:
            raise
        except (
            Exception
        ) as error:  # each package has exceptions of its own, most of them no OSError
            raise BrokenOff(
                "the store cannot be reached, or refused",
                found=without_passwords(f"{type(error).__name__}: {first_lines(error)}"),
                fix="run the same command again: files that are copied are kept; credentials and endpoints are read from the environment"
                " (docs/databases.md)",
            ) from error
