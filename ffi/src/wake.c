/*
 * Waking a sleeping runtime without a thread of our own.
 *
 * The ring has an eventfd, silent while awake. To park, signalling goes on, and a second small ring holds
 * READ(eventfd) linked to SEND(one byte, our end of the wake-up socket). It is a plain ring, so its work runs
 * in the sleeping thread as soon as the eventfd counts: the byte lands, and the runtime's own event loop wakes.
 * Polling the first ring's descriptor instead never wakes with DEFER_TASKRUN.
 *
 * The chain stays armed until it fires; waking for another reason leaves it in place for the next park.
 */
#include "tls_connection.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAKER_ENTRIES 4
#define PARK_PASSES_MAX 8
#define PROBE_TRIES 200
#ifdef __x86_64__
#define ARE_FLAGS_ORDERED true
#else
#define ARE_FLAGS_ORDERED false
#endif

static const uint8_t wake_byte = 1;

static int32_t arm(struct io_uring *waker, int event_fd, uint64_t *count, int wake_fd)
{
	struct io_uring_sqe *read_entry = io_uring_get_sqe(waker);
	struct io_uring_sqe *send_entry = io_uring_get_sqe(waker);
	int result;

	if (!read_entry || !send_entry)
		return -ENOMEM;
	io_uring_prep_read(read_entry, event_fd, count, sizeof *count, 0);
	read_entry->flags |= IOSQE_IO_LINK;
	read_entry->user_data = 1;
	/* SEND, not WRITE: a runtime that closed its end must not cost us a SIGPIPE. */
	io_uring_prep_send(send_entry, wake_fd, &wake_byte, sizeof wake_byte, MSG_NOSIGNAL);
	send_entry->user_data = 2;
	do
		result = io_uring_submit(waker);
	while (result == -EINTR);
	return result < 0 ? result : 0;
}

/* Whether the chain has fired (or failed): both completions are in. */
static bool has_fired(struct io_uring *waker)
{
	struct io_uring_cqe *entry;
	bool is_over = false;

	while (io_uring_peek_cqe(waker, &entry) == 0) {
		is_over = is_over || entry->user_data == 2;
		io_uring_cqe_seen(waker, entry);
	}
	return is_over;
}

/* Plays the whole thing through once: does a byte arrive? */
static bool try_chain(void)
{
	struct io_uring waker;
	int ends[2];
	int event_fd = eventfd(0, EFD_CLOEXEC);
	uint64_t one = 1;
	static uint64_t count;
	uint8_t byte;
	bool works = false;

	if (event_fd < 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		close(event_fd);
		return false;
	}
	if (io_uring_queue_init(WAKER_ENTRIES, &waker, 0) == 0) {
		if (arm(&waker, event_fd, &count, ends[0]) == 0 &&
		    write(event_fd, &one, sizeof one) == sizeof one) {
			for (int i = 0; i < PROBE_TRIES && !works; i++) {
				works = recv(ends[1], &byte, 1, MSG_DONTWAIT) == 1;
				if (!works)
					nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
			}
		}
		io_uring_queue_exit(&waker);
	}
	close(event_fd);
	close(ends[0]);
	close(ends[1]);
	return works;
}

static bool is_chain_known_good;

static void try_once(void)
{
	is_chain_known_good = try_chain();
}

bool wake_works(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, try_once);
	return is_chain_known_good;
}

/* Stops the signalling that wake_park began. */
void wake_awake(struct ring *ring)
{
	io_uring_cq_eventfd_toggle(&ring->uring, false);
	ring->is_signalling = false;
}

