"""Frames for filters to be tried on: a generator that stacks headers, then cuts and damages some; the seed decides all.

for data in packets.generate(1000, seed=7): …
"""

from random import Random

from tests.link_layers import LINK_LAYERS


def generate(count: int, seed: int, link_type: str = "EN10MB") -> list[bytes]:
    """So many packets of a link type (LINK_LAYERS has their names); three of four are as they should be.

    The others are cut short, have some bytes changed, or are nothing but random bytes.
    """
    rng = Random(f"{seed} {link_type}")
    return [_one(rng, link_type) for _ in range(count)]


def _one(rng: Random, link_type: str) -> bytes:
    data = LINK_LAYERS[link_type](rng)
    match rng.randrange(20):
        case 0 | 1:
            return data[: rng.randrange(len(data) + 1)]
        case 2 | 3:
            return _damaged(rng, data)
        case 4:
            return rng.randbytes(rng.choice((0, 1, 13, 14, 15, 34, 60, 200)))
    return data


def _damaged(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 10))):
        if changed:
            changed[min(rng.randrange(len(changed)), rng.randrange(80))] = rng.choice(
                (0, 1, 0x7F, 0xFF, rng.randrange(256))
            )
    return bytes(changed)
