/*
 * Codecs: what goes in comes out, limits hold to the byte, and garbage of any kind is told, not followed.
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#define MESSAGES 200

static uint32_t open_deflate(uint32_t window_bits)
{
	int32_t handle = rw_deflate_open(window_bits, 6, 8);
	CHECK(handle > 0);
	return (uint32_t)handle;
}

static uint32_t open_inflate(uint32_t window_bits)
{
	int32_t handle = rw_inflate_open(window_bits);
	CHECK(handle > 0);
	return (uint32_t)handle;
}

static uint32_t make_quote(char *text, uint32_t i)
{
	return (uint32_t)sprintf(text, "{\"symbol\":\"%s-USD\",\"price\":%u.%02u,\"size\":%u,\"id\":%u,\"time\":%llu}",
				 i % 3 ? "BTC" : "ETH", 6000 + i * 7 % 100, i * 13 % 100, i * 7919 % 1000, 1000000 + i,
				 1700000000000ull + i * 17);
}

/* Fresh memory of just this size, with pages that fault right behind it and before it. */
static uint8_t *fenced(size_t bytes)
{
	size_t room = (bytes + 4095) & ~(size_t)4095;
	uint8_t *pages = mmap(NULL, room + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	CHECK_EQUAL(mprotect(pages + 4096, room, PROT_READ | PROT_WRITE), 0);
	return pages + 4096 + room - bytes;
}

static void unfence(uint8_t *bytes, size_t size)
{
	size_t room = (size + 4095) & ~(size_t)4095;

	munmap(bytes + size - room - 4096, room + 8192);
}

/* Deflates into out, which is large enough, and returns the size. */
static uint32_t deflate_into(uint32_t codec, const void *in, uint32_t bytes, uint8_t *out, uint32_t flags)
{
	int32_t size = rw_deflate(codec, in, 0, bytes, out, 0, RW_DEFLATE_BOUND(bytes), flags);
	CHECK(size > 0);
	return (uint32_t)size;
}

static void check_round_trips(uint32_t window_bits, uint32_t deflate_flags, uint32_t inflate_flags)
{
	uint32_t deflate = open_deflate(window_bits), inflate = open_inflate(inflate_flags ? 15 : window_bits);
	uint8_t packed[1024], back[1024];
	char text[256];

	for (uint32_t i = 0; i < MESSAGES; i++) {
		uint32_t bytes = make_quote(text, i);
		uint32_t size = deflate_into(deflate, text, bytes, packed, deflate_flags);
		uint8_t *in = fenced(size), *out = fenced(bytes);

		memcpy(in, packed, size);
		CHECK_EQUAL(rw_inflate(inflate, in, 0, size, out, 0, bytes, inflate_flags), bytes);
		CHECK(memcmp(out, text, bytes) == 0);
		unfence(in, size);
		unfence(out, bytes);
		memcpy(back, packed, size);
	}
	CHECK(rw_codec_bytes(deflate) > 0);
	CHECK_EQUAL(rw_codec_close(deflate), 0);
	CHECK_EQUAL(rw_codec_close(inflate), 0);
}

TEST(messages_come_back_from_every_window_and_mode)
{
	for (uint32_t bits = 8; bits <= 15; bits++) {
		check_round_trips(bits, 0, 0);
		check_round_trips(bits, RW_CODEC_FRESH, RW_CODEC_FRESH);
		check_round_trips(bits, RW_CODEC_FRESH, 0);
	}
}

/* A strict inflater with a window of 2^bits, over the whole stream. */
static void check_reach(uint32_t bits)
{
	static uint8_t in[1 << 16], packed[1 << 17], back[1 << 16];
	uint32_t deflate = open_deflate(bits), size = 0, at = 0;
	z_stream strict = { 0 };

	fill_random(in, sizeof in, bits);
	/* Repeats at every distance from 1 to beyond the window. */
	for (uint32_t i = 600; i < sizeof in; i++)
		if (i / 64 % 2)
			in[i] = in[i - 1 - i / 128 % 600];
	for (uint32_t step = 100; at < sizeof in; at += step) {
		step = at + 100 > sizeof in ? (uint32_t)sizeof in - at : 100;
		size += deflate_into(deflate, in + at, step, packed + size, 0);
		memcpy(packed + size, "\0\0\xff\xff", 4);
		size += 4;
	}
	CHECK_EQUAL(inflateInit2(&strict, -(int)bits), Z_OK);
	strict.next_in = packed, strict.avail_in = size;
	strict.next_out = back, strict.avail_out = sizeof back;
	while (strict.avail_out > 0) {
		/* In pieces, so that the window and not the output is what is referred to. */
		uint32_t left = strict.avail_out;
		strict.avail_out = left < 37 ? left : 37;
		left -= strict.avail_out;
		CHECK_EQUAL(inflate(&strict, Z_SYNC_FLUSH), Z_OK);
		CHECK_EQUAL(strict.avail_out, 0);
		strict.avail_out += left;
	}
	CHECK(memcmp(in, back, sizeof in) == 0);
	inflateEnd(&strict);
	CHECK_EQUAL(rw_codec_close(deflate), 0);
}

TEST(nothing_refers_beyond_the_window)
{
	for (uint32_t bits = 8; bits <= 15; bits++)
		check_reach(bits);
}

TEST(inflating_stops_at_the_last_byte_of_room_and_goes_on_from_there)
{
	static uint8_t message[5000], packed[8000];
	uint32_t deflate = open_deflate(15), size;

	for (uint32_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)(i < 2000 ? 'x' : i * i >> 5);
	size = deflate_into(deflate, message, sizeof message, packed, 0);
	for (uint32_t fresh = 0; fresh <= RW_CODEC_FRESH; fresh++) {
		for (uint32_t step = 1; step <= sizeof message + 1; step += step < 300 ? 7 : 941) {
			uint32_t inflate = open_inflate(15), flags = fresh, at = 0;
			uint8_t *out = fenced(sizeof message);

			for (;;) {
				uint32_t room = sizeof message - at < step ? (uint32_t)sizeof message - at : step;
				int32_t result = rw_inflate(inflate, packed, 0, size, out, at, room, flags);
				if (result >= 0) {
					at += (uint32_t)result;
					break;
				}
				CHECK_EQUAL(result, -ENOBUFS);
				at += room;
				CHECK(at < sizeof message);
				flags = fresh | RW_CODEC_MORE;
			}
			CHECK_EQUAL(at, sizeof message);
			CHECK(memcmp(out, message, at) == 0);
			/* Done: nothing is left to go on with. */
			CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 0, 1, fresh | RW_CODEC_MORE), -EINVAL);
			unfence(out, sizeof message);
			CHECK_EQUAL(rw_codec_close(inflate), 0);
		}
	}
	CHECK_EQUAL(rw_codec_close(deflate), 0);
}

