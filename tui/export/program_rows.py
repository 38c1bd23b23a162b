"""BPF programs as plain dictionaries with the field names of the command line."""

from tui.collectors.program_samples import ProgramFigures, ProgramPage
from tui.export.rows import Row


def program(one: ProgramFigures) -> Row:
    """A row of `programs`. Times that aren't known are null: nothing ran, or nobody looked."""
    return {
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "period_avg_ns": _rounded(one.period_average),
        "total_avg_ns": _rounded(one.total_average),
        "events_per_s": _rounded(one.per_second),
        "cpu_percent": _rounded(one.cpu_percent, 4),
        "runs": one.runs,
        "run_time_ns": one.run_time_ns,
        "period_runs": one.period_runs,
        "period_run_time_ns": one.period_ns,
        "misses": one.misses,
        "uncounted": one.uncounted or None,
        "pids": [holder.pid for holder in one.holders],
        "holders": [
            {"pid": holder.pid, "name": holder.name, "unit": unit or None}
            for holder, unit in zip(one.holders, one.units, strict=True)
        ],
        "attached": [{"hook": each.hook, "where": each.where, "link": each.link or None} for each in one.attached],
        "pins": list(one.pins),
        "maps": list(one.maps),
        "uid": one.uid,
        "user": one.user,
        "loaded_ago_s": round(one.age),
        "tag": one.tag,
        "memory_bytes": one.memory,
        "maps_memory_bytes": one.maps_memory,
        "translated_bytes": one.translated,
        "jited_bytes": one.jited,
        "verified_instructions": one.verified,
    }


def page(one: ProgramFigures, found: ProgramPage, *, machine: bool = False) -> Row:
    """The same with its instructions, and its maps in full; `machine`: with its machine code, too."""
    code = [{"byte": line.slot, "text": line.text} for line in found.machine if not line.source]
    return (
        program(one)
        | ({"machine_code": code} if machine else {})
        | {
            "maps": [each._asdict() for each in found.maps],
            "instructions": [{"slot": line.slot, "text": line.text} for line in found.code if not line.source],
            "sources": [
                {"slot": line.slot, "text": line.text, "place": line.place} for line in found.code if line.source
            ],
            "no_instructions": found.reason or None,
        }
    )


def _rounded(figure: float | None, digits: int = 1) -> float | None:
    return None if figure is None else round(figure, digits)
