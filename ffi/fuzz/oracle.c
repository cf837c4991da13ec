/*
 * Inflating by the book. See oracle.h.
 */
#include "oracle.h"

#define CODE_BITS_MAX 15
#define LITERALS 286
#define DISTANCES 30

static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff };

struct bits {
	const uint8_t *data;
	size_t bytes;          /* without the tail */
	size_t position;       /* in bits */
	bool has_run_out;
};

/* RFC 1951 §3.2.2: codes of one length are consecutive numbers, in the order of their symbols; shorter ones come first. */
struct code {
	uint16_t lengths[288];
	uint32_t count;
	uint32_t of_length[CODE_BITS_MAX + 1]; /* filled in by arrange */
	uint16_t sorted[288];                  /* by length, then by symbol */
};

static void arrange(struct code *code)
{
	uint32_t at = 0;

	for (uint32_t length = 1; length <= CODE_BITS_MAX; length++) {
		uint32_t before = at;
		for (uint32_t symbol = 0; symbol < code->count; symbol++)
			if (code->lengths[symbol] == length)
				code->sorted[at++] = (uint16_t)symbol;
		code->of_length[length] = at - before;
	}
}

static size_t bits_end(const struct bits *bits)
{
	return (bits->bytes + sizeof tail) * 8;
}

static uint32_t take_bits(struct bits *bits, uint32_t count)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t byte = bits->position / 8;
		if (bits->position >= bits_end(bits)) {
			bits->has_run_out = true;
			return 0;
		}
		value |= (uint32_t)((byte < bits->bytes ? bits->data[byte] : tail[byte - bits->bytes]) >> bits->position % 8 & 1) << i;
		bits->position++;
	}
	return value;
}

/* The next symbol, or -1. */
static int take_symbol(struct bits *bits, const struct code *code)
{
	uint32_t number = 0, first = 0, before = 0;

	for (uint32_t length = 1; length <= CODE_BITS_MAX; length++) {
		number = number << 1 | take_bits(bits, 1);
		first <<= 1;
		if (bits->has_run_out)
			return -1;
		if (number - first < code->of_length[length])
			return code->sorted[before + number - first];
		first += code->of_length[length];
		before += code->of_length[length];
	}
	return -1;
}

enum fullness { CODE_EXACT, CODE_ONE_BIT, CODE_EMPTY, CODE_WRONG };

/* Whether the lengths make a code: neither too many for their bits nor, but for a single code of one bit, too few. */
static enum fullness measure(const struct code *code)
{
	uint32_t used = 0, count = 0, longest = 0;

	for (uint32_t symbol = 0; symbol < code->count; symbol++) {
		if (code->lengths[symbol] == 0)
			continue;
		used += 1u << (CODE_BITS_MAX - code->lengths[symbol]);
		count++;
		longest = code->lengths[symbol] > longest ? code->lengths[symbol] : longest;
	}
	if (used == 1u << CODE_BITS_MAX)
		return CODE_EXACT;
	if (count == 0)
		return CODE_EMPTY;
	return count == 1 && longest == 1 ? CODE_ONE_BIT : CODE_WRONG;
}

/* The lengths of both codes are themselves coded (§3.2.7). */
static bool read_codes(struct bits *bits, struct code *literals, struct code *distances)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint32_t literal_count = take_bits(bits, 5) + 257, distance_count = take_bits(bits, 5) + 1;
	uint32_t length_count = take_bits(bits, 4) + 4, have = 0;
	uint16_t lengths[288 + 32];
	struct code code = { .count = 19 };

	if (literal_count > LITERALS || distance_count > DISTANCES)
		return false;
	for (uint32_t i = 0; i < length_count; i++)
		code.lengths[order[i]] = (uint16_t)take_bits(bits, 3);
	if (bits->has_run_out || measure(&code) != CODE_EXACT)
		return false;
	arrange(&code);
	while (have < literal_count + distance_count) {
		int symbol = take_symbol(bits, &code);
		uint32_t repeat = 1;
		uint16_t length = 0;

		if (symbol < 0)
			return false;
		if (symbol < 16)
			length = (uint16_t)symbol;
		else if (symbol == 16)
			repeat = 3 + take_bits(bits, 2);
		else
			repeat = symbol == 17 ? 3 + take_bits(bits, 3) : 11 + take_bits(bits, 7);
		if (symbol == 16) {
			if (have == 0)
				return false;
			length = lengths[have - 1];
		}
		if (bits->has_run_out || repeat > literal_count + distance_count - have)
			return false;
		while (repeat-- > 0)
			lengths[have++] = length;
	}
	*literals = (struct code){ .count = literal_count };
	*distances = (struct code){ .count = distance_count };
	memcpy(literals->lengths, lengths, literal_count * sizeof *lengths);
	memcpy(distances->lengths, lengths + literal_count, distance_count * sizeof *lengths);
	arrange(literals);
	arrange(distances);
	if (literals->lengths[256] == 0)
		return false;
	return measure(literals) <= CODE_ONE_BIT && measure(distances) <= CODE_EMPTY;
}

