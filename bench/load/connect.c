/*
 * connect.c: opens WebSocket connections one after the other, --connections at a time: TCP, TLS where asked for, upgrade, closing handshake,
 * end. Counts those that were upgraded. Nothing is measured beyond that, so the figure is what a server can take on.
 *
 * --tls: TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519, by OpenSSL, whole handshakes; --resume: each but a slot's first resumes the
 * session of the one before it. No certificate chain is verified, but its signature is, which costs this side more than signing
 * costs a server: where this generator is saturated, look at the server's time per connection instead of the rate.
 *
 * Closed loop, one thread, epoll. Prints one JSON object on stdout; errors go to stderr, with exit code 1 (2: bad arguments).
 */
#include "measurement.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1000u
#define HEAD_BYTES 4096u
#define STALL_NS 5000000000ull
/* Clients' addresses, 127.0.0.1 and up: ports of closed connections rest for a minute, and one address has 28,000. */
#define ADDRESSES 200u

enum state { HANDSHAKE, ASK, UPGRADE, LEAVE };

struct slot {
	int fd;
	enum state state;
	SSL *ssl;
	SSL_SESSION *session; /* of the connection before */
	char head[HEAD_BYTES];
	size_t have;
	uint64_t begin_ns;
};

static struct {
	uint32_t port, connections;
	struct slice slice;
	int is_tls, resumes;
} options = { .connections = 32, .slice.warmup_seconds = 0.5 };

static struct slot slots[MAX_CONNECTIONS];
static struct histogram latencies;
static SSL_CTX *context;
static char request[512];
static int request_bytes, epoll;
static uint32_t next_address;
static uint64_t upgraded, resumed;

_Noreturn static void die(const char *what)
{
	char text[256] = "";

	ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
	fprintf(stderr, "connect: %s (%s; %s)\n", what, strerror(errno), text);
	exit(1);
}

/* A server may send several tickets; the last one is kept. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct slot *slot = SSL_get_app_data(ssl);

	SSL_SESSION_free(slot->session);
	slot->session = session;
	return 1;
}

/* Building chains would cost this side more than it tells of a server. */
static int take_any_chain(X509_STORE_CTX *store, void *argument)
{
	(void)store, (void)argument;
	return 1;
}

