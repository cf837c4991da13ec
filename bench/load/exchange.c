/*
 * exchange.c: see exchange.h.
 */
#include "exchange.h"
#include "measurement.h"
#include "websocket.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUFFER_GROUP 0
#define CQE_BATCH 512

enum { OP_RECEIVE = 0, OP_SEND = 1 };

struct connection {
	struct websocket_reader reader;
	uint64_t *since_ns;      /* when each message under way was due, 0 until it leaves: a ring */
	uint32_t oldest, newest; /* counters; their low part is the index into the ring */
	uint32_t owed;           /* messages to send in this turn */
	uint32_t sending_bytes;  /* what is left of the send under way; 0 = none */
	uint32_t sending_at;
	uint8_t is_dirty;        /* is on the list of those with something owed */
	struct tls *tls;
	uint8_t *sealed;         /* with TLS: the records being sent */
};

int exchange_checks = 1;

static struct exchange_options options;
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static uint8_t *buffer_memory;
static uint32_t buffer_count, buffer_bytes;
static struct connection *connections;
static uint32_t *dirty, dirty_count;
static uint8_t *frames;
static uint32_t frame_bytes, window_mask;

_Noreturn static void die(const char *what, int error)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(error));
	exit(1);
}

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	while (!sqe) {
		int result = io_uring_submit(&ring);

		if (result < 0 && result != -EAGAIN && result != -EBUSY)
			die("cannot submit", -result);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void arm_receive(uint32_t index)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv_multishot(sqe, (int)index, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	io_uring_sqe_set_data64(sqe, (uint64_t)index << 1 | OP_RECEIVE);
}

static void send_rest(uint32_t index)
{
	struct connection *connection = &connections[index];
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_send(sqe, (int)index, (connection->tls ? connection->sealed : frames) + connection->sending_at,
			   connection->sending_bytes, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, (uint64_t)index << 1 | OP_SEND);
}

/* Sends what is owed on every connection that has no send under way. All that may be under way fits
 * the frames built in advance, so a send is always one piece of that memory. */
static void send_owed(void)
{
	uint64_t time_ns = dirty_count > 0 ? now_ns() : 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < dirty_count; i++) {
		uint32_t index = dirty[i];
		struct connection *connection = &connections[index];

		if (connection->sending_bytes > 0) {
			dirty[kept++] = index;
			continue;
		}
		for (uint32_t n = connection->newest - connection->owed; n != connection->newest; n++)
			if (connection->since_ns[n & window_mask] == 0)
				connection->since_ns[n & window_mask] = time_ns;
		connection->sending_at = 0;
		connection->sending_bytes = connection->owed * frame_bytes;
		if (connection->tls)
			connection->sending_bytes =
				(uint32_t)tls_seal(connection->tls, frames, connection->sending_bytes, connection->sealed);
		connection->owed = 0;
		connection->is_dirty = 0;
		send_rest(index);
	}
	dirty_count = kept;
}

void exchange_send(uint32_t index, uint32_t count, uint64_t due_ns)
{
	struct connection *connection = &connections[index];

	if (!options.latencies)
		connection->oldest = connection->newest;
	if (connection->newest - connection->oldest + count > options.window)
		die("the server is too far behind", ETIMEDOUT);
	for (uint32_t n = 0; n < count; n++)
		connection->since_ns[connection->newest++ & window_mask] = due_ns;
	connection->owed += count;
	if (!connection->is_dirty) {
		connection->is_dirty = 1;
		dirty[dirty_count++] = index;
	}
}

/* Counts the messages that end in what was received; -1 after a line on stderr. */
static int count_messages(struct connection *connection, const uint8_t *data, size_t bytes)
{
	static uint8_t content[TLS_MAX_RECORD_BYTES];
	int count = 0;

	if (!connection->tls)
		return websocket_read(&connection->reader, data, bytes, options.bytes, exchange_checks);
	for (;;) {
		ssize_t got = tls_open(connection->tls, &data, &bytes, content);
		int more;

		if (got == 0)
			return count;
		if (got == -2)
			die("the server ended a connection", ECONNRESET);
		more = got < 0 ? -1 : websocket_read(&connection->reader, content, (size_t)got, options.bytes, exchange_checks);
		if (more < 0)
			return -1;
		count += more;
	}
}

static void on_received(uint32_t index, const struct io_uring_cqe *cqe, uint64_t arrived_ns)
{
	struct connection *connection = &connections[index];
	uint32_t buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	int count;

	if (cqe->res == -ENOBUFS) {
		arm_receive(index);
		return;
	}
	if (cqe->res <= 0)
		die("the server ended a connection", cqe->res == 0 ? ECONNRESET : -cqe->res);
	count = count_messages(connection, buffer_memory + (size_t)buffer * buffer_bytes, (size_t)cqe->res);
	io_uring_buf_ring_add(buffers, buffer_memory + (size_t)buffer * buffer_bytes, buffer_bytes,
			      (unsigned short)buffer, (int)buffer_count - 1, 0);
	io_uring_buf_ring_advance(buffers, 1);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		arm_receive(index);
	if (count < 0)
		exit(1);
	if (options.latencies && connection->newest - connection->owed - connection->oldest < (uint32_t)count) {
		fprintf(stderr, "load: the server sent more messages than it got\n");
		exit(1);
	}
	if (options.latencies)
		for (int n = 0; n < count; n++)
			histogram_add(options.latencies, arrived_ns - connection->since_ns[connection->oldest++ & window_mask]);
	if (count > 0)
		options.received(index, (uint32_t)count, arrived_ns);
}

