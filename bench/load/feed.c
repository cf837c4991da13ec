/*
 * feed.c: asks for market data and counts what comes. Every message of ours is a request for REQUESTED
 * messages; each connection keeps --in-flight requests under way. permessage-deflate is offered, with or
 * without context takeover; while warming up every message is inflated and its sequence number checked, so
 * that a server which sends something else is found out. While measuring, frames are only counted, because
 * inflating would make the load generator the bottleneck.
 *
 * Closed loop, one thread, epoll. Prints one JSON object on stdout; errors go to stderr, with exit code 1.
 */
#include "measurement.h"
#include "websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <zlib.h>

#define REQUESTED 32u
#define MAX_CONNECTIONS 1000u
#define MAX_IN_FLIGHT 64u
#define BUFFER_BYTES 65536u
#define MAX_MESSAGE_BYTES 65536u
#define STALL_NS 5000000000ull

struct connection {
	int fd;
	uint8_t buffer[BUFFER_BYTES];
	size_t have;
	uint32_t in_request; /* messages of the oldest request that have come */
	uint64_t asked_ns[MAX_IN_FLIGHT];
	uint32_t oldest, newest;
	uint64_t sequence; /* of the next message */
	z_stream inflater;
};

static struct {
	const char *host;
	uint32_t port, connections, in_flight;
	struct slice slice;
	int takeover, compressed;
} options = { .host = "127.0.0.1", .connections = 10, .in_flight = 4, .slice.warmup_seconds = 0.5,
	      .takeover = 1, .compressed = 1 };

static struct connection *connections;
static struct histogram latencies;
static uint64_t messages, wire_bytes, warm_messages, warm_bytes;
static int is_measuring;

static void die(const char *what)
{
	fprintf(stderr, "feed: %s\n", what);
	exit(1);
}

