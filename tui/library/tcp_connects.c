/* TCP connections that this machine opens: by whom, where to, how long they took, or that they failed. */
// hide connecting
// show at: time
// show from, to: address
// show took_ns: ns
#include <linux/sched.h>
#include <net/sock.h>

struct connect {
	u64 at;
	u32 pid;
	char comm[TASK_COMM_LEN];
	u8 from[16];
	u8 to[16];
	u16 from_port;
	u16 to_port;
	u32 connected;	// 0: refused, or timed out
	u64 took_ns;
};
struct who {
	u64 since;
	u32 pid;
	char comm[TASK_COMM_LEN];
};
BPF_HASH(connecting, u64, struct who, 65536);	// by socket
BPF_RINGBUF_OUTPUT(connects, 64);

TRACEPOINT_PROBE(sock, inet_sock_set_state)
{
	u64 socket = (u64)args->skaddr;
	if (args->protocol != IPPROTO_TCP)
		return 0;
	if (args->newstate == TCP_SYN_SENT) {	// in the process that connects
		struct who who = {.since = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};
		bpf_get_current_comm(&who.comm, sizeof(who.comm));
		connecting.update(&socket, &who);
		return 0;
	}
	if (args->oldstate != TCP_SYN_SENT)
		return 0;
	struct who *who = connecting.lookup(&socket);
	if (!who)
		return 0;
	struct connect *event = connects.ringbuf_reserve(sizeof(struct connect));
	if (event) {
		event->at = bpf_ktime_get_ns();
		event->pid = who->pid;
		__builtin_memcpy(event->comm, who->comm, sizeof(event->comm));
		__builtin_memcpy(event->from, args->saddr_v6, 16);
		__builtin_memcpy(event->to, args->daddr_v6, 16);
		event->from_port = args->sport;
		event->to_port = args->dport;
		event->connected = args->newstate == TCP_ESTABLISHED;
		event->took_ns = event->at - who->since;
		connects.ringbuf_submit(event, 0);
	}
	connecting.delete(&socket);
	return 0;
}
