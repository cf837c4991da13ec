/*
 * Connections come and go: in order, by reset, half, within one turn, by the thousand.
 */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct pair {
	struct rig rig;
	uint16_t port;
	uint32_t listener, server;
	int peer;
};

static void open_pair(struct pair *pair, const struct rig_options *options)
{
	rig_open(&pair->rig, options);
	pair->listener = rig_listen(&pair->rig, &pair->port);
	pair->peer = peer_connect(pair->port);
	pair->server = rig_await(&pair->rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&pair->rig, 0);
}

static int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return connect(fd, (struct sockaddr *)&name, sizeof name);
}

static void close_pair(struct pair *pair)
{
	close(pair->peer);
	rig_close(&pair->rig);
}

TEST(a_refused_connect_is_told_with_closed)
{
	struct rig rig;
	uint16_t port;
	int listener = peer_listen(&port);
	uint32_t handle;

	close(listener);
	rig_open(&rig, NULL);
	handle = rig_connect(&rig, port);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, handle).a, ECONNREFUSED);
	CHECK_EQUAL(rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	rig_close(&rig);
}

TEST(sends_before_connected_wait_for_it)
{
	struct rig rig;
	uint16_t port;
	int listener = peer_listen(&port), peer;
	uint32_t handle;
	char got[10];

	rig_open(&rig, NULL);
	handle = rig_connect(&rig, port);
	rig_send(&rig, handle, "early", 5);
	rig_command(&rig, RW_COMMAND_END, handle, 0, 0);
	rig_turn(&rig, 0);
	peer = accept(listener, NULL, NULL);
	for (int i = 0; i < 3; i++)
		rig_turn(&rig, 1000);
	CHECK_EQUAL(peer_read(peer, got, sizeof got), 5);
	CHECK(memcmp(got, "early", 5) == 0);
	close(peer);
	close(listener);
	rig_close(&rig);
}

TEST(close_flushes_then_ends_in_order)
{
	struct pair pair;
	const uint32_t bytes = 8 << 20;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes + 1);
	uint32_t have = 0;
	bool is_closed = false, is_over = false;
	uint64_t deadline = clock_ms() + 10000;

	open_pair(&pair, NULL);
	fill_random(sent, bytes, 4);
	rig_send(&pair.rig, pair.server, sent, bytes);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	while (!is_closed || !is_over) {
		ssize_t part;
		rig_turn(&pair.rig, 1000);
		for (uint32_t i = 0; i < pair.rig.count; i++) {
			if (pair.rig.events[i].kind != RW_EVENT_CLOSED)
				continue;
			CHECK_EQUAL(pair.rig.events[i].a, 0);
			is_closed = true;
		}
		part = recv(pair.peer, got + have, bytes + 1 - have, MSG_DONTWAIT);
		CHECK(part >= 0 || errno == EAGAIN);
		is_over = part == 0;
		have += part > 0 ? (uint32_t)part : 0;
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(have, bytes);
	CHECK(memcmp(sent, got, bytes) == 0);
	close_pair(&pair);
	free(sent);
	free(got);
}

TEST(close_does_not_reset_what_was_sent_even_with_unread_input)
{
	struct pair pair;
	static uint8_t flood[1 << 18];
	char got[6];
	int size = 4096;

	open_pair(&pair, NULL);
	rig_command(&pair.rig, RW_COMMAND_PAUSE, pair.server, 0, 0);
	rig_turn(&pair.rig, 0);
	setsockopt(pair.peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	send(pair.peer, flood, 30000, MSG_DONTWAIT);
	rig_send(&pair.rig, pair.server, "reply", 5);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, 0);
	usleep(1000);
	CHECK_EQUAL(peer_read(pair.peer, got, sizeof got), 5);
	close_pair(&pair);
}

/* Found by the ABI's fuzzer: closing at once answers what is on its way with RST, which drops what the peer has not read. */
TEST(close_waits_for_a_peer_that_goes_on_sending)
{
	struct pair pair;
	uint32_t bytes = 1 << 20, have = 0;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes + 1);
	uint64_t deadline = clock_ms() + 5000;
	ssize_t part = -1;

	open_pair(&pair, NULL);
	fill_random(sent, bytes, 5);
	rig_send(&pair.rig, pair.server, sent, bytes);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	while (part != 0) {
		if (part < 0)
			send(pair.peer, sent, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		rig_turn(&pair.rig, 1000);
		part = recv(pair.peer, got + have, bytes + 1 - have, MSG_DONTWAIT);
		CHECK(part >= 0 || errno == EAGAIN);
		have += part > 0 ? (uint32_t)part : 0;
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(have, bytes);
	CHECK(memcmp(sent, got, bytes) == 0);
	deadline = clock_ms() + 900;
	shutdown(pair.peer, SHUT_WR);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, 0);
	CHECK(clock_ms() < deadline);
	close_pair(&pair);
	free(sent);
	free(got);
}

