/*
 * Turns of every kind, a ring that parks, and what wakes it.
 */
#include "abi_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Waits without a limit; a signal every 2 ms must end it. */
static void turn_with_signals(struct model *model, uint32_t flags)
{
	/* To this thread, which may not be the only one. */
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2, ._sigev_un._tid = gettid() };
	struct itimerspec every = { .it_interval.tv_nsec = 2000000, .it_value.tv_nsec = 2000000 };
	timer_t timer;

	REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &every, NULL) == 0, "timer");
	model_turn(model, flags, -1);
	timer_delete(timer);
}

void do_turn(struct session *session, struct model *model)
{
	static const int32_t waits[] = { 0, 0, 0, 1, 50, 300, 0, -1 };
	uint8_t choice = input_u8(&session->input);
	uint32_t flags = choice & 1 ? 0 : RW_TURN_RECYCLE;
	int32_t wait_us = waits[choice >> 2 & 7];

	if (choice & 2)
		flags |= RW_TURN_PARK;
	/* Past the pause after a failed accept. */
	if (session->is_short_of_files && choice >> 5 == 7 && !session->pauses++)
		wait_us = 110000;
	else
		limit_files(session);
	if (wait_us < 0)
		turn_with_signals(model, flags);
	else
		model_turn(model, flags, wait_us);
	free_files(session);
}

void turn(struct model *model)
{
	model_turn(model, RW_TURN_RECYCLE, 0);
}

static int32_t call_wake_open(uint32_t id, uint32_t a, uint32_t b)
{
	(void)b;
	return rw_wake_open(id, a);
}

static int32_t call_wake_accept(uint32_t id, uint32_t a, uint32_t b)
{
	(void)a;
	(void)b;
	return rw_wake_accept(id);
}

void do_wake_open(struct session *session, struct model *model)
{
	uint32_t which = (uint32_t)(model - session->models);
	uint8_t choice = input_u8(&session->input);
	uint32_t mode = choice % 4 == 3 ? choice : choice % 2;
	int32_t result = model_call(model, call_wake_open, mode, 0);

	REQUIRE(mode <= RW_WAKE_ABSTRACT || result == -EINVAL, "rw_wake_open takes mode %u", mode);
	if (model->is_wake_open)
		REQUIRE(result < 0, "rw_wake_open twice");
	if (result < 0)
		return;
	model->is_wake_open = true;
	if (mode == RW_WAKE_DESCRIPTOR) {
		session->wake_fds[which] = result;
	} else {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		memcpy(name.sun_path, model->block.bytes + RW_TEXT_OFFSET, (size_t)result);
		REQUIRE(name.sun_path[0] == 0, "the wake-up name is not abstract");
		if (choice & 64)
			REQUIRE(model_call(model, call_wake_accept, 0, 0) == -EAGAIN, "nobody has connected yet");
		REQUIRE(connect(fd, (struct sockaddr *)&name,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)result)) == 0, "wake-up name");
		session->wake_fds[which] = fd;
	}
}

/* A parked ring is woken by a connection that comes. */
void do_park(struct session *session, struct model *model)
{
	uint32_t which = (uint32_t)(model - session->models), before;
	struct pollfd wake = { .fd = session->wake_fds[which], .events = POLLIN };
	struct slot *listener = model_pick(model, SLOT_LISTENING, input_u8(&session->input));
	uint8_t byte;

	if (wake.fd < 0)
		return;
	model_call(model, call_wake_accept, 0, 0);
	turn(model);
	if (model->broken)
		return;
	while (read(wake.fd, &byte, 1) > 0)
		;
	before = block_control(&model->block)[RW_FIELD_STAT_PARKS];
	model_turn(model, RW_TURN_RECYCLE | RW_TURN_PARK, 0);
	if (block_control(&model->block)[RW_FIELD_STAT_PARKS] == before || !listener ||
	    listener->state != SLOT_LISTENING || listener->tag >= session->address_count || session->has_failed)
		return;
	if (session->addresses[listener->tag].is_tls || !peer_connect(&session->addresses[listener->tag]))
		return;
	REQUIRE(poll(&wake, 1, 5000) == 1, "a parked ring was not woken");
	turn(model);
}
