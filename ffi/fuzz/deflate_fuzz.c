/*
 * Fuzz target: codecs. The input is a program: codecs are opened, messages of all kinds are deflated and inflated, right
 * ones and corrupt ones, into rooms of all sizes; an inflater written by the book (oracle.h) says what must come of it.
 */
#include "faults.h"
#include "oracle.h"
#include "ringwire.h"

#include <errno.h>

#define CODECS 4
#define MESSAGE_MAX 70000u
#define OPERATIONS_MAX 60
/* inflate.c: as many final blocks may be in one message. */
#define FINALS_MAX 16u
/* inflate.c: up to here a message that stands alone is libdeflate's, which is more patient with odd codes. */
#define PATIENT_MAX_BYTES 16384u

struct codec_model {
	int32_t handle;
	bool is_deflate, is_fresh, is_broken;
	uint32_t window_bits;
	struct oracle *oracle;     /* as its receiver, or beside it */
};

struct session {
	struct input input;
	struct codec_model codecs[CODECS];
	uint8_t *message;          /* the last that was deflated */
	uint32_t message_bytes;
	bool may_fail;
};

static struct oracle oracles[CODECS];

static int32_t failing(struct session *session, int32_t result)
{
	if (faults_stop() > 0)
		session->may_fail = true;
	return result;
}

/* ── opening and closing ── */

static void do_open(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	uint32_t at = choice % CODECS;
	struct codec_model *codec = &session->codecs[at];
	uint32_t window = choice & 128 ? input_u32(&session->input) : 8u + input_u8(&session->input) % 8u;
	uint32_t level = input_u8(&session->input) % 11, memory = input_u8(&session->input) % 11;
	bool is_right = window >= 8 && window <= 15;
	int32_t handle;

	if (codec->handle > 0) {
		REQUIRE(rw_codec_close(codec->handle) == 0, "rw_codec_close");
		REQUIRE(rw_codec_close(codec->handle) == -EINVAL, "a codec is closed twice");
		REQUIRE(rw_codec_bytes(codec->handle) == -EINVAL, "a closed codec has a size");
	}
	faults_resume();
	if (choice & 64) {
		handle = failing(session, rw_deflate_open(window, level, memory));
		is_right = is_right && level >= 1 && level <= 9 && memory >= 1 && memory <= 9;
	} else {
		handle = failing(session, rw_inflate_open(window));
	}
	*codec = (struct codec_model){ .handle = handle > 0 ? handle : 0, .is_deflate = choice & 64,
				       .is_fresh = choice & 32, .window_bits = window, .oracle = &oracles[at] };
	oracle_forget(codec->oracle);
	REQUIRE(is_right ? handle > 0 || (session->may_fail && handle == -ENOMEM) : handle == -EINVAL, "opening gives %d", handle);
}

/* A codec of this kind, opened when there is none. */
static struct codec_model *pick(struct session *session, bool is_deflate, uint8_t choice)
{
	for (uint32_t i = 0; i < CODECS; i++) {
		struct codec_model *codec = &session->codecs[(choice + i) % CODECS];
		if (codec->handle > 0 && codec->is_deflate == is_deflate && !codec->is_broken)
			return codec;
	}
	return NULL;
}

/* ── inflating ── */

