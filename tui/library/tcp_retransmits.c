/* TCP segments that had to be sent again, by connection: where the network, or the other side, loses packets. */
// show from, to: address
#include <linux/types.h>

struct key {
	u8 from[16];
	u8 to[16];
	u16 from_port;
	u16 to_port;
};
BPF_HASH(retransmits, struct key);

TRACEPOINT_PROBE(tcp, tcp_retransmit_skb)
{
	struct key key = {.from_port = args->sport, .to_port = args->dport};
	__builtin_memcpy(key.from, args->saddr_v6, 16);
	__builtin_memcpy(key.to, args->daddr_v6, 16);
	retransmits.atomic_increment(key);
	return 0;
}
