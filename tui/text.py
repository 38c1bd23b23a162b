"""Text from outside made harmless, and numbers made readable. Pure functions; knows no other part."""

from collections.abc import Callable

_C0 = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_UNSAFE = [
    *range(0x80, 0xA0),  # C1 controls: 0x9b alone starts an escape sequence on some terminals
    0x00AD,
    0x061C,
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),  # soft hyphen, Arabic letter mark, Mongolian and other zero-width characters, directions
    *range(0x2028, 0x202F),  # line and paragraph separators, embeddings and overrides of direction
    *range(0x2060, 0x2070),  # invisible operators, isolates of direction
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),  # joiners and fillers: letters that nobody sees
    *range(0xFE00, 0xFE10),  # variation selectors
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE01F0),  # tags, more variation selectors
    *range(0xD800, 0xE000),  # surrogates: what os.fsdecode makes of bytes that aren't UTF-8
]
_HARMLESS = _C0 | dict.fromkeys(_UNSAFE, 0xFFFD)


def sanitise(text: str) -> str:
    """The text with nothing in it that a terminal would act on.

    C0 controls become control pictures (ESC is shown as ␛); C1 controls, marks of direction, invisible characters and
    surrogates become U+FFFD. Call it once, where text enters.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_HARMLESS)


def sanitise_lines(text: str) -> str:
    """The same of several lines, which they stay."""
    return "\n".join(map(sanitise, text.split("\n")))


def count(number: int) -> str:
    """12,345,678: exact, with separators."""
    return f"{number:,}"


def rate(per_second: float) -> str:
    """At most six characters: 0.4, 97, 9,731, 97.3 k, 1.2 M, 3.4 G."""
    if per_second < 0.05:
        return "0"
    if per_second < 9.95:
        return f"{per_second:.1f}"
    if per_second < 9_999.5:
        return f"{per_second:,.0f}"
    value, unit = _scaled(per_second, 1000, 999.95, ("k", "M", "G", "T"))
    return f"{value:.1f} {unit}"


def duration(ns: float) -> str:
    """At most seven characters: 17 ns, 940 ns, 3.1 µs, 12 µs, 1.1 ms, 83 s."""
    if ns < 999.5:
        return f"{ns:.0f} ns"
    value, unit = _scaled(ns, 1000, 999.5, ("µs", "ms", "s"))
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def size(number: int) -> str:
    """Bytes in binary units: 512 B, 12 KiB, 3.1 GiB."""
    if number < 1024:
        return f"{number} B"
    value, unit = _scaled(number, 1024, 1023.5, ("KiB", "MiB", "GiB", "TiB"))
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _scaled(value: float, step: int, limit: float, units: tuple[str, ...]) -> tuple[float, str]:
    """The value in the first unit that keeps it below the limit, or in the last."""
    for unit in units[:-1]:
        value /= step
        if value < limit:
            return value, unit
    return value / step, units[-1]


def clock(seconds: float) -> str:
    """Elapsed time as 01:23 or 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def span(low: int, high: int, shown: Callable[[int], str] = count) -> str:
    """Whole numbers from one up to but without another: 2 – 3, 7; below 0 where the first says less than nothing."""
    if low < 0:
        return f"below {shown(max(0, high))}"
    return f"{shown(low)} – {shown(high - 1)}" if high - low > 1 else shown(low)


def plural(number: int, noun: str) -> str:
    """1 function, 2,412 functions."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def sparkline(values: list[float], width: int, least: float = 0.0) -> str:
    """The last `width` values as eighth blocks, scaled to the largest, or to `least` if that is more.

    Padded with spaces on the left.
    """
    shown = values[-width:]
    top = max(*shown, least) if shown else 0.0
    if top <= 0:
        return ("▁" * len(shown)).rjust(width)
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * value / top))] for value in shown).rjust(width)


def bar(share: float, width: int) -> str:
    """A share of 0–1 as a bar of at most `width` cells, in eighths; anything above nought shows."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
