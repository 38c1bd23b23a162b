"""A screen that reads a process's modules, and the functions of those that somebody looks at, or of all."""

from contextlib import suppress

from textual.message import Message

from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
from tui.screens.catalogue import Catalogue
from tui.screens.marks import Marks
from tui.screens.sampled import SampledScreen
from tui.screens.target import Target, identified, sentence


class ModulesRead(Message):
    """The process's modules are known."""

    def __init__(self, modules: tuple[Module, ...]) -> None:
        super().__init__()
        self.modules = modules


class Identified(Message):
    """The process's name and language are known."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target


class Loaded(Message):
    """A module's functions were read."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module


class Failed(Message):
    """Something can't be read; `module` is None where that is the process itself."""

    def __init__(self, module: Module | None, reason: str) -> None:
        super().__init__()
        self.module = module
        self.reason = reason


class ReadingScreen(SampledScreen):
    """What is read is in `catalogue`; messages say that something came."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target
        self.modules: tuple[Module, ...] = ()
        self.catalogue = Catalogue()
        self.marks = Marks()
        self._asked: set[str] = set()  # names of modules that are read, or are being read
        self._all = False

    def read_process(self) -> None:
        """Read the modules, and who the process is if that isn't known."""
        self.run_worker(self._read_modules())
        if not self.target.name:
            self.run_worker(self._identify())

    def read_module(self, module: Module) -> None:
        """Read a module's functions, once."""
        if module.name not in self._asked:
            self.run_worker(self._read_functions(module), group="functions")

    def read_all(self) -> None:
        """Read the functions of all modules, one after the other."""
        if not self._all:
            self._all = True
            self.run_worker(self._read_all(), group="functions")

    async def _identify(self) -> None:
        with suppress(BpfscopeError):
            if found := await identified(self.target.pid, self.sources):
                self.post_message(Identified(found))

    def on_identified(self, event: Identified) -> None:
        """Say it."""
        self.target = event.target
        self.show_state()

    async def _read_modules(self) -> None:
        try:
            self.post_message(ModulesRead(await self.sources.modules(self.target.pid)))
        except BpfscopeError as error:
            self.post_message(Failed(None, sentence(error)))

    async def _read_all(self) -> None:
        while module := self.catalogue.next_unread(self._asked):
            await self._read_functions(module)

    async def _read_functions(self, module: Module) -> None:
        self._asked.add(module.name)
        try:
            functions: tuple[Function, ...] = await self.sources.functions(module)
        except BpfscopeError as error:
            self.post_message(Failed(module, sentence(error)))
            return
        self.catalogue.learn(module, functions)
        self.marks.learn(module.name, functions)
        self.post_message(Loaded(module))
