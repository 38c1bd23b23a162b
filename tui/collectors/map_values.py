"""What is done with decoded values: summed over CPUs, compared with the ones before, taken apart. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from tui.bpf.btf.decoder import Address, Octets, Reference, Value
from tui.bpf.btf.values import one_line

__all__ = [
    "Address", "Octets", "Reference", "Value", "change", "field", "fields", "is_number", "is_zero", "one_line",
    "summed",
]  # fmt: skip
_MOST: Final = 64  # numbers that are taken out of one value


def summed(values: Sequence[Value]) -> Value:
    """Of all CPUs: numbers added up; of anything else what they agree on, or what all but empty ones say."""
    first = values[0]
    if len(values) == 1:
        return first
    if is_number(first):
        return sum(value for value in values if isinstance(value, int))
    if isinstance(first, dict):
        return {name: summed([one[name] for one in values if isinstance(one, dict)]) for name in first}
    if isinstance(first, list) and not isinstance(first, Octets):
        lists = [one for one in values if isinstance(one, list)]
        return [summed(elements) for elements in zip(*lists, strict=False)]
    said = [value for value in values if value and (not isinstance(value, Octets) or any(value))]
    if not said:
        return first
    return said[0] if all(value == said[0] for value in said) else None


def is_number(value: Value) -> bool:
    """Whether it is one that can be added and compared: no address, no number of something, no truth value."""
    return isinstance(value, int) and not isinstance(value, bool | Address | Reference)


def change(now: Value, before: Value) -> Value:
    """How much numbers grew, in the value's own shape; None for anything else."""
    if isinstance(now, int) and isinstance(before, int):
        return now - before if is_number(now) else None
    if isinstance(now, dict) and isinstance(before, dict):
        return {name: change(value, before.get(name)) for name, value in now.items()}
    if isinstance(now, list) and isinstance(before, list) and not isinstance(now, Octets):
        return [change(*pair) for pair in zip(now, before, strict=False)]
    return None


def fields(value: Value, most: int = _MOST) -> list[tuple[str, Value]]:
    """The single values in one, by their path: "flow.bytes"; "" for one that is single itself; at most so many."""
    found: list[tuple[str, Value]] = []
    for field in _fields(value, ""):
        found.append(field)
        if len(found) == most:
            break
    return found


def _fields(value: Value, path: str) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _fields(member, f"{path}.{name}" if path else name)
    else:
        yield path, value


def field(value: Value, path: str) -> Value:
    """The single value at a path; None where there is none."""
    for name in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def is_zero(value: Value) -> bool:
    """Whether there is nothing but noughts in it."""
    if isinstance(value, dict):
        return all(map(is_zero, value.values()))
    if isinstance(value, list):
        return all(map(is_zero, value))
    return not value
