/*
 * One turn: take the commands, submit, collect, publish.
 *
 * The send arena is free when a turn returns. Arena sends carry MSG_DONTWAIT, so they complete inside
 * io_uring_enter; what the kernel did not take is copied to the connection's queue before we return.
 */
#include "tls_connection.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How often a turn goes back to the kernel for what its own completions prepared, and for task work
 * beyond the 20 items that one io_uring_enter runs. Bounded, so that timers of the program never starve. */
#define PASSES_MAX 6
#define SUBMIT_TRIES 64
/* So much is decrypted, then it is the program's turn; so much is encrypted, then the kernel gets it. Both ends of a busy connection
 * work at once then instead of one after the other, on memory that is still in the cache: echo of 16 KiB, 40 under way: 1.9 times as many. */
#define PLAIN_BYTES_TOLD (128u << 10)
#define SEALED_BYTES_KEPT (64u << 10)

static uint64_t user_data(enum operation operation, uint32_t handle)
{
	return (uint64_t)operation << 32 | handle;
}

/* A connection that nobody will be told of. */
static void drop_accepted(uint64_t completed, int32_t res)
{
	if (completed >> 32 == OPERATION_ACCEPT && res >= 0)
		close(res);
}

/* Keeps a completion for a turn whose event array has room. */
static void hold(struct ring *ring, const struct held_completion *completion)
{
	if (ring->held_count == ring->held_capacity) {
		uint32_t capacity = ring->held_capacity ? ring->held_capacity * 2 : 256;
		struct held_completion *grown = malloc(capacity * sizeof *grown);
		if (!grown) {
			drop_accepted(completion->user_data, completion->res);
			ring->broken = -ENOMEM;
			return;
		}
		for (uint32_t i = 0; i < ring->held_count; i++)
			grown[i] = ring->held[(ring->held_first + i) % ring->held_capacity];
		free(ring->held);
		ring->held = grown;
		ring->held_first = 0;
		ring->held_capacity = capacity;
	}
	ring->held[(ring->held_first + ring->held_count++) % ring->held_capacity] = *completion;
}

/* Whether this turn may tell of one completion more. What is decrypted stands until a recycling turn. */
static bool can_tell(const struct ring *ring)
{
	return event_room(ring) >= EVENTS_PER_COMPLETION &&
	       (ring->event_count == 0 || ring->plain_used == 0 ||
		(ring->plain_used < PLAIN_BYTES_TOLD && ring->plain_used < ring->plain_bytes));
}

static void cancel_missed(struct ring *ring, struct connection *connection, enum operation operation);

static void complete(struct ring *ring, const struct held_completion *completion)
{
	struct connection *connection = connection_find(ring, (uint32_t)completion->user_data);
	enum operation operation;

	/* Cannot happen while slots outlive what is in flight for them; costs nothing to be sure. */
	if (!connection)
		return;
	operation = (enum operation)(completion->user_data >> 32);
	if (operation > OPERATION_CANCEL) {
		cancel_missed(ring, connection, operation - OPERATION_CANCEL);
		return;
	}
	switch (operation) {
	case OPERATION_IGNORED:
	case OPERATION_CANCEL:
		break;
	case OPERATION_SEND:
		send_completed(ring, connection, completion->res);
		break;
	case OPERATION_DRAIN:
		send_drained(ring, connection, completion->res);
		break;
	case OPERATION_RECEIVE:
		receive_completed(ring, connection, completion->res, completion->flags);
		break;
	case OPERATION_CONNECT:
		connection_connected(ring, connection, completion->res);
		break;
	case OPERATION_ACCEPT:
		listener_accepted(ring, connection, completion->res, completion->flags);
		break;
	case OPERATION_RETRY:
		listener_retry(ring, connection);
		break;
	case OPERATION_POLL:
		tls_polled(ring, connection, completion->res);
		break;
	case OPERATION_DEADLINE:
		connection_timed(ring, connection, completion->res);
		break;
	}
}

/* Takes every posted completion. Those of arena sends are always dealt with; the others wait, in order, when the
 * event array is full, between turns (what is told then, a recycling turn would forget), and while the commands of a turn are
 * taken: nothing is told of a connection that the caller has closed. */
