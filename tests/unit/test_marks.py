"""Marks, and the signs that show them."""

from tests.screens.fakes import CACHE, LOOP, RECURSIVE, function
from tui.errors import BpfscopeError, TargetError
from tui.screens.marks import Marks
from tui.screens.target import function_key, sentence

SPIN = function("runtime.spin", 0x460000, unprobeable="its first instruction has a lock prefix")
MALLOC = function("malloc", 0x9E540, module="libc.so.6")


def test_toggle() -> None:
    marks = Marks()
    for one in (LOOP, SPIN, MALLOC, CACHE, MALLOC):
        marks.toggle(one)
    assert marks.functions == (LOOP, CACHE)
    assert [marks.sign(one) for one in (LOOP, SPIN, MALLOC)] == ["●", "–", ""]
    assert [marks.sign_of_module(name) for name in ("fibonacci", "libc.so.6")] == ["●", ""]


def test_toggle_all_marks_the_rest_then_unmarks() -> None:
    marks = Marks()
    marks.toggle(CACHE)
    marks.toggle_all((LOOP, CACHE, SPIN))
    assert len(marks) == 2
    marks.toggle_all((LOOP, CACHE, SPIN))
    assert not marks


def test_what_is_probed_is_not_marked_again() -> None:
    marks = Marks()
    marks.toggle(LOOP)
    marks.start({function_key(RECURSIVE)})
    assert (len(marks), marks.probed) == (0, 1)
    marks.toggle(RECURSIVE)
    marks.toggle_all((RECURSIVE, LOOP))
    assert (marks.functions, marks.sign(RECURSIVE)) == ((LOOP,), "◉")
    marks.start()
    assert (marks.probed, marks.sign(RECURSIVE)) == (0, "")


def test_a_screen_gives_no_advice_for_a_command_line() -> None:
    assert sentence(TargetError("there is no process 7: `bpfscope ps` lists them")) == "there is no process 7"
    assert sentence(TargetError("/bin/x is gone: the process ended")) == "/bin/x is gone: the process ended"
    assert sentence(BpfscopeError("no: `bpfscope doctor` says why")) == "no: `bpfscope doctor` says why"
