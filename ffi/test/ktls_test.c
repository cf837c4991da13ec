/*
 * Kernel TLS, where the kernel has it: who does what, bytes both ways, ends, changes of keys. npm run test:ktls runs these in a
 * virtual machine.
 */
#include "tls_peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOTH (RW_TLS_KERNEL_SEND | RW_TLS_KERNEL_RECEIVE)

static void need_ktls(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is_there = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 || errno == ENOTCONN;

	close(fd);
	if (!is_there)
		test_skip("this kernel has no TLS (CONFIG_TLS); npm run test:ktls has one");
}

/* A counter of /proc/net/tls_stat. */
static long statistic(const char *name)
{
	FILE *file = fopen("/proc/net/tls_stat", "r");
	char key[64];
	long value, found = -1;

	CHECK(file != NULL);
	while (found < 0 && fscanf(file, "%63s %ld", key, &value) == 2)
		if (strcmp(key, name) == 0)
			found = value;
	fclose(file);
	return found;
}

static void check_ktls(struct secured *secured, bool is_sending, bool is_receiving)
{
	CHECK(strcmp(described(&secured->rig, secured->handle, "ktls_tx"), is_sending ? "1" : "0") == 0);
	CHECK(strcmp(described(&secured->rig, secured->handle, "ktls_rx"), is_receiving ? "1" : "0") == 0);
}

static void exchange(struct secured *secured, uint32_t bytes)
{
	uint8_t *sent = malloc(bytes), *got = malloc(bytes);

	fill_random(sent, bytes, bytes);
	rig_send(&secured->rig, secured->handle, sent, bytes);
	peer_receive(&secured->rig, secured->peer, got, bytes);
	CHECK(memcmp(sent, got, bytes) == 0);
	for (uint32_t done = 0; done < bytes;) {
		uint32_t part = bytes - done < 100000 ? bytes - done : 100000;
		peer_send(&secured->rig, secured->peer, sent + done, part);
		rig_receive(&secured->rig, secured->handle, got + done, part);
		done += part;
	}
	CHECK(memcmp(sent, got, bytes) == 0);
	free(sent);
	free(got);
}

static const struct { uint32_t version; const char *suite; } ciphers[] = {
	{ TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256" },
	{ TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384" },
	{ TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305" },
};

TEST(ktls_does_every_version_and_cipher_in_both_roles_and_directions)
{
	need_ktls();
	for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
		for (int is_client = 0; is_client < 2; is_client++) {
			struct secured secured;
			long sending = statistic("TlsTxSw"), receiving = statistic("TlsRxSw");

			secured_open(&secured, &(struct secured_options){
				.version = ciphers[i].version, .suite = ciphers[i].suite, .is_client = is_client, .flags = BOTH });
			check_ktls(&secured, true, true);
			CHECK_EQUAL(statistic("TlsTxSw"), sending + 1);
			CHECK_EQUAL(statistic("TlsRxSw"), receiving + 1);
			exchange(&secured, 10);
			exchange(&secured, 1 << 20);
			secured_close(&secured);
		}
}

TEST(ktls_sends_alone_where_only_that_was_asked_for)
{
	need_ktls();
	for (int is_client = 0; is_client < 2; is_client++) {
		struct secured secured;

		secured_open(&secured, &(struct secured_options){ .is_client = is_client, .flags = RW_TLS_KERNEL_SEND });
		check_ktls(&secured, true, false);
		exchange(&secured, 300000);
		secured_close(&secured);
	}
}

TEST(ktls_leaves_ciphers_that_it_does_not_know_to_openssl)
{
	struct secured secured;

	need_ktls();
	secured_open(&secured, &(struct secured_options){
		.version = TLS1_2_VERSION, .suite = "ECDHE-ECDSA-AES128-SHA256", .flags = BOTH });
	check_ktls(&secured, false, false);
	exchange(&secured, 100000);
	secured_close(&secured);
}

TEST(ktls_slow_reader_and_close_with_goodbye)
{
	need_ktls();
	for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i += 3)
		secured_says_goodbye_last(ciphers[i].version, BOTH);
}

TEST(ktls_goodbyes_truncation_and_alerts_are_told_apart)
{
	need_ktls();
	for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i += 3)
		for (int end = 0; end < 4; end++) {
			static const uint8_t forged[] = { 23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
							  18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 };
			struct secured secured;
			uint8_t got[8];

			secured_open(&secured, &(struct secured_options){
				.version = ciphers[i].version, .flags = BOTH, .is_client = end & 1 });
			check_ktls(&secured, true, true);
			peer_send(&secured.rig, secured.peer, "before", 6);
			rig_receive(&secured.rig, secured.handle, got, 6);
			if (end == 0) {
				SSL_shutdown(secured.peer);
				rig_await(&secured.rig, RW_EVENT_ENDED, secured.handle);
				rig_send(&secured.rig, secured.handle, "still", 5);
				peer_receive(&secured.rig, secured.peer, got, 5);
				rig_command(&secured.rig, RW_COMMAND_END, secured.handle, 0, 0);
				peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
			} else if (end == 1) {
				shutdown(secured.fd, SHUT_WR);
				CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_TRUNCATED);
			} else if (end == 2) {
				peer_write(secured.fd, forged, sizeof forged);
				peer_await(&secured.rig, secured.peer, SSL_ERROR_SSL);
				CHECK_EQUAL(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
				shutdown(secured.fd, SHUT_WR);
				CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_PROTOCOL);
			} else {
				struct rw_event event;
				SSL_set0_rbio(secured.peer, BIO_new_mem_buf(forged, sizeof forged));
				CHECK(SSL_read(secured.peer, got, 1) <= 0);
				event = rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle);
				CHECK_EQUAL(event.a, RW_TLS_ERROR_ALERT);
				CHECK_EQUAL(event.b, SSL_AD_BAD_RECORD_MAC);
			}
			ERR_clear_error();
			secured_close(&secured);
		}
}

