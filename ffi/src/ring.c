/*
 * Opening, finding and closing rings.
 *
 * The table is only written in open and close, under a mutex; calls in between compare two atomics.
 * A forked child sees no rings: the kernel objects belong to the parent's thread.
 */
#include "tls_connection.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_SLOTS 64u
#define RING_SLOT_BITS 8u
#define CLOSE_PATIENCE_NS 200000000ull
#define PLAIN_BYTES_MIN 65536u

static struct ring rings[RING_SLOTS];
static uint32_t ring_serial;
static pthread_mutex_t rings_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int32_t thread_id;
static pthread_key_t thread_key;
static bool has_thread_key;

/* The child has one thread, the one that called fork; its cached id is the parent's. */
static void forget_after_fork(void)
{
	thread_id = 0;
	pthread_mutex_init(&rings_mutex, NULL);
	for (uint32_t i = 0; i < RING_SLOTS; i++)
		atomic_store(&rings[i].id, 0);
}

static void close_rings_of_thread(void *unused);

/* The library is linked with -z nodelete, so these stay valid after a dlclose. */
__attribute__((constructor)) static void watch_forks_and_threads(void)
{
	pthread_atfork(NULL, NULL, forget_after_fork);
	has_thread_key = pthread_key_create(&thread_key, close_rings_of_thread) == 0;
}

int32_t current_thread(void)
{
	if (thread_id == 0)
		thread_id = (int32_t)syscall(SYS_gettid);
	return thread_id;
}

struct ring *ring_find(uint32_t id, int32_t *error)
{
	uint32_t slot = (id & ((1u << RING_SLOT_BITS) - 1)) - 1;
	if (slot >= RING_SLOTS || id == 0 ||
	    atomic_load_explicit(&rings[slot].id, memory_order_acquire) != id) {
		*error = -EINVAL;
		return NULL;
	}
	if (atomic_load_explicit(&rings[slot].owner, memory_order_relaxed) != current_thread()) {
		*error = -EXDEV;
		return NULL;
	}
	return &rings[slot];
}

RW_API int32_t rw_abi_version(void)
{
	return RW_ABI_VERSION;
}

static bool is_range(uint64_t offset, uint64_t bytes, uint32_t block_bytes, uint32_t alignment)
{
	return offset % alignment == 0 && offset >= RW_CONTROL_BYTES && offset + bytes <= block_bytes;
}

struct part {
	uint64_t offset, bytes;
};

/* Parts that overlap would let the kernel, or an event, rewrite a command that was checked already. */
static bool are_apart(const struct part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (parts[i].offset < parts[j].offset + parts[j].bytes &&
			    parts[j].offset < parts[i].offset + parts[i].bytes)
				return false;
	return true;
}

