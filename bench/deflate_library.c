/*
 * Who should deflate and inflate in the shim: market-data messages, flushed one by one, with and without takeover.
 *
 *   make -C ffi build/deflate_library      (Debian: zlib1g-dev libdeflate-dev libisal-dev)
 *   ffi/build/deflate_library [300|1024|16384]
 *
 * With -DWITH_ZLIB_NG and its library, zlib-ng takes part as well. The figures: deflate_library.md.
 */
#include "encoder.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>
#ifdef WITH_ZLIB_NG
/* Both headers define the same names, alike. */
#undef Z_NULL
#undef z_const
#define in_func zng_in_func
#define out_func zng_out_func
#include <zlib-ng.h>
#endif

#define MESSAGES 2000
#define ROUNDS_NS 250000000ull
#define ROOM (1u << 20)

struct text { uint8_t *bytes; size_t size; };
static struct text messages[MESSAGES], packed[MESSAGES];
static int used; /* of them: fewer when they are large */
static uint8_t room[ROOM];
static size_t allocated;
static const uint8_t TAIL[9] = { 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff };

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static uint32_t state = 1;
static uint32_t next(void)
{
	state ^= state << 13, state ^= state >> 17, state ^= state << 5;
	return state;
}

/* Trades as a venue's feed sends them; many of them in one message for the larger sizes. */
static void make_messages(size_t wanted)
{
	static const char *const symbols[] = { "BTC-USD", "ETH-USD", "SOL-USD", "XRP-EUR", "ADA-USD", "DOT-EUR" };
	static uint32_t prices[6] = { 6412345, 312345, 15432, 5123, 4567, 7123 };

	state = 2463534242u;
	used = wanted > 4096 ? MESSAGES / 5 : MESSAGES;
	for (int i = 0; i < used; i++) {
		size_t at = 0;
		free(messages[i].bytes);
		messages[i].bytes = malloc(wanted + 512);
		do {
			uint32_t s = next() % 6, price = prices[s] += next() % 21 - 10, size = next() % 1000000;
			at += (size_t)sprintf((char *)messages[i].bytes + at,
				"%s{\"type\":\"trade\",\"symbol\":\"%s\",\"sequence\":%u,\"tradeId\":\"%08x-%04x\",\"price\":\"%u.%02u\","
				"\"size\":\"%u.%05u\",\"side\":\"%s\",\"bid\":\"%u.%02u\",\"ask\":\"%u.%02u\",\"makerOrderId\":%u,"
				"\"takerOrderId\":%u,\"time\":\"2026-11-21T%02u:%02u:%02u.%06uZ\",\"received\":%llu}",
				at ? "," : "", symbols[s], 812345678u + (uint32_t)i, next(), next() & 0xffff, price / 100, price % 100,
				size / 100000, size % 100000, next() & 1 ? "buy" : "sell", price / 100, (price + 99) % 100,
				price / 100, (price + 1) % 100, 900000000u + next() % 1000000, 900000000u + next() % 1000000,
				12u, (uint32_t)i / 600 % 60, (uint32_t)i / 10 % 60, next() % 1000000, 1763726400000ull + (uint64_t)i * 97);
		} while (at < wanted - 250);
		messages[i].size = at;
	}
}

static void keep(int i, const uint8_t *bytes, size_t size)
{
	free(packed[i].bytes);
	packed[i].bytes = malloc(size + sizeof TAIL);
	memcpy(packed[i].bytes, bytes, size);
	packed[i].size = size;
}

/* ── the candidates: deflate one message into `room` and return its size without the tail; inflate one ── */

struct candidate {
	const char *name;
	int level, window, memory;
	int takeover;
	void (*open)(const struct candidate *self);
	size_t (*deflate)(const struct candidate *self, const struct text *message);
	size_t (*inflate)(const struct candidate *self, const struct text *payload);
	void (*close)(void);
};

