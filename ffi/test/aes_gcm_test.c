/*
 * AES-GCM of the Multi-Buffer library says what NIST's cases and OpenSSL's say, at every length, touches nothing beyond its buffers, and refuses
 * what was altered; by itself and as OpenSSL's provider.
 */
#include "aes_gcm.h"
#include "test.h"
#include "tls_context.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
		test_skip("this CPU lacks VAES or AVX-512, or this build the Multi-Buffer library");
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
	/* Nothing of what failed comes out. */
	for (uint32_t i = 0; !is_right && i < bytes; i++)
		CHECK_EQUAL(data[i], 0);
	EVP_CIPHER_CTX_free(context);
	return is_right;
}

static uint32_t from_hex(const char *hex, uint8_t *out)
{
	uint32_t bytes = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		char pair[3] = { hex[0], hex[1], 0 };

		out[bytes++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return bytes;
}

#define ZEROS_16 "00000000000000000000000000000000"
#define KEY "feffe9928665731c6d6a8f9467308308"
#define IV "cafebabefacedbaddecaf888"
#define AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define PLAIN "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

/* Cases 1, 2, 3, 4, 13, 14 and 16 of "The Galois/Counter Mode of Operation", which NIST SP 800-38D refers to. */
static const struct {
	const char *key, *iv, *aad, *plain, *sealed, *tag;
} known[] = {
	{ ZEROS_16, "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
	{ ZEROS_16, "000000000000000000000000", "", ZEROS_16, "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf" },
	{ KEY, IV, "", PLAIN "1aafd255",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
	  "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ KEY, IV, AAD, PLAIN,
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ ZEROS_16 ZEROS_16, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ ZEROS_16 ZEROS_16, "000000000000000000000000", "", ZEROS_16, "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
	{ KEY KEY, IV, AAD, PLAIN,
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

TEST(aes_gcm_gives_nist_s_known_answers)
{
	need_cpu();
	for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t key[32], iv[AES_GCM_IV_BYTES], aad[20], plain[64], sealed[64], out[64], tag[16], made[16];
		uint32_t key_bytes = from_hex(known[i].key, key), aad_bytes = from_hex(known[i].aad, aad);
		uint32_t bytes = from_hex(known[i].plain, plain);
		struct aes_gcm gcm;

		CHECK_EQUAL(from_hex(known[i].iv, iv), AES_GCM_IV_BYTES);
		CHECK_EQUAL(from_hex(known[i].sealed, sealed), bytes);
		CHECK_EQUAL(from_hex(known[i].tag, tag), AES_GCM_TAG_BYTES);
		aes_gcm_set_key(&gcm, key, key_bytes);
		aes_gcm_crypt(&gcm, true, iv, aad, aad_bytes, plain, out, bytes, made);
		CHECK(memcmp(out, sealed, bytes) == 0);
		CHECK(memcmp(made, tag, sizeof(tag)) == 0);
		aes_gcm_crypt(&gcm, false, iv, aad, aad_bytes, sealed, out, bytes, made);
		CHECK(memcmp(out, plain, bytes) == 0);
		CHECK(memcmp(made, tag, sizeof(tag)) == 0);
	}
}

/* `bytes` rounded up to whole pages, between two that cannot be touched. */
static uint8_t *fenced(uint32_t bytes)
{
	uint32_t page = (uint32_t)getpagesize(), pages = (bytes + page - 1) / page;
	uint8_t *all = mmap(NULL, (pages + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(all != MAP_FAILED);
	CHECK(mprotect(all + page, pages * page, PROT_READ | PROT_WRITE) == 0);
	return all + page;
}

/* `bytes` at the end (or the beginning) of `memory`, which is `room` bytes of whole pages. */
static uint8_t *within(uint8_t *memory, uint32_t room, uint32_t bytes, bool is_at_end)
{
	return memory + (is_at_end ? room - bytes : 0);
}

#define ROOM 20480u

/* One message, sealed by both and opened by ours: apart and in place, against a fence. */
static void compare(EVP_CIPHER *their, uint32_t key_bytes, uint32_t aad_bytes, uint32_t bytes)
{
	static uint8_t *memory[5];
	static uint8_t plain[ROOM], theirs[ROOM];
	uint8_t key[32], their_tag[16];

	for (uint32_t i = 0; i < 5; i++)
		memory[i] = memory[i] ? memory[i] : fenced(ROOM);
	fill(key, sizeof(key));
	fill(plain, bytes);
	for (uint32_t at_end = 0; at_end < 2; at_end++) {
		uint8_t *iv = within(memory[0], ROOM, AES_GCM_IV_BYTES, at_end), *aad = within(memory[1], ROOM, aad_bytes, at_end);
		uint8_t *tag = within(memory[2], ROOM, AES_GCM_TAG_BYTES, at_end), *in = within(memory[3], ROOM, bytes, at_end);
		uint8_t *out = within(memory[4], ROOM, bytes, at_end);
		struct aes_gcm gcm;

		fill(iv, AES_GCM_IV_BYTES);
		fill(aad, aad_bytes);
		aes_gcm_set_key(&gcm, memcpy(within(memory[2], ROOM, key_bytes, at_end), key, key_bytes), key_bytes);
		seal(their, key, iv, aad, aad_bytes, plain, theirs, bytes, their_tag);

		memset(memory[4], 0x55, ROOM);
		memcpy(in, plain, bytes);
		aes_gcm_crypt(&gcm, true, iv, aad, aad_bytes, in, out, bytes, tag);
		CHECK(memcmp(out, theirs, bytes) == 0 && memcmp(tag, their_tag, sizeof(their_tag)) == 0);
		CHECK(memcmp(in, plain, bytes) == 0);
		CHECK_EQUAL(memory[4][at_end ? ROOM - bytes - 1 : bytes], 0x55);
		memset(tag, 0, sizeof(their_tag));
		aes_gcm_crypt(&gcm, false, iv, aad, aad_bytes, out, in, bytes, tag);
		CHECK(memcmp(in, plain, bytes) == 0 && memcmp(tag, their_tag, sizeof(their_tag)) == 0);

		aes_gcm_crypt(&gcm, true, iv, aad, aad_bytes, in, in, bytes, tag);
		CHECK(memcmp(in, theirs, bytes) == 0 && memcmp(tag, their_tag, sizeof(their_tag)) == 0);
		memset(tag, 0, sizeof(their_tag));
		aes_gcm_crypt(&gcm, false, iv, aad, aad_bytes, in, in, bytes, tag);
		CHECK(memcmp(in, plain, bytes) == 0 && memcmp(tag, their_tag, sizeof(their_tag)) == 0);
	}
}

TEST(aes_gcm_says_what_openssl_says_at_every_length)
{
	need_cpu();
	for (uint32_t key_bytes = 16; key_bytes <= 32; key_bytes += 16) {
		EVP_CIPHER *their = fetch(key_bytes, "provider=default");

		/* 5 bytes are authenticated besides by TLS 1.3, 13 by TLS 1.2. */
		for (uint32_t bytes = 0; bytes <= 2000; bytes++)
			compare(their, key_bytes, any() % 3 == 0 ? any() % 17 : any() % 2 ? 5 : 13, bytes);
		for (uint32_t bytes = 16384 - 20; bytes <= 16384 + 20; bytes++)
			compare(their, key_bytes, 5, bytes);
		for (uint32_t round = 0; round < 300; round++)
			compare(their, key_bytes, any() % 17, any() % ROOM);
		EVP_CIPHER_free(their);
	}
}

/* The counter of a message is 32 bits that begin at 2; the library counts in bytes of its own, which overflow at other places. */
TEST(aes_gcm_counts_past_256_and_65536_blocks)
{
	enum { BYTES = 1200000 };
	uint8_t *plain, *theirs, key[32], iv[AES_GCM_IV_BYTES], aad[5], their_tag[16], tag[16];
	EVP_CIPHER *their;
	struct aes_gcm gcm;

	need_cpu();
	plain = malloc(BYTES);
	theirs = malloc(BYTES);
	their = fetch(32, "provider=default");
	fill(plain, BYTES);
	fill(key, sizeof(key));
	fill(iv, sizeof(iv));
	fill(aad, sizeof(aad));
	seal(their, key, iv, aad, sizeof(aad), plain, theirs, BYTES, their_tag);
	aes_gcm_set_key(&gcm, key, sizeof(key));
	aes_gcm_crypt(&gcm, true, iv, aad, sizeof(aad), plain, plain, BYTES, tag);
	CHECK(memcmp(plain, theirs, BYTES) == 0);
	CHECK(memcmp(tag, their_tag, sizeof(tag)) == 0);
	free(plain);
	free(theirs);
	EVP_CIPHER_free(their);
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
	CHECK(EVP_EncryptInit_ex(context, NULL, NULL, NULL, NULL) == 1);
	CHECK(EVP_EncryptUpdate(context, sealed, &count, data, 16) == 0); /* the same IV once more */
	CHECK(EVP_EncryptFinal_ex(context, more, &count) == 0);
	CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL) != 1);
	CHECK(EVP_EncryptInit_ex(context, NULL, NULL, NULL, iv) == 1);
	CHECK(EVP_EncryptUpdate(context, NULL, &count, data, 16) == 1);
	CHECK(EVP_EncryptUpdate(context, NULL, &count, more, 1) == 0);
	CHECK(EVP_DecryptInit_ex(context, cipher, NULL, key, iv) == 1);
	CHECK(EVP_DecryptUpdate(context, data, &count, sealed, 16) == 0); /* before the tag */
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
