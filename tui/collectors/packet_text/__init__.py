"""Packets as people read them: one line as `tcpdump -n` has it, and layers with the bytes that each field takes.

    summary(record)    IP 192.0.2.2.51044 > 192.0.2.9.22: Flags [P.], seq 1:37, ack 1, win 501, length 36
    layers(record)     Layer("TCP", 34, 32, (Field("source port", "51044", 34, 2), …))

Whatever the bytes are, both answer, and in bounded time: what a packet says of itself is believed only within the
bytes that are there. Text in packets (names in DNS) is sanitised here.
"""

from tui.collectors.packet_text.reader import Field, Layer
from tui.collectors.packet_text.walk import layers, summary

__all__ = ["Field", "Layer", "layers", "summary"]