/* There is work without anything to tell: a wake-up right away makes the runtime take another turn. */
static int32_t wake_soon(struct ring *ring)
{
	return send(ring->wake_fd, &wake_byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN ? -errno : 0;
}

/* Arms the wake-up. Returns 0; events that came meanwhile show in the event count, and then nothing is armed. */
int32_t wake_park(struct ring *ring)
{
	int32_t result;

	if (!(ring->features & RW_FEATURE_PARKING))
		return -ENOTSUP;
	if (ring->wake_fd < 0)
		return -ENOTCONN;
	if (tls_has_work(ring))
		return wake_soon(ring);
	if (ring->is_chain_armed && has_fired(&ring->waker))
		ring->is_chain_armed = false;
	if (!ring->is_chain_armed) {
		/* A count left from earlier fires at once: one idle turn, rarer and cheaper than a look each time. */
		result = arm(&ring->waker, ring->event_fd, &ring->wake_count, ring->wake_fd);
		if (result < 0)
			return result;
		ring->is_chain_armed = true;
	}
	io_uring_cq_eventfd_toggle(&ring->uring, true);
	ring->is_signalling = true;
	/* Only work that comes from now on signals; what came before must be collected here. The kernel marks
	 * the work in the ring's flags before it looks whether to signal, and on x86 marking is a full barrier, as is
	 * ours: then the flags alone tell, and the usual park costs no system call. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ARE_FLAGS_ORDERED && ring_is_idle(ring) && ring->starved == RW_NONE) {
		ring->control[RW_FIELD_STAT_PARKS]++;
		return 0;
	}
	for (int pass = 0; pass < PARK_PASSES_MAX; pass++) {
		if (ring->starved != RW_NONE && ring->event_count == 0)
			receive_recycle(ring); /* dropped bytes filled the arena; nothing would wake us for it */
		result = ring_submit(ring, true);
		if (result < 0)
			return result;
		ring_reap(ring);
		connection_publish(ring);
		if (ring->event_count != ring->event_turn_start)
			break;
		if (ring_is_idle(ring)) {
			ring->control[RW_FIELD_STAT_PARKS]++;
			return 0;
		}
	}
	wake_awake(ring);
	if (ring->event_count != ring->event_turn_start)
		return 0;
	return wake_soon(ring);
}

static int32_t open_waker(struct ring *ring)
{
	int result;

	if (!(ring->features & RW_FEATURE_PARKING))
		return -ENOTSUP;
	if (ring->is_waker_open)
		return -EALREADY;
	result = io_uring_queue_init(WAKER_ENTRIES, &ring->waker, 0);
	if (result < 0)
		return result;
	ring->is_waker_open = true;
	ring->event_fd = eventfd(0, EFD_CLOEXEC);
	if (ring->event_fd < 0)
		return -errno;
	result = io_uring_register_eventfd(&ring->uring, ring->event_fd);
	if (result < 0)
		return result;
	wake_awake(ring);
	return 0;
}

void wake_close(struct ring *ring)
{
	if (ring->is_waker_open)
		io_uring_queue_exit(&ring->waker);
	ring->is_waker_open = ring->is_chain_armed = ring->is_signalling = false;
	int32_t *descriptors[] = { &ring->event_fd, &ring->wake_fd, &ring->wake_listener };
	for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
		if (*descriptors[i] >= 0)
			close(*descriptors[i]);
		*descriptors[i] = -1;
	}
}

static int32_t open_pair(struct ring *ring)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	ring->wake_fd = ends[0];
	return ends[1]; /* the runtime's from here on: it closes it */
}

static int32_t open_abstract(struct ring *ring)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint64_t secret = 0;
	int length;

	if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) < 0)
		secret = (uintptr_t)ring ^ (uint64_t)getpid();
	length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "ringwire-%d-%016llx", (int)getpid(),
			  (unsigned long long)secret) + 1;
	ring->wake_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ring->wake_listener < 0 ||
	    bind(ring->wake_listener, (struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)) < 0 ||
	    listen(ring->wake_listener, 8) < 0)
		return -errno;
	memcpy(ring->block + RW_TEXT_OFFSET, name.sun_path, (size_t)length);
	ring->control[RW_FIELD_TEXT_BYTES] = (uint32_t)length;
	return length;
}

RW_API int32_t rw_wake_open(uint32_t id, uint32_t mode)
{
	int32_t result;
	struct ring *ring = ring_find(id, &result);

	if (!ring)
		return result;
	if (mode > RW_WAKE_ABSTRACT)
		return -EINVAL;
	result = open_waker(ring);
	if (result < 0) {
		if (result != -EALREADY)
			wake_close(ring);
		return result;
	}
	result = mode == RW_WAKE_DESCRIPTOR ? open_pair(ring) : open_abstract(ring);
	if (result < 0) {
		io_uring_unregister_eventfd(&ring->uring);
		wake_close(ring);
	}
	return result;
}

RW_API int32_t rw_wake_accept(uint32_t id)
{
	int32_t result;
	struct ring *ring = ring_find(id, &result);

	if (!ring)
		return result;
	if (ring->wake_listener < 0)
		return ring->wake_fd >= 0 ? 0 : -EBADF;
	for (;;) {
		struct ucred peer = { 0 };
		socklen_t bytes = sizeof peer;
		int fd = accept4(ring->wake_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			return -errno;
		/* Any local user can reach an abstract name; only this process may be woken through it. */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 || peer.pid != getpid()) {
			close(fd);
			continue;
		}
		ring->wake_fd = fd;
		close(ring->wake_listener);
		ring->wake_listener = -1;
		return 0;
	}
}
