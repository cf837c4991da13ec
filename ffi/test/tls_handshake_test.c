/*
 * TLS handshakes of a ring: both roles and versions, slow ones, failing ones, and what is done to a connection meanwhile.
 */
#include "tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(const struct secured_options *options)
{
	struct secured secured;
	uint8_t got[16];

	secured_open(&secured, options);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_HANDSHAKES], 1);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_RESUMPTIONS], 0);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], 1);
	CHECK(strcmp(described(&secured.rig, secured.handle, "version"),
		     options->version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3") == 0);
	CHECK(strcmp(described(&secured.rig, secured.handle, "resumed"), "0") == 0);
	CHECK(strcmp(described(&secured.rig, secured.handle, "ktls_rx"), "0") == 0);
	peer_send(&secured.rig, secured.peer, "question", 8);
	rig_receive(&secured.rig, secured.handle, got, 8);
	CHECK(memcmp(got, "question", 8) == 0);
	rig_send(&secured.rig, secured.handle, "answer", 6);
	peer_receive(&secured.rig, secured.peer, got, 6);
	CHECK(memcmp(got, "answer", 6) == 0);
	secured_close(&secured);
}

TEST(tls_server_echoes_over_1_3) { echo(&(struct secured_options){ .version = TLS1_3_VERSION }); }
TEST(tls_server_echoes_over_1_2) { echo(&(struct secured_options){ .version = TLS1_2_VERSION }); }
TEST(tls_client_echoes_over_1_3) { echo(&(struct secured_options){ .version = TLS1_3_VERSION, .is_client = true }); }
TEST(tls_client_echoes_over_1_2) { echo(&(struct secured_options){ .version = TLS1_2_VERSION, .is_client = true }); }

TEST(tls_refuses_what_makes_no_sense_before_anything_happens)
{
	struct rig rig, plainless;
	uint16_t port;
	uint32_t server = context_of(RW_TLS_SERVER, 0, 0), client = context_of(RW_TLS_CLIENT, RW_TLS_VERIFY, 0), stale;
	int listener = peer_listen(&port), descriptors;

	rig_open(&rig, NULL);
	descriptors = count_descriptors();
	stale = context_of(RW_TLS_CLIENT, RW_TLS_VERIFY, 0);
	CHECK_EQUAL(rw_tls_close(stale), 0);
	const struct { uint32_t context; const char *name; uint32_t timeout_ms; int32_t error; } wrong[] = {
		{ server, "localhost", 1000, -EINVAL },
		{ stale, "localhost", 1000, -EINVAL },
		{ client, "", 1000, -EINVAL },
		{ client, "localhost", UINT32_MAX, -EINVAL },
		{ 4711, "localhost", 1000, -EINVAL },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", port);
		endpoint_tls(&rig, wrong[i].context, wrong[i].name, wrong[i].timeout_ms);
		CHECK_EQUAL(rw_connect(rig.id), wrong[i].error);
	}
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", port);
	endpoint_tls(&rig, client, "localhost", 1000);
	((struct rw_endpoint *)(rig.block + RW_ENDPOINT_OFFSET))->tls_name_bytes = 257;
	CHECK_EQUAL(rw_connect(rig.id), -EINVAL);
	rig_endpoint(&rig, RW_FAMILY_IPV4, "127.0.0.1", 0);
	endpoint_tls(&rig, client, NULL, 1000);
	CHECK_EQUAL(rw_listen(rig.id), -EINVAL);
	CHECK_EQUAL(count_descriptors(), descriptors);
	rig_close(&rig);
	rig_open(&plainless, &(struct rig_options){ .is_plainless = true });
	rig_endpoint(&plainless, RW_FAMILY_IPV4, "127.0.0.1", port);
	endpoint_tls(&plainless, client, "localhost", 1000);
	CHECK_EQUAL(rw_connect(plainless.id), -EINVAL);
	rig_close(&plainless);
	close(listener);
	CHECK_EQUAL(rw_tls_close(server) + rw_tls_close(client), 0);
}

TEST(tls_is_described_only_once_it_is_there)
{
	struct secured secured;
	uint8_t certificate[2048];
	uint32_t handle;
	int32_t bytes;

	secured_open(&secured, &(struct secured_options){ .is_client = true, .is_open = true });
	handle = secured.handle;
	CHECK_EQUAL(rw_tls_describe(secured.rig.id, handle), -ENOTCONN);
	CHECK_EQUAL(rw_tls_peer_certificate(secured.rig.id, handle, NULL, 0), -ENOTCONN);
	secured_shake(&secured);
	CHECK_EQUAL(secured.handle, handle);
	CHECK(strcmp(described(&secured.rig, handle, "name"), "localhost") == 0);
	bytes = rw_tls_peer_certificate(secured.rig.id, handle, NULL, 0);
	CHECK(bytes > 200 && bytes < (int32_t)sizeof certificate);
	CHECK_EQUAL(rw_tls_peer_certificate(secured.rig.id, handle, certificate, sizeof certificate), bytes);
	CHECK(certificate[0] == 0x30);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, handle, RW_CLOSE_ABORT, 0);
	rig_await(&secured.rig, RW_EVENT_CLOSED, handle);
	CHECK_EQUAL(rw_tls_describe(secured.rig.id, handle), -EBADF);
	secured_close(&secured);
}

