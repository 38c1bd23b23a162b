/*
 * Calls with what they were given and what they gave: each as a record of its own (`trace`), or counted by their values
 * (`table`).
 *
 * At the entry the values are read that the function's plan names, and its conditions on them are judged. Where results
 * or durations are wanted, the record waits as a frame for the call's return, found again by its place (place.h); there
 * the results are read and the other conditions judged. A return must only find its own call's frame, never one that a
 * call left behind which didn't return (an exception, longjmp): so every call puts a frame in its place, those that
 * don't fulfil the conditions too, or else takes out what is there. A function that is taken off and put back begins a
 * new turn, and frames of another turn aren't its calls'. A return without a frame is of a call that began before that,
 * or before everything was attached, or found no room: it says nothing about a call that was counted.
 *
 * stats    a row per function, mapped by the reader; additions are atomic
 * control  whose turn it is, and whether it counts (running.h)
 * plans    what to read of each function's calls, written by tui/bpf/plans.py
 * slots    SLOTS records for each CPU to work in, since a preemptible kernel may let another hit come between: `busy`
 *          is taken by an exchange
 * frames   calls under way; its values are as long as the longest record at an entry
 * ring     of `trace`: records, read by tui/bpf/ring.py
 * counts   of `table`: calls by the records' ends, from `function` on
 */
#include <bpfscope.h>
#include <place.h>
#include "running.h"

#define VALUES 8	/* at the entry, and as many at the return */
#define STEPS 4		/* addresses that one value is read through */
#define CONDITIONS 4
#define TEXT 8		/* cells of a text: 63 bytes and a 0; the cell before has its length */
#define CELLS 48	/* sixteen values, four of them texts */
#define SLOTS 4
#define NO_TEXT ~0ULL	/* as the length of a text: its address is 0 */
#define INLINE static inline __attribute__((always_inline))
#define FORGET(variable) asm volatile("" : "+r"(variable))	/* a check that follows is one too many only for LLVM */

enum { NUMBER, SIGNED, C_TEXT, COUNTED_TEXT };
enum { LESS = 1, EQUAL = 2, MORE = 4, BITS = 8 };

struct row {
	u64 calls, filtered, left;	/* a condition left it out; it never returned */
	u64 strays;			/* returns without a frame */
	u64 lost, dropped;		/* no room to wait or be looked at; none in `ring` or `counts` */
	u64 returns;
	u64 turn;			/* written by the reader: odd while the function is taken off */
};

/*
 * A register, an index register and a constant added up; or, with steps, what lies at the sum of the first two: each
 * but the last leads to the next address.
 */
struct fetch {
	u64 offsets[STEPS];	/* without steps the first is the constant */
	u16 reg, steps;
	u8 shift, index, scale;	/* bits that the register is shifted right by; the index, and its bits to the left */
};

struct value {
	struct fetch at, length;
	u32 kind, size, shift, cell;	/* bytes; bits above them; where it goes */
};

struct condition {
	u32 value, cell, accepts, text;	/* accepts: how the value may relate to the constant; whether it is a text */
	u64 constant, bias;		/* bias: the sign bit, which is turned in both; of a text the constant is its length */
	u64 letters[TEXT];
};

struct plan {
	u32 entry_values, return_values, entry_conditions, conditions;
	u32 returns, kept, size, spare;	/* whether returns are seen; bytes of a frame; bytes of a record */
	u64 slower;			/* nanoseconds that a call takes at least */
	struct value values[2 * VALUES];
	struct condition condition[CONDITIONS];
};

struct record {
	u64 start, took;	/* of a frame, in place of `took`: twice its turn, and whether it is to become a record */
	u64 thread, goroutine;
	u64 comm[2];
	u32 function, unreadable;	/* one bit for each value */
	u64 cells[CELLS + 1];	/* numbers, and texts after their lengths; one more, where a text's longest may end */
};

struct key {
	u64 cells[CELLS + 1];
};

struct slot {
	u64 busy;
	u64 registers[REGISTERS + 1];	/* and one that is always 0 */
	struct record record;
};

BPF_F_TABLE("array", u32, struct row, stats, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, control, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct plan, plans, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct slot, slots, 1, 0);
BPF_F_TABLE("hash", struct place, struct record, frames, 1, 0);
BPF_F_TABLE("hash", struct key, u64, counts, 1, 0);
BPF_RINGBUF_OUTPUT(ring, 1);

