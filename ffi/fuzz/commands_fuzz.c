/*
 * Fuzz target: a control page and command records of random bytes. The page begins as JavaScript would write it and has
 * fields overwritten; where it is taken all the same, records of random bytes go to a ring with real connections.
 * Nothing is asked of the bytes that arrive; the memory around the block and what belongs to JavaScript must stand.
 */
#include "watched_block.h"

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 4
#define TURNS_MAX 40

struct session {
	struct input input;
	struct block block;
	uint32_t id;
	uint32_t handles[32];      /* seen in events, dead or alive */
	uint32_t handle_count;
	uint32_t event_count;
	int peers[PEERS];
};

static const uint32_t edges[] = {
	0, 1, 2, 8, 15, 16, 17, 63, 64, 4095, 4096, 4097, 8192, 32768, 65535, 65536, 65537, 1u << 20, (1u << 20) - 1,
	0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
};

static void damage_page(struct session *session)
{
	uint32_t *control = block_control(&session->block);

	for (uint8_t changes = input_u8(&session->input) % 6; changes > 0; changes--) {
		uint8_t choice = input_u8(&session->input);
		uint32_t index = choice % 23;
		uint32_t value = input_u32(&session->input);

		switch (choice >> 6) {
		case 0: /* another part's place */
			control[index] = control[value % 23];
			break;
		case 1:
			control[index] = edges[value % (sizeof edges / sizeof *edges)];
			break;
		case 2: /* near by */
			control[index] += (uint32_t)(int32_t)(int8_t)value * (value & 0x100 ? 1u : value & 0x200 ? 64u : 4096u);
			break;
		default:
			control[index] = value;
			break;
		}
	}
	/* 100 MB of connections and 32,768 entries are right, but cost the fuzzer its pace. */
	if (control[RW_FIELD_SUBMISSION_ENTRIES] > 1024 && control[RW_FIELD_SUBMISSION_ENTRIES] <= 32768)
		control[RW_FIELD_SUBMISSION_ENTRIES] = 1024;
}

/* A word of a record: small, an edge, a place in the block, or anything. */
static uint32_t wild_word(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	const struct range *parts[] = { &session->block.send, &session->block.receive, &session->block.commands,
					&session->block.events };

	switch (choice & 3) {
	case 0:
		return choice >> 2;
	case 1:
		return edges[(choice >> 2) % (sizeof edges / sizeof *edges)];
	case 2: {
		const struct range *part = parts[choice >> 2 & 3];
		uint32_t offset = input_u16(&session->input);
		return choice & 32 ? part->offset + part->bytes - offset : part->offset + offset;
	}
	default:
		return input_u32(&session->input);
	}
}

static uint32_t wild_handle(struct session *session)
{
	uint8_t choice = input_u8(&session->input);

	if (choice < 224 && session->handle_count > 0)
		return session->handles[choice % session->handle_count] ^ (choice >= 200 ? 1u << choice % 32 : 0);
	return choice & 1 ? input_u32(&session->input) : 1u << RW_HANDLE_SLOT_BITS | choice >> 4;
}

static void write_records(struct session *session, uint32_t count)
{
	uint32_t capacity = session->block.commands.bytes / 16;

	for (uint32_t i = 0; i < count && i < capacity; i++) {
		uint8_t choice = input_u8(&session->input);
		struct rw_command command = {
			.op = choice & 7, .handle = wild_handle(session), .a = wild_word(session), .b = wild_word(session),
		};
		/* Mostly sends that are right. */
		if (choice & 128) {
			command.op = RW_COMMAND_SEND;
			command.b = command.b % (session->block.send.bytes + 1);
			command.a = session->block.send.offset + command.a % (session->block.send.bytes - command.b + 1);
		} else if (choice & 64) {
			command.op = input_u32(&session->input);
		}
		memcpy(session->block.bytes + session->block.commands.offset + 16 * i, &command, sizeof command);
	}
}

/* Records in the event array are well formed, whatever was asked. */
static void look_at_events(struct session *session, uint32_t count)
{
	struct range arena = session->block.receive;

	REQUIRE(count <= session->block.events.bytes / 16, "%u events in an array of %u", count, session->block.events.bytes / 16);
	REQUIRE(count >= session->event_count, "%u events after %u", count, session->event_count);
	for (; session->event_count < count; session->event_count++) {
		struct rw_event event;
		memcpy(&event, session->block.bytes + session->block.events.offset + 16 * session->event_count, sizeof event);
		REQUIRE(event.kind >= RW_EVENT_ACCEPTED && event.kind <= RW_EVENT_STAMP, "event of kind %u", event.kind);
		REQUIRE(event.handle >> RW_HANDLE_SLOT_BITS != 0, "handle %08x", event.handle);
		REQUIRE((event.handle & ((1u << RW_HANDLE_SLOT_BITS) - 1)) < session->block.queued.bytes / 4, "handle %08x",
			event.handle);
		if (event.kind == RW_EVENT_RECEIVED)
			REQUIRE(event.b > 0 && event.a >= arena.offset && event.b <= arena.bytes &&
				event.a - arena.offset <= arena.bytes - event.b, "RECEIVED %u+%u", event.a, event.b);
		if (session->handle_count < 32)
			session->handles[session->handle_count++] = event.handle;
	}
}

