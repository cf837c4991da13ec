/*
 * Slots and descriptors run out, are given back, and come again.
 */
#include "pair.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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
	peer_try_connect(peer, port);
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
