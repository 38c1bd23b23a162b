"""Attaching one program to many places of a file, and the owner of the links.

From 6.6 one uprobe_multi link holds thousands of places, and attaches all of them or none. What the kernel can't probe
is then found by attaching ever smaller parts, in threads: taking a part off again waits some 50 ms for an RCU grace
period, and waits that run at the same time share one. Before 6.6 every place is a perf event with its own link.
"""

import contextlib
import errno
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tui.bpf import kernel
from tui.bpf.objects import refusal
from tui.errors import BpfscopeError, NotSupported, TargetError
from tui.owner import Owner

PERF_EVENT_LIMIT = 100  # each takes the kernel about 0.1 s to detach, one after the other

_REJECTED = (kernel.ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP, errno.EIO, errno.EILSEQ)
_TRIES = 3
_SPLIT, _THREADS = 16, 64  # parts of a part, and how many are tried at a time
_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_UNPROBEABLE = "the kernel can't probe the instruction here"


class Site(NamedTuple):
    """Where a probe goes: a file offset, and the number that the program gets with each hit."""

    offset: int
    cookie: int
    semaphore: int = 0  # offset of two bytes of the file's data that are above 0 while it is there; 0: none


class Rejected(NamedTuple):
    """A site that the kernel refused."""

    site: Site
    reason: str


def _try_multi(program: int, file: str, sites: Sequence[Site], pid: int, flags: int) -> int | None:
    """A link, or None where one of the sites can't be probed."""
    try:
        offsets, cookies = [site.offset for site in sites], [site.cookie for site in sites]
        counters = [site.semaphore for site in sites]
        return kernel.link_uprobe_multi(
            program, file, offsets, cookies, pid, flags, counters if any(counters) else None
        )
    except OSError as error:
        if error.errno in _REJECTED:
            return None
        raise _failure(error) from None


def _search(program: int, file: str, sites: Sequence[Site], pid: int, flags: int) -> list[Site]:
    """The sites that can't be probed, by attaching and detaching parts; the program must not count yet."""
    from concurrent.futures import ThreadPoolExecutor

    def attaches(part: Sequence[Site]) -> bool:
        link = _try_multi(program, file, part, pid, flags)
        if link is not None:
            os.close(link)
        return link is not None

    suspects, bad = [sites], []
    with ThreadPoolExecutor(_THREADS) as pool:
        while suspects:
            parts = [
                part[i : i + step]
                for part in suspects
                for step in [-(-len(part) // _SPLIT)]
                for i in range(0, len(part), step)
            ]
            failed = [part for part, fine in zip(parts, pool.map(attaches, parts), strict=True) if not fine]
            bad += [part[0] for part in failed if len(part) == 1]
            suspects = [part for part in failed if len(part) > 1]
    return bad


class Links(Owner):
    """Owns the links of one program; closing them detaches it everywhere."""

    def __init__(self) -> None:
        self._multi: list[int] = []
        self._perf: dict[int, list[int]] = {}  # by cookie: the event, then the link that holds on to it

    def attach_multi(
        self, program: int, file: str, sites: Sequence[Site], pid: int, *, returns: bool = False
    ) -> list[Rejected]:
        """Attaches by uprobe_multi; `pid` 0 means every process. Returns what can't be probed.

        `returns`: the program runs when the functions entered at these sites return.

        Until it returns, hits of sites that are being tried may reach the program: let it count only afterwards.

        Raises TargetError where the process or file is gone, else as `objects.refusal`.
        """
        rejected: list[Rejected] = []
        good = list(sites)
        flags = kernel.UPROBE_MULTI_RETURN if returns else 0
        for _ in range(_TRIES):
            if not good:
                return rejected
            link = _try_multi(program, file, good, pid, flags)
            if link is not None:
                self._multi.append(link)
                return rejected
            bad = set(_search(program, file, good, pid, flags))
            rejected += _explained(file, [site for site in good if site in bad])
            good = [site for site in good if site not in bad]
        raise NotSupported("the file changes while it is being probed: try again")

    def attach_perf(
        self, program: int, file: str, sites: Sequence[Site], pid: int, *, returns: bool = False
    ) -> list[Rejected]:
        """Attaches by perf events; `pid` -1 means every process. Returns what can't be probed, or is too much."""
        refused: list[Site] = []
        rejected = [
            Rejected(site, f"this kernel probes at most {PERF_EVENT_LIMIT} functions at once (6.6 probes thousands)")
            for site in sites[PERF_EVENT_LIMIT:]
        ]
        _raise_file_limit(2 * PERF_EVENT_LIMIT + 64)
        for site in sites[:PERF_EVENT_LIMIT]:
            try:
                event = kernel.uprobe_event(file, site.offset, pid, returns=returns, counter=site.semaphore)
            except OSError as error:
                if error.errno not in _REJECTED:
                    raise _failure(error) from None
                refused.append(site)
                continue
            self._perf[site.cookie] = [event]
            try:
                self._perf[site.cookie].append(kernel.link_perf_event(program, event, site.cookie))
            except OSError as error:
                raise _failure(error) from None
        return rejected + _explained(file, refused)

    def detach(self, cookies: Collection[int]) -> None:
        """Detaches single places; only of perf events, a multi link goes as a whole."""
        for cookie in cookies:
            fds = self._perf.pop(cookie, [])
            while fds:
                os.close(fds.pop())

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self.detach(list(self._perf))
        while self._multi:
            os.close(self._multi.pop())


def let_hits_finish(file: str, site: Site, pid: int | None) -> None:
    """Waits for hits that one program has passed over, and another, which is also attached there, has yet to see.

    From 6.12 the kernel may take a program off a place between the two (earlier it waits for the hits there first), but
    it always waits for every hit after it took one off: so one that does nothing is put on and taken off.
    """
    program = -1
    with Links() as passing, contextlib.suppress(OSError, BpfscopeError):  # no target, no hits
        program = kernel.program_load(kernel.PROG_TYPE_KPROBE, kernel.ATTACH_UPROBE_MULTI, _RETURN_0, "passing")
        passing.attach_multi(program, file, [site], pid or 0)
    if program >= 0:
        os.close(program)


def _explained(file: str, sites: Sequence[Site]) -> list[Rejected]:
    """Why the kernel refuses these. All probes of a place must share one semaphore, or have none (since 4.20)."""
    if not sites:
        return []
    from tui.bpf import uprobes

    holders = uprobes.holders(file, {site.offset for site in sites})
    return [Rejected(site, _why(site, holders.get(site.offset, ""))) for site in sites]


def _why(site: Site, holder: str) -> str:
    if not site.semaphore:
        return f"{holder} probes this place with a semaphore: end that first" if holder else _UNPROBEABLE
    who = holder or "somebody (tracefs and perf don't say who)"
    return f"{who} probes this place without its semaphore, and the kernel allows no other way then: end that first"


def _failure(error: OSError) -> BpfscopeError:
    if error.errno == errno.ESRCH:
        return TargetError("the process ended before it could be probed")
    if error.errno in (errno.ENOENT, errno.EBADF):
        return TargetError(
            "its file is gone: the process ended or unloaded it, or /proc is not mounted; choose it again"
        )
    return refusal(error, "attach uprobes")


def _raise_file_limit(needed: int) -> None:
    """Perf events take two descriptors each, and the usual soft limit is 1,024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed + 1024:
        with contextlib.suppress(OSError, ValueError):
            wanted = needed + 1024 if hard == resource.RLIM_INFINITY else min(hard, needed + 1024)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
