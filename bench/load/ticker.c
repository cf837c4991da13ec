/*
 * ticker.c: a market-data server as a load generator: clients are under test here. It sends texts of --bytes, JSON made in advance, on every
 * connection, at most --window beyond what the client is known to have handled. The client sends every --every-th message back
 * as it has decoded it; each answer is compared byte by byte and counts for all messages up to it, so that what is counted has gone
 * through the program and not only into its socket. With --rate it sends so many messages a second at most, over all connections, once a millisecond.
 *
 * Prints "listening PORT" first. Closed loop, one thread, epoll. Prints one JSON object on stdout for each slice; errors go to stderr, with
 * exit code 1 (2: bad arguments).
 */
#define _GNU_SOURCE
#include "measurement.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RING_MESSAGES 4096u
#define MAX_CONNECTIONS 1000u
#define MAX_WINDOW 4096u
#define MIN_BYTES 32u
#define MAX_BYTES 65535u
#define HEAD_BYTES 4096u
#define INPUT_BYTES (256u * 1024)
#define START_SECONDS 15
#define STALL_NS 5000000000ull
/* What a pause may be made up for by, at a fixed rate. */
#define MAX_BURST_SECONDS 0.005
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct connection {
	int fd;
	uint64_t sent_bytes;
	uint64_t stamped; /* blocks that have been sent whole */
	uint64_t handled; /* blocks that the client has answered */
	uint64_t sent_ns[MAX_WINDOW]; /* by block, as many as the window has */
	uint32_t have;
	uint8_t input[INPUT_BYTES];
};

static struct {
	uint32_t port, connections, bytes, every, window;
	double rate; /* 0: as the window lets through */
	struct slice slice;
} options = { .connections = 10, .bytes = 300, .every = 64, .window = 256, .slice.warmup_seconds = 0.5 };

static struct connection *connections;
static struct histogram latencies;
static uint8_t *ring; /* RING_MESSAGES frames, back to back */
static uint32_t header_bytes, frame_bytes;
static uint64_t messages;
static double allowed; /* messages that --rate lets go now */

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "ticker: %s\n", what);
	exit(1);
}

/* Frames of equal size around texts that are alike and never equal. */
static void make_messages(void)
{
	uint64_t random = 88172645463325252ull;

	header_bytes = options.bytes < 126 ? 2 : 4;
	frame_bytes = header_bytes + options.bytes;
	ring = calloc(RING_MESSAGES, frame_bytes);
	if (!ring)
		die("no memory");
	for (uint32_t i = 0; i < RING_MESSAGES; i++) {
		uint8_t *frame = ring + (size_t)i * frame_bytes;
		char text[512];
		uint32_t bid, have, room;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bid = 10000 + (uint32_t)(random % 90000);
		snprintf(text, sizeof(text),
			 "{\"sequence\":%u,\"type\":\"quote\",\"symbol\":\"RW%03u\",\"venue\":\"XNAS\",\"bid\":%u.%02u,\"bidSize\":%u,\"ask\":%u.%02u,"
			 "\"askSize\":%u,\"volume\":%u,\"exchangeTime\":176%013" PRIu64 ",\"currency\":\"USD\",\"conditions\":[\"@\",\"F\"]",
			 i, (uint32_t)(random >> 20) % 400, bid / 100, bid % 100, (uint32_t)(random >> 30) % 9000, bid / 100 + 1, bid % 100,
			 (uint32_t)(random >> 40) % 9000, (uint32_t)(random >> 33), random % (uint64_t)10000000000000);
		/* What is too long for --bytes goes, what is missing becomes an order's number. */
		have = (uint32_t)strlen(text);
		if (have + 14 > options.bytes)
			have = (uint32_t)snprintf(text, sizeof(text), "{\"sequence\":%u", i);
		room = options.bytes - have - 14;
		frame[0] = 0x81;
		frame[1] = (uint8_t)(options.bytes < 126 ? options.bytes : 126);
		if (header_bytes == 4) {
			frame[2] = (uint8_t)(options.bytes >> 8);
			frame[3] = (uint8_t)options.bytes;
		}
		memcpy(frame + header_bytes, text, have);
		memcpy(frame + header_bytes + have, ",\"orderId\":\"", 12);
		for (uint32_t k = 0; k < room; k++)
			frame[header_bytes + have + 12 + k] = (uint8_t)("0123456789abcdef"[(random >> (k % 16 * 4)) & 15]);
		memcpy(frame + header_bytes + have + 12 + room, "\"}", 2);
	}
}

