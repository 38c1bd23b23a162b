"""Containers and units, by paths of control groups as servers have them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.collectors import units
from tui.text import sanitise

ID = "3f2a9c1b4d5e" + "0123456789abcdef" * 3 + "0123"
SHORT = ID[:12]
POD = "kubepods-burstable-pod2f1b5c0e_1d5f_4a8e_9f3e_0a1b2c3d4e5f.slice"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/", ""),
        ("", ""),
        ("/user.slice", ""),
        ("/init.scope", "init.scope"),
        ("/system.slice/postgresql.service", "postgresql.service"),
        ("/system.slice/system-postgresql.slice/postgresql@16-main.service", "postgresql@16-main.service"),
        ("/system.slice/docker.service/worker/3", "docker.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-fib.service", "app-fib.service"),
        (r"/system.slice/dev-disk\x2dby\x2did.mount", "dev-disk-by-id.mount"),
        (f"/docker/{ID}", f"docker {SHORT}"),
        (f"/system.slice/docker-{ID}.scope", f"docker {SHORT}"),
        (f"/system.slice/docker-{ID}.scope/init.scope", f"docker {SHORT}"),
        (f"/system.slice/docker-{ID}.scope/system.slice/nginx.service", f"docker {SHORT} nginx.service"),
        (f"/kubepods.slice/kubepods-burstable.slice/{POD}/cri-containerd-{ID}.scope", f"containerd {SHORT}"),
        (f"/kubepods.slice/kubepods-burstable.slice/{POD}/crio-{ID}.scope", f"cri-o {SHORT}"),
        (f"/system.slice/containerd.service/{POD}:cri-containerd:{ID}", f"containerd {SHORT}"),
        (f"/kubepods/burstable/pod2f1b5c0e-1d5f-4a8e-9f3e-0a1b2c3d4e5f/{ID}", f"kubernetes {SHORT}"),
        (f"/machine.slice/libpod-{ID}.scope/container", f"podman {SHORT}"),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", f"podman {SHORT}"),
        (f"/machine.slice/libpod-conmon-{ID}.scope", f"libpod-conmon-{SHORT}.scope"),
        (f"/{ID}", f"container {SHORT}"),
        ("/lxc/web", "lxc web"),
        ("/lxc.payload.web/system.slice/nginx.service", "lxc web nginx.service"),
        (r"/system.slice/\x1b\x5b31m.service", "␛[31m.service"),
        (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope", "machine qemu-1-vm"),
        ("/system.slice/\x1b[31m[bold].service", "␛[31m[bold].service"),
        ("/../../system.slice/sshd.service", "sshd.service"),
    ],
)
def test_paths(path: str, unit: str) -> None:
    assert units.of_path(path) == unit


def test_version_two_comes_first_then_systemd() -> None:
    assert units.of_groups(b"4:memory:/docker/x\n1:name=systemd:/a.service\n0::/b.service\n") == "b.service"
    assert units.of_groups(b"4:memory:/c.service\n1:name=systemd:/a.service\n0::/\n") == "a.service"
    assert units.of_groups(b"4:memory:/c.service\n1:name=systemd:/\n0::/\n") == "c.service"
    assert units.of_groups(b"") == units.of_groups(b"garbage\n::\n") == ""


def test_of_processes() -> None:
    with open(f"/proc/{os.getpid()}/cgroup", "rb") as file:
        assert units.of_process(os.getpid()) == units.of_groups(file.read())
    assert units.of_process(4_194_305) == ""


@given(st.binary(max_size=300))
def test_any_content(content: bytes) -> None:
    found = units.of_groups(b"0::/" + content + b".service")
    assert sanitise(found) == found
    assert len(found) <= 200
