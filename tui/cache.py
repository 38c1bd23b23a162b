"""A folder of files that save work and are never needed: they may be deleted at any time, by anybody.

Full, read-only or somebody else's, the cache is passed over; `folder` says why.
"""

import contextlib
import os
import stat
import zlib

_MOST_BYTES = 256 << 20  # per kind; the files that were written first go first
_LARGEST = _MOST_BYTES // 4  # bytes of one file
_CHECKSUM = 4  # bytes


def folder(kind: str) -> tuple[str, str]:
    """Where files of a kind are kept, made if need be; or an empty path and the reason."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.environ.get("HOME") == "" and not os.environ.get("XDG_CACHE_HOME"):
        return "", "nothing is cached: HOME is empty"
    if not os.path.isabs(base):
        return "", "nothing is cached: XDG_CACHE_HOME is not an absolute path"
    path = f"{base}/bpfscope/{kind}"
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.stat(path)
    except OSError as error:
        return "", f"nothing is cached in {path}: {error.strerror}"
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        return "", f"nothing is cached in {path}: it belongs to, or can be written by, somebody else"
    return path, ""


def read(kind: str, name: str) -> bytes | None:
    """A file's content, or None. It may be damaged: whoever asks checks it."""
    path, _ = folder(kind)
    if not path:
        return None
    try:
        with open(os.open(f"{path}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            status = os.fstat(file.fileno())
            return file.read(_LARGEST) if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST else None
    except OSError:
        return None


def write(kind: str, name: str, *parts: bytes) -> str:
    """Puts the whole file there, of parts, or nothing; returns why it could not."""
    path, reason = folder(kind)
    if not path or sum(map(len, parts)) > _LARGEST:
        return reason
    partial = f"{path}/{name}.{os.getpid()}.partial"
    try:
        with open(partial, "wb") as file:
            file.writelines(parts)
        os.replace(partial, f"{path}/{name}")
        _shrink(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        return f"nothing is cached in {path}: {error.strerror}"
    return ""


def kept(kind: str, name: str) -> bytes | None:
    """What `keep` put there, if it is whole: every byte is as it was."""
    content = read(kind, name) or b""
    return content[_CHECKSUM:] if content[:_CHECKSUM] == _checksum(content[_CHECKSUM:]) else None


def keep(kind: str, name: str, content: bytes) -> str:
    """Puts the content there with a checksum; returns why it could not."""
    return write(kind, name, _checksum(content), content)


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM, "big")


def _shrink(path: str) -> None:
    """Deletes the oldest files until the rest is within bounds; what isn't a file of ours stays."""
    files = []
    with os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    files.append((status.st_mtime_ns, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, oldest in sorted(files):
        if total <= _MOST_BYTES:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(oldest)
        total -= size
