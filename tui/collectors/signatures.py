"""The signatures of a target's functions, whichever modules they are of."""

from collections.abc import Sequence

from tui.collectors.target import Target
from tui.elf import languages, signatures, usdt_arguments
from tui.elf.names import USDT, Function
from tui.elf.values import Signature


def read(target: Target, functions: Sequence[Function]) -> dict[Function, Signature]:
    """What each takes and gives. Raises BinaryError, NotPermitted, TargetError."""
    found: dict[Function, Signature] = {}
    for module in target.modules:
        of_module = [each for each in functions if each.module == module.name and each.origin != USDT]
        if of_module:
            go = languages.of_file(module.file) == "go"
            found |= signatures.read(module, of_module, go=go)
        if probes := [each for each in functions if each.module == module.name and each.origin == USDT]:
            found |= usdt_arguments.read(module, probes)
    return found


def described(signature: Signature) -> Signature:
    """The same, but mere registers are only read where they are named: of many functions at once they tell nothing."""
    if signature.parameters not in [signatures.untyped(go=go).parameters for go in (False, True)]:
        return signature
    return Signature((), (), "", signature.parameters, signature.results)
