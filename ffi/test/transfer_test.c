/*
 * Bytes arrive whole and in order, whatever features the kernel lacks.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends `bytes` from a ring client to a ring server on the same ring, which echoes them. */
static void echo(uint32_t bytes, const struct rig_options *options)
{
	struct rig rig;
	uint16_t port;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes);
	uint32_t client, have = 0, offset = 0;
	uint64_t deadline = clock_ms() + 10000;

	fill_random(sent, bytes, bytes);
	rig_open(&rig, options);
	rig_listen(&rig, &port);
	client = rig_connect(&rig, port);
	rig_await(&rig, RW_EVENT_CONNECTED, client);
	/* In pieces, so that the arena of the echo side is needed between them. */
	while (have < bytes) {
		uint32_t piece = bytes - offset < 1 << 18 ? bytes - offset : 1 << 18;
		if (piece > 0)
			rig_send(&rig, client, sent + offset, piece);
		offset += piece;
		/* Sending may have taken turns of its own; what they brought comes before the next recycling. */
		while (rig.handled < rig.count) {
			struct rw_event event = rig.events[rig.handled++];
			CHECK(event.kind != RW_EVENT_CLOSED);
			if (event.kind == RW_EVENT_RECEIVED && event.handle != client)
				rig_send(&rig, event.handle, rig.block + event.a, event.b);
			if (event.kind == RW_EVENT_RECEIVED && event.handle == client) {
				CHECK(event.b <= bytes - have);
				memcpy(got + have, rig.block + event.a, event.b);
				have += event.b;
			}
		}
		rig_turn(&rig, have < bytes ? 100000 : 0);
		CHECK(clock_ms() < deadline);
	}
	CHECK(memcmp(sent, got, bytes) == 0);
	rig_close(&rig);
	free(sent);
	free(got);
}

TEST(one_byte_is_echoed)
{
	echo(1, NULL);
}

TEST(a_kibibyte_is_echoed)
{
	echo(1024, NULL);
}

TEST(sixteen_mebibytes_are_echoed)
{
	echo(16 << 20, NULL);
}

TEST(echo_works_without_each_feature)
{
	uint32_t all = RW_FEATURE_DEFER_TASKRUN | RW_FEATURE_MULTISHOT_ACCEPT | RW_FEATURE_MULTISHOT_RECEIVE |
		       RW_FEATURE_BUFFER_INCREMENTAL | RW_FEATURE_RECEIVE_BUNDLE | RW_FEATURE_PARKING;

	for (uint32_t disabled = 0; disabled <= all; disabled++) {
		struct rig_options options = { .disabled = disabled };
		if ((disabled & all) != disabled || (disabled & RW_FEATURE_PARKING && disabled != all))
			continue;
		echo(300000, &options);
	}
}

TEST(echo_works_with_stamps)
{
	echo(1, &(struct rig_options){ .wanted = RW_FEATURE_RECEIVE_STAMPS });
	echo(4 << 20, &(struct rig_options){ .wanted = RW_FEATURE_RECEIVE_STAMPS });
	echo(300000, &(struct rig_options){ .wanted = RW_FEATURE_RECEIVE_STAMPS, .buffer_bytes = 4096, .buffers = 2,
					    .commands = 16, .events = 16, .send_bytes = 1000, .entries = 8 });
}

TEST(echo_works_in_the_smallest_block)
{
	for (uint32_t disabled = 0; disabled < 64; disabled += 8) {
		struct rig_options options = { .commands = 16, .events = 16, .buffer_bytes = 4096, .buffers = 2,
					       .send_bytes = 1000, .entries = 8, .disabled = disabled };
		echo(100000, &options);
	}
}

