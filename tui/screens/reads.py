"""Values of calls as people read them. Pure: knows no widget."""

from tui.collectors.samples import Address, Read, Word

UNREADABLE = "unreadable"


def spelt(value: Read) -> str:
    """As in 3, -1, 0.5, true, "text", unreadable: no two kinds of values look alike."""
    if value is None:
        return UNREADABLE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Address):
        return f"{value:#x}"
    if isinstance(value, str) and not isinstance(value, Word):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