static bool is_power_of_two(uint32_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* Copies and checks the control page. Returns NULL, or what is wrong with it. */
static const char *read_control(struct ring *ring)
{
	const uint32_t *control = ring->control;
	uint32_t command_offset = control[RW_FIELD_COMMAND_OFFSET];
	uint32_t event_offset = control[RW_FIELD_EVENT_OFFSET];
	uint32_t queued_offset = control[RW_FIELD_QUEUED_OFFSET];
	uint64_t arena;

	ring->command_capacity = control[RW_FIELD_COMMAND_COUNT];
	ring->event_capacity = control[RW_FIELD_EVENT_COUNT];
	ring->receive_offset = control[RW_FIELD_RECEIVE_OFFSET];
	ring->buffer_bytes = control[RW_FIELD_RECEIVE_BUFFER_BYTES];
	ring->buffer_count = control[RW_FIELD_RECEIVE_BUFFER_COUNT];
	ring->send_offset = control[RW_FIELD_SEND_OFFSET];
	ring->send_arena_bytes = control[RW_FIELD_SEND_BYTES];
	ring->connection_capacity = control[RW_FIELD_MAX_CONNECTIONS];
	ring->plain_offset = control[RW_FIELD_PLAIN_OFFSET];
	ring->plain_bytes = control[RW_FIELD_PLAIN_BYTES];
	ring->max_queued_bytes = control[RW_FIELD_MAX_QUEUED_BYTES];
	ring->max_queued_total = (uint64_t)control[RW_FIELD_MAX_QUEUED_TOTAL_KIB] << 10;
	arena = (uint64_t)ring->buffer_bytes * ring->buffer_count;

	if (control[RW_FIELD_BLOCK_BYTES] != ring->block_bytes)
		return "block size differs from the control page";
	if (ring->command_capacity < 16 || ring->command_capacity > 65536 ||
	    !is_range(command_offset, 16ull * ring->command_capacity, ring->block_bytes, 64))
		return "command records out of range";
	if (ring->event_capacity < 16 || ring->event_capacity > 65536 ||
	    !is_range(event_offset, 16ull * ring->event_capacity, ring->block_bytes, 64))
		return "event records out of range";
	if (ring->buffer_bytes == 0 || ring->buffer_bytes % 4096 != 0 || ring->buffer_count < 2 ||
	    ring->buffer_count > 32768 || !is_power_of_two(ring->buffer_count) ||
	    !is_range(ring->receive_offset, arena, ring->block_bytes, 4096))
		return "receive arena out of range";
	if (ring->send_arena_bytes == 0 ||
	    !is_range(ring->send_offset, ring->send_arena_bytes, ring->block_bytes, 64))
		return "send arena out of range";
	if (ring->plain_bytes != 0 && (ring->plain_bytes < PLAIN_BYTES_MIN ||
				       !is_range(ring->plain_offset, ring->plain_bytes, ring->block_bytes, 64)))
		return "plain arena out of range";
	if (ring->connection_capacity < 1 || ring->connection_capacity >= 1u << RW_HANDLE_SLOT_BITS)
		return "connection limit out of range";
	if (!is_range(queued_offset, 4ull * ring->connection_capacity, ring->block_bytes, 4))
		return "table of queued bytes out of range";
	if (control[RW_FIELD_SUBMISSION_ENTRIES] < 8 || control[RW_FIELD_SUBMISSION_ENTRIES] > 32768 ||
	    !is_power_of_two(control[RW_FIELD_SUBMISSION_ENTRIES]))
		return "submission entries out of range";
	if (!are_apart((struct part[]){ { command_offset, 16ull * ring->command_capacity },
					{ event_offset, 16ull * ring->event_capacity },
					{ queued_offset, 4ull * ring->connection_capacity },
					{ ring->receive_offset, arena },
					{ ring->plain_bytes ? ring->plain_offset : 0, ring->plain_bytes },
					{ ring->send_offset, ring->send_arena_bytes } }, 6))
		return "parts of the block overlap";

	ring->commands = (struct rw_command *)(ring->block + command_offset);
	ring->events = (struct rw_event *)(ring->block + event_offset);
	ring->queued = (uint32_t *)(ring->block + queued_offset);
	return NULL;
}

static void say_in(void *block, const char *text)
{
	size_t bytes = strlen(text);

	if (bytes > RW_TEXT_MAX_BYTES)
		bytes = RW_TEXT_MAX_BYTES;
	memcpy((uint8_t *)block + RW_TEXT_OFFSET, text, bytes);
	((uint32_t *)block)[RW_FIELD_TEXT_BYTES] = (uint32_t)bytes;
}

static void say(struct ring *ring, const char *text)
{
	say_in(ring->block, text);
}

static bool allocate(struct ring *ring)
{
	ring->segment_next = calloc(ring->command_capacity, sizeof *ring->segment_next);
	ring->iovecs = calloc(ring->command_capacity, sizeof *ring->iovecs);
	ring->messages = calloc(ring->command_capacity / 2 + 1, sizeof *ring->messages);
	ring->connections = calloc(ring->connection_capacity, sizeof *ring->connections);
	return ring->segment_next && ring->iovecs && ring->messages && ring->connections;
}

/* Frees what is there; the sockets and whatever the kernel held are gone already. */
static void release(struct ring *ring)
{
	receive_close(ring);
	wake_close(ring);
	if (ring->is_uring_open)
		io_uring_queue_exit(&ring->uring);
	ring->is_uring_open = false;
	tls_work_free(ring);
	free(ring->segment_next);
	free(ring->iovecs);
	free(ring->messages);
	free(ring->connections);
	free(ring->held);
	ring->segment_next = NULL;
	ring->iovecs = NULL;
	ring->messages = NULL;
	ring->connections = NULL;
	ring->held = NULL;
	ring->block = NULL;
	atomic_store(&ring->owner, 0);
}

static int32_t open_in(struct ring *ring, void *block, uint32_t block_bytes)
{
	const char *problem;
	char text[RW_TEXT_MAX_BYTES];
	struct probe probe = { 0 };
	int32_t result;

	/* Not id and owner: other threads look at them at any time. Both are 0 in a free ring. */
	memset((uint8_t *)ring + offsetof(struct ring, uring), 0, sizeof *ring - offsetof(struct ring, uring));
	ring->block = block;
	ring->block_bytes = block_bytes;
	ring->control = block;
	ring->event_fd = ring->wake_fd = ring->wake_listener = -1;
	ring->touched = ring->starved = ring->connection_free = RW_NONE;
	ring->notify_first = ring->notify_last = ring->finished_first = ring->finished_last = RW_NONE;
	ring->retry_delay.tv_nsec = 100 * 1000 * 1000;
	ring->linger_limit.tv_sec = 1;

	if (ring->control[RW_FIELD_ABI_VERSION] != RW_ABI_VERSION) {
		snprintf(text, sizeof text, "the library speaks ABI version %u, the caller %u",
			 RW_ABI_VERSION, ring->control[RW_FIELD_ABI_VERSION]);
		say(ring, text);
		return -EPROTO;
	}
	problem = read_control(ring);
	if (problem) {
		say(ring, problem);
		return -EINVAL;
	}
	result = probe_open(&ring->uring, ring->control[RW_FIELD_SUBMISSION_ENTRIES],
			    ring->control[RW_FIELD_DISABLED_FEATURES], &probe, text, sizeof text);
	if (result < 0) {
		say(ring, text);
		return result;
	}
	ring->is_uring_open = true;
	ring->features = probe.features;
	result = receive_open(ring, probe.kernel_major * 100 + probe.kernel_minor >= 617);
	if (result < 0) {
		snprintf(text, sizeof text,
			 result == -ENOMEM ? "out of memory for the receive buffers"
			 : probe.kernel_major * 100 + probe.kernel_minor < 519
				 ? "kernel %u.%u lacks provided-buffer rings (5.19)"
				 : "kernel %u.%u refuses provided-buffer rings",
			 probe.kernel_major, probe.kernel_minor);
		say(ring, text);
		return result;
	}
	if (!allocate(ring)) {
		say(ring, "out of memory");
		return -ENOMEM;
	}
	probe.features = ring->features;
	probe_describe(&probe, text, sizeof text);
	say(ring, text);
	ring->control[RW_FIELD_FEATURES] = ring->features;
	ring->control[RW_FIELD_KERNEL_MAJOR] = probe.kernel_major;
	ring->control[RW_FIELD_KERNEL_MINOR] = probe.kernel_minor;
	ring->control[RW_FIELD_HANDLE] = 0;
	for (uint32_t i = RW_FIELD_STAT_TURNS; i <= RW_FIELD_STAT_RESUMPTIONS; i++)
		ring->control[i] = 0;
	return 0;
}

RW_API int32_t rw_ring_open(void *block, uint32_t block_bytes)
{
	int32_t result = -EMFILE;
	uint32_t slot;

	if (!block || ((uintptr_t)block & 7) != 0 || block_bytes < RW_CONTROL_BYTES)
		return -EINVAL;
	pthread_mutex_lock(&rings_mutex);
	for (slot = 0; slot < RING_SLOTS; slot++) {
		struct ring *ring = &rings[slot];
		if (atomic_load(&ring->id) != 0 || atomic_load(&ring->owner) != 0)
			continue;
		result = open_in(ring, block, block_bytes);
		if (result < 0) {
			release(ring);
			break;
		}
		atomic_store(&ring->owner, current_thread());
		if (has_thread_key)
			pthread_setspecific(thread_key, ring);
		/* The serial makes the id of a closed ring useless after its slot is taken again. */
		ring_serial = (ring_serial + 1) & 0x3fffff;
		result = (int32_t)(ring_serial << RING_SLOT_BITS | (slot + 1));
		atomic_store_explicit(&ring->id, (uint32_t)result, memory_order_release);
		break;
	}
	pthread_mutex_unlock(&rings_mutex);
	if (slot == RING_SLOTS) {
		char text[80];
		snprintf(text, sizeof text, "this process has %u io_uring loops already, which is the limit", RING_SLOTS);
		say_in(block, text);
	}
	return result;
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static bool is_anything_in_flight(const struct ring *ring)
{
	for (uint32_t i = 0; i < ring->connection_high; i++)
		if (ring->connections[i].state != STATE_FREE && (ring->connections[i].flags & FLAGS_IN_FLIGHT))
			return true;
	return false;
}

static void drop_sockets(struct ring *ring)
{
	/* First of all: what the kernel still completes must not land in memory that is not ours any more. */
	receive_close(ring);
	ring_drop_accepted(ring);
	for (uint32_t i = 0; i < ring->connection_high; i++) {
		struct connection *connection = &ring->connections[i];

		if (connection->state == STATE_FREE)
			continue;
		/* The kernel gives up what is in flight in the background: a send must not find the queue freed. */
		if (connection->flags & FLAG_DRAINING)
			shutdown(connection->fd, SHUT_RDWR);
		if (connection->fd >= 0)
			close(connection->fd);
		if (connection->tls)
			tls_free(ring, connection);
		if (connection->state == STATE_LISTENING || connection->state == STATE_UNLISTENED)
			listener_forget_path(connection);
		else
			send_drop(ring, connection, &connection->queue);
	}
}

RW_API int32_t rw_ring_close(uint32_t id)
{
	int32_t error;
	struct ring *ring = ring_find(id, &error);
	uint64_t deadline;

	if (!ring)
		return error;
	for (uint32_t i = 0; i < ring->connection_high; i++) {
		struct connection *connection = &ring->connections[i];
		if (connection->state == STATE_LISTENING || connection->state == STATE_UNLISTENED)
			listener_release(ring, connection);
		else if (connection->state != STATE_FREE && connection->state != STATE_FINISHED)
			connection_abort(ring, connection, 0);
	}
	/* The receive arena is JavaScript's memory: nothing may write to it after this function. */
	deadline = now_ns() + CLOSE_PATIENCE_NS;
	ring->may_tell = true;
	for (;;) {
		ring->event_count = ring->event_turn_start = 0;
		ring_release_held(ring);
		ring_submit(ring, true);
		ring_reap(ring);
		connection_publish(ring);
		if (!is_anything_in_flight(ring) || ring->broken || now_ns() > deadline)
			break;
	}
	drop_sockets(ring);
	pthread_mutex_lock(&rings_mutex);
	atomic_store_explicit(&ring->id, 0, memory_order_release);
	release(ring);
	pthread_mutex_unlock(&rings_mutex);
	return 0;
}

/* A worker ended without closing its ring. The kernel cancels what the thread had in flight; the block may be gone
 * already and is not touched. */
static void close_rings_of_thread(void *unused)
{
	(void)unused;
	for (uint32_t slot = 0; slot < RING_SLOTS; slot++) {
		struct ring *ring = &rings[slot];

		if (atomic_load(&ring->id) == 0 || atomic_load(&ring->owner) != current_thread())
			continue;
		drop_sockets(ring);
		pthread_mutex_lock(&rings_mutex);
		atomic_store_explicit(&ring->id, 0, memory_order_release);
		release(ring);
		pthread_mutex_unlock(&rings_mutex);
	}
}
