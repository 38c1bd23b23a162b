/*
 * Times per function: calls, returns, a histogram, total and self time; right under recursion, threads and goroutines.
 *
 * A call is a frame, found again at its return by its place (place.h).
 * The frames of one runner are linked to their parents. Frames that are as deep as a new one, or deeper, have been left
 * without a return (longjmp, exceptions, panics, a tail call): they are counted as left and lose their place among the
 * parents, but stay to be found, because a runner may have changed stacks (coroutines), and return all the same; then
 * they aren't left any more.
 *
 * A return must only find its own call's frame: every call puts one in its place, or else takes out what is there. A
 * function that is taken off and put back begins a new turn, and frames of another turn aren't its calls'. A return
 * without a frame is of a call that began before that, or before everything was attached, or found no room: it says
 * nothing about a call that was counted.
 *
 * For self times each runner has a clock of what calls that are over took, which stands still otherwise. A frame keeps
 * what it showed at the entry; a call's own time is what it took, less what the clock went on meanwhile; and then the
 * clock goes on by that. So no moment is two functions' own, also where calls in between never returned: their own time
 * is their caller's, which is counted as mixed. So is a call that returns while one is under way that began later, or
 * on another thread than it began on: its time is on none of their clocks.
 *
 * What a call's own probes take of its parent's time, beyond what the call itself seems to take, is added up beside it:
 * the reader, who has measured that, writes it into the function's row. `probed` is all that probes took of a call:
 * those of every call in it, however deep.
 *
 * stats    a row per function, mapped by the reader; additions are atomic
 * groups   with `by`, the rows of each function's processes (1), threads (2) or threads' names (3); what finds no room
 *          there goes into `stats`. blank: such a row when it is new
 * control  whose turn it is, and whether it counts (running.h; frames are kept before that, too); in a second cell,
 *          SWEPT where the reader takes out the tops of threads that have ended, and KEEP while there is much room. With
 *          KEEP a thread's top stays for its next call, which saves a tenth; with SWEPT it stays while calls are left,
 *          because they may return all the same, and ask for the clock
 * frames   calls under way;  tops  the innermost call of each runner: a thread, in Go a goroutine
 */
#include <bpfscope.h>
#include <place.h>
#include "running.h"

#define BUCKETS 312		/* eight to each power of two: the middle of one is at most 1/16 off */
#define KEEP 1
#define SWEPT 2
#define MOST_LEFT 64		/* frames without a return that one hit takes out */
#define FAR (8ULL << 20)	/* bytes: what is so much deeper lies on another stack, a signal's for example */
#define MOST_NESTED 64		/* MAX_URETPROBE_DEPTH: include/linux/uprobes.h, 5.15 to 6.18 */

struct row {
	u64 calls, returns, left, strays, full, nested, total, self, children, spent, probed, mixed, longest, shortest;
	u64 overhead, cost;		/* the reader's: what a call's probes take beyond its own time, and in all */
	u64 called, returned;		/* of calls and returns in groups */
	u64 turn;			/* the reader's: odd while the function is taken off */
	u64 buckets[BUCKETS];
};

struct member {
	u64 function, name[2];	/* a process, a thread, or a thread's name */
};

struct frame {
	u64 start, inner, depth, spent, probed, name[2];
	u32 function, children, nesting, counted, left, turn, gone, thread;
};

struct top {
	u64 depth;
	u32 function, nesting;
	u64 inner, spent, probed;	/* what calls that are over took, and their probes; a frame has it as it was at its entry */
	u32 children, gone;	/* calls that are over; and that were left */
	u32 away, unused;	/* frames that are left now */
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

/* What was added to a sum since; nothing, where the sum is another: the runner's top has been made anew. */
static inline u64 since(u64 now, u64 before)
{
	return now > before ? now - before : 0;
}

/* A frame that no return is to find any more. */
static inline __attribute__((always_inline)) void forget(struct place *place, struct frame *frame, u64 by)
{
	u32 counted = frame->counted && !frame->left;
	struct row *row = row_of(place->function, frame->name, by);

	frames.delete(place);
	if (row && counted)
		__sync_fetch_and_add(&row->left, 1);
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
	u64 *cell = control.lookup(&zero), *stay = control.lookup(&one);
	RUNNING(counted, cell, thread);
	if (!stay)
		return 0;

	struct row *base = stats.lookup(&function);
	if (!base)
		return 0;
	u32 turn = *(volatile u64 *)&base->turn;
	if (turn & OFF)
		return 0;
	struct place place = place_of(ctx, thread, cookie);
	u64 runner = cookie & GO ? place.runner : thread;
	struct top *top = tops.lookup(&runner);
	struct frame *frame = NULL;

	if (cookie & RETURN) {
		frame = frames.lookup(&place);
		if (frame && frame->turn != turn) {
			forget(&place, frame, by);
			frame = NULL;
		}
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
			if (frame && top->depth == place.depth && top->function == function)
				break;	/* this call itself */
			struct place gone = { .runner = place.runner, .depth = top->depth, .function = top->function };
			struct frame *old = frames.lookup(&gone);
			if (!old || old->left) {	/* it was taken out; or parents have come to be a circle */
				top->depth = 0;
				top->nesting = 0;
				break;
			}
			old->left = 1;
			top->depth = old->depth;
			top->function = old->function;
			top->nesting = old->nesting;
			top->gone++;
			top->away++;
			u32 other = gone.function, was_counted = old->counted;
			struct row *of = row_of(other, old->name, by);
			if (of && was_counted)
				__sync_fetch_and_add(&of->left, 1);
		}
	}

