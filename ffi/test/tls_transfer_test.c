/*
 * Bytes over TLS: much of them both ways, slowly read, scattered, paused, in more than there is room for, through changes of keys.
 */
#include "tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY_BYTES (16u << 20)

static uint32_t many_bytes(void)
{
	return test_is_valgrind() ? 1u << 20 : MANY_BYTES;
}

/* Reads what is there, without blocking. */
static size_t peer_read_some(SSL *peer, uint8_t *data, size_t room)
{
	int result;

	ERR_clear_error();
	result = SSL_read(peer, data, room > 1 << 20 ? 1 << 20 : (int)room);
	if (result > 0)
		return (size_t)result;
	CHECK_EQUAL(SSL_get_error(peer, result), SSL_ERROR_WANT_READ);
	return 0;
}

static size_t peer_write_some(SSL *peer, const uint8_t *data, size_t bytes)
{
	int result;

	if (bytes == 0)
		return 0;
	ERR_clear_error();
	result = SSL_write(peer, data, bytes > 65536 ? 65536 : (int)bytes);
	return result > 0 ? (size_t)result : 0;
}

/* Collects what was received for a connection into `got`. */
static size_t collect(struct rig *rig, uint32_t handle, uint8_t *got, size_t have, size_t expected)
{
	for (; rig->handled < rig->count; rig->handled++) {
		struct rw_event event = rig->events[rig->handled];
		CHECK(event.kind == RW_EVENT_RECEIVED || event.kind == RW_EVENT_QUEUED);
		if (event.kind != RW_EVENT_RECEIVED)
			continue;
		CHECK(event.handle == handle && event.b <= expected - have);
		memcpy(got + have, rig->block + event.a, event.b);
		have += event.b;
	}
	return have;
}

static void both_ways(const struct secured_options *options)
{
	struct secured secured;
	const uint32_t bytes = many_bytes();
	uint8_t *sent = malloc(bytes), *got = malloc(bytes), *peer_got = malloc(bytes);
	size_t offered = 0, have = 0, peer_sent = 0, peer_have = 0;
	uint64_t deadline = clock_ms() + 50000;

	fill_random(sent, bytes, 7);
	secured_open(&secured, options);
	while (have < bytes || peer_have < bytes) {
		/* The reader takes 40,000 bytes a round: our queue fills meanwhile. */
		uint32_t part = bytes - offered > 300001 ? 300001 : (uint32_t)(bytes - offered);
		if (part > 0 && secured.rig.queued[secured.handle & 0xfffff] < 8 << 20) {
			rig_send(&secured.rig, secured.handle, sent + offered, part);
			offered += part;
		}
		peer_sent += peer_write_some(secured.peer, sent + peer_sent, bytes - peer_sent);
		rig_turn(&secured.rig, 0);
		have = collect(&secured.rig, secured.handle, got, have, bytes);
		for (int i = 0; i < 3 && peer_have < bytes; i++)
			peer_have += peer_read_some(secured.peer, peer_got + peer_have, bytes - peer_have);
		CHECK(clock_ms() < deadline);
	}
	CHECK(memcmp(sent, got, bytes) == 0);
	CHECK(memcmp(sent, peer_got, bytes) == 0);
	CHECK(test_is_valgrind() || secured.rig.control[RW_FIELD_STAT_SHORT_SENDS] > 0);
	secured_close(&secured);
	free(sent);
	free(got);
	free(peer_got);
}

TEST(tls_carries_16_mib_both_ways_over_1_3)
{
	both_ways(&(struct secured_options){ .version = TLS1_3_VERSION, .receive_buffer = 100000 });
}

TEST(tls_carries_16_mib_both_ways_over_1_2_with_cbc)
{
	both_ways(&(struct secured_options){ .version = TLS1_2_VERSION, .receive_buffer = 100000, .is_client = true,
					     .suite = "ECDHE-ECDSA-AES128-SHA256" });
}

