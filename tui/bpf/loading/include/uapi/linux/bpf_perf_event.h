/* struct bpf_perf_event_data: */
#include <uapi/linux/ptrace.h>