/* A turn; what it tells of the connection, and the bytes. */
static void turn_and_look(struct secured *secured, uint8_t *got, uint32_t *have)
{
	rig_turn(&secured->rig, 1000);
	for (uint32_t i = 0; i < secured->rig.count; i++) {
		struct rw_event event = secured->rig.events[i];
		if (event.kind == RW_EVENT_ACCEPTED) {
			secured->handle = event.handle;
		} else {
			CHECK(event.kind == RW_EVENT_RECEIVED && event.handle == secured->handle && event.b <= 4 - *have);
			memcpy(got + *have, secured->rig.block + event.a, event.b);
			*have += event.b;
		}
	}
}

/* Moves what `from` has written, one byte at a time. */
static void trickle(struct secured *secured, BIO *from, uint8_t *got, uint32_t *have)
{
	uint8_t byte;

	while (BIO_read(from, &byte, 1) == 1) {
		peer_write(secured->fd, &byte, 1);
		turn_and_look(secured, got, have);
	}
}

TEST(tls_handshake_byte_by_byte)
{
	struct secured secured;
	SSL *peer;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint8_t flight[4096], got[4];
	uint32_t have = 0;
	uint64_t deadline = clock_ms() + 20000;

	secured_open(&secured, &(struct secured_options){ .is_open = true });
	peer = SSL_new(secured.peer_context);
	SSL_set_bio(peer, in, out);
	while (SSL_connect(peer) != 1) {
		ssize_t bytes;
		trickle(&secured, out, got, &have);
		turn_and_look(&secured, got, &have);
		bytes = recv(secured.fd, flight, sizeof flight, MSG_DONTWAIT);
		if (bytes > 0)
			BIO_write(in, flight, (int)bytes);
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(SSL_write(peer, "slow", 4), 4);
	trickle(&secured, out, got, &have);
	while (have < 4) {
		turn_and_look(&secured, got, &have);
		CHECK(clock_ms() < deadline);
	}
	CHECK(memcmp(got, "slow", 4) == 0);
	SSL_free(peer);
	secured_close(&secured);
}

TEST(tls_server_gives_up_who_says_nothing)
{
	struct secured secured;
	struct rw_event event;
	uint8_t byte;

	secured_open(&secured, &(struct secured_options){ .is_open = true, .timeout_ms = 30 });
	event = rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener);
	CHECK_EQUAL(event.a, RW_TLS_ERROR_TIMEOUT);
	fcntl(secured.fd, F_SETFL, 0);
	CHECK_EQUAL(recv(secured.fd, &byte, 1, 0), 0);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	secured_close(&secured);
}

TEST(tls_client_gives_up_who_says_nothing)
{
	struct secured secured;

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true, .timeout_ms = 30 });
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_TIMEOUT);
	secured_close(&secured);
}

TEST(tls_server_is_told_that_the_peer_speaks_something_else)
{
	struct secured secured;

	secured_open(&secured, &(struct secured_options){ .is_open = true });
	peer_write(secured.fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	/* Ended, not reset, although most of the request was never read. */
	peer_drain(&secured.rig, secured.fd);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener).a, RW_TLS_ERROR_NOT_TLS);
	secured_close(&secured);
}

TEST(tls_client_is_told_that_the_peer_speaks_something_else)
{
	struct secured secured;

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true });
	peer_write(secured.fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	peer_drain(&secured.rig, secured.fd);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_NOT_TLS);
	secured_close(&secured);
}

TEST(tls_alert_of_the_peer_ends_the_handshake_with_its_number)
{
	struct secured secured;
	struct rw_event event;

	secured_open(&secured, &(struct secured_options){ .is_open = true });
	SSL_CTX_free(secured.peer_context);
	SSL_free(secured.peer);
	/* One that trusts nobody. */
	secured.peer_context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(secured.peer_context, SSL_VERIFY_PEER, NULL);
	secured.peer = peer_new(secured.peer_context, secured.fd);
	while (SSL_get_error(secured.peer, SSL_do_handshake(secured.peer)) == SSL_ERROR_WANT_READ)
		rig_turn(&secured.rig, 1000);
	ERR_clear_error();
	event = rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener);
	CHECK_EQUAL(event.a, RW_TLS_ERROR_ALERT);
	CHECK_EQUAL(event.b, SSL_AD_UNKNOWN_CA);
	secured_close(&secured);
}

