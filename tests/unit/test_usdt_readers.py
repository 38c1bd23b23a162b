"""What reads the arguments of USDT probes, as C."""

from tui.bpf.loading.places import Place
from tui.collectors.usdt_readers import functions_of, readers
from tui.elf.reader import X86_64
from tui.elf.usdt_arguments import parsed


def read(arguments: str) -> str:
    (line,) = functions_of("count", [(64, parsed(arguments, 0, X86_64, lambda _: None))], "x86_64")
    return line.partition("size_t len) { ")[2].partition(" if (len")[0]


def test_registers_constants_and_memory() -> None:
    assert read("-4@%edi") == "u64 value = 0; { value = (ctx->di >> 0); value = (s32)value; }"
    assert read("8@$5") == "u64 value = 0; { value = 5ULL; value = (u64)value; }"
    assert read("1@%ah") == "u64 value = 0; { value = (ctx->ax >> 8); value = (u8)value; }"
    memory = read("2@-8(%rbp,%rcx,2)")
    assert "value = (ctx->bp >> 0) + (ctx->cx << 1);" in memory
    assert f"u16 read = 0; bpf_probe_read_user(&read, sizeof(read), (void *)(value + {(1 << 64) - 8}ULL));" in memory
    assert "return -1;" in read("8@%xmm0")


def test_several_places_are_told_by_the_cookie() -> None:
    places = [(64, parsed("4@%edi 8@%rsi", 0, X86_64, lambda _: None)), (96, parsed("4@$7", 0, X86_64, lambda _: None))]
    first, second = functions_of("count", places, "x86_64")
    assert "int _bpf_readarg_count_1(struct pt_regs *ctx, void *dest, size_t len)" in first
    assert "u64 at = bpf_get_attach_cookie(ctx); if (at == 64ULL) { value = (ctx->di >> 0);" in first
    assert "else if (at == 96ULL) { value = 7ULL;" in first
    assert "else if (at == 96ULL) { return -1; }" in second
    assert "_bpf_readarg_count_2" in second


def test_nothing_is_made_where_nothing_is_read() -> None:
    assert readers("int count(void *ctx) { return 0; }", {"": Place("usdt", "1", "a:b")}) == []
    assert readers("// bpf_usdt_readarg", {}) == []
    assert (
        readers("int count(struct pt_regs *ctx) { bpf_usdt_readarg(1, ctx, &x); }", {"": Place("uprobe", "1", "f")})
        == []
    )
