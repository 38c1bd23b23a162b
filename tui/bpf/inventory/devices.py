"""What programs at control groups allow of devices, from their instructions: those of systemd, runc, crun and LXC.

They compare what somebody wants to do (struct bpf_cgroup_dev_ctx) with one rule after the other. So a rule is a way
through the program to its end on which comparisons of the type, the number and the access all hold, and the next one
begins where the first of these goes if it doesn't. A program that does anything else isn't read.
"""

import contextlib
from typing import Final, NamedTuple

from tui.bpf.extended import instructions as ops
from tui.bpf.extended.instructions import R0, R1, Instruction
from tui.text import sanitise

_TYPES: Final = {1: "block", 2: "char"}  # BPF_DEVCG_DEV_…: include/uapi/linux/bpf.h
_ACCESS: Final = ((2, "r"), (4, "w"), (1, "m"))  # BPF_DEVCG_ACC_…, in the order of DeviceAllow=
_ALL: Final = 7
_FIELDS: Final = {0: "word", 4: "major", 8: "minor"}  # of the context; the word has type and access

Value = str | int  # a field, a part of one, or a constant


class Device(NamedTuple):
    """What a rule is about; None stands for any."""

    type: int | None = None
    major: int | None = None
    minor: int | None = None
    access: int = _ALL

    @property
    def text(self) -> str:
        """As in "char 1:3 rw", "block *:* m", "any rwm"."""
        letters = "".join(letter for bit, letter in _ACCESS if self.access & bit)
        if self.type is None and self.major is None and self.minor is None:
            return f"any {letters}"
        kind = _TYPES.get(self.type or 0, "any" if self.type is None else f"type {self.type}")
        major, minor = ("*" if number is None else str(number) for number in (self.major, self.minor))
        return f"{kind} {major}:{minor} {letters}"

    @property
    def name(self) -> str:
        """What this system has of that number, "/dev/null", or of that major number, "pts"; "" where it has none."""
        kind = _TYPES.get(self.type or 0)
        if kind is None or self.major is None:
            return ""
        with contextlib.suppress(OSError):
            if self.minor is None:
                return _of_major(kind, self.major)
            with open(f"/sys/dev/{kind}/{self.major}:{self.minor}/uevent", encoding="utf-8", errors="replace") as file:
                found = dict(line.rstrip("\n").partition("=")[::2] for line in file)
                return sanitise(f"/dev/{found['DEVNAME']}") if "DEVNAME" in found else ""
        return ""


def _of_major(kind: str, major: int) -> str:
    """The driver's name in /proc/devices, where lines follow a title for each kind."""
    with open("/proc/devices", encoding="utf-8", errors="replace") as file:
        titles = {"char": "Character", "block": "Block"}
        there = False
        for line in file:
            number, _, name = line.strip().partition(" ")
            there = number == titles[kind] if name == "devices:" else there
            if there and number == str(major):
                return sanitise(name)
    return ""


class Unreadable(Exception):
    """The program does something that no such program does."""


def rules(code: tuple[Instruction, ...]) -> tuple[tuple[tuple[Device, bool], ...], bool]:
    """Devices, in the order in which they are compared, each with whether it is allowed; and whether all else is.

    Raises Unreadable.
    """
    slots: list[Instruction] = []  # by slot, where jumps count them
    for instruction in code:
        slots += [instruction] * instruction.slots
    found: list[tuple[Device, bool]] = []
    registers: dict[int, Value] = {R1: "context"}
    at = 0
    while True:
        way = _Way(slots, registers)
        allowed = way.walk(at)
        if way.otherwise is None:
            return tuple(found), allowed
        found.append((way.device, allowed))
        if way.otherwise <= at:
            raise Unreadable
        at, registers = way.otherwise, way.registers


class _Way:
    """A way to the end, on which all comparisons hold."""

    def __init__(self, slots: list[Instruction], registers: dict[int, Value]) -> None:
        self.slots, self.registers = slots, dict(registers)
        self.device = Device()
        self.otherwise: int | None = None  # where it goes on if one doesn't
        self._masks: dict[int, int] = {}  # registers that have the access, and which of it

    def walk(self, at: int) -> bool:
        """Whether who comes to the end may use the device."""
        while at < len(self.slots):
            one = self.slots[at]
            kind, operation = one.code & 0x07, one.code & 0xF0
            if kind in (ops.JMP, ops.JMP32) and operation == ops.EXIT:
                result = self.registers.get(R0)
                if not isinstance(result, int):
                    raise Unreadable
                return result != 0
            if one.code == ops.JMP | ops.JA:
                if one.offset < 0:
                    raise Unreadable
                at += one.offset
            elif kind in (ops.JMP, ops.JMP32) and operation == ops.JNE:
                self._compare(one, at + 1 + one.offset)
            elif kind in (ops.ALU, ops.ALU64):
                self._calculate(one, operation)
            elif one.code == ops.LDX | ops.MEM | ops.W and self.registers.get(one.src) == "context":
                self._set(one.dst, _FIELDS.get(one.offset, ""))
            else:
                raise Unreadable
            at += 1
        raise Unreadable

    def _set(self, register: int, value: Value, mask: int = _ALL) -> None:
        self.registers[register] = value
        self._masks[register] = mask

    def _calculate(self, one: Instruction, operation: int) -> None:
        before = self.registers.get(one.dst)
        match operation, bool(one.code & ops.X):
            case ops.MOV, True:
                self._set(one.dst, self.registers.get(one.src, ""))
            case ops.MOV, False:
                self._set(one.dst, one.imm)
            case ops.AND, False if before == "word" and one.imm == 0xFFFF:
                self._set(one.dst, "type")
            case ops.RSH, False if before == "word" and one.imm == 16:
                self._set(one.dst, "access")
            case ops.AND, False if before == "access":
                self._set(one.dst, "access", one.imm & _ALL)
            case _:
                raise Unreadable

    def _compare(self, one: Instruction, target: int) -> None:
        """Goes on where they are equal."""
        value = self.registers.get(one.dst)
        if one.code & ops.X:
            if value != "access" or self.registers.get(one.src) != "access":
                raise Unreadable
            mask = self._masks.get(one.dst, _ALL) & self._masks.get(one.src, _ALL)
            self.device = self.device._replace(access=self.device.access & mask)
        elif value in ("type", "major", "minor"):
            self.device = self.device._replace(**{str(value): one.imm})
        else:
            raise Unreadable
        if self.otherwise not in (None, target):
            raise Unreadable
        self.otherwise = target