static void count_records(int is_write, int version, int type, const void *data, size_t bytes, SSL *ssl, void *counted)
{
	(void)version, (void)data, (void)bytes, (void)ssl;
	if (!is_write && type == SSL3_RT_HEADER)
		++*(uint32_t *)counted;
}

TEST(tls_gathers_small_scattered_segments_into_one_record)
{
	struct secured secured;
	static uint8_t sent[20000], got[20000], other[4];
	uint32_t records = 0;

	fill_random(sent, sizeof sent, 3);
	secured_open(&secured, &(struct secured_options){ .version = 0 });
	SSL_set_msg_callback(secured.peer, count_records);
	SSL_set_msg_callback_arg(secured.peer, &records);
	for (uint32_t i = 0; i < 2000; i += 10) {
		rig_send(&secured.rig, secured.handle, sent + i, 10);
		rig_send(&secured.rig, 0, other, 4); /* lies in between, and goes nowhere */
	}
	peer_receive(&secured.rig, secured.peer, got, 2000);
	CHECK(memcmp(sent, got, 2000) == 0);
	/* Tickets may come before it, one record each. */
	CHECK(records >= 1 && records <= 3);
	records = 0;
	rig_send(&secured.rig, secured.handle, sent, sizeof sent);
	peer_receive(&secured.rig, secured.peer, got, sizeof got);
	CHECK_EQUAL(records, 2);
	CHECK(memcmp(sent, got, sizeof got) == 0);
	secured_close(&secured);
}

TEST(tls_turn_that_seals_more_than_it_has_room_for)
{
	struct secured secured;
	static uint8_t sent[65536];
	const uint32_t times = 60;
	uint8_t *got = malloc(sizeof sent * times);

	fill_random(sent, sizeof sent, 5);
	secured_open(&secured, &(struct secured_options){ .rig = { .send_bytes = 65536 } });
	memcpy(secured.rig.block + secured.rig.send_offset, sent, sizeof sent);
	/* The same bytes again and again: far more ciphertext than the send arena is large. */
	for (uint32_t i = 0; i < times; i++)
		rig_command(&secured.rig, RW_COMMAND_SEND, secured.handle, secured.rig.send_offset, sizeof sent);
	rig_turn(&secured.rig, 0);
	peer_receive(&secured.rig, secured.peer, got, sizeof sent * times);
	for (uint32_t i = 0; i < times; i++)
		CHECK(memcmp(got + i * sizeof sent, sent, sizeof sent) == 0);
	secured_close(&secured);
	free(got);
}

TEST(tls_queue_limit_holds)
{
	struct secured secured;
	uint8_t *bytes = calloc(1, 1 << 20);

	secured_open(&secured, &(struct secured_options){ .rig = { .max_queued = 65536, .send_bytes = 1 << 21 }, .receive_buffer = 4096 });
	for (int i = 0; i < 12; i++)
		rig_send(&secured.rig, secured.handle, bytes, 1 << 20);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, ENOBUFS);
	secured_close(&secured);
	free(bytes);
}

TEST(tls_pauses_and_resumes)
{
	struct secured secured;
	static uint8_t sent[300000], got[300000];
	size_t written = 0, have = 0;

	fill_random(sent, sizeof sent, 9);
	secured_open(&secured, &(struct secured_options){ .version = 0 });
	rig_command(&secured.rig, RW_COMMAND_PAUSE, secured.handle, 0, 0);
	rig_turn(&secured.rig, 0);
	rig_turn(&secured.rig, 0);
	written = peer_write_some(secured.peer, sent, sizeof sent);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(rig_turn(&secured.rig, 1000), 0);
	while (have < sizeof sent) {
		rig_command(&secured.rig, have & 1 ? RW_COMMAND_PAUSE : RW_COMMAND_RESUME, secured.handle, 0, 0);
		rig_command(&secured.rig, RW_COMMAND_RESUME, secured.handle, 0, 0);
		rig_turn(&secured.rig, 1000);
		have = collect(&secured.rig, secured.handle, got, have, sizeof got);
		written += peer_write_some(secured.peer, sent + written, sizeof sent - written);
	}
	CHECK(memcmp(sent, got, sizeof got) == 0);
	secured_close(&secured);
}

