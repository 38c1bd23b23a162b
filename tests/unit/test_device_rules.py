"""Device programs of cgroups as rules: systemd's, those of container engines, and what is none."""

from random import Random

import pytest

from tests.kernel.control_groups import device_code
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.assembler import alu32, assemble, exit_, jump, label, load, mov, mov32
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R5, R6, Instruction, W, unpack
from tui.bpf.extended.items import Item
from tui.bpf.inventory.devices import Device, Unreadable, rules

PROLOGUE: list[Item] = [
    load(R2, R1, 0, W), alu32("&=", R2, 0xFFFF), load(R3, R1, 0, W), alu32(">>=", R3, 16), load(R4, R1, 4, W),
    load(R5, R1, 8, W),
]  # fmt: skip


def decoded(code: list[Item]) -> tuple[tuple[Instruction, ...], list[str], bool]:
    program = unpack(assemble(code).bytecode({}))
    found, rest = rules(program)
    return program, [f"{'allow' if allowed else 'deny'} {device.text}" for device, allowed in found], rest


def test_those_of_systemd() -> None:
    wanted = ["c 1:3 rw", "c 136:* rwm", "b *:* m", "b 8:* r"]
    _, found, rest = decoded(device_code(wanted))
    assert found == ["allow char 1:3 rw", "allow char 136:* rwm", "allow block *:* m", "allow block 8:* r"]
    assert not rest
    assert decoded(device_code([]))[1:] == ([], False)


def test_those_of_runc_which_end_at_each_rule_and_deny_some() -> None:
    """libcontainer/cgroups/devices: the type first, then the access, then the number; a verdict at each end."""
    code: list[Item] = [
        *PROLOGUE,
        jump("!=", R2, 2, "second"), mov32(R1, R3), alu32("&=", R1, 2), jump("!=", R1, R3, "second"),
        jump("!=", R4, 10, "second"), jump("!=", R5, 200, "second"), mov32(R0, 0), exit_(),
        label("second"),
        jump("!=", R2, 2, "third"), jump("!=", R4, 1, "third"), mov32(R0, 1), exit_(),
        label("third"),
        mov32(R1, R3), alu32("&=", R1, 1), jump("!=", R1, R3, "rest"), mov32(R0, 1), exit_(),
        label("rest"),
        mov32(R0, 0), exit_(),
    ]  # fmt: skip
    _, found, rest = decoded(code)
    assert found == ["deny char 10:200 r", "allow char 1:* rwm", "allow any m"]
    assert not rest


def test_one_that_allows_everything() -> None:
    assert decoded([mov(R0, 1), exit_()])[1:] == ([], True)
    assert decoded([*PROLOGUE, mov(R0, 1), exit_()])[1:] == ([], True)


@pytest.mark.parametrize(
    "code",
    [
        [],
        [mov(R0, 1)],
        [exit_()],
        [mov(R0, R6), exit_()],
        [*PROLOGUE, jump("==", R2, 2, "out"), label("out"), mov(R0, 1), exit_()],
        [*PROLOGUE, jump("!=", R2, R3, "out"), label("out"), mov(R0, 1), exit_()],
        [*PROLOGUE, alu32("&=", R4, 7), mov(R0, 1), exit_()],
        [*PROLOGUE, load(R0, R2, 0, W), exit_()],
    ],
)
def test_what_is_of_another_form_is_not_read(code: list[Item]) -> None:
    with pytest.raises(Unreadable):
        decoded(code)


def test_jumps_backwards_and_out_of_the_program() -> None:
    back = Instruction(ops.JMP | ops.JA, offset=-1)
    out = Instruction(ops.JMP | ops.JA, offset=9)
    again = Instruction(ops.JMP | ops.JNE | ops.K, R2, offset=-3, imm=1)
    prologue = unpack(assemble(PROLOGUE).bytecode({}))
    end = (Instruction(ops.ALU64 | ops.MOV | ops.K, R0, imm=1), Instruction(ops.JMP | ops.EXIT))
    for code in ((back,), (out,), (*prologue, again, *end)):
        with pytest.raises(Unreadable):
            rules(code)


def test_any_damage_is_read_or_refused() -> None:
    dice = Random(997)
    good = bytearray(assemble(device_code(["c 1:3 rw", "b *:* m", "c 136:* rwm"])).bytecode({}))
    read = 0
    for _ in range(3_000):
        code = bytearray(good)
        for _ in range(dice.choice((1, 1, 2, 5))):
            code[dice.randrange(len(code))] = dice.randrange(256)
        try:
            rules(unpack(bytes(code)))
            read += 1
        except (Unreadable, ValueError):
            continue
    assert 0 < read < 3_000


def test_words() -> None:
    assert Device().text == "any rwm"
    assert Device(type=1, minor=3, access=4).text == "block *:3 w"
    assert Device(type=7, major=1).text == "type 7 1:* rwm"
    assert Device(major=5).text == "any 5:* rwm"


def test_names_of_this_system() -> None:
    assert Device(type=2, major=1, minor=3).name == "/dev/null"
    assert Device(type=2, major=136).name == "pts"
    assert Device(type=1, major=1, minor=3).name == Device(type=2, major=4_000).name == Device(minor=3).name == ""
    assert Device(type=2).name == Device(major=1).name == ""
