"""A terminal that doesn't read holds nobody up, and is up to date when it does again."""

import io
import threading

from tui.widgets.terminal import MOST, Patient, forgiving


class Stalling(io.StringIO):
    """Writes wait until somebody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.asked = threading.Event()

    def write(self, text: str) -> int:
        self.asked.set()
        self.reads.wait(10)
        return super().write(text)


def stalled() -> tuple[Stalling, Patient, threading.Event]:
    file, anew = Stalling(), threading.Event()
    patient = Patient(file, anew.set)
    patient.write("first")
    assert file.asked.wait(10)
    return file, patient, anew


def test_all_is_written_in_order() -> None:
    file, patient, anew = stalled()
    patient.write(" second")
    patient.write(" third")
    file.reads.set()
    patient.finish()
    assert file.getvalue() == "first second third"
    assert not anew.is_set()


def test_what_is_too_much_is_dropped_and_painted_anew() -> None:
    file, patient, anew = stalled()
    for _ in range(4):
        patient.write("x" * (MOST // 2))
    assert not anew.is_set()
    file.reads.set()
    assert anew.wait(10)
    assert file.getvalue() == "first" + "x" * (MOST // 2)
    patient.write("painted")
    patient.finish()
    assert file.getvalue().endswith("xpainted")


def test_the_last_words_are_never_dropped() -> None:
    file, patient, anew = stalled()
    for _ in range(4):
        patient.write("x" * (MOST // 2))
    patient.leave()
    patient.write("restored")
    file.reads.set()
    patient.finish()
    assert file.getvalue() == "firstrestored"
    assert not anew.is_set()


def test_a_terminal_that_went_away() -> None:
    file = Stalling()
    file.reads.set()
    file.close()
    patient = Patient(file, lambda: None)
    patient.write("nobody reads this")
    patient.finish()


def test_bytes_that_are_no_text_are_signs() -> None:
    decode = forgiving("utf-8")().decode
    assert decode(b"a\xff\xc3") == "a\ufffd"
    assert decode(b"\xa9\x80", final=True) == "\xe9\ufffd"