/* Several connections, more for all of them than the plain arena takes, and a handler that causes turns in between. */
TEST(tls_plain_arena_that_is_full_delays_and_loses_nothing)
{
	enum { CONNECTIONS = 3, BYTES = 400000 };
	struct secured secured;
	SSL *peers[CONNECTIONS];
	uint32_t handles[CONNECTIONS];
	static uint8_t sent[BYTES], got[CONNECTIONS][BYTES];
	size_t written[CONNECTIONS] = { 0 }, have[CONNECTIONS] = { 0 };
	uint64_t deadline = clock_ms() + 20000;
	uint32_t fullest = 0;
	bool is_done = false;

	fill_random(sent, sizeof sent, 11);
	secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 } });
	peers[0] = secured.peer;
	handles[0] = secured.handle;
	for (int i = 1; i < CONNECTIONS; i++) {
		peers[i] = peer_new(secured.peer_context, peer_connect(secured.port));
		while (!peer_step(peers[i]))
			rig_turn(&secured.rig, 1000);
		handles[i] = rig_await(&secured.rig, RW_EVENT_ACCEPTED, 0).handle;
	}
	while (!is_done) {
		uint32_t plain = 0;

		for (int i = 0; i < CONNECTIONS; i++)
			for (int tries = 0; tries < 4; tries++)
				written[i] += peer_write_some(peers[i], sent + written[i], BYTES - written[i]);
		rig_turn(&secured.rig, 1000);
		/* Nothing that was told may change or move: it is looked at only after these. */
		for (int i = 0; i < 2; i++) {
			int32_t count = rw_turn(secured.rig.id, 0, 0, 0);
			CHECK(count >= (int32_t)secured.rig.count);
			secured.rig.count = (uint32_t)count;
		}
		is_done = true;
		for (; secured.rig.handled < secured.rig.count; secured.rig.handled++) {
			struct rw_event event = secured.rig.events[secured.rig.handled];
			CHECK_EQUAL(event.kind, RW_EVENT_RECEIVED);
			plain += event.b;
			for (int i = 0; i < CONNECTIONS; i++)
				if (event.handle == handles[i]) {
					CHECK(event.b <= BYTES - have[i]);
					memcpy(got[i] + have[i], secured.rig.block + event.a, event.b);
					have[i] += event.b;
				}
		}
		CHECK(plain <= 65536);
		if (plain > fullest)
			fullest = plain;
		for (int i = 0; i < CONNECTIONS; i++)
			is_done = is_done && have[i] == BYTES;
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(fullest, 65536);
	for (int i = 0; i < CONNECTIONS; i++)
		CHECK(memcmp(got[i], sent, BYTES) == 0);
	for (int i = 1; i < CONNECTIONS; i++)
		peer_free(peers[i]);
	secured_close(&secured);
}

TEST(tls_waiting_ends_at_once_while_the_plain_arena_is_full_of_what_was_told)
{
	struct secured secured;
	static uint8_t sent[200000];
	uint64_t begin;

	secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 } });
	for (size_t written = 0; written < sizeof sent;)
		written += peer_write_some(secured.peer, sent + written, sizeof sent - written);
	for (uint32_t plain = 0; plain < 65536;) {
		rig_turn(&secured.rig, 1000);
		plain = 0;
		for (uint32_t i = 0; i < secured.rig.count; i++)
			plain += secured.rig.events[i].b;
	}
	/* Without recycling there is no room for more, however long it waits. */
	begin = clock_ms();
	CHECK_EQUAL(rw_turn(secured.rig.id, 0, 0, 5000000), (int32_t)secured.rig.count);
	CHECK(clock_ms() - begin < 2500);
	secured_close(&secured);
}

