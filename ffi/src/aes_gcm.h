/*
 * aes_gcm.h: AES-GCM (NIST SP 800-38D) with 512-bit vectors, one message at a time: Intel's Multi-Buffer library, behind the few lines that
 * we need of it. OpenSSL 3.0 knows vectors of 128 bits only and takes three times as long for records of 16 KiB. Needs an x86-64 CPU with VAES,
 * VPCLMULQDQ and AVX-512, and the library when this was built: aes_gcm_works() tells.
 */
#ifndef RINGWIRE_AES_GCM_H
#define RINGWIRE_AES_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AES_GCM_IV_BYTES 12
#define AES_GCM_TAG_BYTES 16
#define AES_GCM_KEYS_BYTES 1024 /* round keys and powers of the hash key, as the library lays them out */

struct aes_gcm {
	uint8_t keys[AES_GCM_KEYS_BYTES];
	uint32_t key_bytes;
} __attribute__((aligned(64)));

/* Whether this build and this CPU can. Where not, the functions below must not be called. */
bool aes_gcm_works(void);

/* key_bytes: 16 or 32. The caller wipes `gcm` when it is no longer needed. */
void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes);

/* Encrypts (`seals`) or decrypts `bytes` bytes, which may be done in place, and makes the tag of `aad_bytes` bytes and of what is
 * encrypted. The caller compares tags, in constant time, and wipes what it decrypted where they differ. No pointer may be NULL. */
void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
		   const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag);

#endif
