/*
 * Messages of a handshake that come after it and are cut up among records: what the connection sends waits meanwhile, and nothing is lost.
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

static void begin_message(struct secured *secured)
{
	peer_send_message(secured->peer, new_keys, HEAD_BYTES);
	for (int i = 0; i < 3; i++) {
		rig_turn(&secured->rig, 1000);
		for (uint32_t j = 0; j < secured->rig.count; j++)
			CHECK_EQUAL(secured->rig.events[j].kind, RW_EVENT_QUEUED);
	}
}

static void end_message(struct secured *secured)
{
	peer_send_message(secured->peer, new_keys + HEAD_BYTES, sizeof new_keys - HEAD_BYTES);
	CHECK_EQUAL(tls13_update_key(secured->peer, 1), 1);
}

static uint32_t queued_bytes(const struct secured *secured)
{
	return secured->rig.queued[secured->handle & ((1u << RW_HANDLE_SLOT_BITS) - 1)];
}

TEST(tls_sends_wait_while_a_message_of_the_peer_is_cut_between_two_records)
{
	for (int is_client = 0; is_client < 2; is_client++) {
		struct secured secured;
		static uint8_t sent[50000], got[50000];

		fill_random(sent, sizeof sent, 41);
		open_hasty(&secured, is_client);
		for (int i = 0; i < 3; i++) {
			begin_message(&secured);
			rig_send(&secured.rig, secured.handle, sent, 20000);
			rig_turn(&secured.rig, 1000);
			rig_send(&secured.rig, secured.handle, sent + 20000, sizeof sent - 20000);
			rig_turn(&secured.rig, 1000);
			CHECK_EQUAL(queued_bytes(&secured), sizeof sent);
			CHECK_EQUAL(SSL_read(secured.peer, got, 1), -1);
			end_message(&secured);
			peer_receive(&secured.rig, secured.peer, got, sizeof got);
			CHECK(memcmp(sent, got, sizeof got) == 0);
			CHECK_EQUAL(queued_bytes(&secured), 0);
			peer_send(&secured.rig, secured.peer, "behind", 6);
			rig_receive(&secured.rig, secured.handle, got, 6);
			CHECK(memcmp(got, "behind", 6) == 0);
		}
		secured_close(&secured);
	}
}

TEST(tls_sends_that_wait_for_a_message_of_the_peer_follow_what_the_kernel_had_no_room_for)
{
	struct secured secured;
	const uint32_t bytes = 1 << 20, more = 100000;
	uint8_t *sent = malloc(bytes + more), *got = malloc(bytes + more);

	fill_random(sent, bytes + more, 42);
	secured_open(&secured, &(struct secured_options){ .receive_buffer = 65536, .send_buffer = 65536 });
	rig_send(&secured.rig, secured.handle, sent, bytes);
	rig_turn(&secured.rig, 1000);
	CHECK(queued_bytes(&secured) > 0);
	begin_message(&secured);
	rig_send(&secured.rig, secured.handle, sent + bytes, more);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
	peer_receive(&secured.rig, secured.peer, got, bytes);
	CHECK_EQUAL(queued_bytes(&secured), more);
	end_message(&secured);
	peer_receive(&secured.rig, secured.peer, got + bytes, more);
	CHECK(memcmp(sent, got, bytes + more) == 0);
	peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
	secured_close(&secured);
	free(sent);
	free(got);
}

TEST(tls_ends_and_closes_wait_while_a_message_of_the_peer_is_cut_between_two_records)
{
	for (int kind = 0; kind < 4; kind++) {
		struct secured secured;
		uint8_t got[5];
		bool is_half = kind & 2;

		open_hasty(&secured, kind & 1);
		begin_message(&secured);
		rig_send(&secured.rig, secured.handle, "words", 5);
		if (is_half)
			rig_command(&secured.rig, RW_COMMAND_END, secured.handle, 0, 0);
		else
			rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
		rig_turn(&secured.rig, 1000);
		end_message(&secured);
		peer_receive(&secured.rig, secured.peer, got, 5);
		CHECK(memcmp(got, "words", 5) == 0);
		peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
		if (is_half) {
			peer_send(&secured.rig, secured.peer, "still", 5);
			rig_receive(&secured.rig, secured.handle, got, 5);
			CHECK(memcmp(got, "still", 5) == 0);
		}
		secured_close(&secured);
	}
}

TEST(tls_ends_without_a_goodbye_when_a_message_of_the_peer_never_ends)
{
	struct secured closed, ended;

	open_hasty(&closed, false);
	open_hasty(&ended, true);
	begin_message(&closed);
	begin_message(&ended);
	rig_send(&closed.rig, closed.handle, "words", 5);
	rig_send(&ended.rig, ended.handle, "words", 5);
	rig_command(&closed.rig, RW_COMMAND_CLOSE, closed.handle, RW_CLOSE_FLUSH, 0);
	rig_command(&ended.rig, RW_COMMAND_END, ended.handle, 0, 0);
	rig_turn(&ended.rig, 1000);
	/* The end of TCP, which a peer takes for an attack. */
	peer_await(&closed.rig, closed.peer, SSL_ERROR_SSL);
	peer_await(&ended.rig, ended.peer, SSL_ERROR_SSL);
	CHECK_EQUAL(queued_bytes(&ended), 0);
	secured_close(&closed);
	secured_close(&ended);
}

TEST(tls_reads_a_message_to_its_end_though_the_connection_is_paused)
{
	struct secured secured;
	uint8_t got[6];

	open_hasty(&secured, false);
	begin_message(&secured);
	rig_command(&secured.rig, RW_COMMAND_PAUSE, secured.handle, 0, 0);
	rig_send(&secured.rig, secured.handle, "waits", 5);
	rig_turn(&secured.rig, 1000);
	end_message(&secured);
	peer_receive(&secured.rig, secured.peer, got, 5);
	CHECK(memcmp(got, "waits", 5) == 0);
	rig_turn(&secured.rig, 1000);
	CHECK_EQUAL(SSL_write(secured.peer, "behind", 6), 6);
	for (int i = 0; i < 3; i++) {
		rig_turn(&secured.rig, 1000);
		for (uint32_t j = 0; j < secured.rig.count; j++)
			CHECK_EQUAL(secured.rig.events[j].kind, RW_EVENT_QUEUED);
	}
	rig_command(&secured.rig, RW_COMMAND_RESUME, secured.handle, 0, 0);
	rig_receive(&secured.rig, secured.handle, got, 6);
	CHECK(memcmp(got, "behind", 6) == 0);
	secured_close(&secured);
}