INLINE struct slot *take_slot(void)
{
	u32 first = bpf_get_smp_processor_id() * SLOTS;

	for (int i = 0; i < SLOTS; i++) {
		u32 index = first + i;
		struct slot *slot = slots.lookup(&index);
		u64 busy = 1;

		if (!slot)
			return NULL;
		EXCHANGE(&slot->busy, busy);
		if (!busy)
			return slot;
	}
	return NULL;
}

INLINE void give_back(struct slot *slot)
{
	u64 busy = 0;

	EXCHANGE(&slot->busy, busy);
}

/* Nonzero where it can't be read. */
INLINE long follow(u64 *word, struct slot *slot, struct fetch *fetch, u32 size)
{
	u32 reg = fetch->reg, index = fetch->index, steps = fetch->steps;

	if (reg > REGISTERS || index > REGISTERS)
		return -1;
	*word = (slot->registers[reg] >> fetch->shift) + (slot->registers[index] << fetch->scale);
	if (!steps)
		*word += fetch->offsets[0];
#pragma unroll
	for (u32 i = 0; i < STEPS; i++) {
		if (i >= steps)
			continue;
		u64 address = *word + fetch->offsets[i], bytes = i + 1 < steps ? 8 : size;

		*word = 0;
		FORGET(bytes);
		if (bytes > 8 || bpf_probe_read_user(word, bytes, (void *)address))
			return -1;
	}
	return 0;
}

/* Puts a value into its cells, which are 0 where it can't be read; then the result is nonzero. */
INLINE long read_value(struct slot *slot, struct value *value)
{
	u64 word = 0, length = 0;
	u32 cell = value->cell, kind = value->kind, shift = value->shift;
	u64 *cells = slot->record.cells;

	if (kind == NUMBER || kind == SIGNED) {
		if (cell >= CELLS)
			return -1;
		cells[cell] = 0;
		if (follow(&word, slot, &value->at, value->size))
			return -1;
		cells[cell] = kind == SIGNED ? (u64)((s64)(word << shift) >> shift) : word << shift >> shift;
		return 0;
	}
	if (cell >= CELLS - TEXT)
		return -1;
	char *text = (char *)&cells[cell + 1];

#pragma unroll
	for (int i = 0; i <= TEXT; i++)
		cells[cell + i] = 0;
	if (follow(&word, slot, &value->at, 8))
		return -1;
	if (kind == C_TEXT) {
		if (!word) {
			cells[cell] = NO_TEXT;
			return 0;
		}
		/* One byte more than fits tells what is longer; it falls into the next value, which comes later. */
		long with_end = bpf_probe_read_user_str(text, 8 * TEXT + 1, (void *)word);

		if (with_end < 0)
			return -1;
		text[8 * TEXT - 1] = 0;
		cells[cell] = with_end ? with_end - 1 : 0;	/* of an empty one 6.1 says 0, 6.18 says 1 */
		return 0;
	}
	if (follow(&length, slot, &value->length, value->size) || length >> 63)
		return -1;
	u64 most = length < 8 * TEXT - 1 ? length : 8 * TEXT - 1;

	FORGET(most);
	most &= 8 * TEXT - 1;
	if (most && bpf_probe_read_user(text, most, (void *)word))
		return -1;
	cells[cell] = length;
	return 0;
}

INLINE bool fulfils(struct record *record, struct condition *condition)
{
	u32 cell = condition->cell, accepts = condition->accepts;

	if (record->unreadable >> (condition->value & 31) & 1 || cell >= CELLS)
		return false;
	u64 found = record->cells[cell] ^ condition->bias, wanted = condition->constant;

	if (condition->text && found == wanted && cell < CELLS - TEXT) {
		bool same = true;

#pragma unroll
		for (int i = 0; i < TEXT; i++)
			same &= record->cells[cell + 1 + i] == condition->letters[i];
		return accepts & (same ? EQUAL : LESS);
	}
	if (accepts & BITS)
		return found & wanted;
	return accepts & (found < wanted ? LESS : found > wanted ? MORE : EQUAL);
}

INLINE void read_values(struct slot *slot, struct plan *plan, bool returning)
{
	u32 base = returning ? VALUES : 0, values = returning ? plan->return_values : plan->entry_values;

	for (u32 i = 0; i < VALUES; i++) {
		u32 at = base + i;

		FORGET(at);
		if (i < values && at < 2 * VALUES && read_value(slot, &plan->values[at]))
			slot->record.unreadable |= 1 << at;
	}
}