/* Found by fuzzing: the count of bytes that are done with was trusted, and a room of nothing lost the message. */
TEST(a_message_goes_on_with_the_same_bytes_only_and_waits_for_room)
{
	uint8_t message[1000], packed[RW_DEFLATE_BOUND(sizeof message)], out[sizeof message];
	uint32_t deflate = open_deflate(15), inflate = open_inflate(15), size;

	fill_random(message, sizeof message, 7);
	size = deflate_into(deflate, message, sizeof message, packed, 0);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 0, 900, 0), -ENOBUFS);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, 10, out, 900, 100, RW_CODEC_MORE), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size + 1, out, 900, 100, RW_CODEC_MORE), -EINVAL);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 900, 0, RW_CODEC_MORE), -ENOBUFS);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 900, 100, RW_CODEC_MORE), 100);
	CHECK(memcmp(out, message, sizeof message) == 0);
	CHECK_EQUAL(rw_codec_close(inflate), 0);
	CHECK_EQUAL(rw_codec_close(deflate), 0);
}

TEST(a_bomb_takes_no_more_than_its_room)
{
	uint32_t deflate = open_deflate(15), inflate = open_inflate(15), size;
	uint32_t bytes = 16u << 20;
	uint8_t *zeros = calloc(bytes, 1), *packed = malloc(RW_DEFLATE_BOUND(bytes)), *out = fenced(1000);

	size = deflate_into(deflate, zeros, bytes, packed, 0);
	CHECK(size < 40000);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 0, 1000, RW_CODEC_FRESH), -ENOBUFS);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 0, 0, RW_CODEC_FRESH), -ENOBUFS);
	/* Its codec serves the next message all the same. */
	size = deflate_into(deflate, "hello", 5, packed, RW_CODEC_FRESH);
	CHECK_EQUAL(rw_inflate(inflate, packed, 0, size, out, 0, 5, RW_CODEC_FRESH), 5);
	unfence(out, 1000);
	free(zeros);
	free(packed);
	rw_codec_close(deflate);
	rw_codec_close(inflate);
}

