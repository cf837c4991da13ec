/*
 * tls.c: see tls.h.
 */
#include "tls.h"

#include "aes_gcm.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES 32
#define KEY_BYTES 16
#define IV_BYTES 12
#define TAG_BYTES 16
#define HEADER_BYTES 5

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23, MESSAGE_TICKET = 4 };

/* One direction. */
struct half {
	struct aes_gcm gcm;       /* where the CPU can */
	EVP_CIPHER_CTX *cipher;   /* elsewhere */
	uint8_t iv[IV_BYTES];
	uint64_t sequence;
};

struct tls {
	struct half out, in;
	uint8_t secrets[2][SECRET_BYTES]; /* client's, server's: from the handshake to the keys */
	uint32_t have;                    /* of a record that came in pieces */
	uint8_t record[TLS_MAX_RECORD_BYTES];
};

static int fail(const char *what)
{
	char text[256] = "";

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	fprintf(stderr, "load: TLS: %s (%s)\n", what, text);
	return -1;
}

static int hex_digit(char letter)
{
	return letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10;
}

/* "LABEL client-random secret": the secrets that application data begins with. */
static void take_secret(const SSL *ssl, const char *line)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');
	int which = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0   ? 0
		    : strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0 ? 1
									 : -1;

	if (which < 0 || !hex || strlen(hex + 1) < 2 * SECRET_BYTES)
		return;
	for (int i = 0; i < SECRET_BYTES; i++)
		tls->secrets[which][i] = (uint8_t)(hex_digit(hex[1 + 2 * i]) << 4 | hex_digit(hex[2 + 2 * i]));
}

SSL_CTX *tls_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1) {
		fail("no context");
		exit(1);
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_keylog_callback(context, take_secret);
	return context;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 section 7.1); one block of SHA-256 is enough. */
static void expand(const uint8_t *secret, const char *label, uint8_t *out, size_t bytes)
{
	uint8_t info[32], block[32];
	size_t length = strlen(label), at = 0;

	info[at++] = 0;
	info[at++] = (uint8_t)bytes;
	info[at++] = (uint8_t)(6 + length);
	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, length);
	at += 6 + length;
	info[at++] = 0;
	info[at++] = 1;
	HMAC(EVP_sha256(), secret, SECRET_BYTES, info, at, block, NULL);
	memcpy(out, block, bytes);
}

static int set_keys(struct half *half, const uint8_t *secret, int seals)
{
	uint8_t key[KEY_BYTES];

	expand(secret, "key", key, sizeof(key));
	expand(secret, "iv", half->iv, sizeof(half->iv));
	if (aes_gcm_works())
		aes_gcm_set_key(&half->gcm, key, KEY_BYTES);
	half->cipher = EVP_CIPHER_CTX_new();
	return half->cipher && EVP_CipherInit_ex(half->cipher, EVP_aes_128_gcm(), NULL, key, NULL, seals) == 1;
}

struct tls *tls_begin(SSL_CTX *context, int fd)
{
	struct tls *tls = aligned_alloc(64, (sizeof(*tls) + 63) / 64 * 64);
	SSL *ssl = SSL_new(context);

	if (!tls || !ssl || SSL_set_fd(ssl, fd) != 1) {
		fail("no memory");
		goto failed;
	}
	memset(tls, 0, sizeof(*tls));
	SSL_set_app_data(ssl, tls);
	/* What comes behind the handshake stays in the socket: nothing is read ahead. */
	if (SSL_connect(ssl) != 1) {
		fail("the handshake failed");
		goto failed;
	}
	if (!set_keys(&tls->out, tls->secrets[0], 1) || !set_keys(&tls->in, tls->secrets[1], 0)) {
		fail("no keys");
		goto failed;
	}
	SSL_free(ssl);
	return tls;
failed:
	SSL_free(ssl);
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	EVP_CIPHER_CTX_free(tls->out.cipher);
	EVP_CIPHER_CTX_free(tls->in.cipher);
	free(tls);
}

