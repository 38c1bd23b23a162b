"""What can't be attached is refused in a sentence with the remedy; interfaces that go meanwhile are told."""

import errno
import os
import sys
from contextlib import ExitStack

import pytest

from tests.kernel.hooking import KEEP_ALL, Counter, Way, every_way, holder
from tests.kernel.network import Pair
from tests.kernel.probing import gone, link_ids, program_ids, run_as_nobody, wait_until
from tui.bpf import kernel
from tui.bpf.extended.assembler import assemble, exit_, mov
from tui.bpf.extended.instructions import R0
from tui.bpf.hooks import ClassicSocket, Hook, attach, load
from tui.errors import BpfscopeError, NotSupported, TargetError, UsageError

LINKS = [Hook.TCX_INGRESS, Hook.TCX_EGRESS, Hook.XDP]


@every_way
def test_interface_goes_while_we_are_attached(way: Way, pair: Pair, counter: Counter) -> None:
    end = pair.right
    with way.attach(end, counter.program(way.hook), promiscuous=True) as attached, end.entered():
        end.run("ip", "link", "delete", "dev", end.interface)
        assert attached.gone()
        assert attached.position == ""
        with pytest.raises(TargetError, match="gone"):
            attached.replace(counter.program(way.hook))


def test_interface_of_a_classic_socket_goes(pair: Pair) -> None:
    with pair.right.entered(), ClassicSocket(pair.right.number, KEEP_ALL) as matching:
        pair.left.send(7)
        wait_until(lambda: matching.matched() == 7, "the packets are matched")
        pair.right.run("ip", "link", "delete", "dev", "right")
        assert matching.gone()
        assert matching.matched() == 7
        with pytest.raises(TargetError, match="gone"):
            matching.replace(KEEP_ALL)


@every_way
def test_namespace_goes_while_we_are_attached(way: Way, counter: Counter) -> None:
    with Pair() as pair:
        attached = way.attach(pair.right, counter.program(way.hook))
        pair.close()
    attached.close()


@pytest.mark.parametrize("hook", [hook for hook in Hook if hook is not Hook.CGROUP])
def test_no_such_interface(hook: Hook, pair: Pair, counter: Counter) -> None:
    number = pair.right.number  # in another namespace
    program = counter.program(hook)
    with pytest.raises(TargetError, match=rf"no interface of number {number}.*namespace"):
        _ = ClassicSocket(number, KEEP_ALL) if hook is Hook.SOCKET else attach(hook, number, program)


@pytest.mark.parametrize("number", [0, -1, 1 << 40])
def test_no_number_of_an_interface(number: int, counter: Counter) -> None:
    with pytest.raises(TargetError, match="no interface of number"):
        attach(Hook.SOCKET_EBPF, number, counter.program(Hook.SOCKET_EBPF))


@pytest.mark.requires("tcx")
def test_too_many_programs(pair: Pair, counter: Counter) -> None:
    way = Way(Hook.TCX_INGRESS)
    most = kernel.MPROG_MAX - 1  # the kernel keeps one place free
    with ExitStack() as owned:
        for _ in range(most):
            owned.enter_context(way.attach(pair.right, counter.program(way.hook)))
        with pytest.raises(BpfscopeError, match=r"takes no more programs there.*detach some"):
            way.attach(pair.right, counter.program(way.hook))
        pair.left.send(7)
        assert counter.reaches(7 * most)


@pytest.mark.requires("tcx")
def test_the_same_program_twice(pair: Pair, counter: Counter) -> None:
    program = counter.program(Hook.TCX_INGRESS)
    with Way(Hook.TCX_INGRESS).attach(pair.right, program), pytest.raises(UsageError, match="already"):
        Way(Hook.TCX_INGRESS).attach(pair.right, program)


def test_driver_without_native_xdp(pair: Pair, counter: Counter) -> None:
    loopback, program = 1, counter.program(Hook.XDP)
    with pair.left.entered():
        with pytest.raises(NotSupported, match="driver of lo has no native XDP"):
            attach(Hook.XDP, loopback, program, native=True)
        with attach(Hook.XDP, loopback, program) as attached:
            assert attached.native is False
            assert "behind the driver (generic): the driver of lo has no native XDP" in attached.note