/* Sends as much as the window and the socket take. */
static void pump(struct connection *connection)
{
	uint64_t ring_bytes = (uint64_t)RING_MESSAGES * frame_bytes, block_bytes = (uint64_t)options.every * frame_bytes;
	uint64_t until = connection->handled * block_bytes + (uint64_t)options.window * frame_bytes, time_ns;

	while (connection->sent_bytes < until && (options.rate == 0 || allowed > 0)) {
		uint64_t at = connection->sent_bytes % ring_bytes, left = until - connection->sent_bytes;
		ssize_t sent = send(connection->fd, ring + at, left < ring_bytes - at ? left : ring_bytes - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0)
			die("the client ended a connection");
		connection->sent_bytes += (uint64_t)sent;
		allowed -= (double)sent / frame_bytes;
	}
	for (time_ns = now_ns(); (connection->stamped + 1) * block_bytes <= connection->sent_bytes; connection->stamped++)
		connection->sent_ns[connection->stamped % MAX_WINDOW] = time_ns;
}

/* Takes an answer: the last message of the oldest block. */
static void take_answer(struct connection *connection, const uint8_t *payload, const uint8_t *key, uint64_t arrived_ns)
{
	uint64_t message = (connection->handled + 1) * options.every - 1;
	const uint8_t *wanted = ring + message % RING_MESSAGES * frame_bytes + header_bytes;

	for (uint32_t i = 0; i < options.bytes; i++)
		if ((payload[i] ^ key[i & 3]) != wanted[i])
			die("the client has answered something else than it got");
	if (connection->handled == connection->stamped)
		die("the client has answered what it cannot have got");
	histogram_add(&latencies, arrived_ns - connection->sent_ns[connection->handled % MAX_WINDOW]);
	connection->handled++;
	messages += options.every;
}

static void on_event(struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->input + connection->have, INPUT_BYTES - connection->have, MSG_DONTWAIT);
	uint32_t at = 0, answer_bytes = frame_bytes + 4;
	uint64_t arrived_ns = now_ns();

	if (got == 0 || (got < 0 && errno != EAGAIN))
		die("the client ended a connection");
	if (got > 0)
		connection->have += (uint32_t)got;
	for (; connection->have - at >= answer_bytes; at += answer_bytes) {
		const uint8_t *frame = connection->input + at;

		/* The same header as ours, but masked: nothing else is expected of a client while it is measured. */
		if (frame[0] != 0x81 || frame[1] != (0x80 | (options.bytes < 126 ? options.bytes : 126)))
			die("the client has sent something else than an answer");
		take_answer(connection, frame + header_bytes + 4, frame + header_bytes, arrived_ns);
	}
	connection->have -= at;
	memmove(connection->input, connection->input + at, connection->have);
	pump(connection);
}

/* Sends what has become due, each time beginning with another connection. */
static void pace(uint64_t time_ns)
{
	static uint64_t before_ns;
	static uint32_t first;
	double most = options.rate * MAX_BURST_SECONDS;

	allowed += options.rate * (double)(time_ns - before_ns) / 1e9;
	if (allowed > most)
		allowed = most;
	before_ns = time_ns;
	first = (first + 1) % options.connections;
	for (uint32_t i = 0; i < options.connections; i++)
		pump(&connections[(first + i) % options.connections]);
}

static void run_until(int epoll, uint64_t end_ns)
{
	struct epoll_event events[64];
	uint64_t seen = messages, seen_ns = now_ns();

	for (;;) {
		/* One message at a time: it is the client's latency that counts, so that this side never sleeps. */
		int count = epoll_wait(epoll, events, 64, options.window == 1 ? 0 : options.rate > 0 ? 1 : 100);
		uint64_t time_ns = now_ns();

		for (int i = 0; i < count; i++)
			on_event(&connections[events[i].data.u32]);
		if (options.rate > 0)
			pace(time_ns);
		if (messages != seen) {
			seen = messages;
			seen_ns = time_ns;
		} else if (time_ns - seen_ns > STALL_NS) {
			die("no answer for 5 s");
		}
		if (time_ns >= end_ns)
			return;
	}
}

