/*
 * load.c: a closed-loop WebSocket load generator on one thread and one io_uring.
 *
 * Every connection keeps --in-flight messages under way: what comes back is sent again, all of one
 * connection's answers of one round in one send. Frames are built once; nothing is masked or copied while
 * measuring. A closed loop measures capacity: its latencies are those of a full pipeline, and a server
 * that stalls is offered less (coordinated omission), which is why the report says "closed loop".
 *
 * echo: the thread sleeps in the kernel when there is nothing to do, so that its CPU share shows whether
 * the generator or the server was the bottleneck. pingpong: it polls instead, so that the time of its own
 * wake-up is not measured as the server's.
 *
 * Prints one JSON object on stdout; errors go to stderr, with exit code 1 (2: bad arguments).
 */
#include "measurement.h"
#include "websocket.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define BUFFER_GROUP 0
#define CQE_BATCH 512
#define STALL_NS 5000000000ull /* no answer for this long: the server has lost something */

enum { OP_RECEIVE = 0, OP_SEND = 1 };

struct options {
	const char *host, *path;
	uint32_t port, connections, in_flight, bytes, pause_us;
	double seconds, warmup_seconds;
	int is_pingpong, is_tls, server_pid;
};

struct connection {
	struct websocket_reader reader;
	uint64_t *sent_ns;       /* when each message under way left: a ring of in_flight entries */
	uint32_t oldest, newest; /* counters; their low part is the index into the ring */
	uint32_t owed;           /* messages to send in this round */
	uint32_t sending_bytes;  /* what is left of the send under way; 0 = none */
	uint32_t sending_at;
	uint8_t is_dirty;        /* is on the list of those with something owed */
	struct tls *tls;
	uint8_t *sealed;         /* with TLS: the records being sent */
};

static struct options options = {
	.host = "127.0.0.1", .path = "/", .connections = 100, .in_flight = 16, .bytes = 64,
	.seconds = 3, .warmup_seconds = 0.5,
};
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static uint8_t *buffer_memory;
static uint32_t buffer_count, buffer_bytes;
static struct connection *connections;
static uint32_t *dirty, dirty_count;
static uint8_t *frames;
static uint32_t frame_bytes, window_mask;
static struct histogram latencies;
static uint64_t messages;
static uint64_t resume_ns; /* --pause-us: the next message leaves no earlier */
static int is_measuring;

