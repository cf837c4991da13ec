/*
 * A ring under observation. See model.h.
 */
#include "model.h"

#include "faults.h"

#include <errno.h>

#define SLOT_MASK ((1u << RW_HANDLE_SLOT_BITS) - 1)

/* RINGWIRE_FUZZ_TRACE=1 tells what happens, for whoever reads a finding. */
#define TRACE(...) \
	do { \
		if (is_traced()) \
			fprintf(stderr, __VA_ARGS__); \
	} while (0)

static bool is_traced(void)
{
	static int known = -1;

	if (known < 0)
		known = getenv("RINGWIRE_FUZZ_TRACE") != NULL;
	return known;
}

static struct slot *find(struct model *model, uint32_t handle)
{
	uint32_t index = handle & SLOT_MASK;

	if (index >= model->layout.connections || model->slots[index].state == SLOT_FREE ||
	    model->slots[index].handle != handle)
		return NULL;
	return &model->slots[index];
}

/* A handle that the shim gives out: well formed, and its slot free as far as anybody was told. */
static struct slot *claim(struct model *model, uint32_t handle, enum slot_state state)
{
	uint32_t index = handle & SLOT_MASK;

	REQUIRE(handle >> RW_HANDLE_SLOT_BITS != 0, "handle %08x has no generation", handle);
	REQUIRE(index < model->layout.connections, "handle %08x is beyond the table", handle);
	REQUIRE(model->slots[index].state == SLOT_FREE, "handle %08x takes the slot of %08x", handle,
		model->slots[index].handle);
	model->slots[index] = (struct slot){ .state = state, .handle = handle };
	return &model->slots[index];
}

int32_t model_open(struct model *model, const struct layout *layout, bool is_at_end)
{
	int32_t result;

	REQUIRE(layout->connections <= SLOTS_MAX && layout->events <= EVENTS_MAX, "layout too large for the harness");
	*model = (struct model){ .layout = *layout };
	block_open(&model->block, layout, is_at_end);
	faults_resume();
	result = rw_ring_open(model->block.bytes, model->block.size);
	model->may_fail = faults_stop() > 0;
	REQUIRE(result > 0 || model->may_fail, "rw_ring_open: %d: %.*s", result,
		(int)block_control(&model->block)[RW_FIELD_TEXT_BYTES], (char *)model->block.bytes + RW_TEXT_OFFSET);
	if (result <= 0) {
		block_close(&model->block);
		return result;
	}
	model->id = (uint32_t)result;
	block_read_parts(&model->block);
	return result;
}

void model_abandon(struct model *model)
{
	REQUIRE(rw_turn(model->id, 0, 0, 0) == -EINVAL, "a ring outlives its thread");
	block_close(&model->block);
}

void model_close(struct model *model)
{
	uint64_t begin = ground_cpu_ns();
	int32_t result;

	block_remember(&model->block);
	faults_resume();
	result = rw_ring_close(model->id);
	if (faults_stop() > 0)
		model->may_fail = true;
	REQUIRE(result == 0, "rw_ring_close: %d", result);
	block_require_unchanged(&model->block, NULL, 0);
	/* 200 ms is for what the kernel cannot finish; nothing here is of that kind. */
	REQUIRE(model->may_fail || ground_cpu_ns() - begin < 150000000, "rw_ring_close ran out of patience");
	REQUIRE(rw_ring_close(model->id) == -EINVAL, "a ring is closed twice");
	block_close(&model->block);
}

static struct rw_event event_at(const struct model *model, uint32_t index)
{
	struct rw_event event;

	memcpy(&event, model->block.bytes + model->block.events.offset + 16 * index, sizeof event);
	return event;
}

static void received(struct model *model, struct slot *slot, const struct rw_event *event)
{
	struct range range = { event->a, event->b }, arena = slot->is_tls ? model->block.plain : model->block.receive;

	REQUIRE(slot->state == SLOT_OPEN && !slot->has_ended, "RECEIVED for %08x, state %d", event->handle, slot->state);
	REQUIRE(!slot->is_close_asked, "RECEIVED for %08x after CLOSE", event->handle);
	REQUIRE(range.bytes > 0 && range.offset >= arena.offset && range.bytes <= arena.bytes &&
		range.offset - arena.offset <= arena.bytes - range.bytes, "RECEIVED %u+%u is outside of the arena",
		range.offset, range.bytes);
	for (uint32_t i = 0; i < model->told_count; i++)
		REQUIRE(model->told[i].offset + model->told[i].bytes <= range.offset ||
			range.offset + range.bytes <= model->told[i].offset, "RECEIVED %u+%u overlaps %u+%u",
			range.offset, range.bytes, model->told[i].offset, model->told[i].bytes);
	model->told[model->told_count++] = range;
	stream_read(&slot->reader, model->block.bytes + range.offset, range.bytes, "ring");
}

