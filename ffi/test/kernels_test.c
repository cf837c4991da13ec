/*
 * Every instruction set gives what the plain definition gives, at every alignment and length.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[] = { "scalar", "SSE", "AVX2", "AVX-512", "NEON" };

static void for_each_set(void (*check)(void))
{
	int32_t chosen = rw_kernel_set();

	for (uint32_t set = 0; set < 5; set++) {
		if (rw_kernel_select(set) < 0)
			continue;
		CHECK_EQUAL(rw_kernel_set(), set);
		printf("  with %s\n", names[set]);
		check();
	}
	CHECK_EQUAL(rw_kernel_select((uint32_t)chosen), 0);
	CHECK(rw_kernel_select(5) < 0);
}

/* Memory that faults right behind its end, so that an over-read shows. */
static uint8_t *end_of_page(size_t bytes)
{
	size_t room = (bytes + 4095) & ~(size_t)4095;
	uint8_t *pages = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + room, 4096, PROT_NONE);
	return pages + room - bytes;
}

static void check_mask(void)
{
	uint8_t original[512], data[512];

	fill_random(original, sizeof original, 7);
	for (uint32_t start = 0; start < 64; start++) {
		for (uint32_t bytes = 0; bytes <= 300; bytes++) {
			uint32_t key = 0x9d3c5a77u * (bytes + 1);
			memcpy(data, original, sizeof data);
			CHECK_EQUAL(rw_unmask_at(data + start, bytes, key), 0);
			for (uint32_t i = 0; i < sizeof data; i++) {
				uint8_t mask = i >= start && i < start + bytes
						       ? (uint8_t)(key >> 8 * ((i - start) & 3)) : 0;
				CHECK_EQUAL(data[i], original[i] ^ mask);
			}
		}
	}
	for (uint32_t bytes = 1; bytes < 600; bytes++) {
		static uint8_t *end;
		if (!end)
			end = end_of_page(4096) + 4096;
		rw_unmask_at(end - bytes, bytes, 0x01020304);
	}
}

TEST(masking_agrees_with_its_definition)
{
	for_each_set(check_mask);
}

/* Bit by bit, as the polynomial says. */
static uint32_t plain_crc32(const uint8_t *data, uint32_t bytes)
{
	uint32_t sum = UINT32_MAX;

	for (uint32_t i = 0; i < bytes; i++) {
		sum ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
	}
	return ~sum;
}

static void check_crc32(void)
{
	static uint8_t original[9000], out[9100], expected[9100];
	uint8_t *end = end_of_page(sizeof original) + sizeof original;

	fill_random(original, sizeof original, 11);
	for (uint32_t bytes = 0; bytes <= sizeof original; bytes += bytes < 1100 ? 1 : 487) {
		uint32_t at = 8 + bytes % 67, sum = plain_crc32(original, bytes);

		memset(out, 0xa5, sizeof out);
		memset(expected, 0xa5, sizeof expected);
		memcpy(expected + at, original, bytes);
		for (int i = 0; i < 4; i++)
			expected[i + 1] = (uint8_t)(sum >> 8 * i);
		memcpy(end - bytes, original, bytes);
		CHECK_EQUAL(rw_copy_crc32(end - bytes, 0, bytes, out, at, 1), 0);
		CHECK(memcmp(out, expected, sizeof out) == 0);
		/* In place: summed, not moved. */
		memset(out + 1, 0, 4);
		CHECK_EQUAL(rw_copy_crc32(out, at, bytes, out, at, 1), 0);
		CHECK(memcmp(out, expected, sizeof out) == 0);
	}
	CHECK_EQUAL(rw_copy_crc32("....123456789", 4, 9, out, 4, 0), 0);
	CHECK(memcmp(out, "\x26\x39\xf4\xcb" "123456789", 13) == 0);
	CHECK_EQUAL(rw_copy_crc32(NULL, 0, 0, out, 4, 0), -EINVAL);
	CHECK_EQUAL(rw_copy_crc32(original, 0, 0, NULL, 4, 0), -EINVAL);
}

TEST(copying_with_a_checksum_agrees_with_its_definition)
{
	for_each_set(check_crc32);
}

