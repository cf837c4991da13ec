/*
 * Watching the block. See watched_block.h.
 */
#include "watched_block.h"

#include <sys/mman.h>

#define PAGE 4096u
#define FILL 0xa5
/* Left unused between the parts, to be found unchanged. */
#define GAP 192u

static uint32_t round_up(uint32_t value, uint32_t multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

uint32_t *block_control(struct block *block)
{
	return (uint32_t *)block->bytes;
}

/* Alignment of block->bytes is 8 at the end of a mapping: read words by copying where it matters. */
static uint32_t field(const struct block *block, uint32_t index)
{
	uint32_t value;

	memcpy(&value, block->bytes + 4 * index, sizeof value);
	return value;
}

static void map(struct block *block, bool is_at_end)
{
	uint32_t pages = round_up(block->size, PAGE);

	block->mapping_bytes = (size_t)pages + 2 * PAGE;
	block->mapping = mmap(NULL, block->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(block->mapping != MAP_FAILED, "no memory for the harness");
	REQUIRE(mprotect(block->mapping + PAGE, pages, PROT_READ | PROT_WRITE) == 0, "mprotect");
	block->slack = is_at_end ? pages - block->size : 0;
	block->bytes = block->mapping + PAGE + block->slack;
	block->before = malloc(block->size);
	REQUIRE(block->before, "no memory for the harness");
	memset(block->mapping + PAGE, FILL, pages);
}

void block_open(struct block *block, const struct layout *layout, bool is_at_end)
{
	uint32_t commands = RW_CONTROL_BYTES + (is_at_end ? 0 : GAP);
	uint32_t events = round_up(commands + 16 * layout->commands + GAP, 64);
	uint32_t queued = round_up(events + 16 * layout->events + GAP, 4);
	uint32_t receive = round_up(queued + 4 * layout->connections + GAP, PAGE);
	uint32_t plain = round_up(receive + layout->buffer_bytes * layout->buffers + (is_at_end ? 0 : GAP), 64);
	uint32_t send = round_up(plain + layout->plain_bytes + (layout->plain_bytes && !is_at_end ? GAP : 0), 64);
	uint32_t *control;

	*block = (struct block){ .size = round_up(send + layout->send_bytes, 8) };
	map(block, is_at_end);
	memset(block->bytes, 0, RW_CONTROL_BYTES);
	control = block_control(block);
	control[RW_FIELD_ABI_VERSION] = RW_ABI_VERSION;
	control[RW_FIELD_BLOCK_BYTES] = block->size;
	control[RW_FIELD_COMMAND_OFFSET] = commands;
	control[RW_FIELD_COMMAND_COUNT] = layout->commands;
	control[RW_FIELD_EVENT_OFFSET] = events;
	control[RW_FIELD_EVENT_COUNT] = layout->events;
	control[RW_FIELD_QUEUED_OFFSET] = queued;
	control[RW_FIELD_RECEIVE_OFFSET] = receive;
	control[RW_FIELD_RECEIVE_BUFFER_BYTES] = layout->buffer_bytes;
	control[RW_FIELD_RECEIVE_BUFFER_COUNT] = layout->buffers;
	control[RW_FIELD_PLAIN_OFFSET] = plain;
	control[RW_FIELD_PLAIN_BYTES] = layout->plain_bytes;
	control[RW_FIELD_SEND_OFFSET] = send;
	control[RW_FIELD_SEND_BYTES] = layout->send_bytes;
	control[RW_FIELD_MAX_CONNECTIONS] = layout->connections;
	control[RW_FIELD_MAX_QUEUED_BYTES] = layout->max_queued;
	control[RW_FIELD_MAX_QUEUED_TOTAL_KIB] = layout->max_queued_total_kib;
	control[RW_FIELD_SUBMISSION_ENTRIES] = layout->entries;
	control[RW_FIELD_DISABLED_FEATURES] = layout->disabled;
	control[RW_FIELD_WANTED_FEATURES] = layout->wanted;
}

void block_close(struct block *block)
{
	for (size_t i = 0; i < block->slack; i++)
		REQUIRE(block->mapping[PAGE + i] == FILL, "written %zu bytes in front of the block", block->slack - i);
	munmap(block->mapping, block->mapping_bytes);
	free(block->before);
	*block = (struct block){ 0 };
}

static void require_apart(struct range a, struct range b)
{
	REQUIRE(a.offset + (uint64_t)a.bytes <= b.offset || b.offset + (uint64_t)b.bytes <= a.offset,
		"a ring opened over parts that overlap: %u+%u and %u+%u", a.offset, a.bytes, b.offset, b.bytes);
}

void block_read_parts(struct block *block)
{
	struct range *parts[] = { &block->commands, &block->events, &block->queued, &block->receive, &block->send, &block->plain };
	const size_t count = sizeof parts / sizeof *parts - (field(block, RW_FIELD_PLAIN_BYTES) == 0);

	block->plain = (struct range){ field(block, RW_FIELD_PLAIN_OFFSET), field(block, RW_FIELD_PLAIN_BYTES) };
	block->commands = (struct range){ field(block, RW_FIELD_COMMAND_OFFSET), 16 * field(block, RW_FIELD_COMMAND_COUNT) };
	block->events = (struct range){ field(block, RW_FIELD_EVENT_OFFSET), 16 * field(block, RW_FIELD_EVENT_COUNT) };
	block->queued = (struct range){ field(block, RW_FIELD_QUEUED_OFFSET), 4 * field(block, RW_FIELD_MAX_CONNECTIONS) };
	block->receive = (struct range){ field(block, RW_FIELD_RECEIVE_OFFSET),
		field(block, RW_FIELD_RECEIVE_BUFFER_BYTES) * field(block, RW_FIELD_RECEIVE_BUFFER_COUNT) };
	block->send = (struct range){ field(block, RW_FIELD_SEND_OFFSET), field(block, RW_FIELD_SEND_BYTES) };
	for (size_t i = 0; i < count; i++) {
		REQUIRE(parts[i]->offset >= RW_CONTROL_BYTES && parts[i]->offset + (uint64_t)parts[i]->bytes <= block->size,
			"a ring opened over a part outside of the block: %u+%u", parts[i]->offset, parts[i]->bytes);
		for (size_t j = 0; j < i; j++)
			require_apart(*parts[i], *parts[j]);
	}
}

void block_remember(struct block *block)
{
	memcpy(block->before, block->bytes, block->size);
}

static void require_same(const struct block *block, uint32_t from, uint32_t to)
{
	if (from >= to || memcmp(block->bytes + from, block->before + from, to - from) == 0)
		return;
	for (uint32_t at = from; at < to; at++)
		REQUIRE(block->bytes[at] == block->before[at], "byte %u of the block changed from %02x to %02x", at,
			block->before[at], block->bytes[at]);
}

/* The fields and texts of the control page that C writes. */
static const struct range written_in_control[] = {
	{ 4 * RW_FIELD_FEATURES, 4 * (RW_FIELD_HANDLE - RW_FIELD_FEATURES + 1) },
	{ 4 * RW_FIELD_CLOCK_LOW, 4 * (RW_FIELD_CLOCK_HIGH - RW_FIELD_CLOCK_LOW + 1) },
	{ 4 * RW_FIELD_STAT_TURNS, 4 * (RW_FIELD_STAT_RESUMPTIONS - RW_FIELD_STAT_TURNS + 1) },
	{ RW_TEXT_OFFSET, RW_TEXT_MAX_BYTES },
};

static void require_control_unchanged(const struct block *block)
{
	uint32_t at = 0;

	for (size_t i = 0; i < sizeof written_in_control / sizeof *written_in_control; i++) {
		require_same(block, at, written_in_control[i].offset);
		at = written_in_control[i].offset + written_in_control[i].bytes;
	}
	require_same(block, at, RW_CONTROL_BYTES);
}

void block_require_unchanged(const struct block *block, const struct range *kept, size_t kept_count)
{
	const struct range *written[] = { &block->events, &block->queued, &block->receive, &block->plain };
	uint32_t at = RW_CONTROL_BYTES;

	require_control_unchanged(block);
	while (at < block->size) {
		const struct range *next = NULL;

		for (size_t i = 0; i < sizeof written / sizeof *written; i++)
			if (written[i]->bytes > 0 && written[i]->offset >= at && (!next || written[i]->offset < next->offset))
				next = written[i];
		require_same(block, at, next ? next->offset : block->size);
		at = next ? next->offset + next->bytes : block->size;
	}
	for (size_t i = 0; i < kept_count; i++)
		require_same(block, kept[i].offset, kept[i].offset + kept[i].bytes);
}

void block_require_untouched(const struct block *block)
{
	require_control_unchanged(block);
	require_same(block, RW_CONTROL_BYTES, block->size);
}
