/*
 * How TLS connections end: goodbyes both ways, half-closes, truncation, alerts, resets, and the end of the ring.
 */
#include "tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct secured_options server_1_3 = { .version = TLS1_3_VERSION };
static const struct secured_options client_1_3 = { .version = TLS1_3_VERSION, .is_client = true };
static const struct secured_options server_1_2 = { .version = TLS1_2_VERSION };
static const struct secured_options client_1_2 = { .version = TLS1_2_VERSION, .is_client = true };
static const struct secured_options *const kinds[] = { &server_1_3, &client_1_3, &server_1_2, &client_1_2 };
#define KINDS (sizeof kinds / sizeof *kinds)

/* Turns a few times, in which nothing may be told. */
static void stay_quiet(struct rig *rig)
{
	for (int i = 0; i < 5; i++) {
		rig_turn(rig, 1000);
		for (uint32_t j = 0; j < rig->count; j++)
			CHECK_EQUAL(rig->events[j].kind, RW_EVENT_QUEUED);
	}
}

TEST(tls_goodbye_of_the_peer_ends_receiving_once_and_not_sending)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct secured secured;
		uint8_t got[8];

		secured_open(&secured, kinds[i]);
		peer_send(&secured.rig, secured.peer, "last", 4);
		SSL_shutdown(secured.peer);
		rig_receive(&secured.rig, secured.handle, got, 4);
		rig_await(&secured.rig, RW_EVENT_ENDED, secured.handle);
		/* Whatever comes behind it: more bytes, FIN. */
		peer_write(secured.fd, "garbage", 7);
		shutdown(secured.fd, SHUT_WR);
		stay_quiet(&secured.rig);
		rig_send(&secured.rig, secured.handle, "still", 5);
		peer_receive(&secured.rig, secured.peer, got, 5);
		rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, 0);
		peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
		secured_close(&secured);
	}
}

TEST(tls_half_close_says_goodbye_and_goes_on_receiving)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct secured secured;
		uint8_t got[8], byte;

		secured_open(&secured, kinds[i]);
		rig_send(&secured.rig, secured.handle, "all", 3);
		rig_command(&secured.rig, RW_COMMAND_END, secured.handle, 0, 0);
		peer_receive(&secured.rig, secured.peer, got, 3);
		peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
		peer_send(&secured.rig, secured.peer, "answer", 6);
		rig_receive(&secured.rig, secured.handle, got, 6);
		CHECK(memcmp(got, "answer", 6) == 0);
		SSL_shutdown(secured.peer);
		shutdown(secured.fd, SHUT_WR);
		rig_await(&secured.rig, RW_EVENT_ENDED, secured.handle);
		rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, 0);
		/* One goodbye, then FIN. */
		fcntl(secured.fd, F_SETFL, 0);
		CHECK_EQUAL(recv(secured.fd, &byte, 1, 0), 0);
		secured_close(&secured);
	}
}

TEST(tls_close_says_goodbye_behind_all_that_is_queued) { secured_says_goodbye_last(TLS1_3_VERSION, 0); }

TEST(tls_end_without_goodbye_is_truncation_after_all_bytes)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct secured secured;
		uint8_t got[8];

		secured_open(&secured, kinds[i]);
		peer_send(&secured.rig, secured.peer, "half a", 6);
		shutdown(secured.fd, SHUT_WR);
		rig_receive(&secured.rig, secured.handle, got, 6);
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_TRUNCATED);
		CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
		secured_close(&secured);
	}
}

TEST(tls_end_without_goodbye_does_not_matter_to_one_that_closes)
{
	struct secured secured;
	uint8_t *bytes = calloc(1, 1 << 20);

	secured_open(&secured, &(struct secured_options){ .receive_buffer = 65536, .send_buffer = 65536 });
	rig_send(&secured.rig, secured.handle, bytes, 1 << 20);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
	rig_turn(&secured.rig, 0);
	shutdown(secured.fd, SHUT_WR);
	stay_quiet(&secured.rig);
	peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
	stay_quiet(&secured.rig);
	secured_close(&secured);
	free(bytes);
}

TEST(tls_truncation_with_a_full_plain_arena_comes_after_all_bytes)
{
	struct secured secured;
	static uint8_t sent[200000], got[200000];

	fill_random(sent, sizeof sent, 23);
	secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 } });
	for (size_t written = 0; written < sizeof sent;) {
		int result = SSL_write(secured.peer, sent + written, (int)(sizeof sent - written));
		CHECK(result > 0);
		written += (size_t)result;
	}
	peer_free(secured.peer);
	secured.peer = NULL;
	rig_receive(&secured.rig, secured.handle, got, sizeof got);
	CHECK(memcmp(sent, got, sizeof got) == 0);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_TRUNCATED);
	secured_close(&secured);
}

TEST(tls_reset_stays_a_reset)
{
	struct secured secured;
	struct linger linger = { 1, 0 };

	secured_open(&secured, &server_1_3);
	setsockopt(secured.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	peer_free(secured.peer);
	secured.peer = NULL;
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, ECONNRESET);
	secured_close(&secured);
}

