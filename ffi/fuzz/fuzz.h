/*
 * What the fuzz targets share: choices read from the fuzzer's bytes, and a loud end when something is wrong.
 */
#ifndef RINGWIRE_FUZZ_H
#define RINGWIRE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A broken promise of the shim: says which, and ends as a crash, so that the fuzzer keeps the input. */
#define REQUIRE(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken promise: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			abort(); \
		} \
	} while (0)

struct input {
	const uint8_t *at, *end;
};

static inline size_t input_left(const struct input *input)
{
	return (size_t)(input->end - input->at);
}

/* Zero behind the end: a short input is a whole one with zeros. */
static inline uint8_t input_u8(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint16_t input_u16(struct input *input)
{
	uint16_t low = input_u8(input);
	return (uint16_t)(low | input_u8(input) << 8);
}

static inline uint32_t input_u32(struct input *input)
{
	uint32_t low = input_u16(input);
	return low | (uint32_t)input_u16(input) << 16;
}

static inline void input_bytes(struct input *input, void *out, size_t bytes)
{
	size_t there = bytes < input_left(input) ? bytes : input_left(input);

	memcpy(out, input->at, there);
	memset((uint8_t *)out + there, 0, bytes - there);
	input->at += there;
}

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ── ground.c ── */

/* A network of its own (so that addresses made of random bytes reach nobody), a directory of its own, SIGPIPE off. */
void ground_prepare(void);
/* Open descriptors of this process. */
int ground_descriptors(void);
/* Files in the directory of its own; they are removed. */
int ground_files(void);
/* A path in it; returns its length. */
uint32_t ground_path(char *out, size_t out_bytes, const char *name);
/* Processor time of this thread. */
uint64_t ground_cpu_ns(void);

#endif
