"""What the tests of attachments share: what is attached by themselves, as we list it and as bpftool does."""

import json
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.attaching import Attaching
from tests.kernel.namespaces import Namespace, namespace
from tui.bpf import kernel
from tui.bpf.inventory.attachments import Attachment, read


@pytest.fixture
def made() -> Iterator[Attaching]:
    with Attaching() as attaching:
        yield attaching


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


def mine(*programs: int) -> list[Attachment]:
    """What this process holds of these programs; of all, where none is given."""
    found = read()
    assert not found.missing
    numbers = {kernel.program_id(each) for each in programs}
    return [each for each in found.attachments if each.ours and (not numbers or each.program in numbers)]


def places(found: list[Attachment]) -> set[tuple[str, str, str]]:
    return {(each.hook, each.where, each.detail) for each in found}


def bpftool(*words: str) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(["bpftool", "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout, strict=False)  # it writes names as they are


def bpftool_net(inside: Namespace) -> Any:  # noqa: ANN401 - JSON
    command = ["nsenter", f"--net=/run/netns/{inside.name}", "bpftool", "-j", "net"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]


def index(inside: Namespace) -> int:
    return inside.run(socket.if_nametoindex, "here")