/* RFC 3629 by its grammar, one code point at a time; 0 to 3, or -EILSEQ. */
static int32_t reference(const uint8_t *data, uint32_t bytes)
{
	static const struct { uint8_t from, to, low, high; int more; } rows[] = {
		{ 0x00, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 0x80, 0xbf, 1 }, { 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 }, { 0xed, 0xed, 0x80, 0x9f, 2 }, { 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 }, { 0xf1, 0xf3, 0x80, 0xbf, 3 }, { 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	uint32_t i = 0;

	while (i < bytes) {
		size_t row = 0, count = sizeof rows / sizeof *rows;
		while (row < count && (data[i] < rows[row].from || data[i] > rows[row].to))
			row++;
		if (row == count)
			return -EILSEQ;
		for (int k = 1; k <= rows[row].more; k++) {
			uint8_t low = k == 1 ? rows[row].low : 0x80, high = k == 1 ? rows[row].high : 0xbf;
			if (i + (uint32_t)k == bytes)
				return k;
			if (data[i + (uint32_t)k] < low || data[i + (uint32_t)k] > high)
				return -EILSEQ;
		}
		i += (uint32_t)rows[row].more + 1;
	}
	return 0;
}

/* Valid text of mixed widths; returns its length. */
static uint32_t write_text(uint8_t *to, uint32_t bytes, uint64_t seed)
{
	uint8_t dice[2048];
	uint32_t at = 0, i = 0;

	fill_random(dice, sizeof dice, seed);
	while (at + 4 <= bytes && i + 4 < sizeof dice) {
		uint8_t kind = dice[i++];
		if (kind < 120) {
			to[at++] = dice[i++] & 0x7f;
		} else if (kind < 170) {
			to[at++] = (uint8_t)(0xc2 + dice[i++] % 30);
			to[at++] = 0x80 | (dice[i++] & 0x3f);
		} else if (kind < 220) {
			uint8_t lead = (uint8_t)(0xe0 + dice[i++] % 16);
			to[at++] = lead;
			to[at++] = lead == 0xe0 ? 0xa0 | (dice[i] & 0x1f)
				   : lead == 0xed ? 0x80 | (dice[i] & 0x1f) : 0x80 | (dice[i] & 0x3f);
			to[at++] = 0x80 | (dice[i++] & 0x3f);
		} else {
			uint8_t lead = (uint8_t)(0xf0 + dice[i++] % 5);
			to[at++] = lead;
			to[at++] = lead == 0xf0 ? (uint8_t)(0x90 + dice[i] % 0x30)
				   : lead == 0xf4 ? 0x80 | (dice[i] & 0x0f) : 0x80 | (dice[i] & 0x3f);
			to[at++] = 0x80 | (dice[i++] & 0x3f);
			to[at++] = 0x80 | (dice[i++] & 0x3f);
		}
	}
	return at;
}

static void check_utf8(void)
{
	uint8_t text[512], noise[8];

	for (uint64_t seed = 0; seed < 1500; seed++) {
		uint32_t bytes = write_text(text, 16 + seed % 300, seed), start = (uint32_t)seed % 32;
		/* Every cut of valid text, then one byte replaced, then random bytes put in. */
		for (uint32_t end = start; end <= bytes; end += 1 + (uint32_t)seed % 7)
			CHECK_EQUAL(rw_utf8_at(text + start, end - start), reference(text + start, end - start));
		fill_random(noise, sizeof noise, seed + 99);
		for (int i = 0; i < 8; i++) {
			uint32_t at = (noise[i] * 2u) % bytes;
			uint8_t before = text[at];
			text[at] = noise[(i + 1) & 7];
			CHECK_EQUAL(rw_utf8_at(text, bytes), reference(text, bytes));
			if (i & 1)
				text[at] = before;
		}
	}
	/* Each three-byte window at each place of two vectors, among ASCII. */
	for (uint32_t place = 50; place < 130; place++) {
		for (uint32_t window = 0; window < 4096; window++) {
			static const uint8_t edges[16] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
							   0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5 };
			memset(text, 'a', 192);
			text[place] = edges[window & 15];
			text[place + 1] = edges[window >> 4 & 15];
			text[place + 2] = edges[window >> 8];
			if (window & 1)
				text[place + 3] = 0x80;
			CHECK_EQUAL(rw_utf8_at(text, 192), reference(text, 192));
			CHECK_EQUAL(rw_utf8_at(text, place + 3), reference(text, place + 3));
		}
		if (test_is_valgrind())
			place += 13;
	}
	static uint8_t *end;
	if (!end)
		end = end_of_page(4096) + 4096;
	for (uint32_t bytes = 0; bytes < 300; bytes++) {
		memset(end - bytes, 'x', bytes);
		CHECK_EQUAL(rw_utf8_at(end - bytes, bytes), 0);
	}
}

TEST(utf8_agrees_with_the_grammar)
{
	for_each_set(check_utf8);
}

TEST(kernels_inside_a_block_stay_inside_it)
{
	struct rig rig;

	rig_open(&rig, NULL);
	memcpy(rig.block + rig.send_offset, "abcd", 4);
	CHECK_EQUAL(rw_unmask(rig.id, rig.send_offset, 4, 0x20202020), 0);
	CHECK(memcmp(rig.block + rig.send_offset, "ABCD", 4) == 0);
	CHECK_EQUAL(rw_utf8(rig.id, rig.send_offset, 4), 0);
	CHECK_EQUAL(rw_utf8(rig.id, rig.block_bytes, 0), 0);
	CHECK_EQUAL(rw_utf8(rig.id, rig.block_bytes - 1, 2), -EINVAL);
	CHECK_EQUAL(rw_unmask(rig.id, UINT32_MAX, UINT32_MAX, 1), -EINVAL);
	CHECK_EQUAL(rw_unmask(rig.id, 0, 4096, 1), -EINVAL);
	CHECK_EQUAL(rw_unmask(rig.id + 1, rig.send_offset, 4, 1), -EINVAL);
	rig_close(&rig);
}

static void record_copy(struct rig *rig, uint32_t index, struct rw_copy copy)
{
	memcpy(rig->block + rig->send_offset + rig->send_bytes / 16 * 16 - 16 * (index + 1), &copy, sizeof copy);
	rig->control[RW_FIELD_COPY_COUNT] = index + 1;
}

static void check_copies(void)
{
	struct rig rig;
	uint8_t *from, *to, expected[400];

	rig_open(&rig, NULL);
	for (uint32_t bytes = 0; bytes < 300; bytes += bytes < 70 ? 1 : 23) {
		uint32_t from_offset = rig.control[RW_FIELD_RECEIVE_OFFSET] + bytes % 5, to_offset = rig.send_offset + 64 + bytes % 7;

		from = rig.block + from_offset;
		to = rig.block + to_offset;
		fill_random(from, bytes, bytes + 1);
		memset(to - 1, 0xee, bytes + 2);
		memcpy(expected, from, bytes);
		rw_unmask_at(expected, bytes, 0x01020304);
		record_copy(&rig, 0, (struct rw_copy){ from_offset, to_offset, bytes, 0x01020304 });
		CHECK_EQUAL(rw_copy(rig.id), 0);
		CHECK_EQUAL(rig.control[RW_FIELD_COPY_COUNT], 0);
		CHECK(memcmp(to, expected, bytes) == 0);
		CHECK(to[-1] == 0xee && to[bytes] == 0xee);
	}
	rig_close(&rig);
}

TEST(copies_are_masked_and_touch_nothing_else)
{
	for_each_set(check_copies);
}

TEST(copies_are_made_before_what_a_turn_sends)
{
	struct rig rig;
	uint16_t port;
	uint8_t got[12];
	int peer;
	struct rw_event accepted;

	rig_open(&rig, NULL);
	rig_listen(&rig, &port);
	peer = peer_connect(port);
	accepted = rig_await(&rig, RW_EVENT_ACCEPTED, 0);
	/* The receive arena is the caller's until a turn recycles it, which this one does. */
	memcpy(rig.block + rig.control[RW_FIELD_RECEIVE_OFFSET], "hello, world", 12);
	record_copy(&rig, 0, (struct rw_copy){ rig.control[RW_FIELD_RECEIVE_OFFSET], rig.send_offset, 5, 0 });
	record_copy(&rig, 1, (struct rw_copy){ rig.control[RW_FIELD_RECEIVE_OFFSET] + 5, rig.send_offset + 5, 7, 0x20202020 });
	rig_command(&rig, RW_COMMAND_SEND, accepted.handle, rig.send_offset, 12);
	rig_turn(&rig, 0);
	CHECK_EQUAL(peer_read(peer, got, 12), 12);
	CHECK(memcmp(got, "hello\x0c\0WORLD", 12) == 0);
	close(peer);
	rig_close(&rig);
}

TEST(garbage_copies_are_skipped_and_told)
{
	struct rig rig;

	rig_open(&rig, NULL);
	const struct rw_copy wrong[] = {
		{ 0, rig.send_offset, 4, 1 },
		{ RW_CONTROL_BYTES - 1, rig.send_offset, 4, 1 },
		{ rig.block_bytes - 3, rig.send_offset, 4, 1 },
		{ UINT32_MAX, rig.send_offset, UINT32_MAX, 1 },
		{ rig.control[RW_FIELD_RECEIVE_OFFSET], rig.send_offset - 1, 4, 1 },
		{ rig.control[RW_FIELD_RECEIVE_OFFSET], rig.send_offset + rig.send_bytes - 3, 4, 1 },
		{ rig.control[RW_FIELD_RECEIVE_OFFSET], 0, 4, 1 },
		{ rig.control[RW_FIELD_RECEIVE_OFFSET], UINT32_MAX, 4, 1 },
		{ rig.control[RW_FIELD_RECEIVE_OFFSET], rig.send_offset, rig.send_bytes + 1, 1 },
	};
	memcpy(rig.block + rig.control[RW_FIELD_RECEIVE_OFFSET], "good", 4);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		record_copy(&rig, 0, wrong[i]);
		record_copy(&rig, 1, (struct rw_copy){ rig.control[RW_FIELD_RECEIVE_OFFSET], rig.send_offset + 64, 4, 0 });
		memset(rig.block + rig.send_offset + 64, 0, 4);
		CHECK_EQUAL(i % 2 ? rw_copy(rig.id) : rw_turn(rig.id, 0, 0, 0), -EBADMSG);
		CHECK(memcmp(rig.block + rig.send_offset + 64, "good", 4) == 0);
		CHECK_EQUAL(rw_copy(rig.id), 0);
	}
	rig.control[RW_FIELD_COPY_COUNT] = rig.send_bytes / 16 + 1;
	CHECK_EQUAL(rw_copy(rig.id), -EBADMSG);
	rig.control[RW_FIELD_COPY_COUNT] = UINT32_MAX;
	CHECK_EQUAL(rw_turn(rig.id, 0, 0, 0), -EBADMSG);
	CHECK_EQUAL(rw_copy(rig.id + 1), -EINVAL);
	CHECK_EQUAL(rig_turn(&rig, 0), 0);
	rig_close(&rig);
}
