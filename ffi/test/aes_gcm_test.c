/*
 * Our AES-GCM says what OpenSSL's says, at every length, and refuses what was altered; by itself and as OpenSSL's provider.
 */
#include "aes_gcm.h"
#include "test.h"
#include "tls_context.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 20000u
#define AAD_BYTES 13

static uint64_t state = 88172645463325252ull;

static uint32_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void fill(uint8_t *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)any();
}

static void need_cpu(void)
{
	if (!aes_gcm_works())
		test_skip("this CPU lacks VAES or AVX-512");
	CHECK(tls_start());
}

static EVP_CIPHER *fetch(uint32_t key_bytes, const char *properties)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, key_bytes == 16 ? "AES-128-GCM" : "AES-256-GCM", properties);

	CHECK(cipher != NULL);
	return cipher;
}

/* Encrypts through OpenSSL's interface. */
static void seal(EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes, const uint8_t *in,
		 uint8_t *out, uint32_t bytes, uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int count;

	CHECK(EVP_EncryptInit_ex(context, cipher, NULL, key, iv) == 1);
	if (aad_bytes > 0)
		CHECK(EVP_EncryptUpdate(context, NULL, &count, aad, (int)aad_bytes) == 1);
	if (bytes > 0)
		CHECK(EVP_EncryptUpdate(context, out, &count, in, (int)bytes) == 1);
	CHECK(EVP_EncryptFinal_ex(context, out + bytes, &count) == 1);
	CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG_BYTES, tag) == 1);
	EVP_CIPHER_CTX_free(context);
}

/* Decrypts in place. Returns whether the tag was right. */
static bool opens(EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes, uint8_t *data,
		  uint32_t bytes, uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int count;
	bool is_right;

	CHECK(EVP_DecryptInit_ex(context, cipher, NULL, key, iv) == 1);
	CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, AES_GCM_TAG_BYTES, tag) == 1);
	CHECK(EVP_DecryptUpdate(context, NULL, &count, aad, (int)aad_bytes) == 1);
	CHECK(EVP_DecryptUpdate(context, data, &count, data, (int)bytes) == 1);
	is_right = EVP_DecryptFinal_ex(context, data + bytes, &count) == 1;
	EVP_CIPHER_CTX_free(context);
	return is_right;
}

TEST(aes_gcm_says_what_openssl_says_at_every_length)
{
	static uint8_t plain[BYTES_MAX], theirs[BYTES_MAX], ours[BYTES_MAX + 1];
	EVP_CIPHER *ciphers[2];

	need_cpu();
	ciphers[0] = fetch(16, "provider=default");
	ciphers[1] = fetch(32, "provider=default");
	for (uint32_t round = 0; round < 3000; round++) {
		uint8_t key[32], iv[AES_GCM_IV_BYTES], aad[16], their_tag[16], our_tag[16];
		uint32_t key_bytes = round & 1 ? 32 : 16, aad_bytes = any() % 17;
		uint32_t bytes = round < 1300 ? round / 2 : round % 100 == 0 ? any() % BYTES_MAX : any() % 3000;
		struct aes_gcm gcm;

		fill(key, sizeof(key));
		fill(iv, sizeof(iv));
		fill(aad, sizeof(aad));
		fill(plain, bytes);
		seal(ciphers[round & 1], key, iv, aad, aad_bytes, plain, theirs, bytes, their_tag);
		aes_gcm_set_key(&gcm, key, key_bytes);
		ours[bytes] = 0x55;
		aes_gcm_crypt(&gcm, true, iv, aad, aad_bytes, plain, ours, bytes, our_tag);
		CHECK(memcmp(ours, theirs, bytes) == 0);
		CHECK(memcmp(our_tag, their_tag, sizeof(our_tag)) == 0);
		memset(our_tag, 0, sizeof(our_tag));
		aes_gcm_crypt(&gcm, false, iv, aad, aad_bytes, ours, ours, bytes, our_tag);
		CHECK(memcmp(ours, plain, bytes) == 0);
		CHECK(memcmp(our_tag, their_tag, sizeof(our_tag)) == 0);
		CHECK_EQUAL(ours[bytes], 0x55);
	}
	EVP_CIPHER_free(ciphers[0]);
	EVP_CIPHER_free(ciphers[1]);
}