static void *count_alloc(void *unused, unsigned items, unsigned size)
{
	(void)unused;
	allocated += (size_t)items * size;
	return malloc((size_t)items * size);
}
static void count_free(void *unused, void *memory) { (void)unused; free(memory); }

static size_t deflate_state, inflate_state_bytes;
static z_stream zd, zi;
static void z_open(const struct candidate *self)
{
	zd = (z_stream){ .zalloc = count_alloc, .zfree = count_free };
	zi = zd;
	allocated = 0;
	deflateInit2(&zd, self->level, Z_DEFLATED, -self->window, self->memory, Z_DEFAULT_STRATEGY);
	deflate_state = allocated;
	allocated = 0;
	inflateInit2(&zi, -self->window);
	inflate_state_bytes = allocated;
}
static size_t z_deflate(const struct candidate *self, const struct text *message)
{
	zd.next_in = message->bytes, zd.avail_in = (unsigned)message->size;
	zd.next_out = room, zd.avail_out = ROOM;
	deflate(&zd, Z_SYNC_FLUSH);
	size_t size = ROOM - zd.avail_out - 4;
	if (!self->takeover) deflateReset(&zd);
	return size;
}
static size_t z_inflate(const struct candidate *self, const struct text *payload)
{
	zi.next_out = room, zi.avail_out = ROOM;
	memcpy(payload->bytes + payload->size, TAIL, 4);
	zi.next_in = payload->bytes, zi.avail_in = (unsigned)payload->size + 4;
	inflate(&zi, Z_SYNC_FLUSH);
	size_t size = ROOM - zi.avail_out;
	inflate_state_bytes = allocated > inflate_state_bytes ? allocated : inflate_state_bytes;
	if (!self->takeover) inflateReset(&zi);
	return size;
}
static void z_close(void) { deflateEnd(&zd); inflateEnd(&zi); }

#ifdef WITH_ZLIB_NG
static zng_stream nd, ni;
static void n_open(const struct candidate *self)
{
	nd = (zng_stream){ .zalloc = count_alloc, .zfree = count_free };
	ni = nd;
	allocated = 0;
	zng_deflateInit2(&nd, self->level, Z_DEFLATED, -self->window, self->memory, Z_DEFAULT_STRATEGY);
	deflate_state = allocated;
	allocated = 0;
	zng_inflateInit2(&ni, -self->window);
	inflate_state_bytes = allocated;
}
static size_t n_deflate(const struct candidate *self, const struct text *message)
{
	nd.next_in = message->bytes, nd.avail_in = (uint32_t)message->size;
	nd.next_out = room, nd.avail_out = ROOM;
	zng_deflate(&nd, Z_SYNC_FLUSH);
	size_t size = ROOM - nd.avail_out - 4;
	if (!self->takeover) zng_deflateReset(&nd);
	return size;
}
static size_t n_inflate(const struct candidate *self, const struct text *payload)
{
	memcpy(payload->bytes + payload->size, TAIL, 4);
	ni.next_in = payload->bytes, ni.avail_in = (uint32_t)payload->size + 4;
	ni.next_out = room, ni.avail_out = ROOM;
	zng_inflate(&ni, Z_SYNC_FLUSH);
	size_t size = ROOM - ni.avail_out;
	if (!self->takeover) zng_inflateReset(&ni);
	return size;
}
static void n_close(void) { zng_deflateEnd(&nd); zng_inflateEnd(&ni); }
#endif