TEST(receives_end_for_want_of_buffers_and_go_on)
{
	struct rig_options options = { .buffer_bytes = 4096, .buffers = 2, .disabled = RW_FEATURE_RECEIVE_BUNDLE };
	struct rig rig;
	uint16_t port;
	uint8_t sent[65536];
	int peers[8];
	uint32_t handles[8];

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	fill_random(sent, sizeof sent, 1);
	for (int i = 0; i < 8; i++) {
		peers[i] = peer_connect(port);
		handles[i] = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	}
	for (int i = 0; i < 8; i++)
		peer_write(peers[i], sent, sizeof sent);
	uint32_t have[8] = { 0 }, total = 0;
	while (total < 8 * sizeof sent) {
		CHECK(rig_turn(&rig, 1000000) > 0);
		for (uint32_t i = 0; i < rig.count; i++) {
			struct rw_event event = rig.events[i];
			if (event.kind != RW_EVENT_RECEIVED)
				continue;
			for (int k = 0; k < 8; k++) {
				if (handles[k] != event.handle)
					continue;
				CHECK(memcmp(rig.block + event.a, sent + have[k], event.b) == 0);
				have[k] += event.b;
				total += event.b;
			}
		}
	}
	CHECK(rig.control[RW_FIELD_STAT_NO_BUFFERS] > 0);
	for (int i = 0; i < 8; i++)
		close(peers[i]);
	rig_close(&rig);
}

TEST(many_segments_leave_as_one_and_in_order)
{
	struct rig_options options = { .commands = 4096 };
	struct rig rig;
	uint16_t port;
	uint8_t sent[8192], got[8192];
	int peer;
	uint32_t server, enters;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&rig, 0);
	fill_random(sent, sizeof sent, 2);
	/* Laid out backwards, so that no two are neighbours; more than one iovec array may hold. */
	memcpy(rig.block + rig.send_offset, sent, sizeof sent);
	for (uint32_t i = 0; i < 2048; i++)
		rig_command(&rig, RW_COMMAND_SEND, server, rig.send_offset + (2047 - i) * 4, 4);
	enters = rig.control[RW_FIELD_STAT_ENTERS];
	rig_turn(&rig, 0);
	CHECK(rig.control[RW_FIELD_STAT_ENTERS] - enters <= 3);
	/* The arena is free again at once. */
	memset(rig.block + rig.send_offset, 0, sizeof sent);
	rig_turn(&rig, 1000);
	CHECK_EQUAL(peer_read(peer, got, sizeof got), sizeof got);
	for (uint32_t i = 0; i < 2048; i++)
		CHECK(memcmp(got + 4 * i, sent + (2047 - i) * 4, 4) == 0);
	close(peer);
	rig_close(&rig);
}

TEST(a_short_send_goes_on_from_the_queue)
{
	struct rig rig;
	uint16_t port;
	const uint32_t bytes = 12 << 20;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes);
	int peer;
	uint32_t server, queued = 0, have = 0;
	uint64_t deadline = clock_ms() + 20000;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	fill_random(sent, bytes, 3);
	rig_send(&rig, server, sent, bytes);
	rig_turn(&rig, 0);
	for (uint32_t i = 0; i < rig.count; i++)
		if (rig.events[i].kind == RW_EVENT_QUEUED)
			queued = rig.events[i].a;
	CHECK(queued > 0 && queued < bytes);
	CHECK(rig.control[RW_FIELD_STAT_SHORT_SENDS] > 0);
	while (have < bytes || queued > 0) {
		ssize_t part = recv(peer, got + have, bytes - have, MSG_DONTWAIT);
		if (part > 0)
			have += (uint32_t)part;
		rig_turn(&rig, 1000);
		for (uint32_t i = 0; i < rig.count; i++)
			if (rig.events[i].kind == RW_EVENT_QUEUED)
				queued = rig.events[i].a;
		CHECK(clock_ms() < deadline);
	}
	CHECK(memcmp(sent, got, bytes) == 0);
	CHECK_EQUAL(queued, 0);
	close(peer);
	rig_close(&rig);
	free(sent);
	free(got);
}

TEST(a_peer_that_never_reads_meets_the_limit)
{
	struct rig_options options = { .max_queued = 1 << 20 };
	struct rig rig;
	uint16_t port;
	uint8_t data[65536] = { 0 };
	int peer;
	uint32_t server;
	struct rw_event event = { 0 };

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	for (int i = 0; i < 1000 && event.kind != RW_EVENT_CLOSED; i++) {
		rig_send(&rig, server, data, sizeof data);
		rig_turn(&rig, 0);
		for (uint32_t k = 0; k < rig.count && event.kind != RW_EVENT_CLOSED; k++) {
			event = rig.events[k];
			CHECK(event.kind != RW_EVENT_QUEUED || event.a <= 1 << 20);
		}
	}
	CHECK_EQUAL(event.kind, RW_EVENT_CLOSED);
	CHECK_EQUAL(event.a, ENOBUFS);
	close(peer);
	rig_close(&rig);
}