TEST(tls_client_refuses_another_host_and_says_so)
{
	struct secured secured;
	uint32_t handle;
	uint16_t port;
	int listener = peer_listen(&port), result, fd;

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true });
	handle = tls_connect(&secured.rig, secured.context, "elsewhere.example", 0, port);
	fd = accept(listener, NULL, NULL);
	SSL *peer = peer_new(secured.peer_context, fd);
	for (;;) {
		ERR_clear_error();
		result = SSL_get_error(peer, SSL_do_handshake(peer));
		if (result != SSL_ERROR_WANT_READ)
			break;
		rig_turn(&secured.rig, 1000);
		if (secured.rig.count > 0)
			CHECK(secured.rig.events[0].kind == RW_EVENT_CLOSED && secured.rig.events[0].handle == handle &&
			      secured.rig.events[0].a == RW_TLS_ERROR_HOST_MISMATCH);
	}
	CHECK_EQUAL(result, SSL_ERROR_SSL);
	CHECK_EQUAL(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
	ERR_clear_error();
	peer_free(peer);
	close(listener);
	secured_close(&secured);
}

TEST(tls_server_says_that_a_handshake_was_cut_short)
{
	struct linger linger = { 1, 0 };

	for (int i = 0; i < 2; i++) {
		struct secured secured;

		secured_open(&secured, &(struct secured_options){ .is_open = true });
		rig_turn(&secured.rig, 1000);
		if (i == 1)
			setsockopt(secured.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
		peer_free(secured.peer);
		secured.peer = NULL;
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_ACCEPT_FAILED, secured.listener).a, RW_TLS_ERROR_TRUNCATED);
		secured_close(&secured);
	}
}

TEST(tls_connect_that_is_refused_says_so)
{
	struct rig rig;
	uint32_t context = context_of(RW_TLS_CLIENT, RW_TLS_VERIFY, 0), handle;
	uint16_t port;

	close(peer_listen(&port));
	rig_open(&rig, NULL);
	handle = tls_connect(&rig, context, "localhost", 0, port);
	CHECK_EQUAL(rig_await(&rig, RW_EVENT_CLOSED, handle).a, ECONNREFUSED);
	rig_close(&rig);
	CHECK_EQUAL(rw_tls_close(context), 0);
}

TEST(tls_what_is_sent_before_the_handshake_waits_for_it)
{
	struct secured secured;
	static uint8_t sent[100000], got[100000];

	fill_random(sent, sizeof sent, 1);
	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true });
	rig_send(&secured.rig, secured.handle, sent, 10);
	rig_turn(&secured.rig, 0);
	rig_send(&secured.rig, secured.handle, sent + 10, sizeof sent - 10);
	rig_command(&secured.rig, RW_COMMAND_PAUSE, secured.handle, 0, 0);
	rig_turn(&secured.rig, 0);
	CHECK_EQUAL(secured.rig.queued[secured.handle & 0xfffff], sizeof sent);
	while (!peer_step(secured.peer))
		rig_turn(&secured.rig, 1000);
	peer_receive(&secured.rig, secured.peer, got, sizeof got);
	CHECK(memcmp(sent, got, sizeof got) == 0);
	CHECK_EQUAL(secured.rig.queued[secured.handle & 0xfffff], 0);
	/* Paused since before it was open. */
	peer_send(&secured.rig, secured.peer, "later", 5);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(rig_turn(&secured.rig, 1000), 0);
	rig_command(&secured.rig, RW_COMMAND_RESUME, secured.handle, 0, 0);
	rig_receive(&secured.rig, secured.handle, got, 5);
	CHECK(memcmp(got, "later", 5) == 0);
	secured_close(&secured);
}

TEST(tls_close_before_the_handshake_still_sends_what_was_sent)
{
	struct secured secured;
	char got[8];

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true });
	rig_send(&secured.rig, secured.handle, "farewell", 8);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
	rig_turn(&secured.rig, 0);
	while (!peer_step(secured.peer))
		rig_turn(&secured.rig, 1000);
	peer_receive(&secured.rig, secured.peer, got, 8);
	CHECK(memcmp(got, "farewell", 8) == 0);
	peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	secured_close(&secured);
}

