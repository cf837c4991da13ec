/*
 * Calls with bad arguments, calls from a thread that owns nothing, records of garbage: refused, and nobody else disturbed.
 */
#include "abi_session.h"

#include <errno.h>
#include <pthread.h>

struct foreign_call {
	uint32_t id;
	int32_t result;
};

static void *call_from_elsewhere(void *pointer)
{
	struct foreign_call *call = pointer;

	call->result = rw_turn(call->id, 0, RW_TURN_RECYCLE, 0);
	return NULL;
}

static int32_t call_utf8(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_utf8(id, a, b);
}

static int32_t call_unmask_nothing(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_unmask(id, a, b, 0);
}

static int32_t call_turn_with(uint32_t id, uint32_t a, uint32_t b)
{
	return rw_turn(id, 0, a, (int32_t)b);
}

static int32_t call_turn_count(uint32_t id, uint32_t a, uint32_t b)
{
	(void)b;
	return rw_turn(id, a, 0, 0);
}

void do_bad_call(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input);
	uint32_t a = input_u32(&session->input), b = input_u32(&session->input);
	bool is_inside = a >= RW_CONTROL_BYTES && a <= model->block.size && b <= model->block.size - a;
	struct foreign_call call = { .id = model->id };
	pthread_t thread;

	switch (choice % 10) {
	case 0: /* a key of zeros: checks the range, changes nothing */
		REQUIRE((model_call(model, call_unmask_nothing, a, b) == 0) == is_inside, "rw_unmask %u+%u", a, b);
		break;
	case 1:
		REQUIRE((model_call(model, call_utf8, a, b) != -EINVAL) == is_inside, "rw_utf8 %u+%u", a, b);
		break;
	case 2:
		if (a <= (RW_TURN_RECYCLE | RW_TURN_PARK))
			break;
		REQUIRE(model_call(model, call_turn_with, a, 0) == -EINVAL, "rw_turn takes flags %u", a);
		break;
	case 3:
		if (a > model->layout.commands)
			REQUIRE(model_call(model, call_turn_count, a, 0) == -EINVAL, "rw_turn takes %u commands", a);
		break;
	case 4:
		if ((int32_t)b < -1)
			REQUIRE(model_call(model, call_turn_with, 0, b) == -EINVAL, "rw_turn waits %d", (int32_t)b);
		break;
	case 5:
		if (a == session->models[0].id || a == session->models[1].id)
			break;
		REQUIRE(rw_turn(a, 0, 0, 0) == -EINVAL && rw_listen(a) == -EINVAL && rw_connect(a) == -EINVAL &&
			rw_unlisten(a, b) == -EINVAL && rw_address(a, b, 0) == -EINVAL && rw_wake_open(a, 0) == -EINVAL &&
			rw_wake_accept(a) == -EINVAL && rw_unmask(a, b, 0, 0) == -EINVAL && rw_copy(a) == -EINVAL && rw_utf8(a, b, 0) == -EINVAL &&
			rw_ring_close(a) == -EINVAL, "ring %u is none", a);
		break;
	case 6:
		if (choice < 128)
			break; /* a thread costs the time of three inputs */
		REQUIRE(pthread_create(&thread, NULL, call_from_elsewhere, &call) == 0, "no thread");
		pthread_join(thread, NULL);
		REQUIRE(call.result == -EXDEV, "a turn from another thread: %d", call.result);
		break;
	case 7:
		model_call(model, call_address, a, b % 4);
		break;
	case 8: {
		struct slot *slot = model_pick(model, SLOT_OPEN, a);
		int32_t result = slot ? model_call(model, call_address, slot->handle, b) : 0;
		REQUIRE(!slot || b <= RW_ADDRESS_PEER || result == -EINVAL || result == -EBADF, "rw_address takes %u", b);
		REQUIRE(result <= (int32_t)RW_TEXT_MAX_BYTES, "rw_address: %d", result);
		break;
	}
	default: {
		struct slot *slot = model_pick(model, SLOT_OPEN, a);
		if (slot)
			model_unlisten(model, slot);
		break;
	}
	}
}

/* A record that nobody should write. None of them may reach the stream of a connection. */
void do_garbage(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input);
	uint32_t op = choice & 1 ? input_u8(&session->input) % 8 : input_u32(&session->input);
	struct slot *slot = model_pick(model, choice & 2 ? SLOT_LISTENING : SLOT_OPEN, choice >> 2);
	uint32_t handle = slot && !(choice & 128) ? slot->handle : input_u32(&session->input);
	uint32_t a = input_u32(&session->input), b = input_u32(&session->input);

	/* A handle of the connection that had this slot before: sound commands, for nobody. */
	if (choice & 32 && handle == (slot ? slot->handle : 0)) {
		model_command(model, 1 + op % 5, handle ^ 1u << (RW_HANDLE_SLOT_BITS + a % 12), b % 2 ? model->block.send.offset : a % 2,
			      b % 128);
		return;
	}
	if (choice & 64)
		a = model->block.send.offset + a % 256;
	if (op == RW_COMMAND_SEND && a >= model->block.send.offset && b > 0)
		b = UINT32_MAX - b % 4096;
	model_command(model, op, handle, a, b);
}