static void answer_upgrade(int fd)
{
	char head[HEAD_BYTES + 1], accept[64], proof[128], *key, *end;
	uint8_t digest[SHA_DIGEST_LENGTH];
	size_t have = 0;
	ssize_t got;
	int bytes;

	do {
		got = recv(fd, head + have, HEAD_BYTES - have, 0);
		if (got <= 0)
			die("a client has left in the middle of its handshake");
		have += (size_t)got;
		head[have] = 0;
	} while (!strstr(head, "\r\n\r\n") && have < HEAD_BYTES);
	key = strcasestr(head, "\r\nsec-websocket-key:");
	if (!key)
		die("a handshake has no key");
	key += strlen("\r\nsec-websocket-key:");
	key += strspn(key, " ");
	end = key + strcspn(key, " \r");
	snprintf(proof, sizeof(proof), "%.*s" GUID, (int)(end - key < 64 ? end - key : 64), key);
	SHA1((const uint8_t *)proof, strlen(proof), digest);
	EVP_EncodeBlock((uint8_t *)accept, digest, sizeof(digest));
	bytes = snprintf(head, sizeof(head), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
					     "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	if (send(fd, head, (size_t)bytes, MSG_NOSIGNAL) != bytes)
		die("a client has left before the answer to its handshake");
}

static void accept_clients(int epoll)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = START_SECONDS };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t size = sizeof(address);

	connections = calloc(options.connections, sizeof(*connections));
	if (!connections || listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(listener, MAX_CONNECTIONS) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		die("cannot listen");
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	printf("listening %u\n", ntohs(address.sin_port));
	fflush(stdout);
	for (uint32_t i = 0; i < options.connections; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = i };
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("too few clients have come");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		answer_upgrade(fd);
		connections[i].fd = fd;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			die("epoll_ctl failed");
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "port", 1, 0, 'p' }, { "connections", 1, 0, 'c' }, { "bytes", 1, 0, 'b' }, { "every", 1, 0, 'e' },
		{ "window", 1, 0, 'n' }, { "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' }, { "rate", 1, 0, 'r' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'p': options.port = (uint32_t)number("port", optarg, 0, 65535); break;
		case 'c': options.connections = (uint32_t)number("connections", optarg, 1, MAX_CONNECTIONS); break;
		case 'b': options.bytes = (uint32_t)number("bytes", optarg, MIN_BYTES, MAX_BYTES); break;
		case 'e': options.every = (uint32_t)number("every", optarg, 1, RING_MESSAGES); break;
		case 'n': options.window = (uint32_t)number("window", optarg, 1, MAX_WINDOW); break;
		case 'r': options.rate = number("rate", optarg, 1, 1e9); break;
		case 's': options.slice.seconds = number("seconds", optarg, 0.01, 3600); break;
		case 'w': options.slice.warmup_seconds = number("warmup", optarg, 0.01, 3600); break;
		default:
			fprintf(stderr, "ticker: [--port N] [--connections N] [--bytes N] [--every N] [--window N] [--rate N] [--seconds S] [--warmup S]\n");
			exit(2);
		}
	}
	if (options.window % options.every != 0 || optind < argc) {
		fprintf(stderr, "ticker: --window must be a multiple of --every, and there is nothing but options\n");
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
	make_messages();
	accept_clients(epoll);
	while (slice_next(&options.slice)) {
		run_until(epoll, now_ns() + (uint64_t)(options.slice.warmup_seconds * 1e9));
		histogram_reset(&latencies);
		messages = 0;
		measurement_begin(&measurement, options.slice.server_pid);
		run_until(epoll, now_ns() + (uint64_t)(options.slice.seconds * 1e9));
		measurement_end(&measurement);
		if (messages == 0)
			die("no answer came while measuring");
		printf("{\"messages\":%" PRIu64 ",\"messagesPerSecond\":%.0f,", messages,
		       (double)messages * 1e9 / (double)measurement.wall_ns);
		measurement_print(&measurement, &latencies);
	}
	return 0;
}