TEST(close_waits_a_second_for_a_peer_that_says_nothing)
{
	struct pair pair;
	uint64_t begun = clock_ms();

	open_pair(&pair, NULL);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, 0);
	CHECK(clock_ms() - begun >= 900);
	close_pair(&pair);
}

TEST(abort_resets)
{
	struct pair pair;
	char byte;

	open_pair(&pair, NULL);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_ABORT, 0);
	/* Within one turn. */
	CHECK_EQUAL(rig_turn(&pair.rig, 0), 1);
	CHECK_EQUAL(pair.rig.events[0].kind, RW_EVENT_CLOSED);
	CHECK_EQUAL(pair.rig.events[0].a, 0);
	CHECK(recv(pair.peer, &byte, 1, 0) < 0 && errno == ECONNRESET);
	close_pair(&pair);
}

TEST(abort_cuts_a_flush_short)
{
	struct pair pair;
	uint8_t *data = calloc(1, 20 << 20);

	open_pair(&pair, NULL);
	rig_send(&pair.rig, pair.server, data, 20 << 20);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	rig_turn(&pair.rig, 0);
	rig_turn(&pair.rig, 1000);
	CHECK_EQUAL(pair.rig.control[RW_FIELD_STAT_CONNECTIONS], 1);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_ABORT, 0);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, 0);
	CHECK_EQUAL(pair.rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	close_pair(&pair);
	free(data);
}

TEST(a_reset_by_the_peer_closes_with_its_error)
{
	struct pair pair;
	struct linger linger = { 1, 0 };

	open_pair(&pair, NULL);
	setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(pair.peer);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, ECONNRESET);
	rig_close(&pair.rig);
}

TEST(a_failed_send_still_delivers_what_was_received)
{
	struct rig rig;
	struct rw_endpoint *endpoint;
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "build/fail.sock" };
	uint8_t got[4];
	int peer = socket(AF_UNIX, SOCK_STREAM, 0);
	uint32_t server;

	rig_open(&rig, NULL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_UNIX, name.sun_path, 0);
	(void)endpoint;
	CHECK_EQUAL(rw_listen(rig.id), 0);
	CHECK(connect(peer, (struct sockaddr *)&name, sizeof name) == 0);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&rig, 0);
	peer_write(peer, "last", 4);
	close(peer);
	rig_send(&rig, server, "too late", 8);
	rig_receive(&rig, server, got, 4);
	CHECK(memcmp(got, "last", 4) == 0);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, server).a, EPIPE);
	rig_close(&rig);
}

/* Found by fuzzing: a connection that was failing already took no notice of CLOSE. */
TEST(after_close_nothing_is_received_even_when_sending_has_failed)
{
	struct rig rig;
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "build/fail.sock" };
	static const uint8_t flood[20000];
	int peer = socket(AF_UNIX, SOCK_STREAM, 0);
	uint32_t server;

	/* The arena holds less than the flood: the rest waits in the socket for the turn that recycles. */
	rig_open(&rig, &(struct rig_options){ .buffer_bytes = 4096, .buffers = 2 });
	rig_endpoint(&rig, RW_FAMILY_UNIX, name.sun_path, 0);
	CHECK_EQUAL(rw_listen(rig.id), 0);
	CHECK(connect(peer, (struct sockaddr *)&name, sizeof name) == 0);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&rig, 0);
	peer_write(peer, flood, sizeof flood);
	close(peer);
	rig_send(&rig, server, "too late", 8);
	rig_await(&rig, RW_EVENT_RECEIVED, server);
	rig_command(&rig, RW_COMMAND_CLOSE, server, RW_CLOSE_FLUSH, 0);
	rig_turn(&rig, 1000);
	for (uint32_t i = 0; i < rig.count; i++)
		CHECK(rig.events[i].kind != RW_EVENT_RECEIVED);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, server).a, EPIPE);
	rig_close(&rig);
}

