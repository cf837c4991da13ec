/*
 * A DEFLATE encoder for messages that are flushed one by one (RFC 1951; RFC 7692 §7.2.1).
 */
#ifndef RINGWIRE_ENCODER_H
#define RINGWIRE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct encoder;

/* Bytes that encoder_open fills. */
size_t encoder_bytes(uint32_t window_bits, uint32_t memory_level);
struct encoder *encoder_open(uint32_t window_bits, uint32_t level, uint32_t memory_level);
void encoder_close(struct encoder *encoder);
/* Writes one message and returns its size, without the 00 00 FF FF at its end. `out` has room for any message of this size.
 * is_fresh: refers to nothing before it. */
size_t encoder_message(struct encoder *encoder, const uint8_t *in, size_t bytes, uint8_t *out, bool is_fresh);

#endif
