/*
 * A ring under observation: every call goes through here, and what the shim answers is held against a ledger of what
 * it may answer.
 */
#ifndef RINGWIRE_FUZZ_MODEL_H
#define RINGWIRE_FUZZ_MODEL_H

#include "watched_block.h"
#include "stream.h"

#define SLOTS_MAX 32u
#define EVENTS_MAX 128u

enum slot_state { SLOT_FREE, SLOT_CONNECTING, SLOT_OPEN, SLOT_LISTENING };

struct slot {
	enum slot_state state;
	uint32_t handle;
	uint32_t tag;             /* the listener's: whatever the target wants to remember of it */
	bool is_tls;
	bool has_ended;           /* ENDED was told */
	bool is_close_asked, is_abort_asked, is_end_asked;
	bool is_gone;             /* the table of queued bytes said so */
	bool is_queued_told;      /* QUEUED came in this turn … */
	uint32_t told_queued;     /* … with this number */
	uint8_t stream;           /* what it sends, 0: nothing yet */
	struct reader reader;
};

struct model {
	struct block block;
	struct layout layout;
	uint32_t id;
	int32_t broken;           /* what turns answer for good */
	bool may_fail;            /* failures were injected: errors are no surprise */
	bool is_wake_open;
	uint32_t command_count, send_used;
	uint32_t event_count;     /* told and looked at */
	struct slot slots[SLOTS_MAX];
	struct range told[EVENTS_MAX];  /* received bytes in the caller's hands */
	uint32_t told_count;
	void (*accepted)(struct model *model, struct slot *slot, struct slot *listener);
};

/* Returns the ring's id or -errno; then there is nothing to close. */
int32_t model_open(struct model *model, const struct layout *layout, bool is_at_end);
void model_close(struct model *model);
/* The ring is gone without rw_ring_close (its thread ended): only the block is left. */
void model_abandon(struct model *model);

/* A turn; handles the events it brings, those of a turn with an error too. */
void model_turn(struct model *model, uint32_t flags, int32_t wait_us);
bool model_has_room(const struct model *model);
void model_command(struct model *model, uint32_t op, uint32_t handle, uint32_t a, uint32_t b);
/* Records a SEND of the next bytes of the slot's stream, if there is room in the arena. */
void model_send(struct model *model, struct slot *slot, uint32_t bytes);

/* The endpoint stands in the block already. */
int32_t model_listen(struct model *model, uint32_t tag);
int32_t model_connect(struct model *model);
int32_t model_unlisten(struct model *model, struct slot *slot);
/* Runs any other call, and looks at the block around it. `call` gets the ring's id. */
int32_t model_call(struct model *model, int32_t (*call)(uint32_t id, uint32_t a, uint32_t b), uint32_t a, uint32_t b);

/* The n-th slot in use of this kind, counted around; NULL when there is none. SLOT_OPEN also counts connecting ones. */
struct slot *model_pick(struct model *model, enum slot_state state, uint32_t n);
uint32_t model_count(const struct model *model, enum slot_state state);

#endif