static struct isal_zstream isal_d;
static struct inflate_state isal_i;
static uint8_t *isal_level;
static void i_open(const struct candidate *self)
{
	static const uint32_t sizes[4] = { ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
					   ISAL_DEF_LVL3_DEFAULT };
	isal_level = malloc(sizes[self->level] + 1);
	isal_deflate_init(&isal_d);
	isal_d.level = (uint32_t)self->level;
	isal_d.level_buf = isal_level;
	isal_d.level_buf_size = sizes[self->level];
	isal_d.flush = SYNC_FLUSH;
	isal_inflate_init(&isal_i);
	deflate_state = sizeof isal_d + sizes[self->level];
	inflate_state_bytes = sizeof isal_i;
}
static size_t i_deflate(const struct candidate *self, const struct text *message)
{
	if (!self->takeover) {
		isal_deflate_reset(&isal_d);
		isal_d.flush = SYNC_FLUSH;
	}
	isal_d.next_in = message->bytes, isal_d.avail_in = (uint32_t)message->size;
	isal_d.next_out = room, isal_d.avail_out = ROOM;
	isal_deflate(&isal_d);
	return ROOM - isal_d.avail_out - 4;
}
static size_t i_inflate(const struct candidate *self, const struct text *payload)
{
	if (!self->takeover) isal_inflate_reset(&isal_i);
	memcpy(payload->bytes + payload->size, TAIL, 4);
	isal_i.next_in = payload->bytes, isal_i.avail_in = (uint32_t)payload->size + 4;
	isal_i.next_out = room, isal_i.avail_out = ROOM;
	isal_inflate(&isal_i);
	return ROOM - isal_i.avail_out;
}
static void i_close(void) { free(isal_level); }

static struct libdeflate_compressor *lc;
static struct libdeflate_decompressor *ld;
static void l_open(const struct candidate *self)
{
	lc = libdeflate_alloc_compressor(self->level);
	ld = libdeflate_alloc_decompressor();
	deflate_state = inflate_state_bytes = 0;
}
/* One final block; the byte behind it is RFC 7692 §7.2.3.4's. */
static size_t l_deflate(const struct candidate *self, const struct text *message)
{
	(void)self;
	return libdeflate_deflate_compress(lc, message->bytes, message->size, room, ROOM) + 1;
}
static size_t l_inflate(const struct candidate *self, const struct text *payload)
{
	size_t size = 0;
	(void)self;
	memcpy(payload->bytes + payload->size, TAIL, 9);
	libdeflate_deflate_decompress(ld, payload->bytes, payload->size + 9, room, ROOM, &size);
	return size;
}
static void l_close(void) { libdeflate_free_compressor(lc); libdeflate_free_decompressor(ld); }

/* Ours writes; for reading there is zlib. */
static struct encoder *own;
static void o_open(const struct candidate *self)
{
	z_open(self);
	own = encoder_open((uint32_t)self->window, (uint32_t)self->level, (uint32_t)self->memory);
	deflate_state = encoder_bytes((uint32_t)self->window, (uint32_t)self->memory);
}
static size_t o_deflate(const struct candidate *self, const struct text *message)
{
	return encoder_message(own, message->bytes, message->size, room, !self->takeover);
}
static void o_close(void) { encoder_close(own); z_close(); }