	if (frame) {
		u64 took = now - frame->start, inner = 0, spent = 0, probed = 0;
		struct row *row = row_of(function, frame->name, by);
		u64 depth = frame->depth;
		u32 outer = frame->function, nesting = frame->nesting, children = 0, mixed = 1;
		u32 was_counted = frame->counted, was_left = frame->left;

		if (!row)
			return 0;
		bool moved = !(cookie & GO) && frame->thread != (u32)thread;	/* a coroutine that began on another thread */

		if (top && !moved) {
			inner = since(top->inner, frame->inner);
			if (inner > took)
				inner = took;
			spent = since(top->spent, frame->spent);
			probed = since(top->probed, frame->probed);
			children = since(top->children, frame->children);
			mixed = top->depth != place.depth || top->function != function || top->gone != frame->gone;
			top->inner += took - inner;
			top->spent = frame->spent + base->overhead;
			top->probed += base->cost;
			top->children = frame->children + 1;
			top->gone = frame->gone;
		}
		frames.delete(&place);
		if (was_left) {
			if (top && !moved && top->away)
				top->away--;
			if (was_counted)
				__sync_fetch_and_add(&row->left, -1);
			if (cookie & URETPROBE)
				mixed = 0;	/* after a tail call the kernel tells of both returns, the inner one first */
		} else if (moved) {
			/* this thread's calls stay as they are */
		} else if (!depth && (cookie & GO || !(*stay & (top && top->away ? KEEP | SWEPT : KEEP)))) {
			tops.delete(&runner);
		} else if (top) {
			top->depth = depth;
			top->function = outer;
			top->nesting = nesting;
		}
		if (!was_counted)
			return 0;
		__sync_fetch_and_add(&row->returns, 1);
		if (by)
			__sync_fetch_and_add(&base->returned, 1);
		__sync_fetch_and_add(&row->total, took);
		__sync_fetch_and_add(&row->self, took - inner);
		__sync_fetch_and_add(&row->children, children);
		__sync_fetch_and_add(&row->spent, spent);
		__sync_fetch_and_add(&row->probed, probed);
		if (mixed)
			__sync_fetch_and_add(&row->mixed, 1);
		raise(&row->longest, took);
		raise(&row->shortest, ~took);
		u64 bucket = bucket_of(took);
		if (bucket < BUCKETS)
			__sync_fetch_and_add(&row->buckets[bucket], 1);
		return 0;
	}

	struct frame new = { .counted = counted, .turn = turn, .thread = thread };
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
		new.inner = top->inner;
		new.spent = top->spent;
		new.probed = top->probed;
		new.children = top->children;
		new.gone = top->gone;
	}
	if (counted) {
		__sync_fetch_and_add(&row->calls, 1);
		if (by)
			__sync_fetch_and_add(&base->called, 1);
	}
	u32 nesting = new.nesting, untimed = 0;
	if (cookie & URETPROBE && ++nesting > MOST_NESTED) {
		untimed = 1;	/* the kernel keeps no more: this return will not be seen */
		if (counted)
			__sync_fetch_and_add(&row->nested, 1);
	} else if (top) {
		top->depth = place.depth;
		top->function = function;
		top->nesting = nesting;
	} else {
		struct top mine = { .depth = place.depth, .function = function, .nesting = nesting };

		if (tops.update(&runner, &mine)) {
			untimed = 1;
			if (counted)
				__sync_fetch_and_add(&row->full, 1);
		}
	}
	if (!untimed) {
		new.start = bpf_ktime_get_ns();
		if (!frames.insert(&place, &new))
			return 0;
	}

	/* There is no room; or one of the same function at the same depth is there, which has been left too. */
	frame = frames.lookup(&place);
	if (frame && untimed) {
		forget(&place, frame, by);
	} else if (frame) {
		struct row *of = row_of(function, frame->name, by);
		if (of && frame->counted && !frame->left)
			__sync_fetch_and_add(&of->left, 1);
		*frame = new;
	} else if (!untimed) {
		if (counted)
			__sync_fetch_and_add(&row->full, 1);
		if (top) {
			top->depth = new.depth;
			top->function = new.function;
			top->nesting = new.nesting;
		} else {
			tops.delete(&runner);
		}
	}
	return 0;
}