TEST(tls_abort_resets)
{
	struct secured secured;
	char byte;

	secured_open(&secured, &server_1_3);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_ABORT, 0);
	CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, 0);
	/* Tickets may be in front of it. */
	while (recv(secured.fd, &byte, 1, 0) == 1)
		;
	CHECK_EQUAL(errno, ECONNRESET);
	secured_close(&secured);
}

/* A record of the right shape, and nothing that anybody has encrypted. */
static const uint8_t forged[] = { 23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
				  21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 };

TEST(tls_forged_record_ends_the_connection_and_the_peer_is_told_by_an_alert)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct secured secured;
		struct rw_event event;
		uint8_t got[8];

		secured_open(&secured, kinds[i]);
		peer_send(&secured.rig, secured.peer, "before", 6);
		peer_write(secured.fd, forged, sizeof forged);
		peer_write(secured.fd, forged, sizeof forged);
		rig_receive(&secured.rig, secured.handle, got, 6);
		peer_await(&secured.rig, secured.peer, SSL_ERROR_SSL);
		CHECK_EQUAL(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
		ERR_clear_error();
		shutdown(secured.fd, SHUT_WR);
		event = rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle);
		CHECK_EQUAL(event.a, RW_TLS_ERROR_PROTOCOL);
		secured_close(&secured);
	}
}

/* Lets the peer read what ends it with an alert. */
static void provoke(struct secured *secured)
{
	BIO *memory = BIO_new_mem_buf(forged, sizeof forged);
	uint8_t byte;

	SSL_set0_rbio(secured->peer, memory);
	CHECK(SSL_read(secured->peer, &byte, 1) <= 0);
	ERR_clear_error();
}

TEST(tls_fatal_alert_of_the_peer_ends_the_connection_with_its_number)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct secured secured;
		struct rw_event event;
		uint8_t got[8];

		secured_open(&secured, kinds[i]);
		peer_send(&secured.rig, secured.peer, "before", 6);
		provoke(&secured);
		rig_receive(&secured.rig, secured.handle, got, 6);
		event = rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle);
		CHECK_EQUAL(event.a, RW_TLS_ERROR_ALERT);
		CHECK_EQUAL(event.b, SSL_AD_BAD_RECORD_MAC);
		secured_close(&secured);
	}
}

TEST(tls_1_2_does_not_begin_again_when_the_peer_wants_to)
{
	struct secured secured;
	uint64_t deadline = clock_ms() + 5000;
	int reason = 0;

	secured_open(&secured, &server_1_2);
	CHECK_EQUAL(SSL_renegotiate(secured.peer), 1);
	/* Refused by a warning, which a peer may live with; this one does not. */
	while (reason == 0) {
		ERR_clear_error();
		CHECK(SSL_do_handshake(secured.peer) != 1);
		reason = ERR_GET_REASON(ERR_peek_error());
		rig_turn(&secured.rig, 1000);
		CHECK(clock_ms() < deadline);
	}
	CHECK_EQUAL(reason, SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	secured_close(&secured);
}

TEST(tls_ring_closes_with_connections_in_every_state)
{
	const int descriptors = count_descriptors();

	for (int state = 0; state < 5; state++) {
		struct secured secured;
		uint8_t *bytes = calloc(1, 1 << 20);
		static uint8_t flood[150000];

		secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 }, .receive_buffer = 65536, .send_buffer = 65536 });
		if (state == 1 || state == 2)
			rig_send(&secured.rig, secured.handle, bytes, 1 << 20);
		if (state == 2)
			rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
		if (state == 3)
			SSL_write(secured.peer, flood, sizeof flood); /* ciphertext waits */
		if (state == 4)
			SSL_shutdown(secured.peer);
		if (state > 0)
			rig_turn(&secured.rig, 1000);
		secured_close(&secured);
		free(bytes);
	}
	CHECK_EQUAL(count_descriptors(), descriptors);
}

TEST(tls_abort_while_ciphertext_waits_for_room)
{
	struct secured secured;
	static uint8_t flood[150000];

	for (int is_flush = 0; is_flush < 2; is_flush++) {
		secured_open(&secured, &(struct secured_options){ .rig = { .plain_bytes = 65536 } });
		for (int i = 0; i < 8; i++)
			SSL_write(secured.peer, flood, sizeof flood);
		shutdown(secured.fd, SHUT_WR);
		CHECK(rig_turn(&secured.rig, 10000) > 0);
		rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, is_flush ? RW_CLOSE_FLUSH : RW_CLOSE_ABORT, 0);
		CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, 0);
		secured_close(&secured);
	}
}

static void *leave_open(void *unused)
{
	struct secured secured;

	(void)unused;
	secured_open(&secured, &client_1_3);
	rig_send(&secured.rig, secured.handle, "x", 1);
	rig_turn(&secured.rig, 0);
	peer_free(secured.peer);
	SSL_CTX_free(secured.peer_context);
	return NULL; /* neither the ring nor the context is closed */
}

TEST(tls_thread_ends_with_open_connections) { threads_leave_nothing(leave_open); }
