/*
 * AES-GCM of aes_gcm.c for OpenSSL, as a provider that is built in: where this CPU has what it needs, TLS takes AES-128-GCM and
 * AES-256-GCM from here and everything else from OpenSSL's own. It does what TLS asks for: up to 16 bytes of additional data,
 * then all of a message at once, IVs of 12 bytes; and TLS 1.2's records (RFC 5288), whose IV and tag travel with the data. More is
 * refused; so is decrypting before the tag is known, because nothing must come out that was not compared with it.
 */
#include "aes_gcm.h"
#include "tls_context.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define AAD_BYTES_MAX 16u
#define FIXED_IV_BYTES 4u     /* of TLS 1.2: what both ends know */
#define EXPLICIT_IV_BYTES 8u  /* and what each record says */
#define NO_RECORD 0u

struct cipher {
	struct aes_gcm gcm;
	uint32_t key_bytes;
	bool seals, has_key, has_iv, has_tag, has_data, is_right;
	uint8_t iv[AES_GCM_IV_BYTES];
	uint8_t aad[AAD_BYTES_MAX];
	uint32_t aad_bytes;
	uint8_t tag[AES_GCM_TAG_BYTES];     /* made */
	uint8_t expected[AES_GCM_TAG_BYTES]; /* given */
	uint32_t record_aad_bytes;          /* TLS 1.2: a record comes next */
};

static void *cipher_new(uint32_t key_bytes)
{
	struct cipher *cipher = aligned_alloc(64, (sizeof *cipher + 63) / 64 * 64);

	if (!cipher)
		return NULL;
	memset(cipher, 0, sizeof *cipher);
	cipher->key_bytes = key_bytes;
	return cipher;
}

static void *cipher_new_128(void *provider)
{
	(void)provider;
	return cipher_new(16);
}

static void *cipher_new_256(void *provider)
{
	(void)provider;
	return cipher_new(32);
}

static void cipher_free(void *context)
{
	if (context)
		OPENSSL_cleanse(context, sizeof(struct cipher));
	free(context);
}

static void *cipher_copy(void *context)
{
	struct cipher *copy = cipher_new(0);

	if (copy)
		memcpy(copy, context, sizeof *copy);
	return copy;
}

static int set_parameters(void *context, const OSSL_PARAM parameters[]);

static int begin(struct cipher *cipher, bool seals, const unsigned char *key, size_t key_bytes, const unsigned char *iv,
		 size_t iv_bytes, const OSSL_PARAM parameters[])
{
	cipher->seals = seals;
	cipher->aad_bytes = 0;
	cipher->has_tag = cipher->has_data = cipher->is_right = false;
	if (key) {
		if (key_bytes != cipher->key_bytes)
			return 0;
		aes_gcm_set_key(&cipher->gcm, key, cipher->key_bytes);
		cipher->has_key = true;
	}
	if (iv) {
		if (iv_bytes != AES_GCM_IV_BYTES)
			return 0;
		memcpy(cipher->iv, iv, AES_GCM_IV_BYTES);
		cipher->has_iv = true;
	}
	return set_parameters(cipher, parameters);
}

static int begin_encrypting(void *context, const unsigned char *key, size_t key_bytes, const unsigned char *iv, size_t iv_bytes,
			    const OSSL_PARAM parameters[])
{
	return begin(context, true, key, key_bytes, iv, iv_bytes, parameters);
}

static int begin_decrypting(void *context, const unsigned char *key, size_t key_bytes, const unsigned char *iv, size_t iv_bytes,
			    const OSSL_PARAM parameters[])
{
	return begin(context, false, key, key_bytes, iv, iv_bytes, parameters);
}

/* A whole record of TLS 1.2, in place: explicit IV, data, tag. */
static int crypt_record(struct cipher *cipher, unsigned char *out, size_t *out_bytes, const unsigned char *in, size_t bytes)
{
	uint32_t aad_bytes = cipher->record_aad_bytes;
	uint8_t *data = out + EXPLICIT_IV_BYTES;
	size_t length;

	cipher->record_aad_bytes = NO_RECORD;
	if (in != out || bytes < EXPLICIT_IV_BYTES + AES_GCM_TAG_BYTES)
		return 0;
	length = bytes - EXPLICIT_IV_BYTES - AES_GCM_TAG_BYTES;
	if (cipher->seals) {
		uint8_t *number = cipher->iv + FIXED_IV_BYTES;

		memcpy(out, number, EXPLICIT_IV_BYTES);
		aes_gcm_crypt(&cipher->gcm, true, cipher->iv, cipher->aad, aad_bytes, data, data, length, data + length);
		/* Never the same again. */
		for (int i = EXPLICIT_IV_BYTES - 1; i >= 0 && ++number[i] == 0; i--)
			;
		*out_bytes = bytes;
		return 1;
	}
	memcpy(cipher->iv + FIXED_IV_BYTES, in, EXPLICIT_IV_BYTES);
	aes_gcm_crypt(&cipher->gcm, false, cipher->iv, cipher->aad, aad_bytes, data, data, length, cipher->tag);
	if (CRYPTO_memcmp(cipher->tag, data + length, AES_GCM_TAG_BYTES) != 0) {
		OPENSSL_cleanse(out, bytes);
		return 0;
	}
	*out_bytes = length;
	return 1;
}

