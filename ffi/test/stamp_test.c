/*
 * Time stamps of the kernel: RW_FEATURE_RECEIVE_STAMPS.
 */
#include "test.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 30
/* How far the two ways of reading the clock may be apart, on a machine that is busy. */
#define TOLERANCE_NS 5000000ll

static const struct rig_options stamped = { .wanted = RW_FEATURE_RECEIVE_STAMPS };

static int64_t monotonic_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static int64_t joined(uint32_t low, uint32_t high)
{
	return (int64_t)((uint64_t)high << 32 | low);
}

/* A rig, and a plain socket that is connected to it. Returns the connection's handle. */
static uint32_t open_rig(struct rig *rig, const struct rig_options *options, int *peer)
{
	uint16_t port;

	rig_open(rig, options);
	if (options->wanted && !(rig->control[RW_FIELD_FEATURES] & RW_FEATURE_RECEIVE_STAMPS))
		test_skip("this kernel has no multishot receives");
	rig_listen(rig, &port);
	*peer = peer_connect(port);
	return rig_await(rig, RW_EVENT_ACCEPTED, 0).handle;
}

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* Whether what was received last came with a stamp: that is told right before. */
static bool is_stamped(const struct rig *rig)
{
	return rig->handled >= 2 && rig->events[rig->handled - 2].kind == RW_EVENT_STAMP;
}

/* The kernel leaves it to a work item to begin to stamp (net_enable_timestamp): what comes before has none. */
static void await_first_stamp(struct rig *rig, uint32_t handle, int peer)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		peer_write(peer, "x", 1);
		rig_await(rig, RW_EVENT_RECEIVED, handle);
		if (is_stamped(rig))
			return;
		wait_ms(1);
	}
	CHECK(!"the kernel stamps");
}

TEST(a_stamp_tells_when_the_kernel_received_what_follows)
{
	struct rig rig;
	int peer, stamps = 0;
	uint32_t handle = open_rig(&rig, &stamped, &peer);

	await_first_stamp(&rig, handle, peer);
	/* On a machine where others begin and end to ask for stamps, one is missing now and then. */
	for (int round = 0; round < 30 && stamps < 3; round++) {
		int64_t before = monotonic_ns(), after, stamp, now;

		peer_write(peer, "hello", 5);
		after = monotonic_ns();
		wait_ms(WAIT_MS);
		struct rw_event event = rig_await(&rig, RW_EVENT_RECEIVED, handle);
		CHECK_EQUAL(event.b, 5);
		CHECK(memcmp(rig.block + event.a, "hello", 5) == 0);
		if (!is_stamped(&rig))
			continue;
		event = rig.events[rig.handled - 2];
		stamp = joined(event.a, event.b);
		now = joined(rig.control[RW_FIELD_CLOCK_LOW], rig.control[RW_FIELD_CLOCK_HIGH]);
		CHECK(stamp > before - TOLERANCE_NS && stamp < after + TOLERANCE_NS);
		CHECK(now >= after + WAIT_MS * 1000000ll && now <= monotonic_ns());
		stamps++;
	}
	CHECK_EQUAL(stamps, 3);
	close(peer);
	rig_await(&rig, RW_EVENT_ENDED, handle);
	rig_close(&rig);
}

TEST(a_connecting_side_gets_stamps_too)
{
	struct rig rig;
	uint16_t port;
	int listener = peer_listen(&port), peer;

	rig_open(&rig, &stamped);
	uint32_t handle = rig_connect(&rig, port);
	peer = accept(listener, NULL, NULL);
	rig_await(&rig, RW_EVENT_CONNECTED, handle);
	await_first_stamp(&rig, handle, peer);
	close(peer);
	close(listener);
	rig_close(&rig);
}

TEST(nobody_gets_stamps_who_has_not_asked)
{
	struct rig rig;
	int peer;
	uint32_t handle = open_rig(&rig, &(struct rig_options){ 0 }, &peer);

	CHECK(!(rig.control[RW_FIELD_FEATURES] & RW_FEATURE_RECEIVE_STAMPS));
	peer_write(peer, "x", 1);
	CHECK_EQUAL(rig_turn(&rig, 1000000), 1);
	CHECK_EQUAL(rig.events[0].kind, RW_EVENT_RECEIVED);
	CHECK_EQUAL(rig.events[0].handle, handle);
	close(peer);
	rig_close(&rig);
}

/* Every receive takes a whole buffer, and so does the FIN: they must all come back. */
TEST(buffers_of_stamped_receives_return)
{
	struct rig rig;
	struct rig_options options = { .wanted = RW_FEATURE_RECEIVE_STAMPS, .buffer_bytes = 4096, .buffers = 2 };
	int peer;
	uint32_t handle = open_rig(&rig, &options, &peer);

	for (uint32_t round = 0; round < 1000; round++) {
		struct rw_event event;

		peer_write(peer, &round, sizeof round);
		event = rig_await(&rig, RW_EVENT_RECEIVED, handle);
		CHECK_EQUAL(event.b, sizeof round);
		CHECK(memcmp(rig.block + event.a, &round, sizeof round) == 0);
	}
	rig_close(&rig);
	close(peer);
	for (int round = 0; round < 8; round++) {
		handle = open_rig(&rig, &options, &peer);
		close(peer);
		rig_await(&rig, RW_EVENT_ENDED, handle);
		rig_close(&rig);
	}
}

TEST(stamps_do_not_come_of_what_is_dropped)
{
	struct rig rig;
	int peer;
	uint32_t handle = open_rig(&rig, &stamped, &peer);

	rig_command(&rig, RW_COMMAND_CLOSE, handle, RW_CLOSE_FLUSH, 0);
	rig_turn(&rig, 0);
	peer_write(peer, "late", 4);
	close(peer);
	for (;;) {
		CHECK(rig_turn(&rig, 1000000) > 0);
		CHECK(rig.events[0].kind != RW_EVENT_STAMP && rig.events[0].kind != RW_EVENT_RECEIVED);
		if (rig.events[0].kind == RW_EVENT_CLOSED)
			break;
	}
	rig_close(&rig);
}