#define OURS o_open, o_deflate, z_inflate, o_close
#define ZLIB z_open, z_deflate, z_inflate, z_close
#define ZLIB_NG n_open, n_deflate, n_inflate, n_close
#define ISAL i_open, i_deflate, i_inflate, i_close
#define LIBDEFLATE l_open, l_deflate, l_inflate, l_close
static const struct candidate candidates[] = {
	{ "ours", 1, 15, 8, 1, OURS }, { "ours", 6, 15, 8, 1, OURS }, { "ours", 6, 12, 5, 1, OURS }, { "ours", 6, 9, 1, 1, OURS },
	{ "zlib", 1, 15, 8, 1, ZLIB }, { "zlib", 3, 15, 8, 1, ZLIB }, { "zlib", 6, 15, 8, 1, ZLIB },
	{ "zlib", 6, 12, 5, 1, ZLIB }, { "zlib", 6, 9, 1, 1, ZLIB },
#ifdef WITH_ZLIB_NG
	{ "zlib-ng", 1, 15, 8, 1, ZLIB_NG }, { "zlib-ng", 3, 15, 8, 1, ZLIB_NG }, { "zlib-ng", 6, 15, 8, 1, ZLIB_NG },
	{ "zlib-ng", 6, 12, 5, 1, ZLIB_NG },
#endif
	{ "ISA-L", 0, 15, 0, 1, ISAL }, { "ISA-L", 1, 15, 0, 1, ISAL }, { "ISA-L", 3, 15, 0, 1, ISAL },
	{ "ours", 1, 15, 8, 0, OURS }, { "ours", 6, 15, 8, 0, OURS },
	{ "zlib", 1, 15, 8, 0, ZLIB }, { "zlib", 6, 15, 8, 0, ZLIB }, { "zlib", 6, 12, 4, 0, ZLIB }, { "zlib", 6, 9, 1, 0, ZLIB },
#ifdef WITH_ZLIB_NG
	{ "zlib-ng", 1, 15, 8, 0, ZLIB_NG }, { "zlib-ng", 6, 15, 8, 0, ZLIB_NG },
#endif
	{ "ISA-L", 0, 15, 0, 0, ISAL }, { "ISA-L", 1, 15, 0, 0, ISAL },
	{ "libdeflate", 1, 15, 0, 0, LIBDEFLATE }, { "libdeflate", 6, 15, 0, 0, LIBDEFLATE },
};

/* Nanoseconds a message in the fastest pass over a tenth of them: what the machine does besides only ever makes it slower. */
static double fastest(const struct candidate *self, size_t (*run)(const struct candidate *, const struct text *),
		      const struct text *texts)
{
	double best = 1e18;

	for (uint64_t end = now_ns() + ROUNDS_NS; now_ns() < end;) {
		for (int part = 0; part < used; part += used / 10) {
			uint64_t start = now_ns();
			double mean;
			for (int i = part; i < part + used / 10; i++) run(self, &texts[i]);
			mean = (double)(now_ns() - start) / (used / 10);
			best = mean < best ? mean : best;
		}
	}
	return best;
}

static void measure(const struct candidate *self)
{
	double deflate_ns, inflate_ns;
	size_t in = 0, out = 0;
	int is_right = 1;

	self->open(self);
	for (int i = 0; i < used; i++) {
		size_t size = self->deflate(self, &messages[i]);
		if (size == 0 || size > ROOM) { printf("%s failed\n", self->name); return; }
		if (self->deflate == l_deflate) room[size - 1] = 0;
		keep(i, room, size);
		in += messages[i].size, out += size;
	}
	for (int i = 0; i < used; i++) {
		size_t size = self->inflate(self, &packed[i]);
		is_right &= size == messages[i].size && memcmp(room, messages[i].bytes, size) == 0;
	}
	deflate_ns = fastest(self, self->deflate, messages);
	/* The stream of all packed messages can be inflated again and again: its first messages refer to nothing. */
	inflate_ns = fastest(self, self->inflate, packed);
	printf("| %s | %d | %d | %d | %s | %.2f | %.2f | %.3f | %zu | %zu |%s\n", self->name, self->level, self->window, self->memory,
	       self->takeover ? "yes" : "no", deflate_ns / 1000, inflate_ns / 1000, (double)in / (double)out,
	       deflate_state, inflate_state_bytes, is_right ? "" : " WRONG");
	self->close();
}

int main(int count, char **arguments)
{
	size_t only = count > 1 ? (size_t)atol(arguments[1]) : 0;
	static const size_t sizes[] = { 300, 1024, 16384 };

	for (int s = 0; s < 3; s++) {
		if (only && only != sizes[s]) continue;
		make_messages(sizes[s]);
		printf("\n%zu bytes (the first: %zu)\n\n", sizes[s], messages[0].size);
		printf("| library | level | window | memory | takeover | deflate us | inflate us | ratio | deflate state B | inflate state B |\n");
		printf("|---|---|---|---|---|---|---|---|---|---|\n");
		for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) measure(&candidates[i]);
	}
	return 0;
}