void ring_reap(struct ring *ring)
{
	struct io_uring_cq *queue = &ring->uring.cq;

	for (;;) {
		unsigned head = *queue->khead;
		const struct io_uring_cqe *entry = &queue->cqes[head & queue->ring_mask];
		struct held_completion completion;

		if (head == io_uring_smp_load_acquire(queue->ktail))
			break;
		completion = (struct held_completion){ entry->user_data, entry->res, entry->flags };
		/* Released before it is handled: a handler may submit, which needs the room. */
		io_uring_smp_store_release(queue->khead, head + 1);
		if (completion.user_data >> 32 == OPERATION_IGNORED)
			continue;
		if (completion.user_data >> 32 == OPERATION_SEND ||
		    (ring->held_count == 0 && ring->may_tell && can_tell(ring)))
			complete(ring, &completion);
		else
			hold(ring, &completion);
	}
}

void ring_release_held(struct ring *ring)
{
	while (ring->held_count > 0 && can_tell(ring)) {
		struct held_completion completion = ring->held[ring->held_first];
		ring->held_first = (ring->held_first + 1) % ring->held_capacity;
		ring->held_count--;
		complete(ring, &completion);
	}
}

static unsigned kernel_flags(const struct ring *ring)
{
	return __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED);
}

/* For a ring that goes without handling what was completed: accepted sockets are descriptors of ours already, held or
 * still in the completion queue. Touches nothing of the block; the receive buffers are taken from the kernel before. */
void ring_drop_accepted(struct ring *ring)
{
	struct io_uring_cq *queue = &ring->uring.cq;

	for (; ring->held_count > 0; ring->held_count--) {
		const struct held_completion *completion = &ring->held[ring->held_first];
		ring->held_first = (ring->held_first + 1) % ring->held_capacity;
		drop_accepted(completion->user_data, completion->res);
	}
	for (int pass = 0; pass < SUBMIT_TRIES; pass++) {
		while (*queue->khead != io_uring_smp_load_acquire(queue->ktail)) {
			const struct io_uring_cqe *entry = &queue->cqes[*queue->khead & queue->ring_mask];
			drop_accepted(entry->user_data, entry->res);
			io_uring_smp_store_release(queue->khead, *queue->khead + 1);
		}
		if (!(kernel_flags(ring) & IORING_SQ_CQ_OVERFLOW) || io_uring_get_events(&ring->uring) < 0)
			break;
	}
}

/* Whether the kernel has nothing for us and we have nothing for it. */
bool ring_is_idle(struct ring *ring)
{
	return ring->held_count == 0 && ring->starved == RW_NONE && !tls_has_work(ring) && io_uring_sq_ready(&ring->uring) == 0 && io_uring_cq_ready(&ring->uring) == 0 &&
	       (kernel_flags(ring) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0;
}

/* The kernel may do better in a moment. */
static bool is_passing(int result)
{
	return result == -EINTR || result == -EBUSY || result == -EAGAIN || result == -ENOMEM;
}

/* Hands over every prepared entry; with `collect` also runs the pending task work. Never waits. A broken ring stays
 * so: what was prepared before it broke points into a send arena that has other bytes by now. */
int32_t ring_submit(struct ring *ring, bool collect)
{
	if (ring->broken)
		return ring->broken;
	for (int tries = 0; tries < SUBMIT_TRIES; tries++) {
		int result = collect ? io_uring_submit_and_get_events(&ring->uring)
				     : io_uring_submit(&ring->uring);
		ring->control[RW_FIELD_STAT_ENTERS]++;
		if (is_passing(result)) {
			ring_reap(ring); /* completions that overflowed, or no memory for a request */
		} else if (result < 0) {
			ring->broken = result;
			return result;
		}
		if (io_uring_sq_ready(&ring->uring) == 0)
			return 0;
	}
	ring->broken = -ENOMEM;
	return ring->broken;
}

struct io_uring_sqe *ring_prepare(struct ring *ring, enum operation operation, uint32_t handle)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

	if (!entry) {
		ring_submit(ring, false);
		entry = io_uring_get_sqe(&ring->uring);
	}
	if (!entry) {
		/* The ring is broken and every turn says so; callers need not each know. */
		static _Thread_local struct io_uring_sqe nowhere;
		entry = &nowhere;
	}
	memset(entry, 0, sizeof *entry);
	entry->user_data = user_data(operation, handle);
	return entry;
}

