/*
 * The C limit of the benchmarks: a WebSocket echo server that drives the same shim from C, with as little
 * protocol as the load needs. It takes any upgrade request, reads masked client frames, and sends each back
 * unmasked; it checks nothing else. Usage: echo_limit --port N [--spin]
 */
#include "ringwire.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define COMMANDS 16384u
#define EVENTS 16384u
#define BUFFER_BYTES 65536u
#define BUFFERS 128u
#define SEND_BYTES (16u << 20)
#define CONNECTIONS 100000u
#define SLOTS (1u << RW_HANDLE_SLOT_BITS)

/* What one connection has left over from the last receive. */
struct session {
	uint8_t *rest;
	uint32_t rest_bytes, rest_capacity;
	bool is_upgraded;
};

static uint8_t *block;
static uint32_t *control;
static struct rw_command *commands;
static uint32_t ring, command_count, send_offset, send_used, event_offset, event_count;
static struct session *sessions;
static volatile sig_atomic_t is_over;

static void stop(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

_Noreturn static void fail(const char *what, int32_t error)
{
	fprintf(stderr, "echo_limit: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void flush(void)
{
	int32_t result = rw_turn(ring, command_count, 0, 0);

	if (result < 0)
		fail("turn", result);
	event_count = (uint32_t)result;
	command_count = 0;
	send_used = 0;
}

/* Room for `bytes` in the send arena, at most a quarter of it. */
static uint8_t *reserve(uint32_t bytes)
{
	if (bytes > SEND_BYTES - send_used || command_count == COMMANDS)
		flush();
	return block + send_offset + send_used;
}

static void commit(uint32_t handle, uint32_t bytes)
{
	struct rw_command *last = command_count ? &commands[command_count - 1] : NULL;

	/* One record for all replies to one connection, as the TypeScript side does it. */
	if (last && last->handle == handle && last->a + last->b == send_offset + send_used)
		last->b += bytes;
	else
		commands[command_count++] =
			(struct rw_command){ RW_COMMAND_SEND, handle, send_offset + send_used, bytes };
	send_used += bytes;
}

static void send_bytes(uint32_t handle, const void *data, uint32_t bytes)
{
	memcpy(reserve(bytes), data, bytes);
	commit(handle, bytes);
}

/* ── the handshake: SHA-1 (RFC 3174) and Base64 of the key ── */

static uint32_t rotate(uint32_t value, int bits)
{
	return value << bits | value >> (32 - bits);
}

static void sha1_block(uint32_t state[5], const uint8_t *data)
{
	uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
		       (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d
			     : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
		uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
		uint32_t next = rotate(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

/* `key` is 24 characters; with the GUID of RFC 6455 §1.3 that makes 60 bytes: two blocks when padded. */
static void accept_key(const char *key, char out[29])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint8_t data[128] = { 0 }, digest[21] = { 0 };

	memcpy(data, key, 24);
	memcpy(data + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	data[60] = 0x80;
	data[126] = 60 * 8 >> 8;
	data[127] = (uint8_t)(60 * 8);
	sha1_block(state, data);
	sha1_block(state, data + 64);
	for (int i = 0; i < 20; i++)
		digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
	for (int i = 0; i < 7; i++) {
		uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
		for (int k = 0; k < 4; k++)
			out[4 * i + k] = digits[three >> (18 - 6 * k) & 63];
	}
	out[27] = '=';
	out[28] = 0;
}

/* Returns the bytes taken, 0 while the request is not complete. */
static uint32_t upgrade(uint32_t handle, const uint8_t *data, uint32_t bytes)
{
	const uint8_t *end = memmem(data, bytes, "\r\n\r\n", 4);
	char request[8192], reply[256], accepted[29];
	uint32_t length;
	char *key;

	if (!end)
		return 0;
	length = (uint32_t)(end - data) + 4;
	if (length >= sizeof request)
		return 0;
	memcpy(request, data, length);
	request[length] = 0;
	key = strcasestr(request, "sec-websocket-key:");
	if (!key)
		return 0;
	key += strlen("sec-websocket-key:");
	key += strspn(key, " ");
	if (strlen(key) < 24)
		return 0;
	accept_key(key, accepted);
	send_bytes(handle, reply,
		   (uint32_t)snprintf(reply, sizeof reply,
				      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accepted));
	return length;
}

/* Echoes the frame at the front. Returns the bytes taken, 0 while it is not complete; *needed: its size. */
static uint32_t echo_frame(uint32_t handle, const uint8_t *data, uint32_t bytes, uint32_t *needed)
{
	uint32_t head = 2, length, key;
	uint8_t *out;
	uint32_t out_head;

	*needed = 0;
	if (bytes < 6)
		return 0;
	length = data[1] & 0x7f;
	if (length == 126) {
		length = (uint32_t)data[2] << 8 | data[3];
		head = 4;
	} else if (length == 127) {
		if (bytes < 14)
			return 0;
		length = (uint32_t)data[6] << 24 | (uint32_t)data[7] << 16 | (uint32_t)data[8] << 8 | data[9];
		head = 10;
	}
	*needed = head + 4 + length;
	if (length > SEND_BYTES / 4 || bytes < *needed)
		return 0;
	memcpy(&key, data + head, 4);
	out = reserve(length + 10);
	/* A close is echoed as it came, which is the right answer. */
	out[0] = (data[0] & 0x0f) == 9 ? 0x8a : data[0];
	if (head == 2) {
		out[1] = (uint8_t)length;
	} else if (head == 4) {
		out[1] = 126;
		out[2] = data[2];
		out[3] = data[3];
	} else {
		out[1] = 127;
		memcpy(out + 2, data + 2, 8);
	}
	out_head = head;
	memcpy(out + out_head, data + head + 4, length);
	if (length < 64)
		for (uint32_t i = 0; i < length; i++)
			out[out_head + i] ^= (uint8_t)(key >> 8 * (i & 3));
	else
		rw_unmask_at(out + out_head, length, key);
	commit(handle, out_head + length);
	return head + 4 + length;
}

static uint32_t consume(struct session *session, uint32_t handle, const uint8_t *data, uint32_t bytes, uint32_t *needed)
{
	uint32_t at = 0;

	*needed = 0;
	while (at < bytes) {
		uint32_t taken = session->is_upgraded ? echo_frame(handle, data + at, bytes - at, needed)
						      : upgrade(handle, data + at, bytes - at);
		if (taken == 0)
			break;
		session->is_upgraded = true;
		at += taken;
	}
	return at;
}

static void keep(struct session *session, const uint8_t *data, uint32_t bytes, uint32_t needed)
{
	uint32_t want = session->rest_bytes + bytes;

	if (want < needed)
		want = needed;
	if (want > session->rest_capacity) {
		session->rest = realloc(session->rest, want);
		if (!session->rest)
			fail("memory", -ENOMEM);
		session->rest_capacity = want;
	}
	memcpy(session->rest + session->rest_bytes, data, bytes);
	session->rest_bytes += bytes;
}

static void received(uint32_t handle, const uint8_t *data, uint32_t bytes)
{
	struct session *session = &sessions[handle & (SLOTS - 1)];
	uint32_t needed, taken;

	if (session->rest_bytes > 0) {
		keep(session, data, bytes, 0);
		taken = consume(session, handle, session->rest, session->rest_bytes, &needed);
		memmove(session->rest, session->rest + taken, session->rest_bytes - taken);
		session->rest_bytes -= taken;
		return;
	}
	taken = consume(session, handle, data, bytes, &needed);
	if (taken < bytes)
		keep(session, data + taken, bytes - taken, needed);
}

static void closed(uint32_t handle)
{
	struct session *session = &sessions[handle & (SLOTS - 1)];

	free(session->rest);
	*session = (struct session){ 0 };
}

static void open_ring(void)
{
	uint32_t queued_offset, receive_offset, block_bytes;
	const char *disabled = getenv("RINGWIRE_DISABLED");
	int32_t result;

	event_offset = RW_CONTROL_BYTES + COMMANDS * 16;
	queued_offset = event_offset + EVENTS * 16;
	receive_offset = (queued_offset + CONNECTIONS * 4 + 4095) & ~4095u;
	send_offset = receive_offset + BUFFER_BYTES * BUFFERS;
	block_bytes = send_offset + SEND_BYTES;
	block = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sessions = calloc(SLOTS, sizeof *sessions);
	if (block == MAP_FAILED || !sessions)
		fail("memory", -ENOMEM);
	control = (uint32_t *)block;
	commands = (struct rw_command *)(block + RW_CONTROL_BYTES);
	control[RW_FIELD_ABI_VERSION] = RW_ABI_VERSION;
	control[RW_FIELD_BLOCK_BYTES] = block_bytes;
	control[RW_FIELD_COMMAND_OFFSET] = RW_CONTROL_BYTES;
	control[RW_FIELD_COMMAND_COUNT] = COMMANDS;
	control[RW_FIELD_EVENT_OFFSET] = event_offset;
	control[RW_FIELD_EVENT_COUNT] = EVENTS;
	control[RW_FIELD_RECEIVE_OFFSET] = receive_offset;
	control[RW_FIELD_RECEIVE_BUFFER_BYTES] = BUFFER_BYTES;
	control[RW_FIELD_RECEIVE_BUFFER_COUNT] = BUFFERS;
	control[RW_FIELD_SEND_OFFSET] = send_offset;
	control[RW_FIELD_SEND_BYTES] = SEND_BYTES;
	control[RW_FIELD_MAX_CONNECTIONS] = CONNECTIONS;
	control[RW_FIELD_QUEUED_OFFSET] = queued_offset;
	control[RW_FIELD_MAX_QUEUED_BYTES] = 64u << 20;
	control[RW_FIELD_MAX_QUEUED_TOTAL_KIB] = 1u << 20;
	control[RW_FIELD_SUBMISSION_ENTRIES] = 2048;
	control[RW_FIELD_DISABLED_FEATURES] = disabled ? (uint32_t)strtoul(disabled, NULL, 0) : 0;
	result = rw_ring_open(block, block_bytes);
	if (result < 0) {
		fprintf(stderr, "echo_limit: %.*s\n", (int)control[RW_FIELD_TEXT_BYTES],
			(char *)block + RW_TEXT_OFFSET);
		exit(1);
	}
	ring = (uint32_t)result;
}

static void listen_on(uint32_t port)
{
	struct rw_endpoint *endpoint = (struct rw_endpoint *)(block + RW_ENDPOINT_OFFSET);
	int32_t result;

	printf("echo_limit: %.*s\n", (int)control[RW_FIELD_TEXT_BYTES], (char *)block + RW_TEXT_OFFSET);
	memset(endpoint, 0, sizeof *endpoint);
	endpoint->family = RW_FAMILY_IPV4;
	endpoint->port = port;
	endpoint->flags = RW_ENDPOINT_NO_DELAY;
	endpoint->backlog = 4096;
	endpoint->host_bytes = 7;
	memcpy(endpoint->host, "0.0.0.0", 7);
	result = rw_listen(ring);
	if (result < 0)
		fail("listen", result);
	result = rw_address(ring, control[RW_FIELD_HANDLE], RW_ADDRESS_LOCAL);
	if (result < 0)
		fail("address", result);
	printf("listening ws://127.0.0.1:%s\n", strchr((char *)block + RW_TEXT_OFFSET, ' ') + 1);
	fflush(stdout);
}

int main(int count, char **arguments)
{
	struct rw_event *events;
	struct sigaction action = { .sa_handler = stop };

	bool is_spinning = count == 4 && strcmp(arguments[3], "--spin") == 0;

	if ((count != 3 && !is_spinning) || strcmp(arguments[1], "--port") != 0) {
		fprintf(stderr, "usage: echo_limit --port N [--spin]\n");
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	open_ring();
	events = (struct rw_event *)(block + event_offset);
	listen_on((uint32_t)atoi(arguments[2]));
	while (!is_over) {
		int32_t result = rw_turn(ring, command_count, RW_TURN_RECYCLE, is_spinning ? 0 : -1);

		if (result < 0)
			fail("turn", result);
		command_count = send_used = 0;
		event_count = (uint32_t)result;
		for (uint32_t i = 0; i < event_count; i++) {
			struct rw_event event = events[i];
			if (event.kind == RW_EVENT_RECEIVED) {
				received(event.handle, block + event.a, event.b);
			} else if (event.kind == RW_EVENT_CLOSED) {
				closed(event.handle);
			} else if (event.kind == RW_EVENT_ENDED) {
				reserve(0);
				commands[command_count++] = (struct rw_command){ RW_COMMAND_CLOSE, event.handle, 0, 0 };
			}
		}
	}
	if (getenv("RINGWIRE_DEBUG"))
		fprintf(stderr, "turns %u enters %u short %u no-buffers %u\n", control[RW_FIELD_STAT_TURNS],
			control[RW_FIELD_STAT_ENTERS], control[RW_FIELD_STAT_SHORT_SENDS],
			control[RW_FIELD_STAT_NO_BUFFERS]);
	return rw_ring_close(ring) < 0;
}
