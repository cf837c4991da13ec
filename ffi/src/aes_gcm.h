/*
 * aes_gcm.h: AES-GCM (NIST SP 800-38D) with 512-bit vectors, one message at a time. OpenSSL 3.0 knows vectors of 128 bits only and takes
 * about three times as long (16 KiB: 3.2 µs against 1.1 µs, 1.1 KiB: 370 ns against 120 ns, on an EPYC of 2024). Needs VAES, VPCLMULQDQ and
 * AVX-512, which aes_gcm_works() tells. Time depends on lengths only: no table, no branch on a secret.
 */
#ifndef RINGWIRE_AES_GCM_H
#define RINGWIRE_AES_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AES_GCM_IV_BYTES 12
#define AES_GCM_TAG_BYTES 16

struct aes_gcm {
	uint8_t round_keys[15][16];
	uint8_t powers[19][16]; /* of the hash key, from its 16th down to the first; then zeros */
	uint32_t rounds;
} __attribute__((aligned(64)));

/* Whether this CPU can. */
bool aes_gcm_works(void);

/* key_bytes: 16 or 32. */
void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes);

/* Encrypts (`seals`) or decrypts `bytes` bytes, which may be done in place, and makes the tag of `aad_bytes` bytes (at most 16) and of what is
 * encrypted. The caller compares tags. */
void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
		   const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag);

#endif