static void turn(struct session *session, uint32_t count, uint32_t flags, int32_t wait_us)
{
	int32_t result;

	block_remember(&session->block);
	result = rw_turn(session->id, count, flags, wait_us);
	block_require_unchanged(&session->block, NULL, 0);
	if (flags & RW_TURN_RECYCLE && result != -EINVAL)
		session->event_count = 0;
	if (result == -EBADMSG || result == -ENOTCONN || result == -ENOTSUP)
		result = rw_turn(session->id, 0, 0, 0);
	if (result == -EINVAL) {
		REQUIRE(count > session->block.commands.bytes / 16 || flags & ~3u || wait_us < -1, "rw_turn: -EINVAL");
		return;
	}
	REQUIRE(result >= 0, "rw_turn: %d", result);
	look_at_events(session, (uint32_t)result);
}

static void set_endpoint(struct session *session)
{
	struct rw_endpoint *endpoint = (struct rw_endpoint *)(session->block.bytes + RW_ENDPOINT_OFFSET);

	memset(endpoint, 0, sizeof *endpoint);
	endpoint->family = RW_FAMILY_UNIX;
	endpoint->host_bytes = 9;
	memcpy(endpoint->host, "\0commands", 9);
}

static int connect_peer(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0commands" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 9) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void play(struct session *session)
{
	static uint8_t data[65536];
	uint32_t listener = 0;

	set_endpoint(session);
	if (rw_listen(session->id) == 0)
		listener = block_control(&session->block)[RW_FIELD_HANDLE];
	session->handles[session->handle_count++] = listener;
	for (int i = 0; i < PEERS / 2; i++)
		session->peers[i] = connect_peer();
	turn(session, 0, RW_TURN_RECYCLE, 0);
	for (int i = 0; i < TURNS_MAX && input_left(&session->input) > 0; i++) {
		uint8_t choice = input_u8(&session->input), count = input_u8(&session->input);
		int *peer = &session->peers[choice >> 6];

		if (*peer < 0)
			*peer = connect_peer();
		else if (choice & 1)
			(void)!send(*peer, data, 1 + count * 211u, MSG_NOSIGNAL);
		else if (choice & 2)
			(void)!recv(*peer, data, 1 + count * 211u, 0);
		write_records(session, count % 24);
		turn(session, choice & 4 ? count % 24u : count % 24u <= 16 ? count % 24u : 16,
		     choice & 8 ? 0 : choice & 16 ? RW_TURN_RECYCLE | (choice & 32 ? RW_TURN_PARK : 0) : RW_TURN_RECYCLE, 0);
		if ((choice & 63) == 63 && listener) {
			rw_unlisten(session->id, listener);
			listener = 0;
		} else if ((choice & 63) == 62 && listener) {
			set_endpoint(session);
			if (rw_connect(session->id) == 0 && session->handle_count < 32)
				session->handles[session->handle_count++] = block_control(&session->block)[RW_FIELD_HANDLE];
		}
	}
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	ground_prepare();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct layout layout = {
		.commands = 16, .events = 32, .buffer_bytes = 4096, .buffers = 4, .send_bytes = 8192, .connections = 8,
		.max_queued = 1u << 17, .max_queued_total_kib = 1u << 10, .entries = 16,
	};
	struct session session = { .input = { data, data + size }, .peers = { -1, -1, -1, -1 } };
	int descriptors = ground_descriptors();
	uint8_t how = input_u8(&session.input);
	int32_t result;

	faults_clear();
	block_open(&session.block, &layout, how & 1);
	if (how & 2)
		damage_page(&session);
	block_remember(&session.block);
	result = rw_ring_open(session.block.bytes, how & 4 ? input_u32(&session.input) % (session.block.size + 1) : session.block.size);
	if (result > 0) {
		session.id = (uint32_t)result;
		block_read_parts(&session.block);
		play(&session);
		block_remember(&session.block);
		REQUIRE(rw_ring_close(session.id) == 0, "rw_ring_close");
		block_require_unchanged(&session.block, NULL, 0);
	} else {
		REQUIRE(how & 6, "rw_ring_open: %d", result);
		block_require_untouched(&session.block);
	}
	for (int i = 0; i < PEERS; i++)
		if (session.peers[i] >= 0)
			close(session.peers[i]);
	block_close(&session.block);
	REQUIRE(ground_descriptors() == descriptors, "%d descriptors, %d before", ground_descriptors(), descriptors);
	return 0;
}