static void die(const char *what, int error)
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
	uint64_t sent_ns = dirty_count > 0 ? now_ns() : 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < dirty_count; i++) {
		uint32_t index = dirty[i];
		struct connection *connection = &connections[index];

		if (connection->sending_bytes > 0) {
			dirty[kept++] = index;
			continue;
		}
		for (uint32_t n = 0; n < connection->owed; n++)
			connection->sent_ns[connection->newest++ & window_mask] = sent_ns;
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

static void owe(uint32_t index, uint32_t count)
{
	connections[index].owed += count;
	if (!connections[index].is_dirty) {
		connections[index].is_dirty = 1;
		dirty[dirty_count++] = index;
	}
}

/* Counts the messages that end in what was received. */
static int count_messages(struct connection *connection, const uint8_t *data, size_t bytes)
{
	static uint8_t content[TLS_MAX_RECORD_BYTES];
	int count = 0;

	/* Content is compared while warming up: enough to catch a server that echoes garbage. */
	if (!connection->tls)
		return websocket_read(&connection->reader, data, bytes, options.bytes, !is_measuring);
	for (;;) {
		ssize_t got = tls_open(connection->tls, &data, &bytes, content);
		int more;

		if (got == 0)
			return count;
		if (got == -2)
			die("the server ended a connection", ECONNRESET);
		more = got < 0 ? -1 : websocket_read(&connection->reader, content, (size_t)got, options.bytes, !is_measuring);
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
	if (count == 0)
		return;
	if (connection->newest - connection->oldest < (uint32_t)count) {
		fprintf(stderr, "load: the server sent more messages than it got\n");
		exit(1);
	}
	for (int n = 0; n < count; n++) {
		uint64_t sent_ns = connection->sent_ns[connection->oldest++ & window_mask];

		histogram_add(&latencies, arrived_ns - sent_ns);
	}
	messages += (uint64_t)count;
	resume_ns = options.pause_us > 0 ? arrived_ns + options.pause_us * 1000ull : 0;
	owe(index, (uint32_t)count);
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

/* Submits, waits for something unless polling, and handles what came. */
static void turn(void)
{
	struct io_uring_cqe *cqes[CQE_BATCH];
	struct __kernel_timespec limit = { .tv_nsec = 100000000 };
	uint64_t arrived_ns;
	unsigned count;
	int result;

	if (resume_ns > 0 && now_ns() < resume_ns)
		return;
	send_owed();
	if (options.is_pingpong) {
		/* Into the kernel only when there is a reason: polling must not cost a call per look. */
		if (io_uring_sq_ready(&ring) > 0 ||
		    (__atomic_load_n(ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN))
			result = io_uring_submit_and_get_events(&ring);
		else
			result = 0;
	} else {
		struct io_uring_cqe *first;

		result = io_uring_submit_and_wait_timeout(&ring, &first, 1, &limit, NULL);
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

static void run_until(uint64_t end_ns)
{
	uint64_t stalled_ns = now_ns(), seen = messages;

	for (;;) {
		uint64_t time_ns;

		turn();
		time_ns = now_ns();
		if (messages != seen) {
			seen = messages;
			stalled_ns = time_ns;
		} else if (time_ns - stalled_ns > STALL_NS) {
			fprintf(stderr, "load: no answer for 5 s\n");
			exit(1);
		}
		if (time_ns >= end_ns)
			return;
	}
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

static void open_connections(void)
{
	uint32_t window = 1;
	SSL_CTX *context = options.is_tls ? tls_context() : NULL;
	int *fds = calloc(options.connections, sizeof(*fds));
	int result;

	while (window < options.in_flight)
		window <<= 1;
	window_mask = window - 1;
	connections = calloc(options.connections, sizeof(*connections));
	dirty = calloc(options.connections, sizeof(*dirty));
	frames = websocket_frames(options.in_flight, options.bytes, &frame_bytes);
	if (!fds || !connections || !dirty || !frames)
		die("no memory", ENOMEM);
	for (uint32_t i = 0; i < options.connections; i++) {
		connections[i].sent_ns = calloc(window, sizeof(uint64_t));
		if (!connections[i].sent_ns)
			die("no memory", ENOMEM);
		fds[i] = websocket_connect(options.host, (uint16_t)options.port, options.path, context, &connections[i].tls);
		if (fds[i] < 0)
			exit(1);
		if (!context)
			continue;
		connections[i].sealed = malloc(tls_sealed_bytes((size_t)options.in_flight * frame_bytes));
		if (!connections[i].sealed)
			die("no memory", ENOMEM);
	}
	result = io_uring_register_files(&ring, fds, options.connections);
	if (result < 0)
		die("cannot register the sockets", -result);
	free(fds);
	for (uint32_t i = 0; i < options.connections; i++) {
		arm_receive(i);
		owe(i, options.in_flight);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "host", 1, 0, 'h' }, { "port", 1, 0, 'p' }, { "path", 1, 0, 'a' },
		{ "connections", 1, 0, 'c' }, { "in-flight", 1, 0, 'i' }, { "bytes", 1, 0, 'b' },
		{ "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' }, { "mode", 1, 0, 'm' },
		{ "server-pid", 1, 0, 'v' }, { "pause-us", 1, 0, 'u' },
		{ "tls", 0, 0, 't' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'h': options.host = optarg; break;
		case 'a': options.path = optarg; break;
		case 'p': options.port = (uint32_t)number("port", optarg, 1, 65535); break;
		case 'c': options.connections = (uint32_t)number("connections", optarg, 1, 20000); break;
		case 'i': options.in_flight = (uint32_t)number("in-flight", optarg, 1, 1024); break;
		case 'b': options.bytes = (uint32_t)number("bytes", optarg, 1, 1 << 24); break;
		case 's': options.seconds = number("seconds", optarg, 0.01, 3600); break;
		case 'w': options.warmup_seconds = number("warmup", optarg, 0.01, 3600); break;
		case 'v': options.server_pid = (int)number("server-pid", optarg, 1, 1 << 22); break;
		case 'u': options.pause_us = (uint32_t)number("pause-us", optarg, 0, 1000000); break;
		case 't': options.is_tls = 1; break;
		case 'm':
			options.is_pingpong = strcmp(optarg, "pingpong") == 0;
			if (options.is_pingpong || strcmp(optarg, "echo") == 0)
				break;
			/* fall through */
		default:
			fprintf(stderr, "load: --port N [--host IP] [--path P] [--connections N] [--in-flight N] [--bytes N]\n"
					"      [--seconds S] [--warmup S] [--mode echo|pingpong] [--pause-us N]\n"
					"      [--tls] [--server-pid PID]\n");
			exit(2);
		}
	}
	if ((uint64_t)options.in_flight * (options.bytes + 14) > 1u << 30) {
		fprintf(stderr, "load: --in-flight times --bytes must stay below 1 GiB\n");
		exit(2);
	}
	if (options.port == 0 || optind < argc) {
		fprintf(stderr, "load: --port is needed, and nothing but options\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { 0 };
	struct measurement measurement;

	read_options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	open_ring();
	open_connections();
	run_until(now_ns() + (uint64_t)(options.warmup_seconds * 1e9));

	is_measuring = 1;
	histogram_reset(&latencies);
	messages = 0;
	measurement_begin(&measurement, options.server_pid);
	run_until(now_ns() + (uint64_t)(options.seconds * 1e9));
	measurement_end(&measurement);

	if (messages == 0) {
		fprintf(stderr, "load: no message came back while measuring\n");
		return 1;
	}
	printf("{\"messages\":%" PRIu64 ",\"messagesPerSecond\":%.0f,", messages,
	       (double)messages * 1e9 / (double)measurement.wall_ns);
	measurement_print(&measurement, &latencies);
	return 0;
}