static void fixed_codes(struct code *literals, struct code *distances)
{
	*literals = (struct code){ .count = 288 };
	*distances = (struct code){ .count = 32 };
	for (uint32_t i = 0; i < 288; i++)
		literals->lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	for (uint32_t i = 0; i < 32; i++)
		distances->lengths[i] = 5;
	arrange(literals);
	arrange(distances);
}

static enum verdict put(struct oracle *oracle, uint8_t byte)
{
	if (oracle->size == ORACLE_OUTPUT_MAX)
		return VERDICT_LONG;
	oracle->bytes[oracle->history + oracle->size++] = byte;
	return VERDICT_FINE;
}

/* §3.2.5: lengths and distances with their extra bits, computed rather than listed. */
static enum verdict copy(struct oracle *oracle, struct bits *bits, uint32_t symbol, const struct code *distances)
{
	uint32_t step = symbol - 257, extra = step < 8 || step == 28 ? 0 : step / 4 - 1;
	uint32_t length = step == 28 ? 258 : step < 8 ? step + 3 : ((4 + step % 4) << extra) + 3;
	uint32_t distance;
	int coded;

	length += take_bits(bits, extra);
	coded = take_symbol(bits, distances);
	if (coded < 0 || coded >= DISTANCES)
		return VERDICT_CORRUPT;
	extra = coded < 4 ? 0 : (uint32_t)coded / 2 - 1;
	distance = (coded < 4 ? (uint32_t)coded : (2 + (uint32_t)coded % 2) << extra) + 1;
	distance += take_bits(bits, extra);
	if (bits->has_run_out || distance > oracle->history + oracle->size)
		return VERDICT_CORRUPT;
	if (distance > oracle->farthest)
		oracle->farthest = distance;
	for (uint32_t i = 0; i < length; i++) {
		enum verdict verdict = put(oracle, oracle->bytes[oracle->history + oracle->size - distance]);
		if (verdict != VERDICT_FINE)
			return verdict;
	}
	return VERDICT_FINE;
}

static enum verdict inflate_coded(struct oracle *oracle, struct bits *bits, const struct code *literals,
				  const struct code *distances)
{
	for (;;) {
		int symbol = take_symbol(bits, literals);
		enum verdict verdict;

		if (symbol < 0 || symbol >= LITERALS)
			return VERDICT_CORRUPT;
		if (symbol == 256)
			return VERDICT_FINE;
		verdict = symbol < 256 ? put(oracle, (uint8_t)symbol) : copy(oracle, bits, (uint32_t)symbol, distances);
		if (verdict != VERDICT_FINE)
			return verdict;
	}
}

static enum verdict inflate_stored(struct oracle *oracle, struct bits *bits)
{
	uint32_t length, complement;

	bits->position = (bits->position + 7) / 8 * 8;
	length = take_bits(bits, 16);
	complement = take_bits(bits, 16);
	if (bits->has_run_out || length != (complement ^ 0xffff))
		return VERDICT_CORRUPT;
	for (; length > 0; length--) {
		uint8_t byte = (uint8_t)take_bits(bits, 8);
		enum verdict verdict = bits->has_run_out ? VERDICT_CORRUPT : put(oracle, byte);
		if (verdict != VERDICT_FINE)
			return verdict;
	}
	return VERDICT_FINE;
}

enum verdict oracle_inflate(struct oracle *oracle, const uint8_t *data, size_t bytes, uint32_t finals_max)
{
	struct bits bits = { .data = data, .bytes = bytes };

	oracle->size = oracle->farthest = oracle->finals = 0;
	for (;;) {
		bool is_final = take_bits(&bits, 1);
		uint32_t kind = take_bits(&bits, 2);
		struct code literals, distances;
		enum verdict verdict;

		if (bits.has_run_out || kind == 3)
			return VERDICT_CORRUPT;
		if (kind == 0) {
			verdict = inflate_stored(oracle, &bits);
		} else {
			if (kind == 1)
				fixed_codes(&literals, &distances);
			else if (!read_codes(&bits, &literals, &distances))
				return VERDICT_CORRUPT;
			verdict = inflate_coded(oracle, &bits, &literals, &distances);
		}
		if (verdict != VERDICT_FINE)
			return verdict;
		if (is_final) {
			/* Another stream may follow, at the next byte; if nothing does, the tail means nothing. */
			bits.position = (bits.position + 7) / 8 * 8;
			if (++oracle->finals > finals_max)
				return VERDICT_CORRUPT;
			if (bits.position >= bytes * 8)
				return VERDICT_FINE;
		} else if (bits.position == bits_end(&bits)) {
			return VERDICT_FINE;
		}
	}
}

void oracle_keep(struct oracle *oracle)
{
	uint32_t all = oracle->history + oracle->size, kept = all < ORACLE_WINDOW ? all : ORACLE_WINDOW;

	memmove(oracle->bytes, oracle->bytes + all - kept, kept);
	oracle->history = kept;
	oracle->size = 0;
}

void oracle_forget(struct oracle *oracle)
{
	oracle->history = oracle->size = 0;
}
