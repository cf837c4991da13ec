/*
 * See tls_peer.h.
 */
#include "tls_peer.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 10000u

/* An authority, and a certificate of it for "localhost". Made once, never freed: all tests use them. */
static struct identity authority, server;

static void make_identities(void)
{
	if (server.certificate)
		return;
	identity_make(&authority, &(struct wanted){ .common_name = "authority", .is_authority = true });
	identity_make(&server, &(struct wanted){ .common_name = "localhost", .names = "DNS:localhost,IP:127.0.0.1", .issuer = &authority });
}

uint32_t context_of(uint32_t role, uint32_t flags, uint32_t version)
{
	static struct configuration configuration;

	make_identities();
	configuration.used = 0;
	configuration_flags(&configuration, flags);
	configuration_versions(&configuration, version ? version : TLS1_2_VERSION, version ? version : TLS1_3_VERSION);
	if (role == RW_TLS_SERVER)
		configuration_identity(&configuration, &server);
	else
		configuration_text(&configuration, RW_TLS_AUTHORITY, authority.certificate_pem);
	return configuration_open(&configuration, role);
}

SSL_CTX *peer_context_new(bool is_server, uint32_t version, const char *suite)
{
	SSL_CTX *context;

	make_identities();
	context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	CHECK(context != NULL);
	SSL_CTX_set_min_proto_version(context, version ? (int)version : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(context, version ? (int)version : TLS1_3_VERSION);
	if (suite)
		CHECK(strncmp(suite, "TLS_", 4) == 0 ? SSL_CTX_set_ciphersuites(context, suite) : SSL_CTX_set_cipher_list(context, suite));
	if (is_server)
		CHECK(SSL_CTX_use_certificate(context, server.certificate) == 1 && SSL_CTX_use_PrivateKey(context, server.key) == 1);
	else
		CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.certificate) == 1);
	if (!is_server)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

SSL *peer_new(SSL_CTX *context, int fd)
{
	SSL *peer = SSL_new(context);

	CHECK(peer != NULL && SSL_set_fd(peer, fd) == 1);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	if (SSL_get_ssl_method(peer) == TLS_server_method())
		SSL_set_accept_state(peer);
	else
		SSL_set_connect_state(peer);
	return peer;
}

void peer_free(SSL *peer)
{
	int fd = SSL_get_fd(peer);

	SSL_free(peer);
	close(fd);
}

bool peer_step(SSL *peer)
{
	int result, error;

	ERR_clear_error();
	result = SSL_do_handshake(peer);
	if (result == 1)
		return true;
	error = SSL_get_error(peer, result);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		printf("  the peer's handshake: %s\n", ERR_reason_error_string(ERR_peek_error()));
	CHECK(error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
	return false;
}

static bool is_patient(SSL *peer, int result)
{
	int error = SSL_get_error(peer, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

void peer_send(struct rig *rig, SSL *peer, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	uint64_t deadline = clock_ms() + TIMEOUT_MS;

	while (bytes > 0) {
		int result;
		ERR_clear_error();
		result = SSL_write(peer, from, bytes > 1 << 20 ? 1 << 20 : (int)bytes);
		if (result > 0) {
			from += result;
			bytes -= (size_t)result;
			continue;
		}
		CHECK(is_patient(peer, result) && clock_ms() < deadline);
		rig_turn(rig, 1000);
	}
}

void peer_receive(struct rig *rig, SSL *peer, void *data, size_t bytes)
{
	uint8_t *to = data;
	uint64_t deadline = clock_ms() + TIMEOUT_MS;

	while (bytes > 0) {
		int result;
		ERR_clear_error();
		result = SSL_read(peer, to, bytes > 1 << 20 ? 1 << 20 : (int)bytes);
		if (result > 0) {
			to += result;
			bytes -= (size_t)result;
			continue;
		}
		CHECK(is_patient(peer, result) && clock_ms() < deadline);
		rig_turn(rig, 1000);
	}
}

void peer_await(struct rig *rig, SSL *peer, int ssl_error)
{
	static uint8_t dropped[16384];
	uint64_t deadline = clock_ms() + TIMEOUT_MS;

	for (;;) {
		int result;
		ERR_clear_error();
		result = SSL_read(peer, dropped, sizeof dropped);
		if (result > 0)
			continue;
		if (SSL_get_error(peer, result) == ssl_error)
			return;
		CHECK(is_patient(peer, result) && clock_ms() < deadline);
		rig_turn(rig, 1000);
	}
}

void peer_drain(struct rig *rig, int fd)
{
	uint64_t deadline = clock_ms() + TIMEOUT_MS;
	uint8_t dropped[4096];
	ssize_t bytes;

	while ((bytes = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT)) != 0) {
		CHECK(bytes > 0 || errno == EAGAIN);
		CHECK(clock_ms() < deadline);
		if (bytes < 0)
			rig_turn(rig, 1000);
	}
	shutdown(fd, SHUT_WR);
}

void endpoint_tls(struct rig *rig, uint32_t context, const char *name, uint32_t timeout_ms)
{
	struct rw_endpoint *endpoint = (struct rw_endpoint *)(rig->block + RW_ENDPOINT_OFFSET);

	endpoint->tls_context = context;
	endpoint->tls_timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_MS;
	endpoint->tls_name_bytes = name ? (uint32_t)strlen(name) : 0;
	if (name)
		memcpy(endpoint->tls_name, name, strlen(name));
}

uint32_t tls_listen(struct rig *rig, uint32_t context, uint32_t timeout_ms, uint32_t send_buffer, uint16_t *port)
{
	uint32_t handle;

	rig_endpoint(rig, RW_FAMILY_IPV4, "127.0.0.1", 0)->send_buffer_bytes = send_buffer;
	endpoint_tls(rig, context, NULL, timeout_ms);
	CHECK_EQUAL(rw_listen(rig->id), 0);
	handle = rig->control[RW_FIELD_HANDLE];
	CHECK(rw_address(rig->id, handle, RW_ADDRESS_LOCAL) > 0);
	*port = (uint16_t)atoi(strchr(rig_text(rig), ' ') + 1);
	return handle;
}

uint32_t tls_connect(struct rig *rig, uint32_t context, const char *name, uint32_t timeout_ms, uint16_t port)
{
	rig_endpoint(rig, RW_FAMILY_IPV4, "127.0.0.1", port);
	endpoint_tls(rig, context, name, timeout_ms);
	CHECK_EQUAL(rw_connect(rig->id), 0);
	return rig->control[RW_FIELD_HANDLE];
}

const char *described(struct rig *rig, uint32_t handle, const char *key)
{
	static char value[256];
	size_t key_bytes = strlen(key);
	const char *line;

	CHECK(rw_tls_describe(rig->id, handle) > 0);
	for (line = rig_text(rig); line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, key_bytes) == 0 && line[key_bytes] == ' ') {
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line + key_bytes + 1, "\n"), line + key_bytes + 1);
			return value;
		}
	CHECK(!"the line is described");
	return NULL;
}

