/*
 * Sessions: OpenSSL's SSL objects, made for one connection, and what they have agreed on.
 */
#include "tls_context.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int note_index = -1;

/* Before OpenSSL frees what belongs to the session itself. */
static void free_note(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument)
{
	struct tls_note *note = pointer;

	(void)parent, (void)data, (void)index, (void)number, (void)argument;
	if (!note)
		return;
	tls_configuration_drop(note->configuration);
	tls_context_drop(note->context);
	free(note);
}

static void start(void)
{
	/* Nothing of the system's configuration or of its modules: what a program's TLS does is in its options. And no cleaning up at
	 * exit: threads may still be at work, in a library that is never unloaded. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return;
	tls_cipher_start();
	note_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_note);
}

bool tls_start(void)
{
	pthread_once(&once, start);
	return note_index >= 0;
}

struct tls_note *tls_note_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, note_index);
}

/* The session holds the note from here on, or it is freed. */
static bool attach(SSL *ssl, struct tls_context *context)
{
	struct tls_note *note = calloc(1, sizeof *note);

	if (!note)
		return false;
	if (SSL_set_ex_data(ssl, note_index, note) != 1) {
		free(note);
		return false;
	}
	note->configuration = tls_configuration_share(context->configuration);
	note->context = tls_context_share(context);
	return true;
}

static bool prepare_client(SSL *ssl, const char *name, uint32_t name_bytes, uint32_t port)
{
	struct tls_note *note = tls_note_of(ssl);
	uint32_t bytes = name ? tls_name_bytes(name, name_bytes) : 0;
	SSL_SESSION *session;

	SSL_set_connect_state(ssl);
	note->port = port;
	if (bytes == 0)
		return !(note->configuration->flags & RW_TLS_VERIFY);
	memcpy(note->name, name, bytes);
	if (!tls_trust_expect(ssl, note->name))
		return false;
	session = note->configuration->flags & RW_TLS_RESUME ? tls_cache_take(&note->context->cache, note->name, port) : NULL;
	if (session) {
		SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
	return true;
}

SSL *tls_session_new(struct tls_context *context, const char *name, uint32_t name_bytes, uint32_t port)
{
	SSL *ssl = SSL_new(context->configuration->ssl);
	bool is_ready = ssl && attach(ssl, context);

	if (is_ready && context->role == RW_TLS_SERVER)
		SSL_set_accept_state(ssl);
	else if (is_ready)
		is_ready = prepare_client(ssl, name, name_bytes, port);
	ERR_clear_error();
	if (is_ready)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

void tls_session_free(SSL *ssl)
{
	if (!ssl)
		return;
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
}

uint32_t tls_session_flags(const SSL *ssl)
{
	return tls_note_of(ssl)->configuration->flags;
}

uint32_t tls_session_check(SSL *ssl, uint32_t *detail)
{
	const struct tls_configuration *configuration = tls_note_of(ssl)->configuration;
	bool is_client = configuration->role == RW_TLS_CLIENT;
	bool is_shown = SSL_get0_peer_certificate(ssl) != NULL;

	*detail = 0;
	/* Ciphers without certificates are never offered unless the program's own list has them: then nothing was verified. Clients
	 * that are only asked may show none, unless it was to be one of those that are pinned. */
	if (!is_shown && (configuration->pin_count > 0 || (is_client && configuration->flags & RW_TLS_VERIFY)))
		return RW_TLS_ERROR_NO_CERTIFICATE;
	if (is_shown && configuration->flags & RW_TLS_VERIFY && SSL_get_verify_result(ssl) != X509_V_OK) {
		*detail = (uint32_t)SSL_get_verify_result(ssl);
		return tls_trust_error(SSL_get_verify_result(ssl));
	}
	return 0;
}

struct lines {
	char *text;
	size_t bytes, used;
};

/* One line; what the peer may have chosen freely must not look like another. */
static void add_line(struct lines *lines, const char *key, const char *value, size_t value_bytes)
{
	int head;

	if (lines->used > lines->bytes)
		return;
	head = snprintf(lines->text + lines->used, lines->bytes - lines->used, "%s%s ", lines->used > 0 ? "\n" : "", key);
	if ((size_t)head + value_bytes >= lines->bytes - lines->used) {
		lines->used = lines->bytes + 1;
		return;
	}
	lines->used += (size_t)head;
	for (size_t i = 0; i < value_bytes; i++)
		lines->text[lines->used++] = (char)(value[i] > ' ' && value[i] <= '~' ? value[i] : '?');
}

int tls_session_describe(SSL *ssl, char *text, size_t bytes)
{
	struct lines lines = { text, bytes, 0 };
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char *version = SSL_get_version(ssl), *cipher_name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
	const struct tls_note *note = tls_note_of(ssl);
	/* A client's name may be an address, which is not asked for. */
	const char *name = note->configuration->role == RW_TLS_CLIENT ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : note->name;
	const unsigned char *protocol;
	unsigned protocol_bytes;

	if (!cipher_name)
		cipher_name = "";
	if (!name)
		name = "";
	SSL_get0_alpn_selected(ssl, &protocol, &protocol_bytes);
	add_line(&lines, "version", version, strlen(version));
	add_line(&lines, "cipher", cipher_name, strlen(cipher_name));
	add_line(&lines, "alpn", (const char *)protocol, protocol_bytes);
	add_line(&lines, "resumed", SSL_session_reused(ssl) ? "1" : "0", 1);
	add_line(&lines, "name", name, strlen(name));
	return lines.used > bytes ? 0 : (int)lines.used;
}

int32_t tls_session_certificate(SSL *ssl, void *out, uint32_t capacity)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	uint8_t *at = out;
	int bytes = certificate ? i2d_X509(certificate, NULL) : 0;

	if (bytes > 0 && at && (uint32_t)bytes <= capacity)
		i2d_X509(certificate, &at);
	ERR_clear_error();
	return bytes > 0 ? bytes : 0;
}