INLINE bool fulfils_all(struct record *record, struct plan *plan, bool returning)
{
	u32 from = returning ? plan->entry_conditions : 0, to = returning ? plan->conditions : plan->entry_conditions;
	bool all = !returning || record->took >= plan->slower;

	for (u32 i = 0; i < CONDITIONS; i++)
		if (i >= from && i < to && !fulfils(record, &plan->condition[i]))
			all = false;
	return all;
}

INLINE void record_trace(struct row *row, struct record *record, u32 size)
{
	if (size > sizeof *record || ring.ringbuf_output(record, size, 0))
		__sync_fetch_and_add(&row->dropped, 1);
}

INLINE void record_table(struct row *row, struct record *record)
{
	struct key *key = (struct key *)&record->function;
	u64 none = 0, *count = counts.lookup(key);

	if (!count) {
		counts.insert(key, &none);
		count = counts.lookup(key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		__sync_fetch_and_add(&row->dropped, 1);
}

INLINE int hit(struct pt_regs *ctx, bool table)
{
	u64 now = bpf_ktime_get_ns();
	CONSTANT(tgid, 0x7467696474676964);	/* only this process; 0: the link filters */
	u64 thread = bpf_get_current_pid_tgid(), cookie = bpf_get_attach_cookie(ctx);
	u32 zero = 0, function = cookie;
	bool returning = cookie & RETURN;

	if (tgid && thread >> 32 != tgid)
		return 0;
	u64 *cell = control.lookup(&zero);
	RUNNING(counted, cell, thread);
	struct row *row = stats.lookup(&function);
	struct plan *plan = plans.lookup(&function);

	if (!row || !plan)
		return 0;
	u64 turn = *(volatile u64 *)&row->turn;

	if (turn & OFF)
		return 0;
	struct place place = place_of(ctx, thread, cookie);
	struct record *frame = NULL;
	u32 kept = plan->kept;

	if (plan->returns)
		frame = frames.lookup(&place);
	if (frame && (!returning || frame->took >> 1 != turn)) {	/* that call hasn't returned, or wasn't seen to */
		if (frame->took & 1)
			__sync_fetch_and_add(&row->left, 1);
		if (returning) {
			frames.delete(&place);
			frame = NULL;
		}
	}
	if (returning) {
		if (counted)
			__sync_fetch_and_add(&row->returns, 1);
		if (!frame) {
			if (counted)
				__sync_fetch_and_add(&row->strays, 1);
			return 0;
		}
		if (!(frame->took & 1)) {
			frames.delete(&place);
			return 0;
		}
	} else {
		if (counted)
			__sync_fetch_and_add(&row->calls, 1);
		else if (!plan->returns)
			return 0;
	}

	struct slot *slot = take_slot();

	if (!slot) {
		if (returning || counted)
			__sync_fetch_and_add(&row->lost, 1);
		if (frame)
			frames.delete(&place);
		return 0;
	}
	struct record *record = &slot->record;

#pragma unroll
	for (int i = 0; i < REGISTERS; i++)
		slot->registers[i] = ((u64 *)ctx)[i];
	if (returning) {
		if (kept <= sizeof *record)
			bpf_probe_read_kernel(record, kept, frame);
		frames.delete(&place);
		record->took = now - record->start;
		if (cookie & URETPROBE)
			slot->registers[REGISTERS - 1] -= POPPED;
	} else {
		record->start = now;
		record->took = 0;
		record->thread = thread;
		record->goroutine = cookie & GO ? GOROUTINE(ctx) : 0;
		if (!table)
			bpf_get_current_comm(record->comm, sizeof record->comm);
		record->function = function;
		record->unreadable = 0;
	}
	read_values(slot, plan, returning);

	bool wanted = fulfils_all(record, plan, returning);

	if (counted && !wanted)
		__sync_fetch_and_add(&row->filtered, 1);
	wanted = wanted && counted;
	if (!returning && plan->returns) {
		record->took = turn << 1 | wanted;
		record->start = bpf_ktime_get_ns();
		if (frames.update(&place, record)) {
			frames.delete(&place);
			if (wanted)
				__sync_fetch_and_add(&row->lost, 1);
		}
	} else if (wanted && table) {
		record_table(row, record);
	} else if (wanted) {
		record_trace(row, record, plan->size);
	}
	give_back(slot);
	return 0;
}

int trace(struct pt_regs *ctx) { return hit(ctx, false); }

int table(struct pt_regs *ctx) { return hit(ctx, true); }