TEST(the_limit_over_all_connections_holds)
{
	struct rig_options options = { .max_queued_total_kib = 1024 };
	struct rig rig;
	uint16_t port;
	uint8_t data[65536] = { 0 };
	int peers[4];
	uint32_t servers[4], closed = 0;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	for (int i = 0; i < 4; i++) {
		peers[i] = peer_connect(port);
		servers[i] = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	}
	for (int i = 0; i < 1000 && closed == 0; i++) {
		uint32_t queued = 0;
		for (int k = 0; k < 4; k++)
			rig_send(&rig, servers[k], data, sizeof data);
		rig_turn(&rig, 0);
		for (uint32_t k = 0; k < rig.count; k++) {
			if (rig.events[k].kind == RW_EVENT_QUEUED)
				queued += rig.events[k].a;
			closed += rig.events[k].kind == RW_EVENT_CLOSED && rig.events[k].a == ENOBUFS;
		}
		CHECK(queued <= 1 << 20);
	}
	CHECK(closed >= 1);
	for (int i = 0; i < 4; i++)
		close(peers[i]);
	rig_close(&rig);
}

TEST(completions_beyond_the_queue_are_not_lost)
{
	struct rig_options options = { .entries = 8, .events = 16, .buffers = 8, .buffer_bytes = 4096 };
	enum { PEERS = 100 };
	struct rig rig;
	uint16_t port;
	int peers[PEERS];
	uint32_t received = 0, accepted = 0, ended = 0, closed = 0, answered = 0;
	uint64_t deadline = clock_ms() + 20000;

	for (int round = 0; round < 3; round++) {
		options.disabled = round == 1 ? RW_FEATURE_BUFFER_INCREMENTAL
				   : round == 2 ? RW_FEATURE_DEFER_TASKRUN | RW_FEATURE_MULTISHOT_RECEIVE : 0;
		received = accepted = ended = closed = answered = 0;
		rig_open(&rig, &options);
		rig_listen(&rig, &port);
		for (int i = 0; i < PEERS; i++) {
			peers[i] = peer_connect(port);
			peer_write(peers[i], "0123456789", 10);
			shutdown(peers[i], SHUT_WR);
		}
		while (closed < PEERS) {
			rig_turn(&rig, 10000);
			while (rig.handled < rig.count) {
				struct rw_event event = rig.events[rig.handled++];
				accepted += event.kind == RW_EVENT_ACCEPTED;
				ended += event.kind == RW_EVENT_ENDED;
				closed += event.kind == RW_EVENT_CLOSED;
				if (event.kind == RW_EVENT_RECEIVED) {
					received += event.b;
					rig_send(&rig, event.handle, "ok", 2);
				}
				if (event.kind == RW_EVENT_ENDED)
					rig_command(&rig, RW_COMMAND_CLOSE, event.handle, RW_CLOSE_FLUSH, 0);
			}
			CHECK(clock_ms() < deadline);
		}
		for (int i = 0; i < PEERS; i++) {
			char got[3];
			answered += (uint32_t)peer_read(peers[i], got, sizeof got);
			close(peers[i]);
		}
		CHECK_EQUAL(accepted, PEERS);
		CHECK_EQUAL(ended, PEERS);
		CHECK_EQUAL(received, PEERS * 10);
		CHECK_EQUAL(answered, PEERS * 2);
		CHECK_EQUAL(rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
		rig_close(&rig);
	}
}

TEST(dropped_bytes_that_fill_the_arena_do_not_stall_a_close)
{
	struct rig_options options = { .buffers = 2, .buffer_bytes = 4096 };
	struct rig rig;
	uint16_t port;
	static uint8_t flood[200000];
	int peer;
	uint32_t server;

	for (uint32_t disabled = 0; disabled < 32; disabled += 8) {
		options.disabled = disabled;
		rig_open(&rig, &options);
		rig_listen(&rig, &port);
		peer = peer_connect(port);
		server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
		rig_command(&rig, RW_COMMAND_PAUSE, server, 0, 0);
		rig_turn(&rig, 0);
		send(peer, flood, sizeof flood, MSG_DONTWAIT);
		rig_command(&rig, RW_COMMAND_CLOSE, server, RW_CLOSE_FLUSH, 0);
		/* One blocking turn must be enough: nothing else tells the caller to come back. */
		CHECK_EQUAL(rig_turn(&rig, 2000000), 1);
		CHECK_EQUAL(rig.events[0].kind, RW_EVENT_CLOSED);
		close(peer);
		rig_close(&rig);
	}
}

TEST(a_blocking_turn_without_room_for_events_still_sends)
{
	struct rig_options options = { .events = 16 };
	struct rig rig;
	uint16_t port;
	char got[4];
	int peer, others[13];
	uint32_t server;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&rig, 0);
	/* Thirteen events that stay: less room than one more completion may need. */
	for (int i = 0; i < 13; i++)
		others[i] = peer_connect(port);
	for (int i = 0; i < 3; i++)
		rw_turn(rig.id, 0, 0, 0);
	CHECK_EQUAL(rw_turn(rig.id, 0, 0, 0), 13);
	memcpy(rig.block + rig.send_offset, "sent", 4);
	rig.commands[0] = (struct rw_command){ RW_COMMAND_SEND, server, rig.send_offset, 4 };
	CHECK(rw_turn(rig.id, 1, 0, 1000) == 13);
	memset(rig.block + rig.send_offset, 0, 4);
	CHECK_EQUAL(peer_read(peer, got, 4), 4);
	CHECK(memcmp(got, "sent", 4) == 0);
	for (int i = 0; i < 13; i++)
		close(others[i]);
	close(peer);
	rig_close(&rig);
}