/* Gives a message to an inflater, in rooms of the sizes that the input names, and compares with the oracle. */
static void inflate_and_compare(struct session *session, struct codec_model *codec, const uint8_t *data, uint32_t bytes)
{
	struct oracle *oracle = codec->oracle;
	uint32_t flags = codec->is_fresh ? RW_CODEC_FRESH : 0, have = 0, rounds = 0;
	uint8_t offset = input_u8(&session->input) % 8;
	enum verdict verdict = oracle_inflate(oracle, data, bytes, FINALS_MAX);
	bool is_patient = codec->is_fresh && bytes <= PATIENT_MAX_BYTES;
	bool is_far = oracle->farthest > 1u << codec->window_bits;
	const uint8_t *expected = oracle_output(oracle);
	/* Exactly as large as said: AddressSanitizer watches both ends. */
	uint8_t *in = malloc(bytes + offset + 1u);
	int32_t result;

	memcpy(in + offset, data, bytes);
	for (;; rounds++) {
		uint8_t choice = input_u8(&session->input);
		uint32_t room = rounds > 40 || choice > 200 ? ORACLE_OUTPUT_MAX
			      : choice > 150 && oracle->size >= have ? oracle->size - have + choice % 3 /* to the byte, or not */
								     : choice;
		uint8_t *out = malloc(room + offset + 1u);
		uint32_t put;

		if (choice == 151 && room > 0)
			room--;
		faults_resume();
		result = failing(session, rw_inflate((uint32_t)codec->handle, in, offset, bytes, out, offset, room, flags));
		put = result >= 0 ? (uint32_t)result : result == -ENOBUFS ? room : 0;
		REQUIRE(put <= room, "%u bytes in a room of %u", put, room);
		/* What libdeflate takes and the book does not is nobody's to compare. */
		if (verdict != VERDICT_CORRUPT || !is_patient) {
			REQUIRE(have + put <= oracle->size, "%u bytes and %u more, there are %u", have, put, oracle->size);
			REQUIRE(memcmp(out + offset, expected + have, put) == 0, "wrong bytes behind %u", have);
		}
		have += put;
		free(out);
		if (result != -ENOBUFS || have >= ORACLE_OUTPUT_MAX)
			break;
		/* A message that has begun: nothing but going on, or, where nothing is lost by it, another one. */
		if (!codec->is_fresh && choice & 1)
			REQUIRE(rw_inflate((uint32_t)codec->handle, in, offset, bytes, in, 0, 0, 0) == -EINVAL,
				"a message is left in the middle");
		if (choice & 2 && bytes > 0)
			REQUIRE(rw_inflate((uint32_t)codec->handle, in, offset, bytes - 1, in, 0, 0, flags | RW_CODEC_MORE) ==
				-EINVAL, "a message goes on with other bytes");
		flags |= RW_CODEC_MORE;
	}
	free(in);
	if (result == -ENOMEM) {
		REQUIRE(session->may_fail, "rw_inflate: no memory");
		codec->is_broken = !codec->is_fresh;
		return;
	}
	if (verdict == VERDICT_LONG || have >= ORACLE_OUTPUT_MAX) {
		codec->is_broken = true; /* left in the middle */
		return;
	}
	if (verdict == VERDICT_FINE && !(is_far && result == -EILSEQ))
		REQUIRE(result >= 0 && have == oracle->size, "rw_inflate: %d after %u bytes, there are %u", result, have,
			oracle->size);
	if (verdict == VERDICT_CORRUPT && !is_patient)
		REQUIRE(result == -EILSEQ, "a corrupt message gives %d", result);
	REQUIRE(result >= 0 || result == -EILSEQ, "rw_inflate: %d", result);
	if (codec->is_fresh) {
		oracle_forget(oracle);
	} else if (result >= 0) {
		oracle_keep(oracle);
	} else {
		codec->is_broken = true;
		REQUIRE(rw_inflate((uint32_t)codec->handle, data, 0, bytes, oracle->bytes, 0, 100, 0) == -EILSEQ,
			"a codec goes on behind corrupt bytes");
	}
}

static void do_inflate_raw(struct session *session)
{
	static uint8_t data[4096];
	uint8_t choice = input_u8(&session->input);
	struct codec_model *codec = pick(session, false, choice);
	uint32_t bytes = choice & 64 ? input_u16(&session->input) % sizeof data : input_u8(&session->input);

	if (!codec)
		return;
	if (bytes > input_left(&session->input))
		bytes = (uint32_t)input_left(&session->input);
	input_bytes(&session->input, data, bytes);
	inflate_and_compare(session, codec, data, bytes);
}