static void ended(struct slot *slot)
{
	REQUIRE(slot->state == SLOT_OPEN && !slot->has_ended && !slot->is_close_asked, "ENDED for %08x", slot->handle);
	slot->has_ended = true;
	if (slot->reader.number != 0 && stream_at(slot->reader.number)->is_peers)
		REQUIRE(slot->reader.position == stream_at(slot->reader.number)->sent,
			"stream %u ended at %llu, %llu were sent", slot->reader.number,
			(unsigned long long)slot->reader.position,
			(unsigned long long)stream_at(slot->reader.number)->sent);
}

static bool is_error(uint32_t error, bool is_tls)
{
	return error < 134 || (is_tls && error >= RW_TLS_ERROR_EXPIRED && error <= RW_TLS_ERROR_KEY_UPDATE);
}

static void closed(struct model *model, struct slot *slot, const struct rw_event *event)
{
	REQUIRE(is_error(event->a, slot->is_tls), "CLOSED with %u", event->a);
	REQUIRE(event->a != 0 || slot->is_close_asked, "%08x closed in order, but nobody asked", slot->handle);
	REQUIRE(event->a != ENOMEM || model->may_fail, "CLOSED with ENOMEM");
	REQUIRE(event->a != EIO, "the kernel's account of buffers and the shim's differ");
	if (slot->stream != 0 && event->a == 0 && !slot->is_abort_asked)
		stream_at(slot->stream)->is_whole = true;
	slot->state = SLOT_FREE;
}

static void handle_event(struct model *model, uint32_t index)
{
	struct rw_event event = event_at(model, index);
	struct slot *slot = find(model, event.handle);

	TRACE("  event %u %08x %u %u\n", event.kind, event.handle, event.a, event.b);
	if (event.kind == RW_EVENT_ACCEPTED) {
		struct slot *listener = find(model, event.a);
		REQUIRE(listener && listener->state == SLOT_LISTENING, "ACCEPTED by %08x, which does not listen", event.a);
		slot = claim(model, event.handle, SLOT_OPEN);
		slot->is_tls = listener->is_tls;
		if (model->accepted)
			model->accepted(model, slot, listener);
		return;
	}
	REQUIRE(slot, "event %u for %08x, which is not there", event.kind, event.handle);
	REQUIRE((slot->state == SLOT_LISTENING) == (event.kind == RW_EVENT_ACCEPT_FAILED), "event %u for a %s", event.kind,
		slot->state == SLOT_LISTENING ? "listener" : "connection");
	switch (event.kind) {
	case RW_EVENT_CONNECTED:
		REQUIRE(slot->state == SLOT_CONNECTING && !slot->is_close_asked, "CONNECTED for %08x", event.handle);
		slot->state = SLOT_OPEN;
		break;
	case RW_EVENT_RECEIVED:
		received(model, slot, &event);
		break;
	case RW_EVENT_STAMP:
		REQUIRE(model->layout.wanted, "STAMP for %08x, which nobody has asked for", event.handle);
		REQUIRE(slot->state == SLOT_OPEN && !slot->has_ended && !slot->is_close_asked, "STAMP for %08x, state %d",
			event.handle, slot->state);
		break;
	case RW_EVENT_ENDED:
		ended(slot);
		break;
	case RW_EVENT_QUEUED:
		REQUIRE(event.a <= model->layout.max_queued, "QUEUED tells %u of at most %u", event.a,
			model->layout.max_queued);
		slot->told_queued = event.a;
		slot->is_queued_told = true;
		break;
	case RW_EVENT_CLOSED:
		closed(model, slot, &event);
		break;
	case RW_EVENT_ACCEPT_FAILED:
		REQUIRE(event.a > 0 && is_error(event.a, slot->is_tls), "ACCEPT_FAILED with %u", event.a);
		break;
	default:
		REQUIRE(false, "event of unknown kind %u", event.kind);
	}
}

