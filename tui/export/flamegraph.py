"""Stacks as a flame graph: one SVG file that needs nothing else, the root on top, callers above what they call.

A rectangle is as wide as its share of the calls; siblings are in the order of their names, so that two graphs can be
compared. A click zooms, a search marks; both are a few lines of script in the file. What would be too narrow to see is
left out, with all that it calls, and counted. Names are text from outside: escaped, and never part of the script.
"""

import colorsys
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from tui.collectors.samples import Frame, Stack
from tui.export.calltree import Node, tree
from tui.text import plural

_WIDTH: Final = 1200.0  # of the picture, in its own units
_ROW: Final = 18
_TOP: Final = 44
_NARROWEST: Final = 0.3
_LETTER: Final = 6.7  # of the font, 11 units high
_name: Final = attrgetter("frame")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: Final = """
text { font: 11px monospace; fill: #111; pointer-events: none; white-space: pre }
rect { stroke: #fff; stroke-width: 0.7 }
g.frame { cursor: pointer }
g.frame:hover rect { stroke: #000; stroke-width: 1.5 }
g.found rect { stroke: #000; stroke-width: 2; stroke-dasharray: 4 2 }
g.found text { font-weight: bold; text-decoration: underline }
.button { cursor: pointer; text-decoration: underline; pointer-events: all }
"""

_SCRIPT: Final = """
const root = document.documentElement, width = %(width)g, letter = %(letter)g;
const frames = [...root.querySelectorAll("g.frame")].map(g => {
  const [title, rect, text] = g.children, number = name => +rect.getAttribute(name);
  const name = title.textContent.split("\\n")[0];
  return { g, rect, text, name, x: number("x"), y: number("y"), width: number("width") };
});
function place(frame, x, size) {
  frame.g.style.display = size > 0 ? "" : "none";
  frame.rect.setAttribute("x", x);
  frame.rect.setAttribute("width", Math.max(size, 0));
  const room = Math.floor((size - 4) / letter), name = [...frame.name];
  const cut = room > 2 ? name.slice(0, room - 1).join("") + "\\u2026" : "";
  frame.text.setAttribute("x", x + 3);
  frame.text.textContent = name.length <= room ? frame.name : cut;
}
function zoom(to) {
  const scale = width / to.width, end = to.x + to.width;
  for (const frame of frames) {
    const right = frame.x + frame.width;
    if (frame.y < to.y && frame.x < to.x + 0.01 && right > end - 0.01) place(frame, 0, width);
    else if (frame.y >= to.y && frame.x > to.x - 0.01 && right < end + 0.01)
      place(frame, (frame.x - to.x) * scale, frame.width * scale);
    else place(frame, 0, 0);
  }
}
function search() {
  const wanted = prompt("Mark names that contain:", "");
  if (wanted === null) return;
  let end = -1, share = 0;
  const found = frames.filter(frame => wanted && frame.name.toLowerCase().includes(wanted.toLowerCase()));
  for (const frame of frames) frame.g.classList.toggle("found", found.includes(frame));
  for (const frame of found.sort((a, b) => a.x - b.x || b.width - a.width)) {
    const from = Math.max(end, frame.x), to = frame.x + frame.width;
    if (to > from) share += to - from, end = to;
  }
  const percent = (100 * share / width).toFixed(1);
  root.getElementById("found").textContent = wanted && `${found.length} marked, in ${percent} %% of the calls`;
}
for (const frame of frames) frame.g.addEventListener("click", () => zoom(frame));
root.getElementById("whole").addEventListener("click", () => zoom(frames[0]));
root.getElementById("search").addEventListener("click", search);
root.addEventListener("keydown", event => {
  if (event.key === "/") event.preventDefault(), search();
  if (event.key === "Escape") zoom(frames[0]);
});
"""


class _Block(NamedTuple):
    """A frame that is drawn: where it begins, how wide it is, and in which row."""

    node: Node
    x: float
    width: float
    row: int


def flamegraph(stacks: Iterable[Stack], title: str, note: str = "") -> str:
    """The file's text; `title` and `note` stand above the graph."""
    root = tree(stacks)
    drawn = list(_drawn(root, 0.0, _WIDTH, 0))
    narrow = sum(len(block.node.children) for block in drawn) + 1 - len(drawn)
    return "".join(_document(root, drawn, title, note, narrow))


def _document(root: Node, drawn: Sequence[_Block], title: str, note: str, narrow: int) -> Iterator[str]:
    below = _TOP + (1 + max(block.row for block in drawn)) * _ROW + 16
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {below + 8}" width="100%" tabindex="0">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n"
        f'<rect width="{_WIDTH:g}" height="{below + 8}" fill="#fff" stroke="none"/>\n'
        f'<text x="3" y="16" font-weight="bold">{_text(title)}</text>\n<text x="3" y="34">{_text(note)}</text>\n'
        f'<text x="{_WIDTH - 320:g}" y="34" id="found"></text>\n'
        f'<text x="{_WIDTH - 120:g}" y="16" class="button" id="search">search (/)</text>\n'
        f'<text x="{_WIDTH - 200:g}" y="16" class="button" id="whole">whole</text>\n'
    )
    for block in drawn:
        yield _rectangle(block, root.calls)
    if narrow:
        left_out = "frame that is too narrow to be seen is" if narrow == 1 else "frames too narrow to be seen are"
        yield f'<text x="3" y="{below}">{narrow:,} {left_out} left out, with what they call</text>\n'
    yield f"<script>//<![CDATA[{_SCRIPT % {'width': _WIDTH, 'letter': _LETTER}}//]]></script>\n</svg>\n"


def _drawn(node: Node, x: float, width: float, row: int) -> Iterator[_Block]:
    """The frames that are wide enough."""
    yield _Block(node, x, width, row)
    for child in sorted(node.children, key=_name):
        size = width * child.calls / node.calls
        if size >= _NARROWEST:
            yield from _drawn(child, x, size, row + 1)
        x += size


def _rectangle(block: _Block, total: int) -> str:
    node, x, width, row = block
    name, module = node.frame
    y = _TOP + row * _ROW
    share = f"{100 * node.calls / max(1, total):.1f} %"
    about = "\n".join(filter(None, (name, module, f"{plural(node.calls, 'call')}, {share}")))
    room = int((width - 4) / _LETTER)
    shown = name if len(name) <= room else f"{name[: room - 1]}…" if room > 2 else ""
    return (
        f'<g class="frame"><title>{_text(about)}</title>'
        f'<rect x="{x:.3f}" y="{y}" width="{width:.3f}" height="{_ROW - 1}" fill="{_colour(node.frame)}"/>'
        f'<text x="{x + 3:.3f}" y="{y + 12}">{_text(shown)}</text></g>\n'
    )


def _colour(frame: Frame) -> str:
    """Light, so that names can be read on it: a hue for each module, a shade for each name."""
    hue = zlib.crc32(frame.module.encode("utf-8", "replace")) % 360 / 360
    shade = zlib.crc32(frame.name.encode("utf-8", "replace")) % 100 / 1000
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.76 + shade, 0.55))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _text(text: str) -> str:
    """Escaped, and with nothing in it that XML doesn't know."""
    return escape(_NOT_XML.sub("\ufffd", text))