TEST(ktls_tickets_are_passed_over)
{
	struct secured secured;
	uint8_t got[4];

	need_ktls();
	secured_open(&secured, &(struct secured_options){ .is_client = true, .flags = BOTH });
	check_ktls(&secured, true, true);
	/* Two came with the handshake; more of them in front of data, and between. */
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(SSL_new_session_ticket(secured.peer), 1);
		peer_send(&secured.rig, secured.peer, "data", 4);
		rig_receive(&secured.rig, secured.handle, got, 4);
		CHECK(memcmp(got, "data", 4) == 0);
	}
	secured_close(&secured);
}

/* New keys of the peer's, or of ours at its wish, where the kernel has them. */
static void change_keys(uint32_t flags, int kind, bool is_survived)
{
	for (int is_client = 0; is_client < 2; is_client++) {
		struct secured secured;
		uint8_t got[8];

		secured_open(&secured, &(struct secured_options){ .is_client = is_client, .flags = flags });
		peer_send(&secured.rig, secured.peer, "before", 6);
		rig_receive(&secured.rig, secured.handle, got, 6);
		CHECK_EQUAL(SSL_key_update(secured.peer, kind), 1);
		peer_send(&secured.rig, secured.peer, "behind", 6);
		if (is_survived) {
			rig_receive(&secured.rig, secured.handle, got, 6);
			exchange(&secured, 50000);
		} else {
			peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
			shutdown(secured.fd, SHUT_WR);
			CHECK_EQUAL(rig_await(&secured.rig, RW_EVENT_CLOSED, secured.handle).a, RW_TLS_ERROR_KEY_UPDATE);
		}
		secured_close(&secured);
	}
}

TEST(ktls_change_of_the_peers_keys_ends_what_the_kernel_receives)
{
	need_ktls();
	change_keys(BOTH, SSL_KEY_UPDATE_NOT_REQUESTED, false);
}

TEST(ktls_change_of_the_peers_keys_is_no_matter_where_openssl_receives)
{
	need_ktls();
	change_keys(RW_TLS_KERNEL_SEND, SSL_KEY_UPDATE_NOT_REQUESTED, true);
}

TEST(ktls_wish_for_new_keys_of_ours_ends_what_the_kernel_sends)
{
	need_ktls();
	change_keys(RW_TLS_KERNEL_SEND, SSL_KEY_UPDATE_REQUESTED, false);
}

TEST(ktls_pauses_and_resumes)
{
	struct secured secured;
	static uint8_t sent[200000], got[200000];

	need_ktls();
	fill_random(sent, sizeof sent, 37);
	secured_open(&secured, &(struct secured_options){ .flags = BOTH });
	rig_command(&secured.rig, RW_COMMAND_PAUSE, secured.handle, 0, 0);
	rig_turn(&secured.rig, 0);
	rig_turn(&secured.rig, 0);
	CHECK(SSL_write(secured.peer, sent, sizeof sent) > 0);
	SSL_shutdown(secured.peer);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(rig_turn(&secured.rig, 1000), 0);
	rig_command(&secured.rig, RW_COMMAND_RESUME, secured.handle, 0, 0);
	rig_receive(&secured.rig, secured.handle, got, 16384);
	CHECK(memcmp(sent, got, 16384) == 0);
	rig_await(&secured.rig, RW_EVENT_ENDED, secured.handle);
	secured_close(&secured);
}
