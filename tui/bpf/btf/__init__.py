"""BTF, the types that a BPF program, its maps or the kernel itself were compiled from: found, named, decoded by.

    types = Btf(info.btf_of(number)[1])
    plan(types, number_of_a_type, size_of_a_value).read(value, 0)

Pure: knows bytes, not the kernel. Whatever comes in is hostile until it was parsed; the error raised is BinaryError.
Layouts are those of Documentation/bpf/btf.rst, Linux 6.18.
"""
