/*
 * aes_gcm.c: see aes_gcm.h.
 *
 * The library's front door, an IMB_MGR, refers to every algorithm on every kind of CPU: 12 MB. So we call the functions that it would
 * have called on this CPU, under the names they have in the archive (0.9 MB). Its header does not declare those for VAES; ipsec_mb.mk
 * links this file for a try, and where a version of the library lacks them, OpenSSL's own cipher is used.
 */
#include "aes_gcm.h"

#ifdef RINGWIRE_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

typedef void crypt_function(const struct gcm_key_data *keys, struct gcm_context_data *context, uint8_t *out, const uint8_t *in,
			    uint64_t bytes, const uint8_t *iv, const uint8_t *aad, uint64_t aad_bytes, uint8_t *tag, uint64_t tag_bytes);

crypt_function aes_gcm_enc_128_vaes_avx512, aes_gcm_dec_128_vaes_avx512, aes_gcm_enc_256_vaes_avx512, aes_gcm_dec_256_vaes_avx512;
void aes_gcm_precomp_128_vaes_avx512(struct gcm_key_data *keys);
void aes_gcm_precomp_256_vaes_avx512(struct gcm_key_data *keys);

_Static_assert(sizeof(struct gcm_key_data) <= AES_GCM_KEYS_BYTES && _Alignof(struct gcm_key_data) <= _Alignof(struct aes_gcm),
	       "struct aes_gcm has room for the library's keys");

bool aes_gcm_works(void)
{
	/* The first tells of the CPU; the second, too, whether the operating system keeps such registers. */
	return (imb_get_feature_flags() & IMB_CPUFLAGS_AVX512_T2) == IMB_CPUFLAGS_AVX512_T2 && __builtin_cpu_supports("avx512f");
}

void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes)
{
	struct gcm_key_data *keys = (struct gcm_key_data *)gcm->keys;

	gcm->key_bytes = key_bytes;
	if (key_bytes == 16) {
		aes_keyexp_128_enc_avx512(key, keys->expanded_keys);
		aes_gcm_precomp_128_vaes_avx512(keys);
	} else {
		aes_keyexp_256_enc_avx512(key, keys->expanded_keys);
		aes_gcm_precomp_256_vaes_avx512(keys);
	}
}

void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
		   const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag)
{
	static crypt_function *const functions[2][2] = {
		{ aes_gcm_dec_128_vaes_avx512, aes_gcm_dec_256_vaes_avx512 },
		{ aes_gcm_enc_128_vaes_avx512, aes_gcm_enc_256_vaes_avx512 },
	};
	struct gcm_context_data context;

	functions[seals][gcm->key_bytes == 32]((const struct gcm_key_data *)gcm->keys, &context, out, in, bytes, iv, aad, aad_bytes, tag,
					       AES_GCM_TAG_BYTES);
	OPENSSL_cleanse(&context, sizeof(context));
}
#else
bool aes_gcm_works(void)
{
	return false;
}

void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes)
{
	(void)gcm, (void)key, (void)key_bytes;
}

void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
		   const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag)
{
	(void)gcm, (void)seals, (void)iv, (void)aad, (void)aad_bytes, (void)in, (void)out, (void)bytes, (void)tag;
}
#endif
