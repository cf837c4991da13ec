/*
 * idle.c: connections that are there and say nothing. For each line "COUNT" on standard input it opens further ones until there are so many, sends a message on every
 * connection and waits until each has had --answers messages back: whatever a server allocates for a connection that has been used is there
 * then, and that all are alive is shown. Prints one JSON object; what became of the server's memory is for others to see.
 */
#define _GNU_SOURCE
#include "measurement.h"
#include "websocket.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_CONNECTIONS 200000u
/* Connections that wait for answers together: no server has to hold more than these. */
#define TOGETHER 64u

static struct {
	uint32_t port, answers;
	const char *fields;
} options = { .answers = 1, .fields = "" };

static int fds[MAX_CONNECTIONS];
static uint32_t connection_count;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "idle: %s\n", what);
	exit(1);
}

static void receive(int fd, void *out, size_t bytes)
{
	if (recv(fd, out, bytes, MSG_WAITALL) != (ssize_t)bytes)
		die("a connection ended");
}

/* One message, whatever it says; pings of the server's on the way do not count. */
static void receive_message(int fd)
{
	static uint8_t payload[65536];
	uint8_t head[4];
	size_t bytes;

	do {
		receive(fd, head, 2);
		bytes = head[1];
		if (bytes == 126) {
			receive(fd, head + 2, 2);
			bytes = (size_t)head[2] << 8 | head[3];
		} else if (bytes > 126) {
			die("a frame is masked or too large");
		}
		receive(fd, payload, bytes);
	} while (head[0] & 0x08);
}

static void talk_with_all(void)
{
	static const uint8_t message[] = { 0x82, 0x81, 1, 2, 3, 4, 'm' ^ 1 };

	for (uint32_t from = 0; from < connection_count; from += TOGETHER) {
		uint32_t to = from + TOGETHER < connection_count ? from + TOGETHER : connection_count;

		for (uint32_t i = from; i < to; i++)
			if (send(fds[i], message, sizeof(message), MSG_NOSIGNAL) != (ssize_t)sizeof(message))
				die("cannot send");
		for (uint32_t i = from; i < to; i++)
			for (uint32_t n = 0; n < options.answers; n++)
				receive_message(fds[i]);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "port", 1, 0, 'p' }, { "answers", 1, 0, 'a' }, { "compressed", 0, 0, 'c' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'p': options.port = (uint32_t)number("port", optarg, 1, 65535); break;
		case 'a': options.answers = (uint32_t)number("answers", optarg, 1, 1000); break;
		case 'c': options.fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n"; break;
		default: options.port = 0; optind = argc; break;
		}
	}
	if (options.port == 0 || optind < argc) {
		fprintf(stderr, "idle: --port N [--answers N] [--compressed]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	char line[64];

	read_options(argc, argv);
	raise_file_limit();
	while (fgets(line, sizeof(line), stdin)) {
		uint32_t count = (uint32_t)strtoul(line, NULL, 10);
		uint64_t begin_ns = now_ns();

		if (count < connection_count || count > MAX_CONNECTIONS)
			die("no such number of connections");
		if (websocket_connect_many("127.0.0.1", (uint16_t)options.port, "/", options.fields, fds + connection_count,
					   connection_count, count - connection_count) < 0)
			return 1;
		connection_count = count;
		talk_with_all();
		printf("{\"connections\":%u,\"seconds\":%.3f}\n", connection_count, (double)(now_ns() - begin_ns) / 1e9);
		fflush(stdout);
	}
	return 0;
}