/* The last deflated message, with some bytes changed, cut off or put behind. */
static void do_inflate_made(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	struct codec_model *codec = pick(session, false, choice);
	uint32_t bytes = session->message_bytes;
	uint8_t *data;

	if (!codec || !session->message)
		return;
	data = malloc(bytes + 16);
	memcpy(data, session->message, bytes);
	if (choice & 4)
		data[input_u16(&session->input) % bytes] ^= (uint8_t)(1u << input_u8(&session->input) % 8);
	if (choice & 8)
		bytes -= input_u16(&session->input) % bytes;
	if (choice & 16) {
		input_bytes(&session->input, data + bytes, 4);
		bytes += 4;
	}
	inflate_and_compare(session, codec, data, bytes);
	free(data);
}

/* ── deflating ── */

/* Bytes that compress in all kinds of ways: repeats of earlier ones at all distances, runs, noise. */
static uint32_t make_content(struct session *session, uint8_t *out)
{
	uint32_t bytes = 0, noise = input_u32(&session->input) | 1;

	for (uint8_t pieces = input_u8(&session->input) % 24 + 1; pieces > 0; pieces--) {
		uint8_t choice = input_u8(&session->input);
		uint32_t length = choice & 64 ? input_u16(&session->input) : choice & 63;
		uint32_t distance = input_u16(&session->input);

		if (length > MESSAGE_MAX - bytes)
			length = MESSAGE_MAX - bytes;
		for (uint32_t i = 0; i < length; i++, bytes++) {
			noise = noise * 1664525u + 1013904223u;
			out[bytes] = choice >> 7 && distance > 0 && distance <= bytes ? out[bytes - distance]
				   : choice & 1 ? (uint8_t)(noise >> 24) : (uint8_t)('0' + (noise >> 28));
		}
	}
	return bytes;
}

static void do_deflate(struct session *session)
{
	static uint8_t content[MESSAGE_MAX];
	uint8_t choice = input_u8(&session->input), offset = choice >> 5;
	struct codec_model *codec = pick(session, true, choice);
	uint32_t bytes, flags, room;
	uint8_t *in, *out;
	int32_t result;

	if (!codec)
		return;
	bytes = make_content(session, content);
	if (bytes == 0)
		content[bytes++] = 'x';
	flags = codec->is_fresh ? RW_CODEC_FRESH : 0u;
	room = RW_DEFLATE_BOUND(bytes);
	in = malloc(bytes + offset);
	out = malloc(room + offset);
	memcpy(in + offset, content, bytes);
	REQUIRE(rw_deflate((uint32_t)codec->handle, in, offset, bytes, out, offset, room - 1, flags) == -ENOBUFS, "too little room");
	faults_resume();
	result = failing(session, rw_deflate((uint32_t)codec->handle, in, offset, bytes, out, offset, room, flags));
	if (result == -ENOMEM && session->may_fail)
		goto out;
	REQUIRE(result > 0 && (uint32_t)result <= room, "rw_deflate of %u bytes: %d", bytes, result);
	/* No final blocks: there are receivers that lose every message behind one. */
	REQUIRE(oracle_inflate(codec->oracle, out + offset, (uint32_t)result, 0) == VERDICT_FINE, "not DEFLATE");
	REQUIRE(codec->oracle->size == bytes && memcmp(oracle_output(codec->oracle), content, bytes) == 0,
		"another message comes back: %u bytes of %u", codec->oracle->size, bytes);
	REQUIRE(codec->oracle->farthest <= 1u << codec->window_bits, "a distance of %u in a window of %u bits",
		codec->oracle->farthest, codec->window_bits);
	if (codec->is_fresh)
		oracle_forget(codec->oracle);
	else
		oracle_keep(codec->oracle);
	free(session->message);
	session->message = malloc((uint32_t)result);
	session->message_bytes = (uint32_t)result;
	memcpy(session->message, out + offset, (uint32_t)result);
out:
	free(in);
	free(out);
}

/* ── bad calls ── */

