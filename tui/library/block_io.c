/* How long requests to disks took, from when the driver got them: a histogram for each disk and direction. */
// hide issued
// show took: us
// show disk: device
#include <linux/types.h>

struct request_key {
	u32 disk;
	u64 sector;
};
struct key {
	u32 disk;
	char what[4];	// R, W, F (flush), D (discard), …
	u64 slot;
};
BPF_HASH(issued, struct request_key, u64, 65536);
BPF_HISTOGRAM(took, struct key, 1024);

TRACEPOINT_PROBE(block, block_rq_issue)
{
	struct request_key key = {.disk = args->dev, .sector = args->sector};
	u64 now = bpf_ktime_get_ns();
	issued.update(&key, &now);
	return 0;
}

TRACEPOINT_PROBE(block, block_rq_complete)
{
	struct request_key request = {.disk = args->dev, .sector = args->sector};
	u64 *then = issued.lookup(&request);
	if (!then)
		return 0;
	struct key key = {.disk = args->dev, .slot = bpf_log2l((bpf_ktime_get_ns() - *then) / 1000)};
	key.what[0] = args->rwbs[0];
	took.atomic_increment(key);
	issued.delete(&request);
	return 0;
}