static void ask(struct connection *connection)
{
	static const uint8_t request[] = { 0x82, 0x81, 1, 2, 3, 4, 'm' ^ 1 };

	connection->asked_ns[connection->newest++ % MAX_IN_FLIGHT] = now_ns();
	if (send(connection->fd, request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
		die("cannot send a request");
}

/* Checks a message of the warm-up: JSON with the sequence number that is due. */
static void check(struct connection *connection, const uint8_t *payload, size_t bytes, int is_compressed)
{
	static uint8_t text[MAX_MESSAGE_BYTES + 1];
	static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
	size_t size = bytes;
	char wanted[64], *found;

	if (bytes > MAX_MESSAGE_BYTES)
		die("a message is too large");
	if (is_compressed) {
		z_stream *stream = &connection->inflater;

		stream->next_out = text;
		stream->avail_out = MAX_MESSAGE_BYTES;
		stream->next_in = (uint8_t *)(uintptr_t)payload;
		stream->avail_in = (uInt)bytes;
		if (inflate(stream, Z_NO_FLUSH) < 0)
			die("a message cannot be inflated");
		stream->next_in = (uint8_t *)(uintptr_t)tail;
		stream->avail_in = sizeof(tail);
		if (inflate(stream, Z_SYNC_FLUSH) < 0 || stream->avail_in > 0)
			die("a message cannot be inflated to its end");
		size = MAX_MESSAGE_BYTES - stream->avail_out;
		if (!options.takeover)
			inflateReset(stream);
	} else {
		memcpy(text, payload, bytes);
	}
	text[size] = 0;
	snprintf(wanted, sizeof(wanted), "\"sequence\":%" PRIu64 ",", connection->sequence);
	found = strstr((char *)text, wanted);
	if (text[0] != '{' || text[size - 1] != '}' || !found) {
		fprintf(stderr, "feed: expected %s in %.200s\n", wanted, (char *)text);
		exit(1);
	}
	warm_messages++;
	warm_bytes += size;
}

/* Takes the whole frames of the buffer. Returns how many bytes they had. */
static size_t take_frames(struct connection *connection, uint64_t arrived_ns)
{
	const uint8_t *data = connection->buffer;
	size_t at = 0;

	for (;;) {
		size_t left = connection->have - at, header = 2, size;

		if (left < 2)
			return at;
		size = data[at + 1];
		if (size == 126) {
			header = 4;
			if (left < 4)
				return at;
			size = (size_t)data[at + 2] << 8 | data[at + 3];
		} else if (size > 126) {
			die("a frame is masked or too large");
		}
		if (left < header + size)
			return at;
		if (data[at] != (options.compressed ? 0xc1 : 0x81)) {
			fprintf(stderr, "feed: a frame begins with 0x%02x\n", data[at]);
			exit(1);
		}
		if (!is_measuring)
			check(connection, data + at + header, size, options.compressed);
		at += header + size;
		wire_bytes += header + size;
		messages++;
		connection->sequence++;
		if (++connection->in_request == REQUESTED) {
			connection->in_request = 0;
			histogram_add(&latencies, arrived_ns - connection->asked_ns[connection->oldest++ % MAX_IN_FLIGHT]);
			ask(connection);
		}
	}
}

static void on_readable(struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->buffer + connection->have, BUFFER_BYTES - connection->have, 0);
	size_t used;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		die("the server ended a connection");
	connection->have += (size_t)got;
	used = take_frames(connection, now_ns());
	connection->have -= used;
	memmove(connection->buffer, connection->buffer + used, connection->have);
}

static void run_until(int epoll, uint64_t end_ns)
{
	struct epoll_event events[64];
	uint64_t seen = messages, seen_ns = now_ns();

	for (;;) {
		int count = epoll_wait(epoll, events, 64, 100);
		uint64_t time_ns = now_ns();

		for (int i = 0; i < count; i++)
			on_readable(&connections[events[i].data.u32]);
		if (messages != seen) {
			seen = messages;
			seen_ns = time_ns;
		} else if (time_ns - seen_ns > STALL_NS) {
			die("no message for 5 s");
		}
		if (time_ns >= end_ns)
			return;
	}
}

static void open_connections(int epoll)
{
	const char *plain = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
	const char *forgetting = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";
	const char *fields = !options.compressed ? "" : options.takeover ? plain : forgetting;

	connections = calloc(options.connections, sizeof(*connections));
	if (!connections)
		die("no memory");
	for (uint32_t i = 0; i < options.connections; i++) {
		struct connection *connection = &connections[i];
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		char head[2048];

		connection->fd = websocket_connect_with(options.host, (uint16_t)options.port, "/", fields, head,
							sizeof(head));
		if (connection->fd < 0)
			exit(1);
		if (options.compressed && !strstr(head, "permessage-deflate"))
			die("the server does not compress");
		if (options.compressed && !options.takeover != !!strstr(head, "server_no_context_takeover"))
			die("the server did not agree to the takeover that was asked for");
		if (inflateInit2(&connection->inflater, -15) != Z_OK)
			die("no inflater");
		fcntl(connection->fd, F_SETFL, O_NONBLOCK);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
			die("epoll_ctl failed");
		for (uint32_t n = 0; n < options.in_flight; n++)
			ask(connection);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "host", 1, 0, 'h' }, { "port", 1, 0, 'p' }, { "connections", 1, 0, 'c' },
		{ "in-flight", 1, 0, 'i' }, { "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' },
		{ "mode", 1, 0, 'm' }, { "server-pid", 1, 0, 'v' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'h': options.host = optarg; break;
		case 'p': options.port = (uint32_t)number("port", optarg, 1, 65535); break;
		case 'c': options.connections = (uint32_t)number("connections", optarg, 1, MAX_CONNECTIONS); break;
		case 'i': options.in_flight = (uint32_t)number("in-flight", optarg, 1, MAX_IN_FLIGHT); break;
		case 's': options.slice.seconds = number("seconds", optarg, 0.01, 3600); break;
		case 'w': options.slice.warmup_seconds = number("warmup", optarg, 0.01, 3600); break;
		case 'v': options.slice.server_pid = (int)number("server-pid", optarg, 1, 1 << 22); break;
		case 'm':
			options.takeover = strcmp(optarg, "dedicated") == 0;
			options.compressed = strcmp(optarg, "disabled") != 0;
			if (options.takeover || !options.compressed || strcmp(optarg, "shared") == 0)
				break;
			/* fall through */
		default:
			fprintf(stderr, "feed: --port N [--host IP] [--connections N] [--in-flight N] [--seconds S]\n"
					"      [--warmup S] [--mode disabled|shared|dedicated] [--server-pid PID]\n");
			exit(2);
		}
	}
	if (options.port == 0 || optind < argc) {
		fprintf(stderr, "feed: --port is needed, and nothing but options\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct measurement measurement;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	read_options(argc, argv);
	if (epoll < 0)
		die("no epoll");
	open_connections(epoll);
	while (slice_next(&options.slice)) {
		/* What was not inflated is missing in the dictionary: only the first warm-up can check content. */
		run_until(epoll, now_ns() + (uint64_t)(options.slice.warmup_seconds * 1e9));
		if (warm_messages == 0)
			die("no message came while warming up");

		is_measuring = 1;
		histogram_reset(&latencies);
		messages = wire_bytes = 0;
		measurement_begin(&measurement, options.slice.server_pid);
		run_until(epoll, now_ns() + (uint64_t)(options.slice.seconds * 1e9));
		measurement_end(&measurement);
		if (messages == 0)
			die("no message came while measuring");
		printf("{\"messages\":%" PRIu64 ",\"messagesPerSecond\":%.0f,\"wireBytesPerMessage\":%.1f,\"textBytesPerMessage\":%.1f,",
		       messages, (double)messages * 1e9 / (double)measurement.wall_ns, (double)wire_bytes / (double)messages,
		       (double)warm_bytes / (double)warm_messages);
		measurement_print(&measurement, &latencies);
	}
	return 0;
}