static void on_sent(uint32_t index, int result)
{
	struct connection *connection = &connections[index];

	if (result < 0)
		die("cannot send", -result);
	connection->sending_at += (uint32_t)result;
	connection->sending_bytes -= (uint32_t)result;
	if (connection->sending_bytes > 0)
		send_rest(index);
}

void exchange_turn(void)
{
	struct io_uring_cqe *cqes[CQE_BATCH];
	struct __kernel_timespec limit = { .tv_nsec = 100000000 };
	uint64_t arrived_ns;
	unsigned count;
	int result = 0;

	send_owed();
	if (!options.is_polling) {
		struct io_uring_cqe *first;

		result = io_uring_submit_and_wait_timeout(&ring, &first, 1, &limit, NULL);
	} else if (io_uring_sq_ready(&ring) > 0 ||
		   (__atomic_load_n(ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN)) {
		/* Into the kernel only when there is a reason: polling must not cost a call per look. */
		result = io_uring_submit_and_get_events(&ring);
	}
	if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
		die("cannot submit", -result);
	count = io_uring_peek_batch_cqe(&ring, cqes, CQE_BATCH);
	if (count == 0)
		return;
	arrived_ns = now_ns();
	for (unsigned i = 0; i < count; i++) {
		uint32_t index = (uint32_t)(cqes[i]->user_data >> 1);

		if ((cqes[i]->user_data & 1) == OP_SEND)
			on_sent(index, cqes[i]->res);
		else
			on_received(index, cqes[i], arrived_ns);
	}
	io_uring_cq_advance(&ring, count);
}

static void open_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
			 IORING_SETUP_TASKRUN_FLAG,
		.cq_entries = 16384,
	};
	struct io_uring_buf_reg registration = { .bgid = BUFFER_GROUP };
	int result = io_uring_queue_init_params(2048, &ring, &params);

	if (result < 0)
		die("cannot open an io_uring (kernel 6.1 or newer is needed)", -result);
	io_uring_register_ring_fd(&ring);
	/* Small messages: a buffer takes a whole window. Big ones: few large buffers, few completions. */
	buffer_bytes = options.bytes <= 1024 ? 4096 : 65536;
	buffer_count = options.bytes <= 1024 ? 2048 : 256;
	buffer_memory = mmap(NULL, (size_t)buffer_bytes * buffer_count, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	buffers = mmap(NULL, buffer_count * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer_memory == MAP_FAILED || buffers == MAP_FAILED)
		die("no memory for buffers", ENOMEM);
	registration.ring_addr = (uint64_t)(uintptr_t)buffers;
	registration.ring_entries = buffer_count;
	result = io_uring_register_buf_ring(&ring, &registration, 0);
	if (result < 0)
		die("cannot register buffers", -result);
	io_uring_buf_ring_init(buffers);
	for (uint32_t i = 0; i < buffer_count; i++)
		io_uring_buf_ring_add(buffers, buffer_memory + (size_t)i * buffer_bytes, buffer_bytes,
				      (unsigned short)i, (int)buffer_count - 1, (int)i);
	io_uring_buf_ring_advance(buffers, (int)buffer_count);
}

/* The sockets, upgraded. */
static int *connect_all(void)
{
	int *fds = calloc(options.connections, sizeof(*fds));
	SSL_CTX *context = options.is_tls ? tls_context() : NULL;

	if (!fds)
		die("no memory", ENOMEM);
	if (!context) {
		if (websocket_connect_many(options.host, (uint16_t)options.port, options.path, "", fds, 0, options.connections) < 0)
			exit(1);
		return fds;
	}
	for (uint32_t i = 0; i < options.connections; i++) {
		fds[i] = websocket_connect_tls(options.host, (uint16_t)options.port, options.path, context,
					       &connections[i].tls);
		if (fds[i] < 0)
			exit(1);
		connections[i].sealed = malloc(tls_sealed_bytes((size_t)options.window * frame_bytes));
		if (!connections[i].sealed)
			die("no memory", ENOMEM);
	}
	return fds;
}

void exchange_open(const struct exchange_options *chosen)
{
	uint32_t window = 1;
	int *fds, result;

	options = *chosen;
	open_ring();
	while (window < options.window)
		window <<= 1;
	window_mask = window - 1;
	connections = calloc(options.connections, sizeof(*connections));
	dirty = calloc(options.connections, sizeof(*dirty));
	frames = websocket_frames(options.window, options.bytes, &frame_bytes);
	if (!connections || !dirty || !frames)
		die("no memory", ENOMEM);
	for (uint32_t i = 0; i < options.connections; i++) {
		connections[i].since_ns = calloc(window, sizeof(uint64_t));
		if (!connections[i].since_ns)
			die("no memory", ENOMEM);
	}
	fds = connect_all();
	result = io_uring_register_files(&ring, fds, options.connections);
	if (result < 0)
		die("cannot register the sockets", -result);
	free(fds);
	for (uint32_t i = 0; i < options.connections; i++)
		arm_receive(i);
}