TEST(tls_waiting_for_events_goes_on_with_what_found_no_room)
{
	struct secured secured;
	static uint8_t sent[200000], got[200000];
	size_t written = 0, have = 0;

	fill_random(sent, sizeof sent, 13);
	secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 } });
	while (written < sizeof sent)
		written += peer_write_some(secured.peer, sent + written, sizeof sent - written);
	/* Waits for as long as it takes: a turn that slept with work left would hang. */
	while (have < sizeof sent) {
		CHECK(rig_turn(&secured.rig, -1) > 0);
		have = collect(&secured.rig, secured.handle, got, have, sizeof got);
	}
	CHECK(memcmp(sent, got, sizeof got) == 0);
	secured_close(&secured);
}

/* Both sides send all the while; the peer changes keys and asks us to. */
static void change_keys(bool is_client)
{
	struct secured secured;
	static uint8_t sent[1 << 20], got[1 << 20], peer_got[1 << 20];
	size_t written = 0, have = 0, peer_have = 0, offered = 0;
	uint32_t changes = 0;
	uint64_t deadline = clock_ms() + 20000;

	fill_random(sent, sizeof sent, 17);
	secured_open(&secured, &(struct secured_options){ .is_client = is_client });
	while (have < sizeof sent || peer_have < sizeof sent) {
		if (changes < 20)
			CHECK_EQUAL(SSL_key_update(secured.peer, changes & 1 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		changes++;
		written += peer_write_some(secured.peer, sent + written, sizeof sent - written);
		if (offered < sizeof sent) {
			rig_send(&secured.rig, secured.handle, sent + offered, 65536);
			offered += 65536;
		}
		rig_turn(&secured.rig, 0);
		have = collect(&secured.rig, secured.handle, got, have, sizeof got);
		peer_have += peer_read_some(secured.peer, peer_got + peer_have, sizeof peer_got - peer_have);
		CHECK(clock_ms() < deadline);
	}
	CHECK(memcmp(sent, got, sizeof sent) == 0);
	CHECK(memcmp(sent, peer_got, sizeof sent) == 0);
	secured_close(&secured);
}

TEST(tls_server_keeps_up_with_changes_of_keys) { change_keys(false); }
TEST(tls_client_keeps_up_with_changes_of_keys) { change_keys(true); }

static void flood_with_keys(int kind)
{
	struct secured secured;
	uint64_t deadline = clock_ms() + 20000;
	bool is_closed = false;

	/* It asks for new keys again and again, and reads none of the answers. */
	secured_open(&secured, &(struct secured_options){ .rig = { .max_queued = 4096 }, .receive_buffer = 4096, .send_buffer = 4096 });
	for (int round = 0; !is_closed && clock_ms() < deadline; round++) {
		for (int i = 0; i < (round == 0 ? 64 : 1); i++)
			if (SSL_key_update(secured.peer, kind) != 1 || SSL_do_handshake(secured.peer) != 1)
				break;
		ERR_clear_error();
		rig_turn(&secured.rig, 0);
		for (uint32_t i = 0; i < secured.rig.count; i++) {
			if (secured.rig.events[i].kind != RW_EVENT_CLOSED)
				continue;
			/* The 65th is one too many. */
			CHECK(round > 0);
			CHECK_EQUAL(secured.rig.events[i].a, RW_TLS_ERROR_PROTOCOL);
			is_closed = true;
		}
		CHECK(round > 0 || secured.rig.queued[secured.handle & 0xfffff] != RW_QUEUED_GONE);
	}
	CHECK(is_closed);
	secured_close(&secured);
}

TEST(tls_changes_of_keys_are_bounded) { flood_with_keys(SSL_KEY_UPDATE_NOT_REQUESTED); }
TEST(tls_answers_to_changes_of_keys_are_bounded) { flood_with_keys(SSL_KEY_UPDATE_REQUESTED); }
