"""bpfscope: an oscilloscope for running software, in one terminal."""

__version__ = "0.1.0"
