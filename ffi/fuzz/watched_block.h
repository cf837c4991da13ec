/*
 * The block between JavaScript and C, with a watch on it. The kernel's writes into it are invisible to
 * AddressSanitizer, so the memory around it faults, and what C and the kernel have no business to change is compared
 * with a copy.
 */
#ifndef RINGWIRE_FUZZ_WATCHED_BLOCK_H
#define RINGWIRE_FUZZ_WATCHED_BLOCK_H

#include "fuzz.h"
#include "ringwire.h"

#define WATCHED_RANGES_MAX 6

struct range {
	uint32_t offset, bytes;
};

struct block {
	uint8_t *bytes;
	uint32_t size;
	uint8_t *mapping;
	size_t mapping_bytes;
	size_t slack;                /* between the fault page in front and the block */
	uint8_t *before;             /* what the block held before the call */
	struct range commands, events, queued, receive, plain, send; /* plain: of TLS, may be empty */
};

/* A layout as JavaScript would choose one, with gaps between the parts. Zero offsets are filled in by block_open. */
struct layout {
	uint32_t commands, events, buffer_bytes, buffers, send_bytes, connections;
	uint32_t max_queued, max_queued_total_kib, entries, disabled, wanted, plain_bytes;
};

/* Maps the block and writes its control page. is_at_end: the block ends right before the fault page, with the least
 * alignment that is promised; otherwise it begins on a page. */
void block_open(struct block *block, const struct layout *layout, bool is_at_end);
void block_close(struct block *block);
uint32_t *block_control(struct block *block);

/* Reads where the parts are from the control page, after a ring was opened over it: they must be apart. */
void block_read_parts(struct block *block);

/* Before a call of the shim: remembers what stands in the block. */
void block_remember(struct block *block);
/* After it: commands, send arena, the gaps and the fields of JavaScript stand as before; so do `kept` ranges (of the
 * receive arena and the events), which are in JavaScript's hands. */
void block_require_unchanged(const struct block *block, const struct range *kept, size_t kept_count);
/* The same when nothing at all may have changed, except the words that C counts in. */
void block_require_untouched(const struct block *block);

#endif
