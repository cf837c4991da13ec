/*
 * Bytes that say where they belong. See stream.h.
 */
#include "stream.h"

static struct stream streams[STREAMS_MAX + 1];
static uint32_t stream_count;

void streams_clear(void)
{
	stream_count = 0;
}

uint8_t stream_new(bool is_peers)
{
	if (stream_count == STREAMS_MAX)
		return 0;
	streams[++stream_count] = (struct stream){ .is_peers = is_peers };
	return (uint8_t)stream_count;
}

struct stream *stream_at(uint8_t number)
{
	REQUIRE(number >= 1 && number <= stream_count, "stream %u of %u", number, stream_count);
	return &streams[number];
}

static uint8_t byte_at(uint8_t number, uint64_t position)
{
	uint64_t mixed;

	if (position == 0)
		return number;
	mixed = (position ^ (uint64_t)number << 40) * 0x9e3779b97f4a7c15ull;
	return (uint8_t)(mixed >> 47);
}

void stream_fill(uint8_t number, uint64_t position, uint8_t *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = byte_at(number, position + i);
}

void stream_read(struct reader *reader, const uint8_t *data, size_t bytes, const char *who)
{
	if (bytes == 0)
		return;
	if (reader->number == 0) {
		reader->number = data[0];
		REQUIRE(data[0] >= 1 && data[0] <= stream_count, "%s: a stream begins with %u, there are %u", who, data[0],
			stream_count);
	}
	REQUIRE(reader->position + bytes <= streams[reader->number].sent,
		"%s: stream %u has %llu bytes and %zu more, only %llu were sent", who, reader->number,
		(unsigned long long)reader->position, bytes, (unsigned long long)streams[reader->number].sent);
	for (size_t i = 0; i < bytes; i++) {
		uint8_t expected = byte_at(reader->number, reader->position + i);
		REQUIRE(data[i] == expected, "%s: stream %u, byte %llu is %02x, not %02x", who, reader->number,
			(unsigned long long)(reader->position + i), data[i], expected);
	}
	reader->position += bytes;
}
