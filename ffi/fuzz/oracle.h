/*
 * Inflating by the book (RFC 1951), bit by bit: slow, and written without a look at the libraries it judges.
 */
#ifndef RINGWIRE_FUZZ_ORACLE_H
#define RINGWIRE_FUZZ_ORACLE_H

#include "fuzz.h"

#define ORACLE_WINDOW 32768u
#define ORACLE_OUTPUT_MAX (1u << 17)

enum verdict {
	VERDICT_FINE,
	VERDICT_CORRUPT,
	VERDICT_LONG, /* more than ORACLE_OUTPUT_MAX bytes */
};

struct oracle {
	/* History of earlier messages, then this message's output. */
	uint8_t bytes[ORACLE_WINDOW + ORACLE_OUTPUT_MAX];
	uint32_t history, size;    /* size counts behind the history */
	uint32_t farthest;         /* the longest distance that was used */
	uint32_t finals;           /* final blocks met */
};

/* Inflates one message: the bytes and the 00 00 FF FF behind them. finals_max: as many final blocks are allowed. */
enum verdict oracle_inflate(struct oracle *oracle, const uint8_t *data, size_t bytes, uint32_t finals_max);
static inline const uint8_t *oracle_output(const struct oracle *oracle)
{
	return oracle->bytes + oracle->history;
}
/* The message becomes history of the next, or nothing does. */
void oracle_keep(struct oracle *oracle);
void oracle_forget(struct oracle *oracle);

#endif
