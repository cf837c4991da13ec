/*
 * Many TLS handshakes at once: all of them finish, a few steps a turn, and there is a limit.
 */
#include "tls_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_PER_TURN 4u
#define TLS_HANDSHAKES_MAX 4096u

TEST(tls_handshakes_are_bounded_per_turn_and_all_of_them_finish)
{
	const uint32_t count = test_is_valgrind() ? 20 : 1000;
	struct secured secured;
	SSL **peers;
	bool *are_done;
	uint32_t done = 0, accepted = 0, before = 0, most = 0;
	uint64_t deadline;

	if (!may_open(2 * count + 100))
		test_skip("needs some 2,100 descriptors");
	peers = calloc(count, sizeof *peers);
	are_done = calloc(count, sizeof *are_done);
	secured_open(&secured, &(struct secured_options){ .is_open = true, .timeout_ms = 60000, .rig = { .connections = count + 64 } });
	for (uint32_t i = 0; i < count; i++)
		peers[i] = peer_new(secured.peer_context, peer_connect(secured.port));
	deadline = clock_ms() + 50000;
	while (done < count || accepted < count) {
		for (uint32_t i = 0; i < count; i++)
			if (!are_done[i] && peer_step(peers[i])) {
				are_done[i] = true;
				done++;
			}
		rig_turn(&secured.rig, 0);
		for (uint32_t i = 0; i < secured.rig.count; i++)
			accepted += secured.rig.events[i].kind == RW_EVENT_ACCEPTED;
		if (secured.rig.control[RW_FIELD_STAT_HANDSHAKES] - before > most)
			most = secured.rig.control[RW_FIELD_STAT_HANDSHAKES] - before;
		before = secured.rig.control[RW_FIELD_STAT_HANDSHAKES];
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_HANDSHAKES], count);
	CHECK(most > 1 && most <= STEPS_PER_TURN);
	for (uint32_t i = 0; i < count; i++)
		peer_free(peers[i]);
	free(peers);
	free(are_done);
	secured_close(&secured);
}

TEST(tls_handshakes_under_way_are_bounded_per_listener)
{
	struct secured secured;
	struct rw_event event;
	uint32_t refused = 0;
	uint8_t byte;
	int *fds;

	if (test_is_valgrind() || !may_open(2 * TLS_HANDSHAKES_MAX + 512))
		test_skip("needs some 8,700 descriptors, and no valgrind");
	fds = calloc(TLS_HANDSHAKES_MAX, sizeof *fds);
	secured_open(&secured, &(struct secured_options){ .is_open = true, .timeout_ms = 60000, .rig = { .connections = TLS_HANDSHAKES_MAX + 64 } });
	/* One is there already. */
	for (uint32_t i = 0; i < TLS_HANDSHAKES_MAX; i++) {
		fds[i] = peer_connect(secured.port);
		rig_turn(&secured.rig, 0);
		for (; secured.rig.handled < secured.rig.count; secured.rig.handled++) {
			event = secured.rig.events[secured.rig.handled];
			CHECK_EQUAL(event.kind, RW_EVENT_ACCEPT_FAILED);
			CHECK_EQUAL(event.a, ENOSPC);
			CHECK_EQUAL(event.b, TLS_HANDSHAKES_MAX);
			refused++;
		}
	}
	if (refused == 0) {
		event = rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener);
		CHECK_EQUAL(event.a, ENOSPC);
	}
	CHECK(refused <= 1);
	CHECK(recv(fds[TLS_HANDSHAKES_MAX - 1], &byte, 1, 0) <= 0);
	/* One goes, and there is room for another: the first one, which was waiting all the time, gets its turn too. */
	close(fds[0]);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener).a, RW_TLS_ERROR_TRUNCATED);
	fds[0] = peer_connect(secured.port);
	secured_shake(&secured);
	for (uint32_t i = 0; i < TLS_HANDSHAKES_MAX; i++)
		close(fds[i]);
	free(fds);
	secured_close(&secured);
}

TEST(tls_ring_with_handshakes_to_do_does_not_sleep)
{
	struct secured secured;
	SSL *peers[20];
	int wake;
	uint8_t byte;

	secured_open(&secured, &(struct secured_options){ .is_open = true });
	wake = rw_wake_open(secured.rig.id, RW_WAKE_DESCRIPTOR);
	if (wake < 0) {
		secured_close(&secured);
		test_skip("no parking here");
	}
	for (size_t i = 0; i < 20; i++) {
		peers[i] = peer_new(secured.peer_context, peer_connect(secured.port));
		peer_step(peers[i]);
	}
	/* The first accepts and polls, the second does four steps, and for the others a byte comes at once. */
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(rw_turn(secured.rig.id, 0, RW_TURN_RECYCLE | RW_TURN_PARK, 0), 0);
	CHECK_EQUAL(recv(wake, &byte, 1, MSG_DONTWAIT), 1);
	/* Waiting does all of them. */
	CHECK_EQUAL(rw_turn(secured.rig.id, 0, RW_TURN_RECYCLE, test_is_valgrind() ? 2000000 : 50000), 0);
	for (size_t i = 0; i < 20; i++) {
		peer_step(peers[i]);
		CHECK(SSL_get_state(peers[i]) != TLS_ST_CW_CLNT_HELLO);
		peer_free(peers[i]);
	}
	close(wake);
	secured_close(&secured);
}
