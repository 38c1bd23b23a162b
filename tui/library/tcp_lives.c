/* TCP connections as they end: how long they lived, and how much they carried. */
// hide born
// show at: time
// show from, to: address
// show lived_ns: ns
// show received: bytes
// show sent: bytes
#include <linux/sched.h>
#include <linux/tcp.h>

struct life {
	u64 at;
	u32 pid;	// who opened it, or at whose turn it was accepted; 0: an interrupt
	char comm[TASK_COMM_LEN];
	u8 from[16];
	u8 to[16];
	u16 from_port;
	u16 to_port;
	u64 received;
	u64 sent;	// as far as it was acknowledged
	u64 lived_ns;
};
struct born {
	u64 at;
	u32 pid;
	char comm[TASK_COMM_LEN];
};
BPF_HASH(born, u64, struct born, 65536);	// by socket
BPF_RINGBUF_OUTPUT(lives, 64);

TRACEPOINT_PROBE(sock, inet_sock_set_state)
{
	u64 socket = (u64)args->skaddr;
	if (args->protocol != IPPROTO_TCP)
		return 0;
	if (args->newstate == TCP_SYN_SENT || args->newstate == TCP_ESTABLISHED) {
		struct born now = {.at = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};
		bpf_get_current_comm(&now.comm, sizeof(now.comm));
		if (args->oldstate != TCP_SYN_SENT)
			born.update(&socket, &now);
		return 0;
	}
	if (args->newstate != TCP_CLOSE)
		return 0;
	struct born *then = born.lookup(&socket);
	if (!then)
		return 0;
	struct life *life = lives.ringbuf_reserve(sizeof(struct life));
	if (life) {
		life->at = bpf_ktime_get_ns();
		struct tcp_sock *tcp = (struct tcp_sock *)args->skaddr;
		u64 received = tcp->bytes_received, sent = tcp->bytes_acked;
		life->pid = then->pid;
		__builtin_memcpy(life->comm, then->comm, sizeof(life->comm));
		__builtin_memcpy(life->from, args->saddr_v6, 16);
		__builtin_memcpy(life->to, args->daddr_v6, 16);
		life->from_port = args->sport;
		life->to_port = args->dport;
		life->received = received;
		life->sent = sent;
		life->lived_ns = life->at - then->at;
		lives.ringbuf_submit(life, 0);
	}
	born.delete(&socket);
	return 0;
}