TEST(after_the_peers_fin_sending_goes_on)
{
	struct pair pair;
	char got[5];
	uint8_t in[3];

	open_pair(&pair, NULL);
	peer_write(pair.peer, "abc", 3);
	shutdown(pair.peer, SHUT_WR);
	rig_receive(&pair.rig, pair.server, in, 3);
	rig_await(&pair.rig, RW_EVENT_ENDED, pair.server);
	rig_send(&pair.rig, pair.server, "still", 5);
	rig_turn(&pair.rig, 0);
	CHECK_EQUAL(peer_read(pair.peer, got, 5), 5);
	rig_command(&pair.rig, RW_COMMAND_CLOSE, pair.server, RW_CLOSE_FLUSH, 0);
	CHECK_EQUAL(rig_await(&pair.rig, RW_EVENT_CLOSED, pair.server).a, 0);
	close_pair(&pair);
}

TEST(end_is_a_half_close)
{
	struct pair pair;
	char got[6];
	uint8_t in[5];

	open_pair(&pair, NULL);
	rig_send(&pair.rig, pair.server, "first", 5);
	rig_command(&pair.rig, RW_COMMAND_END, pair.server, 0, 0);
	rig_send(&pair.rig, pair.server, "never", 5);
	rig_turn(&pair.rig, 0);
	CHECK_EQUAL(peer_read(pair.peer, got, 6), 5);
	peer_write(pair.peer, "reply", 5);
	rig_receive(&pair.rig, pair.server, in, 5);
	CHECK(memcmp(in, "reply", 5) == 0);
	close_pair(&pair);
}

TEST(pause_stops_receiving_and_resume_loses_nothing)
{
	struct pair pair;
	const uint32_t bytes = 1 << 20;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes);
	uint32_t written = 0;

	fill_random(sent, bytes, 5);
	open_pair(&pair, NULL);
	rig_command(&pair.rig, RW_COMMAND_PAUSE, pair.server, 0, 0);
	rig_turn(&pair.rig, 0);
	peer_write(pair.peer, sent, 1000);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(rig_turn(&pair.rig, 2000), 0);
	/* All in one turn: the cancel and its opposite. */
	rig_command(&pair.rig, RW_COMMAND_RESUME, pair.server, 0, 0);
	rig_command(&pair.rig, RW_COMMAND_PAUSE, pair.server, 0, 0);
	rig_command(&pair.rig, RW_COMMAND_RESUME, pair.server, 0, 0);
	rig_receive(&pair.rig, pair.server, got, 1000);
	CHECK(memcmp(sent, got, 1000) == 0);
	for (uint32_t have = 0; have < bytes;) {
		ssize_t part = send(pair.peer, sent + written, bytes - written, MSG_DONTWAIT);
		written += part > 0 ? (uint32_t)part : 0;
		rig_command(&pair.rig, RW_COMMAND_PAUSE, pair.server, 0, 0);
		rig_turn(&pair.rig, 0);
		for (int pass = 0; pass < 2; pass++) {
			for (uint32_t i = 0; i < pair.rig.count; i++) {
				struct rw_event event = pair.rig.events[i];
				if (event.kind != RW_EVENT_RECEIVED)
					continue;
				memcpy(got + have, pair.rig.block + event.a, event.b);
				have += event.b;
			}
			if (pass == 0) {
				rig_command(&pair.rig, RW_COMMAND_RESUME, pair.server, 0, 0);
				rig_turn(&pair.rig, 1000);
			}
		}
	}
	CHECK(memcmp(sent, got, bytes) == 0);
	close_pair(&pair);
	free(sent);
	free(got);
}

TEST(accepted_answered_and_closed_in_following_turns_without_waiting)
{
	struct rig rig;
	uint16_t port;
	char got[3];
	int peer;
	uint32_t server;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	peer_write(peer, "hello", 5);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_send(&rig, server, "no", 2);
	rig_command(&rig, RW_COMMAND_CLOSE, server, RW_CLOSE_FLUSH, 0);
	rig_command(&rig, RW_COMMAND_CLOSE, server, RW_CLOSE_FLUSH, 0);
	rig_send(&rig, server, "never", 5);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, server).a, 0);
	CHECK_EQUAL(peer_read(peer, got, 3), 2);
	close(peer);
	rig_close(&rig);
}

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
				CHECK(event.kind >= RW_EVENT_ACCEPTED && event.kind <= RW_EVENT_ACCEPT_FAILED);
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