static void begin(struct slot *slot)
{
	struct sockaddr_in own = { .sin_family = AF_INET }, server = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = slot };
	int on = 1;

	slot->begin_ns = now_ns();
	slot->have = 0;
	slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (slot->fd < 0)
		die("no socket");
	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next_address++ % ADDRESSES);
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)options.port);
	setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(slot->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(slot->fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		die("cannot bind");
	if (connect(slot->fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		die("cannot connect");
	slot->state = options.is_tls ? HANDSHAKE : ASK;
	if (options.is_tls) {
		slot->ssl = SSL_new(context);
		if (!slot->ssl || SSL_set_fd(slot->ssl, slot->fd) != 1)
			die("no TLS");
		SSL_set_app_data(slot->ssl, (void *)slot);
		SSL_set_connect_state(slot->ssl);
		if (options.resumes && slot->session)
			SSL_set_session(slot->ssl, slot->session);
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &event) < 0)
		die("cannot watch a socket");
}

static void end(struct slot *slot)
{
	if (slot->ssl) {
		SSL_set_shutdown(slot->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(slot->ssl);
		slot->ssl = NULL;
	}
	close(slot->fd);
}

/* Returns what it took or gave, 0 at the end of the connection, -1 when that must wait. */
static ssize_t transfer(struct slot *slot, int writes, void *data, size_t bytes)
{
	int result, error;

	errno = 0;
	if (!slot->ssl) {
		ssize_t got = writes ? send(slot->fd, data, bytes, MSG_NOSIGNAL) : recv(slot->fd, data, bytes, 0);

		/* Not connected yet looks the same as no room. */
		if (got >= 0 || errno == EAGAIN || errno == ENOTCONN)
			return got;
		return slot->state == LEAVE ? 0 : (die("a connection broke"), 0);
	}
	ERR_clear_error();
	result = writes ? SSL_write(slot->ssl, data, (int)bytes) : SSL_read(slot->ssl, data, (int)bytes);
	if (result > 0)
		return result;
	error = SSL_get_error(slot->ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -1;
	/* Some servers end TLS without close_notify. */
	if (error == SSL_ERROR_ZERO_RETURN || slot->state == LEAVE)
		return 0;
	die("a connection broke");
}

/* Returns 0 when it must wait. */
static int advance(struct slot *slot)
{
	static uint8_t farewell[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8 };
	char rest[1024];
	ssize_t got;
	int result;

	switch (slot->state) {
	case HANDSHAKE:
		ERR_clear_error();
		result = SSL_do_handshake(slot->ssl);
		if (result == 1) {
			slot->state = ASK;
			return 1;
		}
		result = SSL_get_error(slot->ssl, result);
		if (result != SSL_ERROR_WANT_READ && result != SSL_ERROR_WANT_WRITE)
			die("a handshake failed");
		return 0;
	case ASK:
		got = transfer(slot, 1, request, (size_t)request_bytes);
		if (got < 0)
			return 0;
		if (got != request_bytes)
			die("a request was cut short");
		slot->state = UPGRADE;
		return 1;
	case UPGRADE:
		got = transfer(slot, 0, slot->head + slot->have, HEAD_BYTES - 1 - slot->have);
		if (got < 0)
			return 0;
		slot->have += (size_t)got;
		slot->head[slot->have] = 0;
		if (got == 0 || slot->have == HEAD_BYTES - 1 || strncmp(slot->head, "HTTP/1.1 101", slot->have < 12 ? slot->have : 12) != 0)
			die("the server did not upgrade");
		if (!strstr(slot->head, "\r\n\r\n"))
			return 1;
		histogram_add(&latencies, now_ns() - slot->begin_ns);
		upgraded++;
		resumed += slot->ssl && SSL_session_reused(slot->ssl);
		slot->state = LEAVE;
		if (transfer(slot, 1, farewell, sizeof(farewell)) != (ssize_t)sizeof(farewell))
			die("cannot close");
		return 1;
	case LEAVE:
		/* Until the server has closed: it answers, and it is the one to end the connection (RFC 6455 section 7.1.1). */
		got = transfer(slot, 0, rest, sizeof(rest));
		if (got < 0)
			return 0;
		if (got > 0)
			return 1;
		end(slot);
		begin(slot);
		return 0;
	}
	return 0;
}

static void run_until(uint64_t end_ns)
{
	struct epoll_event events[256];
	uint64_t seen = upgraded, moved_ns = now_ns(), time_ns;

	do {
		int count = epoll_wait(epoll, events, 256, 100);

		for (int i = 0; i < count; i++) {
			struct slot *slot = events[i].data.ptr;

			while (advance(slot))
				;
		}
		time_ns = now_ns();
		if (upgraded != seen) {
			seen = upgraded;
			moved_ns = time_ns;
		} else if (time_ns - moved_ns > STALL_NS) {
			errno = ETIMEDOUT;
			die("no connection for 5 s");
		}
		/* However short it is to be: a run has one connection at least. */
	} while (time_ns < end_ns || upgraded == 0);
}

static void read_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "port", 1, 0, 'p' }, { "connections", 1, 0, 'c' }, { "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' },
		{ "server-pid", 1, 0, 'v' }, { "tls", 0, 0, 't' }, { "resume", 0, 0, 'r' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'p': options.port = (uint32_t)number("port", optarg, 1, 65535); break;
		case 'c': options.connections = (uint32_t)number("connections", optarg, 1, MAX_CONNECTIONS); break;
		case 's': options.slice.seconds = number("seconds", optarg, 0.01, 3600); break;
		case 'w': options.slice.warmup_seconds = number("warmup", optarg, 0.01, 3600); break;
		case 'v': options.slice.server_pid = (int)number("server-pid", optarg, 1, 1 << 22); break;
		case 't': options.is_tls = 1; break;
		case 'r': options.resumes = 1; break;
		default: options.port = 0; optind = argc; break;
		}
	}
	if (options.port == 0 || optind < argc || (options.resumes && !options.is_tls)) {
		fprintf(stderr, "connect: --port N [--connections N] [--seconds S] [--warmup S] [--tls [--resume]] [--server-pid PID]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct measurement measurement;

	read_options(argc, argv);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("no epoll");
	if (options.is_tls) {
		context = tls_context();
		SSL_CTX_set_keylog_callback(context, NULL);
		SSL_CTX_set_cert_verify_callback(context, take_any_chain, NULL);
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(context, keep_session);
	}
	request_bytes = snprintf(request, sizeof(request),
				 "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
				 options.port);
	for (uint32_t i = 0; i < options.connections; i++)
		begin(&slots[i]);
	while (slice_next(&options.slice)) {
		run_until(now_ns() + (uint64_t)(options.slice.warmup_seconds * 1e9));
		histogram_reset(&latencies);
		upgraded = resumed = 0;
		measurement_begin(&measurement, options.slice.server_pid);
		run_until(now_ns() + (uint64_t)(options.slice.seconds * 1e9));
		measurement_end(&measurement);
		printf("{\"connections\":%" PRIu64 ",\"connectionsPerSecond\":%.0f,\"serverUsPerConnection\":%.2f,\"resumedPercent\":%.1f,",
		       upgraded, (double)upgraded * 1e9 / (double)measurement.wall_ns,
		       (double)measurement.server_ns / 1e3 / (double)upgraded, (double)resumed * 100 / (double)upgraded);
		measurement_print(&measurement, &latencies);
	}
	return 0;
}
