/*
 * Times per function: calls, returns, a histogram, total and self time; right under recursion, threads and goroutines.
 *
 * A call is a frame, found again at its return by its place (place.h).
 * The frames of one runner are linked to their parents, so that a return can subtract what other probed functions took
 * meanwhile. Frames that are deeper than a new one, or were entered since, have been left without a return (longjmp,
 * exceptions, panics): they are counted as left and lose their place among the parents, but stay to be found, because a
 * runner may have changed stacks (coroutines), and return all the same; then they aren't left any more.
 *
 * What a call's own probes take of its parent's time, beyond what the call itself seems to take, is added up beside it:
 * the reader, who has measured that, writes it into the function's row.
 *
 * stats    a row per function, mapped by the reader; additions are atomic
 * groups   with `by`, the rows of each function's processes (1), threads (2) or threads' names (3); what finds no room
 *          there goes into `stats`. blank: such a row when it is new
 * control  two cells: whose turn it is, and whether it counts (frames are kept before that, too); and whether the tops
 *          of threads stay for their next calls, which saves a tenth: the reader takes out those of ended ones
 * frames   calls under way;  tops  the innermost call of each runner
 */
#include <bpfscope.h>
#include <place.h>

#define BUCKETS 312		/* eight to each power of two: the middle of one is at most 1/16 off */
#define MOST_LEFT 16		/* frames without a return that one hit takes out */
#define FAR (8ULL << 20)	/* bytes: what is so much deeper lies on another stack, a signal's for example */
#define MOST_NESTED 64		/* MAX_URETPROBE_DEPTH: include/linux/uprobes.h, 5.15 to 6.18 */

struct row {
	u64 calls, returns, left, strays, full, nested, total, self, children, spent, longest, shortest, overhead;
	u64 called, returned, unused;	/* in groups */
	u64 buckets[BUCKETS];
};

struct member {
	u64 function, name[2];	/* a process, a thread, or a thread's name */
};

struct frame {
	u64 start, inner, depth, spent, name[2];
	u32 function, children, nesting, counted, left, unused;
};

struct top {
	u64 depth;
	u32 function, nesting;
};