def test_mtu_that_native_xdp_does_not_take(pair: Pair, counter: Counter) -> None:
    for end in (pair.left, pair.right):
        end.run("ip", "link", "set", "dev", end.interface, "mtu", 9000)
    way = Way(Hook.XDP, native=True)
    with pytest.raises(NotSupported, match=r"MTU of 9000 is too large.*ip link set right mtu 1500"):
        way.attach(pair.right, counter.program(Hook.XDP))
    with Way(Hook.XDP).attach(pair.right, counter.program(Hook.XDP)) as attached:
        assert attached.native is False
        assert "MTU of 9000" in attached.note
        data = pair.left.frame(9014)
        pair.left.send(97, data)
        assert counter.reaches(97)


@pytest.mark.parametrize("hook", Hook)
def test_without_any_right(hook: Hook) -> None:
    code = (
        "from tests.kernel.hooking import KEEP_ALL, Counter\n"
        "from tui.bpf.hooks import ClassicSocket, Hook, attach, load\n"
        "from tui.errors import NotPermitted\n"
        f"hook = Hook('{hook.value}')\n"
        "try:\n"
        "    if hook is Hook.SOCKET: ClassicSocket(1, KEEP_ALL)\n"
        "    attach(hook, 1, load(hook, b'\\xb7' + bytes(7) + b'\\x95' + bytes(7), 'nobody'))\n"
        "except NotPermitted as error:\n"
        "    print(error)\n"
    )
    done = run_as_nobody(sys.executable, "-c", code)
    assert done.stderr == ""
    assert "run as root, or with CAP_NET_" in done.stdout


@pytest.mark.parametrize("hook", list(Hook))
def test_program_that_the_verifier_refuses(hook: Hook) -> None:
    with pytest.raises(NotSupported, match=r"the verifier says: .*R0"):
        load(hook, assemble([exit_()]).bytecode({}), "refused")


def test_program_that_is_too_long_for_a_socket(pair: Pair, counter: Counter) -> None:
    """For tcx it isn't. Linux 6.7 raised the limit to 128 KiB."""
    code = assemble([*(mov(R0, number) for number in range(17_000)), mov(R0, 0), exit_()]).bytecode({})
    with ExitStack() as owned:
        for hook in (Hook.SOCKET_EBPF, Hook.TCX_INGRESS):
            program = load(hook, code, "long")
            owned.callback(os.close, program)
            if hook is Hook.SOCKET_EBPF:
                with pytest.raises(NotSupported, match=r"too long for a socket.*optmem_max"):
                    Way(hook).attach(pair.right, program)
            else:
                owned.enter_context(Way(hook).attach(pair.right, program))


def test_kernel_without_tcx_and_clsact(pair: Pair, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_tcx(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    def no_clsact(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr("tui.bpf.kernel.link_create", no_tcx)
    with Way(Hook.TCX_INGRESS).attach(pair.right, counter.program(Hook.TCX_INGRESS)):
        assert "bpfscope:" in pair.right.run("tc", "filter", "show", "dev", "right", "ingress")
        pair.left.send(97)
        assert counter.reaches(97)
    monkeypatch.setattr("tui.bpf.hooks.netlink.TrafficControl.add_clsact", no_clsact)
    with pytest.raises(NotSupported, match=r"neither tcx \(6.6\) nor clsact"):
        Way(Hook.TCX_INGRESS).attach(pair.right, counter.program(Hook.TCX_INGRESS))


@pytest.mark.guest
def test_killed_process_leaves_nothing(pair: Pair) -> None:
    hooks = [Hook.SOCKET_EBPF, *(LINKS if tcx_works() else [Hook.XDP]), Hook.CGROUP]
    with holder(pair.right, *hooks) as process:
        programs, links = program_ids(process.pid), link_ids(process.pid)
        assert len(programs) == len(hooks)
        assert len(links) == len(hooks)  # a socket has none, the cgroup has two
        process.kill()
    wait_until(lambda: gone(programs, links), "programs and links gone")
    link = pair.right.link()
    assert "xdp" not in link
    assert "qdisc clsact" not in pair.right.run("tc", "qdisc", "show")


def tcx_works() -> bool:
    from tests.kernel.conftest import REQUIREMENTS

    return REQUIREMENTS["tcx"][0]()