TEST(a_full_table_refuses_and_recovers)
{
	struct rig_options options = { .connections = 3 };
	struct rig rig;
	uint16_t port;
	int peers[3];
	char byte;
	uint32_t first;

	rig_open(&rig, &options);
	rig_listen(&rig, &port);
	peers[0] = peer_connect(port);
	first = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	peers[1] = peer_connect(port);
	rig_await(&rig, RW_EVENT_ACCEPTED, 0);
	peers[2] = peer_connect(port);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_ACCEPT_FAILED, 0).a, ENOSPC);
	CHECK(recv(peers[2], &byte, 1, 0) <= 0);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", port);
	CHECK_EQUAL(rw_connect(rig.id), -ENOSPC);
	close(peers[2]);
	rig_command(&rig, RW_COMMAND_CLOSE, first, RW_CLOSE_ABORT, 0);
	rig_await(&rig, RW_EVENT_CLOSED, first);
	peers[2] = peer_connect(port);
	rig_await(&rig, RW_EVENT_ACCEPTED, 0);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	rig_close(&rig);
}

TEST(running_out_of_descriptors_neither_spins_nor_ends_accepting)
{
	struct rig rig;
	uint16_t port;
	struct rlimit before, tight;
	int peer, fillers[256], filler_count = 0;
	uint32_t turns;
	struct rw_event event;

	if (test_is_valgrind())
		test_skip("valgrind answers setrlimit itself; the kernel's limit stays as it was");
	rig_open(&rig, NULL);
	getrlimit(RLIMIT_NOFILE, &before);
	peer = socket(AF_INET, SOCK_STREAM, 0);
	tight = before;
	tight.rlim_cur = (rlim_t)peer + 2;
	/* Before listening: the kernel notes the limit when the accept is armed. */
	setrlimit(RLIMIT_NOFILE, &tight);
	rig_listen(&rig, &port);
	while (filler_count < 256 && (fillers[filler_count] = dup(0)) >= 0)
		filler_count++;
	/* peer_connect would need a descriptor: connect the one made before. */
	connect_to(peer, port);
	event = rig_await(&rig, RW_EVENT_ACCEPT_FAILED, 0);
	turns = rig.control[RW_FIELD_STAT_ENTERS];
	uint64_t until = clock_ms() + 250;
	uint32_t failures = 0;
	while (clock_ms() < until) {
		rig_turn(&rig, 50000);
		for (uint32_t i = 0; i < rig.count; i++)
			failures += rig.events[i].kind == RW_EVENT_ACCEPT_FAILED;
	}
	turns = rig.control[RW_FIELD_STAT_ENTERS] - turns;
	setrlimit(RLIMIT_NOFILE, &before);
	while (filler_count > 0)
		close(fillers[--filler_count]);
	CHECK_EQUAL(event.a, EMFILE);
	CHECK(failures <= 4);
	CHECK(turns < 60);
	rig_await(&rig, RW_EVENT_ACCEPTED, 0);
	close(peer);
	rig_close(&rig);
}

