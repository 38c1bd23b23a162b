"""The kernel's side: C programs, their compiler, and owners of what bpf(2) hands out.

    with probe.CountingProbe(...) as counting:  # maps, programs and links; leaving it detaches everything
        counting.read()

`compiler` turns programs/*.c into relocatable objects (plain data) in a child process; `objects` loads them without
bcc. Knows nothing of symbols, processes or terminals: files and offsets come in, file descriptors stay inside.
"""