/* A caller that only ever flushes: the event array fills with notices, the table stays true. */
TEST(the_table_of_queued_bytes_is_true_without_room_for_events)
{
	struct rig_options options = { .events = 16 };
	struct rig rig;
	uint16_t port;
	uint8_t *data = calloc(1, 1 << 20);
	uint32_t server, slot, before = 0;
	int peer;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	slot = server & ((1u << RW_HANDLE_SLOT_BITS) - 1);
	CHECK_EQUAL(rig.queued[slot], 0);
	for (uint32_t i = 0; i < 40; i++) {
		rig_send(&rig, server, data, 1 << 20);
		rig_command(&rig, RW_COMMAND_RESUME, server, 0, 0);
		CHECK(rw_turn(rig.id, rig.command_count, 0, 0) >= 0);
		rig.command_count = rig.send_used = 0;
		if (before > 0)
			CHECK(rig.queued[slot] >= before);
		before = rig.queued[slot];
	}
	CHECK(before > 20u << 20);
	CHECK(before <= 40u << 20);
	close(peer);
	rig_await(&rig, RW_EVENT_CLOSED, server);
	CHECK_EQUAL(rig.queued[slot], RW_QUEUED_GONE);
	rig_close(&rig);
	free(data);
}

TEST(an_aborted_connection_takes_no_more_bytes_and_its_successor_starts_at_none)
{
	struct rig_options options = { .max_queued = 1 << 20 };
	struct rig rig;
	uint16_t port;
	uint8_t *data = calloc(1, 1 << 20);
	uint32_t server, slot;
	int peer;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	slot = server & ((1u << RW_HANDLE_SLOT_BITS) - 1);
	for (uint32_t i = 0; i < 12; i++)
		rig_send(&rig, server, data, 1 << 20);
	CHECK_EQUAL(rig.queued[slot], RW_QUEUED_GONE);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, server).a, ENOBUFS);
	close(peer);
	peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	CHECK_EQUAL(server & ((1u << RW_HANDLE_SLOT_BITS) - 1), slot);
	CHECK_EQUAL(rig.queued[slot], 0);
	close(peer);
	rig_close(&rig);
	free(data);
}
