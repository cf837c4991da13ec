/*
 * Messages of a handshake that come after it and are cut up among records: the connection goes on sending meanwhile.
 */
#include "tls_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* Of every libssl.a, though in none of its headers: a record of this type under the keys of now, and the next keys for sending. */
int ssl3_write_bytes(SSL *ssl, int type, const void *data, size_t bytes, size_t *written);
int tls13_update_key(SSL *ssl, int is_sending);

/* Without Nagle's algorithm, which would hold the second of two small records back. */
static void open_hasty(struct secured *secured, bool is_client)
{
	int yes = 1;

	secured_open(secured, &(struct secured_options){ .is_client = is_client });
	setsockopt(secured->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void peer_send_message(SSL *peer, const void *data, size_t bytes)
{
	size_t written = 0;

	CHECK_EQUAL(ssl3_write_bytes(peer, SSL3_RT_HANDSHAKE, data, bytes, &written), 1);
	CHECK_EQUAL(written, bytes);
}

/* KeyUpdate: one byte of body, which says whether ours are wished for as well. */
static const uint8_t new_keys[] = { SSL3_MT_KEY_UPDATE, 0, 0, 1, SSL_KEY_UPDATE_NOT_REQUESTED };
#define HEAD_BYTES 4

static void turn_a_few_times(struct rig *rig)
{
	for (int i = 0; i < 3; i++) {
		rig_turn(rig, 1000);
		for (uint32_t j = 0; j < rig->count; j++)
			CHECK_EQUAL(rig->events[j].kind, RW_EVENT_QUEUED);
	}
}

TEST(tls_sends_while_a_message_of_the_peer_is_cut_between_two_records)
{
	for (int is_client = 0; is_client < 2; is_client++) {
		struct secured secured;
		static uint8_t sent[50000], got[50000];

		fill_random(sent, sizeof sent, 41);
		open_hasty(&secured, is_client);
		for (int i = 0; i < 3; i++) {
			peer_send_message(secured.peer, new_keys, HEAD_BYTES);
			turn_a_few_times(&secured.rig);
			rig_send(&secured.rig, secured.handle, sent, sizeof sent);
			peer_receive(&secured.rig, secured.peer, got, sizeof got);
			CHECK(memcmp(sent, got, sizeof got) == 0);
			peer_send_message(secured.peer, new_keys + HEAD_BYTES, sizeof new_keys - HEAD_BYTES);
			CHECK_EQUAL(tls13_update_key(secured.peer, 1), 1);
			peer_send(&secured.rig, secured.peer, "behind", 6);
			rig_receive(&secured.rig, secured.handle, got, 6);
			CHECK(memcmp(got, "behind", 6) == 0);
		}
		secured_close(&secured);
	}
}

TEST(tls_says_goodbye_while_a_message_of_the_peer_is_cut_between_two_records)
{
	for (int kind = 0; kind < 4; kind++) {
		struct secured secured;
		bool is_half = kind & 2;

		open_hasty(&secured, kind & 1);
		peer_send_message(secured.peer, new_keys, HEAD_BYTES);
		turn_a_few_times(&secured.rig);
		if (is_half)
			rig_command(&secured.rig, RW_COMMAND_END, secured.handle, 0, 0);
		else
			rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
		peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
		if (is_half) {
			uint8_t got[5];

			peer_send_message(secured.peer, new_keys + HEAD_BYTES, sizeof new_keys - HEAD_BYTES);
			CHECK_EQUAL(tls13_update_key(secured.peer, 1), 1);
			peer_send(&secured.rig, secured.peer, "still", 5);
			rig_receive(&secured.rig, secured.handle, got, 5);
			CHECK(memcmp(got, "still", 5) == 0);
		}
		secured_close(&secured);
	}
}