/* The table of queued bytes is true after every turn. */
static void check_queued(struct model *model)
{
	bool has_room = model->event_count + 4 < model->layout.events;
	uint64_t total = 0;

	for (uint32_t i = 0; i < model->layout.connections; i++) {
		struct slot *slot = &model->slots[i];
		uint64_t sent = slot->stream ? stream_at(slot->stream)->sent : 0;
		uint32_t word;

		if (slot->state == SLOT_FREE || slot->state == SLOT_LISTENING)
			continue;
		memcpy(&word, model->block.bytes + model->block.queued.offset + 4 * i, sizeof word);
		if (word == RW_QUEUED_GONE) {
			slot->is_gone = true;
			continue;
		}
		REQUIRE(!slot->is_gone, "%08x was gone and is back", slot->handle);
		REQUIRE(!slot->is_abort_asked, "%08x was aborted and is not gone", slot->handle);
		/* What TLS adds has no simple measure. */
		REQUIRE(word <= model->layout.max_queued && (word <= sent || slot->is_tls), "%u bytes of %08x are queued, %llu were sent", word,
			slot->handle, (unsigned long long)sent);
		/* Every change is told while there is room, so the last notice of a turn is the state. */
		REQUIRE(!slot->is_queued_told || !has_room || word == slot->told_queued, "%08x has %u bytes queued, told was %u",
			slot->handle, word, slot->told_queued);
		slot->is_queued_told = false;
		total += word;
	}
	REQUIRE(total <= (uint64_t)model->layout.max_queued_total_kib << 10, "%llu bytes are queued in all",
		(unsigned long long)total);
}

static struct rw_command command_at(const struct model *model, uint32_t index)
{
	struct rw_command command;

	memcpy(&command, model->block.before + model->block.commands.offset + 16 * index, sizeof command);
	return command;
}

static bool is_garbage(const struct model *model, const struct rw_command *command)
{
	struct range arena = model->block.send;

	if (command->op == RW_COMMAND_SEND)
		return command->a < arena.offset || (uint64_t)command->a + command->b > (uint64_t)arena.offset + arena.bytes;
	return command->op < RW_COMMAND_SEND || command->op > RW_COMMAND_RESUME ||
	       (command->op == RW_COMMAND_CLOSE && command->a > RW_CLOSE_ABORT);
}

/* What the records asked for, in the ledger: before the events of that turn are looked at. */
static void book_commands(struct model *model)
{
	for (uint32_t i = 0; i < model->command_count; i++) {
		struct rw_command command = command_at(model, i);
		struct slot *slot = find(model, command.handle);

		if (!slot || slot->state == SLOT_LISTENING || is_garbage(model, &command))
			continue;
		if (command.op == RW_COMMAND_CLOSE) {
			slot->is_close_asked = true;
			slot->is_abort_asked = slot->is_abort_asked || command.a == RW_CLOSE_ABORT;
		} else if (command.op == RW_COMMAND_END) {
			slot->is_end_asked = true;
		} else if (command.op == RW_COMMAND_SEND && slot->stream && !slot->is_close_asked && !slot->is_end_asked) {
			stream_at(slot->stream)->promised += command.b;
		}
	}
	model->command_count = model->send_used = 0;
}

static bool has_garbage(const struct model *model)
{
	for (uint32_t i = 0; i < model->command_count; i++) {
		struct rw_command command = command_at(model, i);
		if (is_garbage(model, &command))
			return true;
	}
	return false;
}

/* Event records and received bytes that the caller was told of stand until a recycling turn. */
static void require_kept(const struct model *model)
{
	struct range kept[EVENTS_MAX + 1];
	uint32_t count = model->told_count;

	memcpy(kept, model->told, count * sizeof *kept);
	kept[count++] = (struct range){ model->block.events.offset, 16 * model->event_count };
	block_require_unchanged(&model->block, kept, count);
}

/* One call of rw_turn. Returns true when its events are still to be told: by the next turn that does not recycle. */
static bool take_turn(struct model *model, uint32_t flags, int32_t wait_us)
{
	uint32_t turns = block_control(&model->block)[RW_FIELD_STAT_TURNS];
	bool is_garbage_there, is_park_refused;
	int32_t result;

	block_remember(&model->block);
	is_garbage_there = has_garbage(model);
	faults_resume();
	result = rw_turn(model->id, model->command_count, flags, wait_us);
	if (faults_stop() > 0)
		model->may_fail = true;
	TRACE("ring %u: turn of %u commands, flags %u, wait %d: %d\n", model->id, model->command_count, flags, wait_us, result);
	/* A failure between turns can have broken the ring. */
	if (!model->broken && model->may_fail && result < 0 && block_control(&model->block)[RW_FIELD_STAT_TURNS] == turns)
		model->broken = result;
	if (model->broken) {
		REQUIRE(result == model->broken, "a broken ring answers %d, then %d", model->broken, result);
		model->command_count = model->send_used = 0;
		block_require_untouched(&model->block);
		return false;
	}
	REQUIRE(block_control(&model->block)[RW_FIELD_STAT_TURNS] == turns + 1, "turns are not counted");
	if (flags & RW_TURN_RECYCLE)
		model->event_count = model->told_count = 0;
	require_kept(model);
	book_commands(model);
	if (result < 0) {
		is_park_refused = (flags & RW_TURN_PARK) && (result == -ENOTCONN || result == -ENOTSUP);
		REQUIRE(result != -EBADMSG || is_garbage_there, "-EBADMSG for clean commands");
		REQUIRE(result == -EBADMSG || is_park_refused || model->may_fail, "rw_turn: %d", result);
		return true;
	}
	REQUIRE(!is_garbage_there, "garbage commands went through");
	REQUIRE((uint32_t)result >= model->event_count && (uint32_t)result <= model->layout.events,
		"rw_turn tells of %d events, %u were there", result, model->event_count);
	while (model->event_count < (uint32_t)result)
		handle_event(model, model->event_count++);
	check_queued(model);
	return false;
}

