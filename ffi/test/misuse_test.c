/*
 * Stale handles, garbage and random commands: nobody else is disturbed and nothing is corrupted.
 */
#include "pair.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(a_stale_handle_reaches_nobody)
{
	struct pair pair;
	uint32_t old, fresh;
	int second;

	open_pair(&pair, NULL);
	old = pair.server;
	rig_command(&pair.rig, RW_COMMAND_CLOSE, old, RW_CLOSE_ABORT, 0);
	rig_await(&pair.rig, RW_EVENT_CLOSED, old);
	second = peer_connect(pair.port);
	fresh = rig_await(&pair.rig, RW_EVENT_ACCEPTED, 0).handle;
	CHECK(fresh != old);
	CHECK_EQUAL(fresh & 0xfffff, old & 0xfffff);
	rig_send(&pair.rig, old, "wrong", 5);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, old, RW_CLOSE_ABORT, 0);
	rig_send(&pair.rig, fresh, "right", 5);
	rig_turn(&pair.rig, 0);
	char got[5];
	CHECK_EQUAL(peer_read(second, got, 5), 5);
	CHECK(memcmp(got, "right", 5) == 0);
	CHECK_EQUAL(rw_address(pair.rig.id, old, RW_ADDRESS_PEER), -EBADF);
	CHECK(rw_address(pair.rig.id, fresh, RW_ADDRESS_PEER) > 0);
	close(second);
	close_pair(&pair);
}

TEST(garbage_commands_are_skipped_and_the_rest_is_done)
{
	struct pair pair;
	char got[4];

	open_pair(&pair, NULL);
	rig_command(&pair.rig, 99, pair.server, 0, 0);
	rig_command(&pair.rig, RW_COMMAND_SEND, pair.server, pair.rig.send_offset - 1, 4);
	rig_command(&pair.rig, RW_COMMAND_SEND, pair.server, pair.rig.send_offset, UINT32_MAX);
	rig_command(&pair.rig, RW_COMMAND_SEND, pair.server, UINT32_MAX, 2);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, 7, 0);
	rig_send(&pair.rig, pair.server, "fine", 4);
	CHECK_EQUAL(rw_turn(pair.rig.id, pair.rig.command_count, RW_TURN_RECYCLE, 0), -EBADMSG);
	pair.rig.command_count = 0;
	CHECK_EQUAL(peer_read(pair.peer, got, 4), 4);
	CHECK_EQUAL(rw_turn(pair.rig.id, 1u << 20, RW_TURN_RECYCLE, 0), -EINVAL);
	CHECK_EQUAL(rw_turn(pair.rig.id, 0, 1u << 9, 0), -EINVAL);
	CHECK_EQUAL(rw_turn(pair.rig.id, 0, 0, -2), -EINVAL);
	CHECK_EQUAL(rw_turn(pair.rig.id + 256, 0, 0, 0), -EINVAL);
	CHECK_EQUAL(rw_turn(0, 0, 0, 0), -EINVAL);
	close_pair(&pair);
}

TEST(random_command_streams_corrupt_nothing)
{
	struct rig_options options = { .connections = 40, .events = 64, .commands = 64, .buffers = 4, .buffer_bytes = 4096,
				       .max_queued = 100000 };
	/* RINGWIRE_TEST_SEED starts elsewhere, RINGWIRE_TEST_MS goes on for longer. */
	const char *first = getenv("RINGWIRE_TEST_SEED"), *ms = getenv("RINGWIRE_TEST_MS");
	uint64_t until = clock_ms() + (ms ? strtoull(ms, NULL, 10) : 2000);

	for (uint64_t seed = first ? strtoull(first, NULL, 10) : 1; clock_ms() < until; seed++) {
		struct rig rig;
		uint16_t port;
		uint32_t handles[64], known = 0;
		int peers[12];
		int client_count = 0;

		options.disabled = (uint32_t)seed % 32;
		options.wanted = seed % 64 < 32 ? 0 : RW_FEATURE_RECEIVE_STAMPS;
		options.entries = seed % 3 ? 256 : 8;
		rig_open(&rig, &options);
		int wake = rw_wake_open(rig.id, RW_WAKE_DESCRIPTOR);
		CHECK(wake >= 0);
		handles[known++] = rig_listen(&rig, &port);
		for (int i = 0; i < 12; i++) {
			peers[i] = peer_connect(port);
			fcntl(peers[i], F_SETFL, O_NONBLOCK);
		}
		for (int turn = 0; turn < 60; turn++) {
			uint8_t dice[64 * 8], waste[5000] = { 0 };
			int32_t result;
			fill_random(dice, sizeof dice, seed * 1000 + (uint64_t)turn);
			for (int i = 0; i < 20; i++) {
				const uint8_t *d = dice + i * 8;
				uint32_t op = d[0] < 200 ? RW_COMMAND_SEND + d[0] % 5 : d[0];
				uint32_t a = op == RW_COMMAND_SEND ? rig.send_offset + d[1] * 64u : d[1] & 1;
				rig.commands[i] = (struct rw_command){
					op, d[2] < 230 ? handles[d[2] % known] : d[3] * 77777u, d[4] > 250 ? (uint32_t)d[5] << 24 : a,
					d[6] > 250 ? UINT32_MAX : d[6] * 40u };
			}
			result = rw_turn(rig.id, dice[400] % 21,
					 (dice[401] & 1 ? RW_TURN_RECYCLE : 0) | (dice[401] & 2 ? RW_TURN_PARK : 0),
					 dice[402] < 20 ? 200 : 0);
			CHECK(result >= 0 || result == -EBADMSG);
			for (int32_t i = 0; i < result; i++) {
				struct rw_event event = rig.events[i];
				CHECK(event.kind >= RW_EVENT_ACCEPTED && event.kind <= RW_EVENT_STAMP);
				if (event.kind == RW_EVENT_RECEIVED)
					CHECK((uint64_t)event.a + event.b <= rig.send_offset);
				if (event.kind == RW_EVENT_ACCEPTED && known < 64)
					handles[known++] = event.handle;
			}
			int who = dice[410] % 12;
			if (dice[411] < 100)
				send(peers[who], waste, 1 + dice[412] * 16u, MSG_NOSIGNAL);
			else if (dice[411] < 180)
				recv(peers[who], waste, sizeof waste, 0);
			else if (dice[411] < 190)
				shutdown(peers[who], SHUT_WR);
			if (dice[413] < 30 && client_count++ < 8)
				handles[known < 64 ? known++ : 63] = rig_connect(&rig, port);
			if (dice[414] < 4 && rw_unlisten(rig.id, handles[0]) == 0)
				break;
		}
		for (int i = 0; i < 12; i++)
			close(peers[i]);
		close(wake);
		rig_close(&rig);
	}
}