static void do_bad_call(struct session *session)
{
	uint8_t choice = input_u8(&session->input), small[64] = { 0 };
	uint32_t handle = input_u32(&session->input), flags = input_u32(&session->input);
	struct codec_model *codec = &session->codecs[choice % CODECS];

	if (choice & 64 && codec->handle > 0) {
		bool is_open = true;
		handle = (uint32_t)codec->handle ^ (choice & 32 ? 1u << flags % 32 : 0);
		is_open = handle == (uint32_t)codec->handle;
		if (is_open && codec->is_deflate) {
			REQUIRE(rw_inflate(handle, small, 0, 8, small, 32, 32, 0) == -EINVAL, "a deflater inflates");
			REQUIRE(flags <= 3 || rw_deflate(handle, small, 0, 8, small, 32, 32, flags) == -EINVAL, "flags %u", flags);
			REQUIRE(rw_deflate(handle, NULL, 0, 8, small, 32, 32, 0) == -EINVAL, "no input");
			REQUIRE(rw_deflate(handle, small, 0, 0, small, 32, 32, 0) == -EINVAL, "no bytes");
			REQUIRE(rw_deflate(handle, small, 0, UINT32_MAX - flags % 1000, small, 32, 32, 0) == -EINVAL, "too long");
		} else if (is_open) {
			REQUIRE(rw_deflate(handle, small, 0, 8, small, 32, 32, 0) == -EINVAL, "an inflater deflates");
			REQUIRE(flags <= 3 || rw_inflate(handle, small, 0, 8, small, 32, 32, flags) == -EINVAL, "flags %u", flags);
			REQUIRE(rw_inflate(handle, small, 0, 8, NULL, 32, 32, 0) == -EINVAL, "no room");
			REQUIRE(rw_inflate(handle, small, 0, UINT32_MAX - flags % 1000, small, 32, 32, 0) == -EINVAL, "too long");
			REQUIRE(rw_inflate(handle, small, 0, 8, small, 32, 32, RW_CODEC_MORE) == -EINVAL, "nothing is left to inflate");
		}
		if (is_open)
			return;
	}
	for (uint32_t i = 0; i < CODECS; i++)
		if ((uint32_t)session->codecs[i].handle == handle)
			return;
	REQUIRE(rw_codec_close(handle) == -EINVAL && rw_codec_bytes(handle) == -EINVAL &&
		rw_deflate(handle, small, 0, 8, small, 32, 32, flags) == -EINVAL &&
		rw_inflate(handle, small, 0, 8, small, 32, 32, flags) == -EINVAL, "codec %u is none", handle);
}

static void step(struct session *session)
{
	uint8_t choice = input_u8(&session->input);

	switch (choice % 8) {
	case 0:
	case 1:
		do_open(session);
		break;
	case 2:
	case 3:
		do_deflate(session);
		break;
	case 4:
	case 5:
		do_inflate_raw(session);
		break;
	case 6:
		do_inflate_made(session);
		break;
	default:
		if (choice & 128)
			faults_of_memory(choice >> 3 & 7, input_u8(&session->input) % 4 + 1);
		else
			do_bad_call(session);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = { .input = { data, data + size } };
	uint8_t how = input_u8(&session.input);

	faults_clear();
	/* One of each to begin with, so that most inputs get to the messages. */
	session.codecs[0] = (struct codec_model){ .handle = rw_inflate_open(15), .is_fresh = how & 1, .window_bits = 15,
						  .oracle = &oracles[0] };
	session.codecs[1] = (struct codec_model){ .handle = rw_deflate_open(8 + (how >> 1) % 8, 1 + (how >> 4) % 9, 8),
						  .is_deflate = true, .is_fresh = how & 1, .window_bits = 8 + (how >> 1) % 8,
						  .oracle = &oracles[1] };
	oracle_forget(&oracles[0]);
	oracle_forget(&oracles[1]);
	for (int i = 0; i < OPERATIONS_MAX && input_left(&session.input) > 0; i++)
		step(&session);
	faults_clear();
	for (uint32_t i = 0; i < CODECS; i++)
		if (session.codecs[i].handle > 0)
			REQUIRE(rw_codec_close(session.codecs[i].handle) == 0, "rw_codec_close");
	free(session.message);
	return 0;
}