TEST(ten_thousand_connections_leave_no_descriptor_behind)
{
	struct rig rig;
	uint16_t port;
	int before, rounds = test_is_valgrind() ? 200 : 10000;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	rig_turn(&rig, 0);
	before = count_descriptors();
	for (int i = 0; i < rounds; i++) {
		uint32_t client = rig_connect(&rig, port), server = 0, closed = 0;
		bool is_open = false;
		while (closed < 2) {
			rig_turn(&rig, 100000);
			for (uint32_t k = 0; k < rig.count; k++) {
				struct rw_event event = rig.events[k];
				if (event.kind == RW_EVENT_ACCEPTED)
					server = event.handle;
				is_open = is_open || event.kind == RW_EVENT_CONNECTED;
				closed += event.kind == RW_EVENT_CLOSED;
				if (event.kind == RW_EVENT_ENDED)
					rig_command(&rig, RW_COMMAND_CLOSE, event.handle, RW_CLOSE_FLUSH, 0);
			}
			if (is_open && server) {
				/* Abort: no TIME_WAIT, or the ports would run out. */
				rig_command(&rig, RW_COMMAND_CLOSE, i & 1 ? client : server, RW_CLOSE_ABORT, 0);
				is_open = false;
			}
		}
	}
	CHECK_EQUAL(count_descriptors(), before);
	CHECK_EQUAL(rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	rig_close(&rig);
}

TEST(closing_a_ring_with_everything_in_flight_closes_every_socket)
{
	int before = count_descriptors();
	struct pair pair;
	uint8_t *data = calloc(1, 20 << 20);
	uint32_t client;

	for (int round = 0; round < 3; round++) {
		open_pair(&pair, &(struct rig_options){ .disabled = round == 1 ? 31 : 0 });
		client = rig_connect(&pair.rig, pair.port);
		(void)client;
		rig_send(&pair.rig, pair.server, data, 20 << 20);
		rig_turn(&pair.rig, 0);
		if (round == 2)
			CHECK(rw_wake_open(pair.rig.id, RW_WAKE_ABSTRACT) > 0);
		close_pair(&pair);
		CHECK_EQUAL(rw_turn(pair.rig.id, 0, 0, 0), -EINVAL);
	}
	usleep(20000); /* the kernel takes rings down in the background */
	CHECK_EQUAL(count_descriptors(), before);
	free(data);
}

TEST(unlisten_refuses_at_once_and_lets_connections_live)
{
	struct pair pair;
	char got[2];
	int fd;

	open_pair(&pair, NULL);
	CHECK_EQUAL(rw_unlisten(pair.rig.id, pair.listener), 0);
	CHECK_EQUAL(rw_unlisten(pair.rig.id, pair.listener), -EBADF);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect_to(fd, pair.port) < 0);
	close(fd);
	rig_send(&pair.rig, pair.server, "ok", 2);
	rig_turn(&pair.rig, 0);
	CHECK_EQUAL(peer_read(pair.peer, got, 2), 2);
	/* The port can be had again right away. */
	rig_endpoint(&pair.rig, RW_FAMILY_IPV4, "127.0.0.1", pair.port);
	CHECK_EQUAL(rw_listen(pair.rig.id), 0);
	rig_endpoint(&pair.rig, RW_FAMILY_IPV4, "127.0.0.1", pair.port);
	CHECK_EQUAL(rw_listen(pair.rig.id), -EADDRINUSE);
	close_pair(&pair);
}

TEST(unix_sockets_listen_connect_and_clean_up)
{
	struct rig rig;
	struct stat status;
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "build/life.sock" };
	uint32_t listener, client;
	uint8_t got[3];
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);

	/* A file left behind by a dead program is no obstacle. */
	unlink(name.sun_path);
	CHECK(bind(stale, (struct sockaddr *)&name, sizeof name) == 0);
	close(stale);
	rig_open(&rig, NULL);
	rig_endpoint(&rig, RW_FAMILY_UNIX, name.sun_path, 0);
	CHECK_EQUAL(rw_listen(rig.id), 0);
	listener = rig.control[RW_FIELD_HANDLE];
	/* One that is in use is. */
	CHECK_EQUAL(rw_listen(rig.id), -EADDRINUSE);
	CHECK_EQUAL(rw_connect(rig.id), 0);
	client = rig.control[RW_FIELD_HANDLE];
	rig_send(&rig, client, "abc", 3);
	rig_receive(&rig, 0, got, 3);
	CHECK_EQUAL(rw_address(rig.id, client, RW_ADDRESS_PEER), strlen(name.sun_path));
	CHECK(strcmp(rig_text(&rig), name.sun_path) == 0);
	CHECK_EQUAL(rw_unlisten(rig.id, listener), 0);
	CHECK(stat(name.sun_path, &status) < 0);
	rig_close(&rig);
}

TEST(bad_endpoints_are_refused_with_their_reason)
{
	struct rig rig;
	struct rw_endpoint *endpoint;

	rig_open(&rig, NULL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "localhost", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, RW_FAMILY_IPV6, "127.0.0.1", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, 9, "127.0.0.1", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EAFNOSUPPORT);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 65536);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "", 1);
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->host_bytes = 300;
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->local_address_bytes = 9;
	memcpy(endpoint->local_address, "192.0.2.1", 9);
	CHECK_EQUAL(rw_connect(rig.id), -EADDRNOTAVAIL);
	endpoint = rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 1);
	endpoint->interface_bytes = 7;
	memcpy(endpoint->interface, "no-such", 7);
	CHECK_EQUAL(rw_connect(rig.id), -ENODEV);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "192.0.2.1", 1);
	CHECK_EQUAL(rw_listen(rig.id), -EADDRNOTAVAIL);
	rig_endpoint(&rig, RW_FAMILY_UNIX, "/nonexistent/x", 1);
	CHECK_EQUAL(rw_listen(rig.id), -ENOENT);
	rig_close(&rig);
}
