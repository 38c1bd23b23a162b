"""Names of the kernel's numbers (include/uapi/linux/bpf.h, Linux 6.18), as bpftool writes them.

A number that isn't named here is newer than we are, and shown as one: "type 99".
"""

from typing import Final

_PROGRAMS: Final = (
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out"
    " lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2"
    " sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm"
    " sk_lookup syscall netfilter"
)
_MAPS: Final = (
    "unspec hash array prog_array perf_event_array percpu_hash percpu_array stack_trace cgroup_array lru_hash"
    " lru_percpu_hash lpm_trie array_of_maps hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage"
    " reuseport_sockarray percpu_cgroup_storage queue stack sk_storage devmap_hash struct_ops ringbuf inode_storage"
    " task_storage bloom_filter user_ringbuf cgrp_storage arena"
)
_ATTACHMENTS: Final = (
    "cgroup_inet_ingress cgroup_inet_egress cgroup_inet_sock_create cgroup_sock_ops sk_skb_stream_parser"
    " sk_skb_stream_verdict cgroup_device sk_msg_verdict cgroup_inet4_bind cgroup_inet6_bind cgroup_inet4_connect"
    " cgroup_inet6_connect cgroup_inet4_post_bind cgroup_inet6_post_bind cgroup_udp4_sendmsg cgroup_udp6_sendmsg"
    " lirc_mode2 flow_dissector cgroup_sysctl cgroup_udp4_recvmsg cgroup_udp6_recvmsg cgroup_getsockopt"
    " cgroup_setsockopt trace_raw_tp trace_fentry trace_fexit modify_return lsm_mac trace_iter cgroup_inet4_getpeername"
    " cgroup_inet6_getpeername cgroup_inet4_getsockname cgroup_inet6_getsockname xdp_devmap cgroup_inet_sock_release"
    " xdp_cpumap sk_lookup xdp sk_skb_verdict sk_reuseport_select sk_reuseport_select_or_migrate perf_event"
    " trace_kprobe_multi lsm_cgroup struct_ops netfilter tcx_ingress tcx_egress trace_uprobe_multi cgroup_unix_connect"
    " cgroup_unix_sendmsg cgroup_unix_recvmsg cgroup_unix_getpeername cgroup_unix_getsockname netkit_primary"
    " netkit_peer trace_kprobe_session trace_uprobe_session"
)
_LINKS: Final = (
    "unspec raw_tracepoint tracing cgroup iter netns xdp perf_event kprobe_multi struct_ops netfilter tcx uprobe_multi"
    " netkit sockmap"
)


def program_type(number: int) -> str:
    """Of enum bpf_prog_type: "sched_cls"."""
    return _named(_PROGRAMS, number)


def map_type(number: int) -> str:
    """Of enum bpf_map_type: "lpm_trie"."""
    return _named(_MAPS, number)


def attach_type(number: int) -> str:
    """Of enum bpf_attach_type: "tcx_ingress"."""
    return _named(_ATTACHMENTS, number)


def attach_number(name: str) -> int:
    """The number in enum bpf_attach_type of a name that `attach_type` gives."""
    return _ATTACHMENTS.split().index(name)


def link_type(number: int) -> str:
    """Of enum bpf_link_type: "uprobe_multi"."""
    return _named(_LINKS, number)


def _named(names: str, number: int) -> str:
    known = names.split()
    return known[number] if number < len(known) else f"type {number}"