void ring_cancel(struct ring *ring, enum operation operation, uint32_t handle)
{
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_CANCEL + operation, handle);

	entry->opcode = IORING_OP_ASYNC_CANCEL;
	entry->fd = -1;
	entry->addr = user_data(operation, handle);
	/* Only a cancel that found nothing to cancel posts a completion. */
	entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

/* Mostly what was to be cancelled had completed before. But an operation on its way between the kernel's lists, from a poll that
 * fired to the thread that goes on with it, is found in neither; it would stay, and its connection with it. */
static void cancel_missed(struct ring *ring, struct connection *connection, enum operation operation)
{
	/* Without this flag it is another receive than the one that was to be cancelled. */
	bool is_wanted = operation == OPERATION_RECEIVE && !(connection->flags & FLAG_CANCELLING);

	if ((connection->flags & FLAG_OF(operation)) && !is_wanted)
		ring_cancel(ring, operation, connection_handle(ring, connection));
}

/* After the submit: whatever the kernel left of this turn's segments moves to the queues. */
void ring_settle_sends(struct ring *ring)
{
	while (ring->touched != RW_NONE) {
		struct connection *connection = &ring->connections[ring->touched];
		ring->touched = connection->next_touched;
		send_settle(ring, connection);
	}
	ring->iovec_count = ring->message_count = 0;
	if (ring->tls)
		ring->tls->sealed.used = 0;
}

static bool is_in_send_arena(const struct ring *ring, const struct rw_command *command)
{
	return command->a >= ring->send_offset && command->b <= ring->send_arena_bytes &&
	       command->a - ring->send_offset <= ring->send_arena_bytes - command->b;
}

/* Returns false when a record made no sense. */
static bool take_commands(struct ring *ring, uint32_t count)
{
	bool is_clean = true;
	uint32_t submitted = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct rw_command *command = &ring->commands[i];
		struct connection *connection = connection_find(ring, command->handle);

		if (command->op == RW_COMMAND_SEND) {
			if (!is_in_send_arena(ring, command))
				is_clean = false;
			else if (connection && command->b > 0)
				send_append(ring, connection, i);
		} else if (command->op >= RW_COMMAND_CLOSE && command->op <= RW_COMMAND_RESUME) {
			if (command->op == RW_COMMAND_CLOSE && command->a > RW_CLOSE_ABORT)
				is_clean = false;
			else if (connection)
				connection_command(ring, connection, command);
		} else {
			is_clean = false;
		}
	}
	/* Only now, so that all segments of a connection leave together. */
	for (uint32_t slot = ring->touched; slot != RW_NONE; slot = ring->connections[slot].next_touched) {
		send_prepare(ring, &ring->connections[slot]);
		if (ring->tls && ring->tls->sealed.used - submitted >= SEALED_BYTES_KEPT) {
			ring_submit(ring, false);
			submitted = ring->tls->sealed.used;
		}
	}
	return is_clean;
}