void secured_shake(struct secured *secured)
{
	uint64_t deadline = clock_ms() + TIMEOUT_MS;
	uint32_t kind = secured->listener ? RW_EVENT_ACCEPTED : RW_EVENT_CONNECTED;
	bool is_told = false, is_done = false;

	while (!is_told || !is_done) {
		is_done = is_done || peer_step(secured->peer);
		rig_turn(&secured->rig, 1000);
		for (; secured->rig.handled < secured->rig.count; secured->rig.handled++) {
			struct rw_event event = secured->rig.events[secured->rig.handled];
			CHECK_EQUAL(event.kind, kind);
			secured->handle = event.handle;
			is_told = true;
		}
		CHECK(clock_ms() < deadline);
	}
}

void secured_open(struct secured *secured, const struct secured_options *options)
{
	uint32_t role = options->is_client ? RW_TLS_CLIENT : RW_TLS_SERVER;
	uint32_t flags = options->flags | (options->is_client ? RW_TLS_VERIFY : 0);
	uint32_t version = options->version ? options->version : TLS1_3_VERSION;
	int listener = -1;

	*secured = (struct secured){ 0 };
	rig_open(&secured->rig, &options->rig);
	secured->context = context_of(role, flags, version);
	secured->peer_context = peer_context_new(options->is_client, version, options->suite);
	if (options->is_client) {
		listener = peer_listen(&secured->port);
		if (options->receive_buffer)
			setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer, sizeof options->receive_buffer);
		secured->handle = tls_connect(&secured->rig, secured->context, "localhost", options->timeout_ms, secured->port);
		secured->fd = accept(listener, NULL, NULL);
		close(listener);
	} else {
		secured->listener = tls_listen(&secured->rig, secured->context, options->timeout_ms, options->send_buffer, &secured->port);
		secured->fd = peer_connect(secured->port);
		if (options->receive_buffer)
			setsockopt(secured->fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer, sizeof options->receive_buffer);
	}
	CHECK(secured->fd >= 0);
	secured->peer = peer_new(secured->peer_context, secured->fd);
	if (!options->is_open)
		secured_shake(secured);
}

void secured_close(struct secured *secured)
{
	if (secured->peer)
		peer_free(secured->peer);
	SSL_CTX_free(secured->peer_context);
	rig_close(&secured->rig);
	CHECK_EQUAL(rw_tls_close(secured->context), 0);
}

void secured_says_goodbye_last(uint32_t version, uint32_t flags)
{
	struct secured secured;
	const uint32_t bytes = 1 << 20;
	uint8_t *sent = malloc(bytes), *got = malloc(bytes);

	fill_random(sent, bytes, 21);
	secured_open(&secured, &(struct secured_options){
		.version = version, .flags = flags, .receive_buffer = 65536, .send_buffer = 65536 });
	rig_send(&secured.rig, secured.handle, sent, bytes);
	rig_command(&secured.rig, RW_COMMAND_CLOSE, secured.handle, RW_CLOSE_FLUSH, 0);
	peer_receive(&secured.rig, secured.peer, got, bytes);
	CHECK(memcmp(sent, got, bytes) == 0);
	peer_await(&secured.rig, secured.peer, SSL_ERROR_ZERO_RETURN);
	CHECK_EQUAL(secured.rig.control[RW_FIELD_STAT_CONNECTIONS], 0);
	secured_close(&secured);
	free(sent);
	free(got);
}