void model_turn(struct model *model, uint32_t flags, int32_t wait_us)
{
	if (take_turn(model, flags, wait_us))
		while (take_turn(model, 0, 0))
			;
}

bool model_has_room(const struct model *model)
{
	return model->command_count < model->layout.commands;
}

void model_command(struct model *model, uint32_t op, uint32_t handle, uint32_t a, uint32_t b)
{
	struct rw_command command = { op, handle, a, b };

	if (!model_has_room(model))
		return;
	TRACE("  command %u %08x %u %u\n", op, handle, a, b);
	memcpy(model->block.bytes + model->block.commands.offset + 16 * model->command_count++, &command, sizeof command);
}

void model_send(struct model *model, struct slot *slot, uint32_t bytes)
{
	uint32_t offset = model->block.send.offset + model->send_used;
	struct stream *stream;

	if (!model_has_room(model) || bytes > model->block.send.bytes - model->send_used)
		return;
	if (slot->stream == 0)
		slot->stream = stream_new(false);
	if (slot->stream == 0)
		return;
	stream = stream_at(slot->stream);
	stream_fill(slot->stream, stream->sent, model->block.bytes + offset, bytes);
	stream->sent += bytes;
	model->send_used += bytes;
	model_command(model, RW_COMMAND_SEND, slot->handle, offset, bytes);
}

int32_t model_call(struct model *model, int32_t (*call)(uint32_t id, uint32_t a, uint32_t b), uint32_t a, uint32_t b)
{
	int32_t result;

	block_remember(&model->block);
	faults_resume();
	result = call(model->id, a, b);
	if (faults_stop() > 0)
		model->may_fail = true;
	TRACE("ring %u: call with %08x %u: %d, handle %08x\n", model->id, a, b, result,
	      block_control(&model->block)[RW_FIELD_HANDLE]);
	require_kept(model);
	return result;
}

static int32_t call_listen(uint32_t id, uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return rw_listen(id);
}

static int32_t call_connect(uint32_t id, uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return rw_connect(id);
}

static int32_t call_unlisten(uint32_t id, uint32_t a, uint32_t b)
{
	(void)b;
	return rw_unlisten(id, a);
}

static bool has_tls(const struct model *model)
{
	struct rw_endpoint endpoint;

	memcpy(&endpoint, model->block.bytes + RW_ENDPOINT_OFFSET, sizeof endpoint);
	return endpoint.tls_context != 0;
}

int32_t model_listen(struct model *model, uint32_t tag)
{
	int32_t result = model_call(model, call_listen, 0, 0);
	struct slot *slot;

	if (result == 0) {
		slot = claim(model, block_control(&model->block)[RW_FIELD_HANDLE], SLOT_LISTENING);
		slot->tag = tag;
		slot->is_tls = has_tls(model);
	}
	return result;
}

int32_t model_connect(struct model *model)
{
	int32_t result = model_call(model, call_connect, 0, 0);

	if (result == 0)
		claim(model, block_control(&model->block)[RW_FIELD_HANDLE], SLOT_CONNECTING)->is_tls = has_tls(model);
	return result;
}

int32_t model_unlisten(struct model *model, struct slot *slot)
{
	int32_t result = model_call(model, call_unlisten, slot->handle, 0);

	REQUIRE(result == (slot->state == SLOT_LISTENING ? 0 : -EBADF), "rw_unlisten: %d", result);
	if (slot->state == SLOT_LISTENING)
		slot->state = SLOT_FREE;
	return result;
}

static bool is_of(const struct slot *slot, enum slot_state state)
{
	return slot->state == state || (state == SLOT_OPEN && slot->state == SLOT_CONNECTING);
}

uint32_t model_count(const struct model *model, enum slot_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->layout.connections; i++)
		count += is_of(&model->slots[i], state);
	return count;
}

struct slot *model_pick(struct model *model, enum slot_state state, uint32_t n)
{
	uint32_t count = model_count(model, state);

	if (count == 0)
		return NULL;
	n %= count;
	for (uint32_t i = 0; i < model->layout.connections; i++)
		if (is_of(&model->slots[i], state) && n-- == 0)
			return &model->slots[i];
	return NULL;
}
