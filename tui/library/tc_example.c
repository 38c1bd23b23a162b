/* The talk's example: at an interface's traffic control, each IP packet's header goes to user space (IFACE is needed). */
// hook: tcx-ingress
// show from, to: address
#include <uapi/linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

struct packet {
	u8 from[4];
	u8 to[4];
	u8 protocol;
	u8 ttl;
	u16 length;
};
BPF_PERF_OUTPUT(packets);
BPF_HASH(ttls, u8);	// how far packets have come: by what is left of their time to live

int tcExample(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	if ((void *)(ip + 1) > end || ethernet->h_proto != htons(ETH_P_IP))
		return TC_ACT_UNSPEC;	// others decide
	struct packet packet = {.protocol = ip->protocol, .ttl = ip->ttl, .length = ntohs(ip->tot_len)};
	__builtin_memcpy(packet.from, &ip->saddr, 4);
	__builtin_memcpy(packet.to, &ip->daddr, 4);
	u8 ttl = packet.ttl;
	ttls.atomic_increment(ttl);
	packets.perf_submit(skb, &packet, sizeof(packet));
	return TC_ACT_UNSPEC;
}
