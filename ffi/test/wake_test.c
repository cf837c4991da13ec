/*
 * A parked ring wakes its sleeper; an awake one does not.
 */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>

static int32_t park(struct rig *rig)
{
	int32_t result = rw_turn(rig->id, rig->command_count, RW_TURN_RECYCLE | RW_TURN_PARK, 0);

	rig->command_count = rig->send_used = rig->handled = 0;
	rig->count = result > 0 ? (uint32_t)result : 0;
	return result;
}

/* poll(2) as a runtime does it: interrupted by the task work, then tried again. */
static int sleep_until_woken(int fd, int timeout_ms)
{
	struct pollfd readable = { fd, POLLIN, 0 };
	char bytes[64];
	uint64_t deadline = clock_ms() + (uint64_t)timeout_ms;
	int result;

	do {
		int left = (int)(deadline - clock_ms());
		result = poll(&readable, 1, left > 0 ? left : 0);
	} while (result < 0 && errno == EINTR);
	return result == 1 ? (int)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;
}

TEST(parking_needs_a_wake_up_socket)
{
	struct rig rig;

	rig_open(&rig, NULL);
	CHECK(rig.control[RW_FIELD_FEATURES] & RW_FEATURE_PARKING);
	CHECK_EQUAL(park(&rig), -ENOTCONN);
	rig_close(&rig);
}

static int late_peer;

static void *write_late(void *argument)
{
	usleep(20000);
	(void)!write(late_peer, argument, 5);
	return NULL;
}

static void wakes(uint32_t disabled)
{
	struct rig rig;
	uint16_t port;
	int fd;
	uint32_t server;
	uint8_t got[5];

	rig_open(&rig, &(struct rig_options){ .disabled = disabled });
	fd = rw_wake_open(rig.id, RW_WAKE_DESCRIPTOR);
	CHECK(fd > 0);
	rig_listen(&rig, &port);
	late_peer = peer_connect(port);
	server = rig_await(&rig, RW_EVENT_ACCEPTED, 0).handle;
	for (int round = 0; round < 5; round++) {
		pthread_t thread;
		uint32_t parks = rig.control[RW_FIELD_STAT_PARKS];
		CHECK_EQUAL(park(&rig), 0);
		CHECK_EQUAL(rig.control[RW_FIELD_STAT_PARKS], parks + 1);
		CHECK_EQUAL(sleep_until_woken(fd, 5), 0);
		pthread_create(&thread, NULL, write_late, "hello");
		CHECK_EQUAL(sleep_until_woken(fd, 2000), 1);
		pthread_join(thread, NULL);
		rig_receive(&rig, server, got, 5);
		/* Awake: no bytes for what comes now. */
		peer_write(late_peer, "again", 5);
		rig_receive(&rig, server, got, 5);
		CHECK_EQUAL(sleep_until_woken(fd, 2), 0);
	}
	/* Data that is already there: not parked, and told at once. */
	peer_write(late_peer, "ready", 5);
	CHECK(park(&rig) > 0);
	/* Parked, woken for another reason, parked again: the chain is still there. */
	CHECK_EQUAL(park(&rig), 0);
	rig_turn(&rig, 0);
	CHECK_EQUAL(park(&rig), 0);
	peer_write(late_peer, "x", 1);
	CHECK_EQUAL(sleep_until_woken(fd, 2000), 1);
	/* Commands given with the parking turn leave before the sleep. */
	rig_turn(&rig, 0);
	rig_send(&rig, server, "reply", 5);
	CHECK_EQUAL(park(&rig), 0);
	CHECK_EQUAL(peer_read(late_peer, got, 5), 5);
	/* A runtime that closed its end costs no signal. */
	close(fd);
	peer_write(late_peer, "y", 1);
	usleep(1000);
	rig_turn(&rig, 1000);
	close(late_peer);
	rig_close(&rig);
}

TEST(a_parked_ring_is_woken_by_a_packet)
{
	wakes(0);
}

TEST(a_parked_ring_without_deferred_task_work_is_woken_too)
{
	wakes(RW_FEATURE_DEFER_TASKRUN);
}

TEST(a_connect_made_while_parked_wakes)
{
	struct rig rig;
	uint16_t port;
	int fd;

	rig_open(&rig, NULL);
	fd = rw_wake_open(rig.id, RW_WAKE_DESCRIPTOR);
	rig_listen(&rig, &port);
	CHECK_EQUAL(park(&rig), 0);
	rig_connect(&rig, port);
	CHECK_EQUAL(sleep_until_woken(fd, 2000), 1);
	rig_await(&rig, RW_EVENT_CONNECTED, 0);
	close(fd);
	rig_close(&rig);
}

static int connect_abstract(struct rig *rig, int32_t bytes)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(name.sun_path, rig->block + RW_TEXT_OFFSET, (size_t)bytes);
	CHECK(connect(fd, (struct sockaddr *)&name,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes)) == 0);
	return fd;
}

TEST(an_abstract_wake_up_socket_takes_only_this_process)
{
	struct rig rig;
	uint16_t port;
	int32_t bytes;
	int fd, status;
	pid_t child;

	rig_open(&rig, NULL);
	bytes = rw_wake_open(rig.id, RW_WAKE_ABSTRACT);
	CHECK(bytes > 1);
	CHECK_EQUAL(rig.block[RW_TEXT_OFFSET], 0);
	CHECK_EQUAL(rw_wake_accept(rig.id), -EAGAIN);
	child = fork();
	if (child == 0) {
		connect_abstract(&rig, bytes);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK_EQUAL(rw_wake_accept(rig.id), -EAGAIN);
	fd = connect_abstract(&rig, bytes);
	CHECK_EQUAL(rw_wake_accept(rig.id), 0);
	CHECK_EQUAL(rw_wake_open(rig.id, RW_WAKE_ABSTRACT), -EALREADY);
	rig_listen(&rig, &port);
	CHECK_EQUAL(park(&rig), 0);
	int peer = peer_connect(port);
	CHECK_EQUAL(sleep_until_woken(fd, 2000), 1);
	rig_await(&rig, RW_EVENT_ACCEPTED, 0);
	close(peer);
	close(fd);
	rig_close(&rig);
}

TEST(a_blocking_turn_ends_in_time_or_with_an_event)
{
	struct rig rig;
	uint16_t port;
	uint64_t start;
	int peer;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	start = clock_ms();
	CHECK_EQUAL(rig_turn(&rig, 30000), 0);
	CHECK(clock_ms() - start >= 29);
	peer = peer_connect(port);
	CHECK(rig_turn(&rig, -1) > 0);
	close(peer);
	rig_close(&rig);
}