TEST(aes_gcm_is_what_openssl_takes_and_refuses_what_was_altered)
{
	uint8_t key[32], iv[AES_GCM_IV_BYTES], aad[AAD_BYTES], data[1000], sealed[1000], tag[16], more[16];
	EVP_CIPHER *cipher, *their;
	EVP_CIPHER_CTX *context;
	int count;

	need_cpu();
	cipher = fetch(32, NULL);
	CHECK(strcmp(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), "ringwire") == 0);
	their = fetch(32, "provider=default");
	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(aad, sizeof(aad));
	fill(data, sizeof(data));
	seal(cipher, key, iv, aad, sizeof(aad), data, sealed, sizeof(data), tag);
	CHECK(opens(their, key, iv, aad, sizeof(aad), memcpy(data, sealed, sizeof(data)), sizeof(data), tag));
	CHECK(opens(cipher, key, iv, aad, sizeof(aad), memcpy(data, sealed, sizeof(data)), sizeof(data), tag));
	for (uint32_t at = 0; at < sizeof(data); at += 37) {
		memcpy(data, sealed, sizeof(data));
		data[at] ^= 1;
		CHECK(!opens(cipher, key, iv, aad, sizeof(aad), data, sizeof(data), tag));
	}
	tag[15] ^= 0x80;
	CHECK(!opens(cipher, key, iv, aad, sizeof(aad), memcpy(data, sealed, sizeof(data)), sizeof(data), tag));
	tag[15] ^= 0x80;
	aad[0] ^= 1;
	CHECK(!opens(cipher, key, iv, aad, sizeof(aad), memcpy(data, sealed, sizeof(data)), sizeof(data), tag));

	/* What it does not do, it refuses. */
	context = EVP_CIPHER_CTX_new();
	CHECK(EVP_EncryptInit_ex(context, cipher, NULL, key, iv) == 1);
	CHECK(EVP_EncryptUpdate(context, sealed, &count, data, 16) == 1);
	CHECK(EVP_EncryptUpdate(context, sealed, &count, data, 16) == 0);
	CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL) != 1);
	CHECK(EVP_EncryptInit_ex(context, NULL, NULL, NULL, iv) == 1);
	CHECK(EVP_EncryptUpdate(context, NULL, &count, data, 16) == 1);
	CHECK(EVP_EncryptUpdate(context, NULL, &count, more, 1) == 0);
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	EVP_CIPHER_free(their);
}

static EVP_CIPHER_CTX *record_context(EVP_CIPHER *cipher, bool seals, uint8_t *key, uint8_t *fixed)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	CHECK(EVP_CipherInit_ex(context, cipher, NULL, key, NULL, seals) == 1);
	CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IV_FIXED, 4, fixed) > 0);
	return context;
}

/* The head of a record of TLS 1.2 as it is authenticated: number, type, version, length with IV (and tag, when opened). */
static void record_head(uint8_t *head, uint32_t number, uint32_t bytes)
{
	memset(head, 0, AAD_BYTES);
	head[7] = (uint8_t)number;
	head[8] = 23;
	head[9] = head[10] = 3;
	head[11] = (uint8_t)(bytes >> 8);
	head[12] = (uint8_t)bytes;
}

/* Records of TLS 1.2 that one provider makes, opened by the other; each IV is another. */
static void check_records(const char *maker, const char *opener)
{
	uint8_t key[16], fixed[4], head[AAD_BYTES], plain[5000], record[5024], last[8] = { 0 };
	EVP_CIPHER *ciphers[2] = { fetch(16, maker), fetch(16, opener) };
	EVP_CIPHER_CTX *seals, *opens;

	fill(key, sizeof(key));
	fill(fixed, sizeof(fixed));
	seals = record_context(ciphers[0], true, key, fixed);
	opens = record_context(ciphers[1], false, key, fixed);
	for (uint32_t number = 0; number < 300; number++) {
		uint32_t bytes = number < 100 ? number : any() % sizeof(plain);
		bool is_altered = number == 299;
		int count;

		fill(plain, bytes);
		memcpy(record + 8, plain, bytes);
		record_head(head, number, bytes + 8);
		CHECK_EQUAL(EVP_CIPHER_CTX_ctrl(seals, EVP_CTRL_AEAD_TLS1_AAD, AAD_BYTES, head), 16);
		CHECK(EVP_CipherUpdate(seals, record, &count, record, (int)bytes + 24) == 1);
		CHECK_EQUAL(count, bytes + 24);
		CHECK(memcmp(record, last, 8) != 0);
		memcpy(last, record, 8);
		record[bytes / 2] ^= is_altered;
		record_head(head, number, bytes + 24);
		CHECK_EQUAL(EVP_CIPHER_CTX_ctrl(opens, EVP_CTRL_AEAD_TLS1_AAD, AAD_BYTES, head), 16);
		if (is_altered) {
			CHECK(EVP_CipherUpdate(opens, record, &count, record, (int)bytes + 24) != 1);
			break;
		}
		CHECK(EVP_CipherUpdate(opens, record, &count, record, (int)bytes + 24) == 1);
		CHECK_EQUAL(count, bytes);
		CHECK(memcmp(record + 8, plain, bytes) == 0);
	}
	EVP_CIPHER_CTX_free(seals);
	EVP_CIPHER_CTX_free(opens);
	EVP_CIPHER_free(ciphers[0]);
	EVP_CIPHER_free(ciphers[1]);
}

TEST(aes_gcm_makes_and_opens_records_of_tls_1_2_as_openssl_does)
{
	need_cpu();
	check_records("provider=ringwire", "provider=default");
	check_records("provider=default", "provider=ringwire");
}
