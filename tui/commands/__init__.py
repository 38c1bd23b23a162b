"""The command line's commands, one file each: `add_arguments(parser)` and `run(arguments) -> exit status`.

Standard output is data, standard error is narration. Nothing here imports textual.
"""
