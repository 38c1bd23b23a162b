"""The BPF that is in the kernel already, of whomever: what there is, who holds it, where it is attached.

kinds: names of the kernel's numbers; info: programs, maps, links and BTF as the kernel describes them.
"""