/* A whole message. No IV serves twice; what does not match its tag is wiped. */
static bool crypt_message(struct cipher *cipher, const uint8_t *in, uint8_t *out, size_t bytes)
{
	if (!cipher->has_iv || (!cipher->seals && !cipher->has_tag))
		return false;
	aes_gcm_crypt(&cipher->gcm, cipher->seals, cipher->iv, cipher->aad, cipher->aad_bytes, in, out, bytes, cipher->tag);
	cipher->has_iv = false;
	cipher->has_data = true;
	cipher->is_right = cipher->seals || CRYPTO_memcmp(cipher->tag, cipher->expected, AES_GCM_TAG_BYTES) == 0;
	if (!cipher->is_right)
		OPENSSL_cleanse(out, bytes);
	return true;
}

static int update(void *context, unsigned char *out, size_t *out_bytes, size_t room, const unsigned char *in, size_t bytes)
{
	struct cipher *cipher = context;

	*out_bytes = 0;
	if (!cipher->has_key)
		return 0;
	if (cipher->record_aad_bytes != NO_RECORD)
		return crypt_record(cipher, out, out_bytes, in, bytes);
	if (bytes == 0)
		return 1;
	if (cipher->has_data)
		return 0;
	if (!out) {
		if (bytes > AAD_BYTES_MAX - cipher->aad_bytes)
			return 0;
		memcpy(cipher->aad + cipher->aad_bytes, in, bytes);
		cipher->aad_bytes += (uint32_t)bytes;
		*out_bytes = bytes;
		return 1;
	}
	if (room < bytes || !crypt_message(cipher, in, out, bytes))
		return 0;
	*out_bytes = bytes;
	return 1;
}

static int finish(void *context, unsigned char *out, size_t *out_bytes, size_t room)
{
	struct cipher *cipher = context;
	uint8_t none[1] = { 0 };

	(void)out, (void)room;
	*out_bytes = 0;
	if (!cipher->has_key)
		return 0;
	if (!cipher->has_data && !crypt_message(cipher, none, none, 0))
		return 0;
	return cipher->is_right;
}

static int crypt_at_once(void *context, unsigned char *out, size_t *out_bytes, size_t room, const unsigned char *in, size_t bytes)
{
	return update(context, out, out_bytes, room, in, bytes);
}

/* The additional data of a record of TLS 1.2, whose length field still counts IV and tag. */
static int take_record_aad(struct cipher *cipher, const OSSL_PARAM *parameter)
{
	uint32_t bytes, extra = EXPLICIT_IV_BYTES + (cipher->seals ? 0 : AES_GCM_TAG_BYTES);

	if (parameter->data_type != OSSL_PARAM_OCTET_STRING || parameter->data_size != EVP_AEAD_TLS1_AAD_LEN)
		return 0;
	memcpy(cipher->aad, parameter->data, EVP_AEAD_TLS1_AAD_LEN);
	bytes = (uint32_t)cipher->aad[EVP_AEAD_TLS1_AAD_LEN - 2] << 8 | cipher->aad[EVP_AEAD_TLS1_AAD_LEN - 1];
	if (bytes < extra)
		return 0;
	bytes -= extra;
	cipher->aad[EVP_AEAD_TLS1_AAD_LEN - 2] = (uint8_t)(bytes >> 8);
	cipher->aad[EVP_AEAD_TLS1_AAD_LEN - 1] = (uint8_t)bytes;
	cipher->record_aad_bytes = EVP_AEAD_TLS1_AAD_LEN;
	return 1;
}

static int set_parameters(void *context, const OSSL_PARAM parameters[])
{
	struct cipher *cipher = context;
	size_t number;

	for (const OSSL_PARAM *at = parameters; at && at->key; at++) {
		if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TAG) == 0) {
			if (at->data_type != OSSL_PARAM_OCTET_STRING || at->data_size != AES_GCM_TAG_BYTES || cipher->seals)
				return 0;
			if (at->data) {
				memcpy(cipher->expected, at->data, AES_GCM_TAG_BYTES);
				cipher->has_tag = true;
			}
		} else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_IVLEN) == 0) {
			if (!OSSL_PARAM_get_size_t(at, &number) || number != AES_GCM_IV_BYTES)
				return 0;
		} else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD) == 0) {
			if (!take_record_aad(cipher, at))
				return 0;
		} else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED) == 0) {
			if (at->data_type != OSSL_PARAM_OCTET_STRING || at->data_size != FIXED_IV_BYTES)
				return 0;
			memcpy(cipher->iv, at->data, FIXED_IV_BYTES);
			/* RFC 5288 section 3: whatever the explicit part is, it must not come twice under a key. */
			if (cipher->seals && RAND_bytes(cipher->iv + FIXED_IV_BYTES, EXPLICIT_IV_BYTES) != 1)
				return 0;
		}
	}
	return 1;
}