TEST(tls_queue_limit_holds_before_the_handshake)
{
	struct secured secured;
	static uint8_t bytes[5000];

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = true, .rig = { .max_queued = 4096 } });
	rig_send(&secured.rig, secured.handle, bytes, sizeof bytes);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, ENOBUFS);
	secured_close(&secured);
}

/* Ends a connection after so many turns of its handshake, by ABORT or by ending the ring. */
static void end_early(bool is_client, uint32_t turns, bool is_ring_closed)
{
	struct secured secured;
	int descriptors = count_descriptors();
	uint32_t peer_steps = 0;
	bool is_secured = false;

	secured_open(&secured, &(struct secured_options){ .is_open = true, .is_client = is_client });
	for (uint32_t i = 0; i < turns; i++) {
		if (i & 1 && peer_steps++ < 3)
			peer_step(secured.peer);
		rig_turn(&secured.rig, 0);
		for (uint32_t j = 0; j < secured.rig.count; j++)
			is_secured = is_secured || secured.rig.events[j].kind == RW_EVENT_ACCEPTED ||
				     secured.rig.events[j].kind == RW_EVENT_CONNECTED;
	}
	if (!is_ring_closed && is_client) {
		rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_ABORT, 0);
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, 0);
	} else if (!is_ring_closed) {
		uint64_t deadline = clock_ms() + 20000;
		CHECK_EQUAL(rw_unlisten(secured.rig.id, secured.listener), 0);
		/* Nothing is told of a handshake that was given up, and nobody stays: but the ring, the peer, and who was accepted. */
		while (count_descriptors() > descriptors + 2 + is_secured) {
			CHECK_EQUAL(rig_turn(&secured.rig, 1000), 0);
			CHECK(clock_ms() < deadline);
		}
	}
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], is_secured && (is_ring_closed || !is_client));
	secured_close(&secured);
	CHECK_EQUAL(count_descriptors(), descriptors);
}

TEST(tls_client_is_aborted_in_every_state_of_its_handshake)
{
	for (uint32_t turns = 0; turns < 10; turns++)
		end_early(true, turns, false);
}

TEST(tls_listener_takes_its_handshakes_with_it)
{
	for (uint32_t turns = 0; turns < 10; turns++)
		end_early(false, turns, false);
}

TEST(tls_ring_closes_in_every_state_of_a_handshake)
{
	for (uint32_t turns = 0; turns < 10; turns++) {
		end_early(true, turns, true);
		end_early(false, turns, true);
	}
}

TEST(tls_sessions_are_resumed_and_counted)
{
	struct rig rig;
	SSL_CTX *peer_context = peer_context_new(true, TLS1_3_VERSION, NULL);
	uint32_t context = context_of(RW_TLS_CLIENT, RW_TLS_VERIFY | RW_TLS_RESUME, TLS1_3_VERSION);
	uint16_t port;
	int listener = peer_listen(&port);

	rig_open(&rig, NULL);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t handle = tls_connect(&rig, context, "localhost", 0, port);
		SSL *peer = peer_new(peer_context, accept(listener, NULL, NULL));
		uint8_t got[2];

		while (!peer_step(peer))
			rig_turn(&rig, 1000);
		/* The ticket comes in front of this. */
		peer_send(&rig, peer, "hi", 2);
		rig_receive(&rig, handle, got, 2);
		CHECK(strcmp(described(&rig, handle, "resumed"), i == 0 ? "0" : "1") == 0);
		CHECK_EQUAL(rig.control[RW_FIELD_STAT_RESUMPTIONS], i);
		rig_command(&rig, RW_COMMAND_CLOSE, handle, RW_CLOSE_FLUSH, 0);
		peer_await(&rig, peer, SSL_ERROR_ZERO_RETURN);
		peer_free(peer);
	}
	CHECK_EQUAL(rig.control[RW_FIELD_STAT_HANDSHAKES], 3);
	close(listener);
	SSL_CTX_free(peer_context);
	rig_close(&rig);
	CHECK_EQUAL(rw_tls_close(context), 0);
}

static void *leave_in_the_middle(void *unused)
{
	struct rig rig;
	uint32_t context = context_of(RW_TLS_CLIENT, RW_TLS_VERIFY, 0);
	uint16_t port;
	int listener = peer_listen(&port);

	(void)unused;
	rig_open(&rig, NULL);
	for (int i = 0; i < 3; i++) {
		tls_connect(&rig, context, "localhost", 0, port);
		rig_turn(&rig, 0);
	}
	close(listener);
	return NULL; /* neither the ring nor the context is closed */
}

TEST(tls_thread_ends_in_the_middle_of_handshakes) { threads_leave_nothing(leave_in_the_middle); }