/* Goes to the kernel while there is a reason to. */
static void exchange(struct ring *ring)
{
	for (int pass = 0; pass < PASSES_MAX && !ring->broken; pass++) {
		if (io_uring_sq_ready(&ring->uring) > 0 ||
		    (kernel_flags(ring) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
			ring_submit(ring, true);
		else if (pass > 0)
			break;
		ring_reap(ring);
		if (ring->touched != RW_NONE) {
			while ((kernel_flags(ring) & IORING_SQ_CQ_OVERFLOW) && !ring->broken) {
				ring_submit(ring, true);
				ring_reap(ring);
			}
			ring_settle_sends(ring);
		}
		if (ring->tls)
			tls_run(ring);
		if (ring->held_count > 0)
			break;
	}
	if (ring->touched != RW_NONE)
		ring_settle_sends(ring);
	connection_publish(ring);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whether the first submit of a turn may also be its wait: nothing is ready to be told, no segment waits to
 * be queued, and none for its FIN. Saves the blocking modes one system call per turn. */
static bool may_wait_at_once(const struct ring *ring)
{
	if (ring->event_count != ring->event_turn_start || !can_tell(ring) ||
	    ring->held_count > 0 || ring->starved != RW_NONE || tls_has_work(ring) || ring->notify_first != RW_NONE || ring->finished_first != RW_NONE)
		return false;
	for (uint32_t slot = ring->touched; slot != RW_NONE; slot = ring->connections[slot].next_touched) {
		const struct connection *connection = &ring->connections[slot];
		if (connection->send_taken != connection->send_bytes || send_more(connection))
			return false;
	}
	return true;
}

/* Blocks until there is an event, the time is over, or a signal came. */
static void wait_for_events(struct ring *ring, int32_t wait_us)
{
	int64_t deadline = wait_us > 0 ? now_ns() + (int64_t)wait_us * 1000 : 0;

	while (ring->event_count == ring->event_turn_start && can_tell(ring) && !ring->broken) {
		struct __kernel_timespec timeout = { 0 };
		struct io_uring_cqe *ignored;
		int result;

		if (ring->starved != RW_NONE) {
			/* Dropped bytes filled the arena and nothing tells of them: no recycling turn would come. */
			if (ring->event_count > 0)
				break;
			receive_recycle(ring);
		}
		if (tls_has_work(ring)) {
			/* As good as the next turn: there is nothing to tell. */
			if (ring->event_count == 0)
				ring->plain_used = 0;
			tls_turn(ring);
			if (wait_us > 0 && now_ns() > deadline)
				break;
			exchange(ring);
			continue;
		}
		if (wait_us > 0) {
			int64_t left = deadline - now_ns();
			if (left <= 0)
				break;
			timeout.tv_sec = left / 1000000000;
			timeout.tv_nsec = left % 1000000000;
		}
		result = io_uring_submit_and_wait_timeout(&ring->uring, &ignored, 1,
							  wait_us > 0 ? &timeout : NULL, NULL);
		ring->control[RW_FIELD_STAT_ENTERS]++;
		if (result < 0 && result != -ETIME && !is_passing(result)) {
			ring->broken = result;
			break;
		}
		exchange(ring);
		/* A signal: the caller may have a handler to run. */
		if (result == -EINTR)
			break;
	}
}

static int32_t take_turn(struct ring *ring, uint32_t command_count, uint32_t flags, int32_t wait_us)
{
	int32_t error;
	bool is_clean;

	ring->control[RW_FIELD_STAT_TURNS]++;
	/* First: what it takes bytes from is given back to the kernel below. */
	is_clean = ring_copy(ring);
	if (ring->is_signalling)
		wake_awake(ring);
	if (flags & RW_TURN_RECYCLE) {
		ring->event_count = 0;
		ring->plain_used = 0;
		receive_recycle(ring);
	}
	ring->event_turn_start = ring->event_count;
	is_clean &= take_commands(ring, command_count);
	ring->may_tell = true;
	if (ring->tls)
		tls_turn(ring);
	ring_release_held(ring);
	if (wait_us == 0 || !may_wait_at_once(ring))
		exchange(ring);
	if (wait_us != 0)
		wait_for_events(ring, wait_us);
	/* However the wait went, the send arena must be free now. */
	if (ring->touched != RW_NONE)
		exchange(ring);
	if (!is_clean)
		return -EBADMSG;
	if ((flags & RW_TURN_PARK) && ring->event_count == ring->event_turn_start && !ring->broken) {
		error = wake_park(ring);
		if (error < 0)
			return error;
	}
	return ring->broken ? ring->broken : (int32_t)ring->event_count;
}

RW_API int32_t rw_turn(uint32_t id, uint32_t command_count, uint32_t flags, int32_t wait_us)
{
	int32_t result;
	struct ring *ring = ring_find(id, &result);

	if (!ring)
		return result;
	if (command_count > ring->command_capacity ||
	    (flags & ~(uint32_t)(RW_TURN_RECYCLE | RW_TURN_PARK)) || wait_us < -1)
		return -EINVAL;
	if (ring->broken)
		return ring->broken;
	result = take_turn(ring, command_count, flags, wait_us);
	ring->may_tell = false;
	return result;
}
