"""The benchmark: what bpfscope promises in figures, measured beside its peers, in one run and one Markdown table.

Each module measures one thing and gives rows (`bench.table`). Runs of ours and of a peer take turns, so that whatever
else the machine does hits both; figures are medians. `scripts/bench --help` says how it is called.
"""