TEST(a_window_lives_on_behind_a_final_block)
{
	uint32_t inflate = open_inflate(15);
	/* RFC 7692 §7.2.3.4, then §7.2.3.2's message that refers to it. */
	static const uint8_t final[] = { 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00 };
	static const uint8_t reference[] = { 0xf2, 0x00, 0x11, 0x00, 0x00 };
	uint8_t flood[64], out[64];

	CHECK_EQUAL(rw_inflate(inflate, final, 0, sizeof final, out, 0, sizeof out, 0), 5);
	CHECK_EQUAL(rw_inflate(inflate, reference, 0, sizeof reference, out, 0, sizeof out, 0), 5);
	CHECK(memcmp(out, "Hello", 5) == 0);
	for (uint32_t i = 0; i < sizeof flood; i++)
		flood[i] = i % 2 ? 0 : 3;
	CHECK_EQUAL(rw_inflate(inflate, flood, 0, sizeof flood, out, 0, sizeof out, 0), -EILSEQ);
	CHECK_EQUAL(rw_inflate(inflate, final, 0, sizeof final, out, 0, sizeof out, 0), -EILSEQ);
	rw_codec_close(inflate);
}

TEST(random_bytes_are_told_or_restored)
{
	uint32_t kept = open_inflate(12), shared = open_inflate(15);

	for (uint64_t seed = 1; seed < (test_is_valgrind() ? 500u : 20000u); seed++) {
		uint32_t bytes = (uint32_t)(seed * 7 % 90), room = (uint32_t)(seed * 11 % 300);
		uint8_t *in = fenced(bytes + 1), *out = fenced(room + 1);
		int32_t result;

		fill_random(in, bytes, seed);
		/* Valid beginnings take it farther. */
		if (bytes > 0 && seed % 3 == 0)
			in[0] = (uint8_t)((in[0] & 0xf8) | 4);
		result = rw_inflate(shared, in, 0, bytes, out, 0, room, RW_CODEC_FRESH);
		CHECK(result == -ENOBUFS || result == -EILSEQ || (result >= 0 && result <= (int32_t)room));
		result = rw_inflate(kept, in, 0, bytes, out, 0, room, 0);
		CHECK(result == -ENOBUFS || result == -EILSEQ || (result >= 0 && result <= (int32_t)room));
		rw_codec_close(kept);
		kept = open_inflate(8 + (uint32_t)seed % 8);
		unfence(in, bytes + 1);
		unfence(out, room + 1);
	}
	rw_codec_close(kept);
	rw_codec_close(shared);
}

