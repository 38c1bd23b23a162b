"""Where Linux and libpcap's own filter differ, in one place; on everything else they agree, and tests hold that."""

from enum import Enum


class Dialect(Enum):
    """Who executes the program. What it can tell them apart by:

    - *Ancillary data*: loads from 0xfffff000 on tell Linux what it knows of the packet; for libpcap, reading from a
      file, they are beyond the packet. So with `inbound`, and `vlan` of a program compiled for a live interface.
    - *Header areas*: offsets from 0xfff00000 and 0xffe00000 on are counted by Linux from the network and the link-layer
      header, also where X + k gets there; for libpcap they are beyond the packet.
    - *X + k* has 32 bits on Linux: with X = 0xffffffff and k = 1 it loads from 0. For libpcap that is beyond.
    - *Shifts by X* of 32 and more: Linux takes X modulo 32, libpcap gives 0.
    - *Jumps back*, which `protochain` compiles to: the kernel refuses them, libpcap follows them. A program ends
      with 0 here after 64, as in libpcap after 1.10; in 1.10 some IPv6 packets with AH hold it for ever.
    - *Unwritten words* of M[], which some expressions with `geneve` read: the kernel refuses them, libpcap 1.10 reads
      what is on its stack. Here they are 0.

    A program that the kernel and libpcap refuse (no instruction, a jump out of the program, M[16]) ends with 0 there.
    """

    LINUX = "linux"
    LIBPCAP = "libpcap"
