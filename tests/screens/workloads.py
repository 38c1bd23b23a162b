"""What the made-up targets do: deep stacks, values of all kinds, hostile names; for pictures of the views."""

from tests.screens.fakes import CACHE, HOSTILE, LOOP, RECURSIVE, event, function
from tests.screens.test_arguments_screen import sample
from tests.screens.test_stacks_screen import leaf, stack
from tui.collectors.samples import Event, Frame, Stack, ValuesSample

SERVE = ("runtime.goexit", "main.(*Server).serve", "net/http.(*conn).serve", "net/http.HandlerFunc.ServeHTTP")
INVOKE = "std::_Function_handler<void (), render::Scene<std::pair<int, Shape>>::draw(Canvas&)::{lambda()#1}>::_M_invoke"
GATHER = function("github.com/prometheus/client_golang/prometheus.(*Registry).Gather", 0x6000)
DRAW = function("void render::Scene<std::vector<std::pair<int, Shape>>>::draw(Canvas&) const", 0x5000)


def called() -> tuple[Stack, ...]:
    """Deep recursion, a server's handlers, hostile names, forty that are too narrow, and a stack that was cut."""
    main = ("runtime.goexit", "runtime.main", "main.main")
    return (
        *(stack(900 - 28 * depth, *main, *[leaf(RECURSIVE)] * depth) for depth in range(1, 31)),
        stack(5_000, *main, leaf(LOOP)),
        stack(3_000, *SERVE, "main.handle[...]", leaf(CACHE)),
        stack(2_100, *SERVE, "main.warm.func1", "main.(*Cache).warm", leaf(CACHE)),
        *(stack(300 + 250 * at, *SERVE, Frame(name, "libc.so.6"), leaf(LOOP)) for at, name in enumerate(HOSTILE)),
        *(stack(3 + at % 5, *SERVE, f"main.rare{at}", "main.deeper", leaf(LOOP)) for at in range(40)),
        stack(900, INVOKE, leaf(CACHE), cut=True),
    )


def read(second: int) -> ValuesSample:
    """A number of either sign, a text, a truth, and a pointer that can't always be read."""
    rows = [
        (
            second * (1_000 // (1 + abs(depth)) + depth % 7),
            (
                depth,
                f"/srv/shop/{HOSTILE[depth % 6]}/index.html",
                depth % 3 == 0,
                None if depth % 5 == 0 else 140737488347136 + 64 * (depth % 4),
            ),
        )
        for depth in range(-9, 40)
    ]
    return sample(second, ("depth", "path", "force", "node"), *rows)


def happened(number: int, begin: float) -> list[Event]:
    """Calls of Go and of C++, with values of all kinds."""
    found = []
    for turn in range(number):
        end, goroutine = begin + turn * 0.013, 0xC000006380 + 0x1A0 * (turn % 3)
        path = ("path", f"/srv/shop/{HOSTILE[turn // 9 % 6]}/index.html")
        kinds = (
            event(end, path, ("flags", turn * 7), of=CACHE, gave=True, took=220_000 + turn, comm=HOSTILE[4], tid=2700),
            event(end, ("r", 824634912768), of=GATHER, gave=None, took=940, goroutine=goroutine),
            event(end, ("this", 140737488347136), ("alpha", 0.5), of=DRAW, gave=-1, took=31_000_000, comm="render"),
            event(end, of=LOOP, took=None, goroutine=goroutine),
        )
        plain = event(end, ("n", turn % 20), gave=turn * turn, took=700 * (turn % 20 + 1), goroutine=goroutine)
        found.append(kinds[turn % 9] if turn % 9 < len(kinds) else plain)
    return found
