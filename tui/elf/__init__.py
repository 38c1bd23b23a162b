"""The binaries: which modules a process maps, which functions they hold, and where a probe goes.

    module = modules.of_file("/usr/bin/node")
    for function in functions.read(module):
        print(function.name, hex(function.address))

Knows no BPF and no terminal. Files are hostile until parsed: every offset is checked before it is used.
"""