TEST(garbage_arguments_are_refused)
{
	uint32_t deflate = open_deflate(15), inflate = open_inflate(15);
	uint8_t bytes[256] = { 1 };

	CHECK_EQUAL(rw_deflate_open(7, 6, 8), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(16, 6, 8), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(15, 0, 8), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(15, 10, 8), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(15, 6, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(15, 6, 10), -EINVAL);
	CHECK_EQUAL(rw_deflate_open(UINT32_MAX, UINT32_MAX, UINT32_MAX), -EINVAL);
	CHECK_EQUAL(rw_inflate_open(7), -EINVAL);
	CHECK_EQUAL(rw_inflate_open(UINT32_MAX), -EINVAL);
	CHECK_EQUAL(rw_deflate(inflate, bytes, 0, 1, bytes, 8, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_inflate(deflate, bytes, 0, 1, bytes, 8, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, NULL, 0, 1, bytes, 0, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 1, NULL, 0, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 0, bytes, 8, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, UINT32_MAX, bytes, 8, UINT32_MAX, 0), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 100, bytes, 0, RW_DEFLATE_BOUND(100) - 1, 0), -ENOBUFS);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 1, bytes, 8, 200, 8), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 1, bytes, 8, 200, RW_CODEC_MORE), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, NULL, 0, 1, bytes, 0, 10, 0), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, bytes, 0, 1, NULL, 0, 10, 0), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, bytes, 0, UINT32_MAX, bytes, 0, 10, 0), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, bytes, 0, 1, bytes, 0, UINT32_MAX, 0), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, bytes, 0, 1, bytes, 0, 10, RW_CODEC_MORE), -EINVAL);
	CHECK_EQUAL(rw_inflate(inflate, bytes, 0, 1, bytes, 0, 10, 0xf0), -EINVAL);
	CHECK_EQUAL(rw_codec_bytes(deflate), 0);
	CHECK_EQUAL(rw_codec_close(deflate), 0);
	CHECK_EQUAL(rw_codec_close(deflate), -EINVAL);
	CHECK_EQUAL(rw_codec_bytes(deflate), -EINVAL);
	CHECK_EQUAL(rw_deflate(deflate, bytes, 0, 1, bytes, 8, 200, 0), -EINVAL);
	CHECK_EQUAL(rw_codec_close(inflate), 0);
	for (uint32_t id = 0; id < 100000; id += 7)
		CHECK_EQUAL(rw_codec_close(id * 2654435761u | 1u << 31), -EINVAL);
	CHECK_EQUAL(rw_codec_close(0), -EINVAL);
	CHECK_EQUAL(rw_codec_close(UINT32_MAX), -EINVAL);
}

TEST(a_codec_handle_of_before_is_not_the_one_in_its_place)
{
	uint32_t first = open_inflate(15), second;

	CHECK_EQUAL(rw_codec_close(first), 0);
	second = open_inflate(15);
	CHECK(second != first);
	CHECK_EQUAL(rw_codec_bytes(first), -EINVAL);
	CHECK_EQUAL(rw_codec_bytes(second), 0);
	rw_codec_close(second);
}

TEST(codecs_cost_nothing_before_their_first_message_and_their_number_is_limited)
{
	static uint32_t handles[RW_CODEC_LIMIT];
	uint32_t wanted = test_is_valgrind() ? 3000 : RW_CODEC_LIMIT;

	for (uint32_t i = 0; i < wanted; i++) {
		int32_t handle = i % 2 ? rw_inflate_open(15) : rw_deflate_open(15, 9, 9);
		if (handle < 0) {
			CHECK_EQUAL(handle, -EMFILE);
			wanted = i;
			break;
		}
		handles[i] = (uint32_t)handle;
		CHECK_EQUAL(rw_codec_bytes(handles[i]), 0);
	}
	if (!test_is_valgrind()) {
		CHECK(wanted > RW_CODEC_LIMIT - 100);
		CHECK_EQUAL(rw_inflate_open(15), -EMFILE);
	}
	for (uint32_t i = 0; i < wanted; i++)
		CHECK_EQUAL(rw_codec_close(handles[i]), 0);
}

static uint32_t of_main;
static int32_t seen[3];
static uint32_t of_thread;

