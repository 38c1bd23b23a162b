"""Classic BPF: the instruction set of tcpdump's filters and of SO_ATTACH_FILTER, as plain data; needs no kernel."""