/* Encrypts or decrypts the content of the next record. Returns 0 when OpenSSL refuses; a wrong tag is for the caller to see. */
static int convert(struct half *half, int seals, const uint8_t *header, const uint8_t *in, uint8_t *out, int bytes, uint8_t *tag)
{
	uint8_t nonce[IV_BYTES];
	int ignored;

	memcpy(nonce, half->iv, IV_BYTES);
	for (int i = 0; i < 8; i++)
		nonce[IV_BYTES - 1 - i] ^= (uint8_t)(half->sequence >> (8 * i));
	half->sequence++;
	if (half->gcm.key_bytes > 0) {
		uint8_t made[TAG_BYTES];

		aes_gcm_crypt(&half->gcm, seals, nonce, header, HEADER_BYTES, in, out, (size_t)bytes, seals ? tag : made);
		return seals || memcmp(made, tag, TAG_BYTES) == 0;
	}
	return EVP_CipherInit_ex(half->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
	       (seals || EVP_CIPHER_CTX_ctrl(half->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1) &&
	       EVP_CipherUpdate(half->cipher, NULL, &ignored, header, HEADER_BYTES) == 1 &&
	       EVP_CipherUpdate(half->cipher, out, &ignored, in, bytes) == 1 &&
	       EVP_CipherFinal_ex(half->cipher, out, &ignored) == 1 &&
	       (!seals || EVP_CIPHER_CTX_ctrl(half->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
}

size_t tls_seal(struct tls *tls, const uint8_t *data, size_t bytes, uint8_t *out)
{
	uint8_t *at = out;

	while (bytes > 0) {
		uint32_t take = bytes < TLS_RECORD_BYTES ? (uint32_t)bytes : TLS_RECORD_BYTES;
		uint32_t length = take + 1 + TAG_BYTES;

		at[0] = RECORD_DATA;
		at[1] = at[2] = 3;
		at[3] = (uint8_t)(length >> 8);
		at[4] = (uint8_t)length;
		memcpy(at + HEADER_BYTES, data, take);
		at[HEADER_BYTES + take] = RECORD_DATA;
		if (!convert(&tls->out, 1, at, at + HEADER_BYTES, at + HEADER_BYTES, (int)take + 1, at + HEADER_BYTES + take + 1)) {
			fail("cannot encrypt");
			exit(1);
		}
		at += HEADER_BYTES + length;
		data += take;
		bytes -= take;
	}
	return (size_t)(at - out);
}

/* Opens a whole record at `record`. Returns as tls_open does, and 0 for what has no content. */
static ssize_t open_record(struct tls *tls, const uint8_t *record, uint32_t bytes, uint8_t *out)
{
	int done = (int)bytes - HEADER_BYTES - TAG_BYTES;
	uint8_t tag[TAG_BYTES];

	if (record[0] != RECORD_DATA || done < 1)
		return fail("an unexpected record");
	memcpy(tag, record + HEADER_BYTES + done, TAG_BYTES);
	if (!convert(&tls->in, 0, record, record + HEADER_BYTES, out, done, tag))
		return fail("cannot decrypt");
	/* The content type is the last byte that is not padding. */
	while (done > 0 && out[done - 1] == 0)
		done--;
	if (done > 0 && out[done - 1] == RECORD_DATA)
		return done - 1;
	if (done > 1 && out[done - 1] == RECORD_HANDSHAKE && out[0] == MESSAGE_TICKET)
		return 0;
	if (done == 3 && out[2] == RECORD_ALERT && out[1] == 0)
		return -2;
	return fail("the server sent something else than data");
}

ssize_t tls_open(struct tls *tls, const uint8_t **data, size_t *bytes, uint8_t *out)
{
	while (*bytes > 0) {
		const uint8_t *record = *data;
		uint32_t need = HEADER_BYTES;
		ssize_t got;

		/* Whole, where it lies: no copy. */
		if (tls->have == 0 && *bytes >= HEADER_BYTES)
			need += (uint32_t)record[3] << 8 | record[4];
		if (tls->have == 0 && *bytes >= HEADER_BYTES && *bytes >= need) {
			*data += need;
			*bytes -= need;
		} else {
			size_t take;

			need = HEADER_BYTES;
			if (tls->have >= HEADER_BYTES)
				need += (uint32_t)tls->record[3] << 8 | tls->record[4];
			if (need > TLS_MAX_RECORD_BYTES || (tls->have >= HEADER_BYTES && need == HEADER_BYTES))
				return fail("a record is too long, or empty");
			take = need - tls->have < *bytes ? need - tls->have : *bytes;
			memcpy(tls->record + tls->have, *data, take);
			tls->have += (uint32_t)take;
			*data += take;
			*bytes -= take;
			if (tls->have < need || need == HEADER_BYTES)
				continue;
			record = tls->record;
			tls->have = 0;
		}
		if (need > TLS_MAX_RECORD_BYTES)
			return fail("a record is too long");
		got = open_record(tls, record, need, out);
		if (got != 0)
			return got;
	}
	return 0;
}

ssize_t tls_write(struct tls *tls, int fd, const void *data, size_t bytes)
{
	uint8_t sealed[TLS_RECORD_BYTES + TLS_OVERHEAD_BYTES];
	size_t length;

	if (bytes > TLS_RECORD_BYTES)
		return -1;
	length = tls_seal(tls, data, bytes, sealed);
	return write(fd, sealed, length) == (ssize_t)length ? (ssize_t)bytes : -1;
}

ssize_t tls_read(struct tls *tls, int fd, void *out, size_t bytes)
{
	uint8_t content[TLS_MAX_RECORD_BYTES], piece[1];

	/* A byte at a time: what follows belongs to whoever reads next. Only upgrades come this way. */
	for (;;) {
		const uint8_t *data = piece;
		size_t left = 1;
		ssize_t got;

		if (read(fd, piece, 1) != 1)
			return -1;
		got = tls_open(tls, &data, &left, content);
		if (got == 0)
			continue;
		if (got < 0 || (size_t)got > bytes)
			return -1;
		memcpy(out, content, (size_t)got);
		return got;
	}
}