BPF_F_TABLE("array", u32, struct row, stats, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("hash", struct member, struct row, groups, 1, 0);
BPF_F_TABLE("array", u32, struct row, blank, 1, 0);
BPF_F_TABLE("array", u32, u64, control, 2, BPF_F_MMAPABLE);
BPF_F_TABLE("hash", struct place, struct frame, frames, 1, 0);
BPF_F_TABLE("hash", u64, struct top, tops, 1, 0);

static inline u64 logarithm(u64 value)
{
	u64 result = 0;

	if (value >> 32) { result += 32; value >>= 32; }
	if (value >> 16) { result += 16; value >>= 16; }
	if (value >> 8) { result += 8; value >>= 8; }
	if (value >> 4) { result += 4; value >>= 4; }
	if (value >> 2) { result += 2; value >>= 2; }
	return result + (value >> 1);
}

static inline u64 bucket_of(u64 ns)
{
	if (ns >> 41)
		ns = (1ULL << 41) - 1;
	if (ns < 8)
		return ns;
	u64 power = logarithm(ns);

	return (power - 2) * 8 + (ns >> (power - 3) & 7);
}

/* The cell becomes at least the value. Exchanges until what comes back is no larger: the largest is never dropped. */
static inline void raise(u64 *cell, u64 value)
{
#pragma unroll
	for (int i = 0; i < 8; i++) {
		if (*(volatile u64 *)cell >= value)
			return;
		u64 before = value;
		EXCHANGE(cell, before);
		if (before <= value)
			return;
		value = before;
	}
}

/* Where a call is added up. */
static inline struct row *row_of(u32 function, u64 *name, u64 by)
{
	if (by) {
		struct member member = { .function = function, .name = { name[0], name[1] } };
		struct row *row = groups.lookup(&member);

		if (row)
			return row;
	}
	return stats.lookup(&function);
}

int latency(struct pt_regs *ctx)
{
	u64 now = 0;
	CONSTANT(tgid, 0x7467696474676964);	/* only this process; 0: the link filters */
	CONSTANT(by, 0x6279627962796279);	/* groups: 0 none, 1 processes, 2 threads, 3 names */
	u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie & RETURN)
		now = bpf_ktime_get_ns();	/* as early as can be; at an entry it is as late as can be */
	u64 thread = bpf_get_current_pid_tgid();
	u32 zero = 0, one = 1, function = cookie;

	if (tgid && thread >> 32 != tgid)
		return 0;
	u64 *cell = control.lookup(&zero), *keep = control.lookup(&one);
	RUNNING(counted, cell);
	struct place place = place_of(ctx, thread, cookie);

	struct row *base = stats.lookup(&function);
	if (!base)
		return 0;
	struct top *top = tops.lookup(&place.runner);
	struct frame *frame = NULL;

	if (cookie & RETURN) {
		frame = frames.lookup(&place);
		if (!frame) {
			if (counted)
				__sync_fetch_and_add(&base->strays, 1);
			return 0;
		}
	}

	/* What lies above has been left without a return. */
	if (top) {
		for (int i = 0; i < MOST_LEFT && top->depth; i++) {
			if (top->depth < place.depth || top->depth - place.depth > FAR)
				break;
			if (top->depth == place.depth && (frame ? top->function == function : top->function != function))
				break;	/* this call itself; or, at an entry, one that goes on as this: a tail call */
			struct place gone = { .runner = place.runner, .depth = top->depth, .function = top->function };
			struct frame *old = frames.lookup(&gone);
			if (!old || old->left) {	/* tail calls to one another have made a circle of parents */
				top->depth = 0;
				top->nesting = 0;
				break;
			}
			old->left = 1;
			top->depth = old->depth;
			top->function = old->function;
			top->nesting = old->nesting;
			u32 other = gone.function, was_counted = old->counted;
			struct row *of = row_of(other, old->name, by);
			if (of && was_counted)
				__sync_fetch_and_add(&of->left, 1);
		}
	}

	if (frame) {
		u64 took = now - frame->start, inner = frame->inner, spent = frame->spent;
		struct row *row = row_of(function, frame->name, by);
		struct place parent = { .runner = place.runner, .depth = frame->depth, .function = frame->function };
		u32 nesting = frame->nesting, children = frame->children;
		u64 was_counted = frame->counted, was_left = frame->left;

		if (!row)
			return 0;
		frames.delete(&place);
		if (was_left) {
			if (was_counted)
				__sync_fetch_and_add(&row->left, -1);
		} else if (!parent.depth && (cookie & GO || !keep || !*keep)) {
			tops.delete(&place.runner);
		} else if (top) {
			top->depth = parent.depth;
			top->function = parent.function;
			top->nesting = nesting;
		}
		if (parent.depth) {
			struct frame *outer = frames.lookup(&parent);
			if (outer) {
				outer->inner += took;
				outer->children++;
				outer->spent += base->overhead;
			}
		}
		if (!was_counted)
			return 0;
		__sync_fetch_and_add(&row->returns, 1);
		if (by)
			__sync_fetch_and_add(&base->returned, 1);
		__sync_fetch_and_add(&row->total, took);
		__sync_fetch_and_add(&row->self, inner < took ? took - inner : 0);
		__sync_fetch_and_add(&row->children, children);
		__sync_fetch_and_add(&row->spent, spent);
		raise(&row->longest, took);
		raise(&row->shortest, ~took);
		u64 bucket = bucket_of(took);
		if (bucket < BUCKETS)
			__sync_fetch_and_add(&row->buckets[bucket], 1);
		return 0;
	}

	struct frame new = { .counted = counted };
	struct row *row = base;
	if (by) {
		struct row *empty = blank.lookup(&zero);
		struct member member = { .function = function };

		if (by == 3)
			bpf_get_current_comm(member.name, sizeof member.name);
		else
			member.name[0] = by == 1 ? thread >> 32 : thread;
		new.name[0] = member.name[0];
		new.name[1] = member.name[1];
		if (empty && !groups.lookup(&member))
			groups.insert(&member, empty);
		row = row_of(function, new.name, by);
		if (!row)
			return 0;
	}

	if (top) {
		new.depth = top->depth;
		new.function = top->function;
		new.nesting = top->nesting;
	}
	if (counted) {
		__sync_fetch_and_add(&row->calls, 1);
		if (by)
			__sync_fetch_and_add(&base->called, 1);
	}
	struct top mine = { .depth = place.depth, .function = function, .nesting = new.nesting };
	if (cookie & URETPROBE && ++mine.nesting > MOST_NESTED) {
		if (counted)
			__sync_fetch_and_add(&row->nested, 1);
		return 0;	/* the kernel keeps no more: this return will not be seen */
	}
	if (top) {
		*top = mine;
	} else if (tops.update(&place.runner, &mine)) {
		if (counted)
			__sync_fetch_and_add(&row->full, 1);
		return 0;
	}
	new.start = bpf_ktime_get_ns();
	if (!frames.insert(&place, &new))
		return 0;

	/* There is no room; or one of the same function at the same depth, below a tail call, has been left too. */
	frame = frames.lookup(&place);
	if (frame) {
		struct row *of = row_of(function, frame->name, by);
		if (of && frame->counted && !frame->left)
			__sync_fetch_and_add(&of->left, 1);
		*frame = new;
		return 0;
	}
	mine.depth = new.depth;
	mine.function = new.function;
	mine.nesting = new.nesting;
	tops.update(&place.runner, &mine);
	if (counted)
		__sync_fetch_and_add(&row->full, 1);
	return 0;
}
