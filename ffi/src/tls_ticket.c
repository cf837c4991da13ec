/*
 * Session tickets of a server (RFC 5077; RFC 8446 section 4.6.1): sealed with keys of the context's own, which are renewed in time and
 * outlive updates. The server itself keeps nothing of a session.
 */
#include "tls_context.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

/* A key seals for an hour; a ticket lives for two, and its key is known for as long. */
#define KEY_SECONDS 3600
#define TICKET_SECONDS 7200

static int64_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + 1; /* never 0 */
}

/* Makes a new key when the newest is too old. */
static bool renew(struct tls_tickets *tickets)
{
	struct tls_ticket_key *keys = tickets->keys, fresh;

	if (keys[0].made_at != 0 && now_seconds() - keys[0].made_at < KEY_SECONDS)
		return true;
	if (RAND_bytes(fresh.name, sizeof fresh.name) != 1 || RAND_priv_bytes(fresh.cipher, sizeof fresh.cipher) != 1 ||
	    RAND_priv_bytes(fresh.mac, sizeof fresh.mac) != 1)
		return false;
	fresh.made_at = now_seconds();
	memmove(keys + 1, keys, (TLS_TICKET_KEYS - 1) * sizeof *keys);
	keys[0] = fresh;
	OPENSSL_cleanse(&fresh, sizeof fresh);
	return true;
}

static const struct tls_ticket_key *find(const struct tls_tickets *tickets, const uint8_t *name)
{
	for (uint32_t i = 0; i < TLS_TICKET_KEYS; i++) {
		const struct tls_ticket_key *key = &tickets->keys[i];

		if (key->made_at != 0 && now_seconds() - key->made_at < KEY_SECONDS + TICKET_SECONDS &&
		    memcmp(key->name, name, sizeof key->name) == 0)
			return key;
	}
	return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* 1: done; 2: done, but give a new ticket; 0: no such key, so a full handshake; -1: failed. */
static int choose_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	struct tls_tickets *tickets = &tls_note_of(ssl)->context->tickets;
	const struct tls_ticket_key *key = &tickets->keys[0];

	if (!renew(tickets))
		return -1;
	if (!is_sealing) {
		key = find(tickets, name);
		if (!key)
			return 0;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
			return -1;
		/* Clients use a ticket of TLS 1.3 once, so they need another. */
		return key == &tickets->keys[0] && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
	}
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
		return -1;
	memcpy(name, key->name, sizeof key->name);
	return 1;
}

void tls_ticket_use(SSL_CTX *ssl)
{
	SSL_CTX_set_timeout(ssl, TICKET_SECONDS);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, choose_key);
}

void tls_ticket_forget(struct tls_tickets *tickets)
{
	OPENSSL_cleanse(tickets, sizeof *tickets);
}
