/*
 * Fuzz target: masking and UTF-8 of every instruction set of this CPU, against loops that are plainly right.
 * The bytes lie right before a fault page or right behind one, at every alignment.
 */
#include "fuzz.h"
#include "ringwire.h"

#include <errno.h>
#include <sys/mman.h>

#define ROOM (1u << 20)
#define PAGE 4096u

static uint8_t *room; /* ROOM bytes between two fault pages */

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	uint8_t *mapping = mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)count;
	(void)arguments;
	REQUIRE(mapping != MAP_FAILED, "no memory for the harness");
	room = mapping + PAGE;
	REQUIRE(mprotect(room, ROOM, PROT_READ | PROT_WRITE) == 0, "mprotect");
	return 0;
}

/* RFC 3629 by its table of ranges, one character at a time. Same results as rw_utf8_at. */
static int32_t plain_utf8(const uint8_t *data, size_t bytes)
{
	static const struct { uint8_t first, last; uint8_t length; uint8_t low, high; } rows[] = {
		{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	size_t at = 0;

	while (at < bytes) {
		size_t row = 0;

		while (row < sizeof rows / sizeof *rows && (data[at] < rows[row].first || data[at] > rows[row].last))
			row++;
		if (row == sizeof rows / sizeof *rows)
			return -EILSEQ;
		for (size_t k = 1; k < rows[row].length; k++) {
			uint8_t low = k == 1 ? rows[row].low : 0x80, high = k == 1 ? rows[row].high : 0xbf;
			if (at + k == bytes)
				return (int32_t)k;
			if (data[at + k] < low || data[at + k] > high)
				return -EILSEQ;
		}
		at += rows[row].length;
	}
	return 0;
}

/* Pieces that random bytes hardly ever form: the edges of every row of the table, and long runs. */
static size_t expand(struct input *input, uint8_t *out, size_t room_bytes)
{
	static const char *const pieces[] = {
		"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xec\xbf\xbf", "\xed\x80\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff", "\xe2\x82", "\xf0\x9f\x98",
	};
	size_t bytes = 0;

	while (input_left(input) > 0) {
		uint8_t choice = input_u8(input);
		if (choice < 64) { /* a run of ASCII */
			size_t run = (size_t)choice * 3;
			if (run > room_bytes - bytes)
				break;
			memset(out + bytes, 'a' + choice % 26, run);
			bytes += run;
		} else if (choice < 64 + sizeof pieces / sizeof *pieces) {
			size_t length = strlen(pieces[choice - 64]);
			if (length > room_bytes - bytes)
				break;
			memcpy(out + bytes, pieces[choice - 64], length);
			bytes += length;
		} else {
			if (bytes == room_bytes)
				break;
			out[bytes++] = input_u8(input);
		}
	}
	return bytes;
}

static void check_utf8(const uint8_t *data, uint32_t bytes, uint32_t set)
{
	int32_t expected = plain_utf8(data, bytes), actual = rw_utf8_at(data, bytes);

	REQUIRE(actual == expected, "set %u says %d of %u bytes, the plain loop %d", set, actual, bytes, expected);
}

static void check_mask(uint8_t *data, const uint8_t *original, uint32_t bytes, uint32_t key, uint32_t set)
{
	REQUIRE(rw_unmask_at(data, bytes, key) == 0, "rw_unmask_at");
	for (uint32_t i = 0; i < bytes; i++) {
		uint8_t expected = original[i] ^ (uint8_t)(key >> 8 * (i % 4));
		REQUIRE(data[i] == expected, "set %u, byte %u of %u: %02x, not %02x", set, i, bytes, data[i], expected);
	}
	REQUIRE(rw_unmask_at(data, bytes, key) == 0 && memcmp(data, original, bytes) == 0, "masking twice is nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[65536 + 64];
	struct input input = { data, data + size };
	uint32_t key = input_u32(&input);
	uint8_t how = input_u8(&input);
	uint8_t shift = how >> 2;
	uint32_t bytes;
	uint8_t *at;

	if (how & 1) {
		bytes = (uint32_t)expand(&input, text, 65536);
	} else {
		bytes = (uint32_t)(input_left(&input) < 65536 ? input_left(&input) : 65536);
		input_bytes(&input, text, bytes);
	}
	/* At the far end of the room, or `shift` bytes into it: both kinds of fault page are met. */
	at = how & 2 ? room + ROOM - bytes : room + shift;
	if (!(how & 2) && shift > 0)
		memset(room, 0x5c, shift);
	for (uint32_t set = 0; set <= 4; set++) {
		if (rw_kernel_select(set) < 0)
			continue;
		memcpy(at, text, bytes);
		check_utf8(at, bytes, set);
		/* A valid beginning: what the vectors leave to the scalar code starts at every boundary in turn. */
		if (bytes > 0)
			check_utf8(at, bytes - 1 - key % bytes, set);
		check_mask(at, text, bytes, key, set);
		for (uint32_t i = 0; !(how & 2) && i < shift; i++)
			REQUIRE(room[i] == 0x5c, "set %u wrote %u bytes in front", set, shift - i);
		if (!(how & 2)) {
			room[shift + bytes] = 0x5c;
			check_mask(at, text, bytes, key, set);
			REQUIRE(room[shift + bytes] == 0x5c, "set %u wrote behind the end", set);
		}
	}
	return 0;
}