static int get_context_parameters(void *context, OSSL_PARAM parameters[])
{
	struct cipher *cipher = context;

	for (OSSL_PARAM *at = parameters; at && at->key; at++) {
		int is_done = 1;

		if (strcmp(at->key, OSSL_CIPHER_PARAM_KEYLEN) == 0)
			is_done = OSSL_PARAM_set_size_t(at, cipher->key_bytes);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_IVLEN) == 0)
			is_done = OSSL_PARAM_set_size_t(at, AES_GCM_IV_BYTES);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TAGLEN) == 0)
			is_done = OSSL_PARAM_set_size_t(at, AES_GCM_TAG_BYTES);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD) == 0)
			is_done = OSSL_PARAM_set_size_t(at, AES_GCM_TAG_BYTES);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_IV) == 0 || strcmp(at->key, OSSL_CIPHER_PARAM_UPDATED_IV) == 0)
			is_done = OSSL_PARAM_set_octet_string(at, cipher->iv, AES_GCM_IV_BYTES);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD_TAG) == 0)
			is_done = cipher->seals && OSSL_PARAM_set_octet_string(at, cipher->tag, AES_GCM_TAG_BYTES);
		if (!is_done)
			return 0;
	}
	return 1;
}

static int get_parameters(OSSL_PARAM parameters[], size_t key_bytes)
{
	for (OSSL_PARAM *at = parameters; at && at->key; at++) {
		int is_done = 1;

		if (strcmp(at->key, OSSL_CIPHER_PARAM_MODE) == 0)
			is_done = OSSL_PARAM_set_uint(at, EVP_CIPH_GCM_MODE);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_KEYLEN) == 0)
			is_done = OSSL_PARAM_set_size_t(at, key_bytes);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_IVLEN) == 0)
			is_done = OSSL_PARAM_set_size_t(at, AES_GCM_IV_BYTES);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_BLOCK_SIZE) == 0)
			is_done = OSSL_PARAM_set_size_t(at, 1);
		else if (strcmp(at->key, OSSL_CIPHER_PARAM_AEAD) == 0 || strcmp(at->key, OSSL_CIPHER_PARAM_CUSTOM_IV) == 0)
			is_done = OSSL_PARAM_set_int(at, 1);
		if (!is_done)
			return 0;
	}
	return 1;
}

static int get_parameters_128(OSSL_PARAM parameters[])
{
	return get_parameters(parameters, 16);
}

static int get_parameters_256(OSSL_PARAM parameters[])
{
	return get_parameters(parameters, 32);
}

#define FUNCTION(id, function) { id, (void (*)(void))(function) }
#define FUNCTIONS(bits) \
	static const OSSL_DISPATCH functions_##bits[] = { \
		FUNCTION(OSSL_FUNC_CIPHER_NEWCTX, cipher_new_##bits), \
		FUNCTION(OSSL_FUNC_CIPHER_FREECTX, cipher_free), \
		FUNCTION(OSSL_FUNC_CIPHER_DUPCTX, cipher_copy), \
		FUNCTION(OSSL_FUNC_CIPHER_ENCRYPT_INIT, begin_encrypting), \
		FUNCTION(OSSL_FUNC_CIPHER_DECRYPT_INIT, begin_decrypting), \
		FUNCTION(OSSL_FUNC_CIPHER_UPDATE, update), \
		FUNCTION(OSSL_FUNC_CIPHER_FINAL, finish), \
		FUNCTION(OSSL_FUNC_CIPHER_CIPHER, crypt_at_once), \
		FUNCTION(OSSL_FUNC_CIPHER_GET_PARAMS, get_parameters_##bits), \
		FUNCTION(OSSL_FUNC_CIPHER_GET_CTX_PARAMS, get_context_parameters), \
		FUNCTION(OSSL_FUNC_CIPHER_SET_CTX_PARAMS, set_parameters), \
		{ 0, NULL }, \
	}

FUNCTIONS(128);
FUNCTIONS(256);

static const OSSL_ALGORITHM ciphers[] = {
	{ "AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "provider=ringwire", functions_128, NULL },
	{ "AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", "provider=ringwire", functions_256, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_CIPHER ? ciphers : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
	FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
	{ 0, NULL },
};

static int provider_begin(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider)
{
	(void)in;
	*out = provider_functions;
	*provider = (void *)core;
	return 1;
}

/* Once, before the first context. Where this fails, OpenSSL's own ciphers go on as before, and only time is lost. */
void tls_cipher_start(void)
{
	if (!aes_gcm_works())
		return;
	if (OSSL_PROVIDER_add_builtin(NULL, "ringwire", provider_begin) != 1 || !OSSL_PROVIDER_load(NULL, "default") ||
	    !OSSL_PROVIDER_load(NULL, "ringwire"))
		return;
	EVP_set_default_properties(NULL, "?provider=ringwire");
}