static void *other_thread(void *unused)
{
	uint8_t out[256];

	(void)unused;
	seen[0] = rw_codec_close(of_main);
	seen[1] = rw_codec_bytes(of_main);
	of_thread = (uint32_t)rw_deflate_open(15, 6, 8);
	seen[2] = rw_deflate(of_thread, "hello", 0, 5, out, 0, 200, 0);
	rw_deflate((uint32_t)rw_deflate_open(15, 6, 8), "hello", 0, 5, out, 0, 200, RW_CODEC_FRESH);
	rw_inflate((uint32_t)rw_inflate_open(15), out, 0, 7, out, 100, 100, RW_CODEC_FRESH);
	return NULL; /* with everything open: the sanitizers see whether it is freed */
}

TEST(a_codec_belongs_to_its_thread_and_ends_with_it)
{
	pthread_t thread;

	of_main = open_deflate(15);
	pthread_create(&thread, NULL, other_thread, NULL);
	pthread_join(thread, NULL);
	CHECK_EQUAL(seen[0], -EXDEV);
	CHECK_EQUAL(seen[1], -EXDEV);
	CHECK(seen[2] > 0);
	CHECK_EQUAL(rw_codec_close(of_thread), -EINVAL);
	CHECK_EQUAL(rw_codec_close(of_main), 0);
}

/* Messages of every kind, in one encoder, read back by zlib with just the window that was asked for. */
static void check_encoder(uint32_t bits, uint32_t level, uint32_t memory_level, uint64_t seed)
{
	static uint8_t message[200000], packed[RW_DEFLATE_BOUND(200000) + 16], back[200001];
	uint32_t codec = (uint32_t)rw_deflate_open(bits, level, memory_level);
	z_stream strict = { 0 };
	uint32_t dice[4];

	CHECK_EQUAL(inflateInit2(&strict, -(int)bits), Z_OK);
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t bytes, kind, flags;
		int32_t size;

		fill_random(dice, sizeof dice, seed * 1000 + round);
		bytes = 1 + dice[0] % (1u << dice[1] % 18);
		kind = dice[2] % 5;
		flags = dice[3] % 3 == 0 ? RW_CODEC_FRESH : 0;
		bytes = bytes > sizeof message ? sizeof message : bytes;
		fill_random(message, bytes, seed * 77 + round);
		for (uint32_t i = 0; i < bytes && kind < 4; i++)
			message[i] = kind == 0 ? 'a' : kind == 1 ? message[i] & 3 : kind == 2 ? "{\"price\":0.123456789}"[i % (20 + i / 700 % 3)]
				     : i > 40 && message[i] > 60 ? message[i - 1 - message[i] % 40] : message[i] & 31;
		size = rw_deflate(codec, message, 0, bytes, packed, 0, RW_DEFLATE_BOUND(bytes), flags);
		CHECK(size > 0);
		CHECK((uint32_t)size + 4 < RW_DEFLATE_BOUND(bytes));
		memcpy(packed + size, "\0\0\xff\xff", 4);
		if (flags)
			inflateReset(&strict);
		strict.next_in = packed, strict.avail_in = (uint32_t)size + 4;
		strict.next_out = back, strict.avail_out = sizeof back;
		CHECK_EQUAL(inflate(&strict, Z_SYNC_FLUSH), Z_OK);
		CHECK_EQUAL(strict.avail_in, 0);
		CHECK_EQUAL(sizeof back - strict.avail_out, bytes);
		CHECK(memcmp(back, message, bytes) == 0);
	}
	inflateEnd(&strict);
	CHECK_EQUAL(rw_codec_close(codec), 0);
}

TEST(zlib_reads_whatever_is_written)
{
	uint64_t seed = 1;

	for (uint32_t bits = 8; bits <= 15; bits++)
		for (uint32_t level = 1; level <= 9; level += test_is_valgrind() ? 8 : 1)
			for (uint32_t memory_level = 1; memory_level <= 9; memory_level += test_is_valgrind() ? 8 : 4)
				check_encoder(bits, level, memory_level, seed++);
}
