/*
 * Fuzz target: the ABI as a whole. The input is a program: calls of the shim with good and bad arguments, on up to two
 * rings, mixed with what peers do on real sockets and with failures of memory and of the kernel. Every answer is held
 * against a ledger (model.h), every byte against the stream it belongs to (stream.h), and at the end nothing is left:
 * each connection closed exactly once, no descriptor, no file, no memory.
 */
#include "abi_session.h"
#include "faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static struct model *pick_model(struct session *session, uint8_t choice)
{
	uint32_t which = choice >> 7;

	return session->is_open[which] ? &session->models[which] : session->is_open[0] ? &session->models[0] : NULL;
}

static void do_fault(struct session *session)
{
	static const int errors[] = { EINTR, EBUSY, EAGAIN, ENOMEM, EINTR, EBUSY, EAGAIN, EBADF };
	uint8_t choice = input_u8(&session->input), count = input_u8(&session->input);

	session->has_failed = true;
	if (choice & 1)
		faults_of_submission(errors[choice >> 1 & 7], count & 128 ? 200u : count % 16u);
	else if (choice & 2)
		faults_of_memory(choice >> 2 & 7, count % 8u + 1);
	else
		session->is_short_of_files = !session->is_short_of_files;
}

static uint32_t choose_bytes(struct input *input)
{
	static const uint32_t sizes[] = { 1, 2, 125, 1024, 4095, 4096, 4097, 8192, 16384, 32768, 60000 };
	uint8_t choice = input_u8(input);

	return choice < 11 ? sizes[choice] : choice < 200 ? choice : (uint32_t)choice * 97;
}

static void do_command(struct session *session, struct model *model)
{
	uint8_t choice = input_u8(&session->input), which = choice & 7;
	struct slot *slot = model_pick(model, SLOT_OPEN, choice >> 3);

	if (!slot)
		return;
	if (which < 4)
		model_send(model, slot, choose_bytes(&session->input));
	else
		model_command(model, (uint32_t[]){ RW_COMMAND_END, RW_COMMAND_PAUSE, RW_COMMAND_RESUME, RW_COMMAND_CLOSE }[which - 4],
			      slot->handle, which == 7 ? choice >> 3 & 1 : 0, 0);
}

static void do_peer(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	struct peer *peer = peer_pick(choice >> 3);
	int bytes = 2304;

	if (!peer)
		return;
	switch (choice & 7) {
	case 0:
	case 1:
	case 2:
		peer_send(peer, choose_bytes(&session->input));
		break;
	case 3:
		peer_receive(peer, choose_bytes(&session->input));
		break;
	case 4:
		peer_shut(peer);
		break;
	case 5:
		peer_close(peer, input_u8(&session->input) & 1);
		break;
	case 6:
		setsockopt(peer->fd, SOL_SOCKET, input_u8(&session->input) & 1 ? SO_RCVBUF : SO_SNDBUF, &bytes, sizeof bytes);
		break;
	default: /* many small pieces */
		for (uint32_t i = input_u8(&session->input) % 64; i > 0; i--)
			peer_send(peer, i);
		break;
	}
}

static void do_peer_connect(struct session *session, uint8_t how)
{
	const struct address *address;
	struct peer *peer;

	if (session->address_count == 0)
		return;
	address = &session->addresses[input_u8(&session->input) % session->address_count];
	peer = peer_connect(address);
	if (!peer || !address->is_tls)
		return;
	peer->is_wild = how == 3;
	if (!peer->is_wild)
		peer_secure(peer, false);
}

static void do_peer_accept(struct session *session, uint8_t how)
{
	bool is_tls = how >= 2 && session->listeners[OWN_TLS] >= 0;
	int listener = session->listeners[is_tls ? OWN_TLS : how & 1];
	struct peer *peer = listener >= 0 ? peer_accept(listener) : NULL;

	if (!peer || !is_tls)
		return;
	peer->is_wild = how == 3;
	if (!peer->is_wild)
		peer_secure(peer, true);
}

static void step(struct session *session)
{
	uint8_t choice = input_u8(&session->input);
	struct model *model = pick_model(session, choice);
	struct slot *listener;

	if (!model)
		return;
	switch (choice % 32) {
	case 0:
		do_listen(session, model);
		break;
	case 1:
		do_connect(session, model);
		break;
	case 2:
	case 3:
	case 4:
		do_peer_connect(session, choice >> 5 & 3);
		break;
	case 5:
	case 6:
		do_peer_accept(session, choice >> 5 & 3);
		break;
	case 7:
		listener = model_pick(model, SLOT_LISTENING, input_u8(&session->input));
		if (listener)
			model_unlisten(model, listener);
		break;
	case 8:
		do_wake_open(session, model);
		break;
	case 9:
		do_park(session, model);
		break;
	case 10:
		do_bad_call(session, model);
		break;
	case 11:
		do_garbage(session, model);
		break;
	case 12:
		do_fault(session);
		break;
	case 13:
		do_wild_endpoint(session, model);
		break;
	case 14:
		peers_receive_all();
		break;
	case 15:
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
		do_turn(session, model);
		break;
	case 21:
	case 22:
	case 23:
	case 24:
	case 25:
	case 26:
		do_peer(session);
		break;
	default:
		do_command(session, model);
		break;
	}
}

static void choose_layout(struct input *input, struct layout *layout)
{
	uint8_t choice = input_u8(input), more = input_u8(input);
	static const uint32_t queues[] = { 0, 100, 5000, 70000, 1u << 20, 1u << 20, 1u << 20, UINT32_MAX - 1 };

	*layout = (struct layout){
		.commands = choice & 1 ? 16 : 64,
		.events = choice & 2 ? 16 : 64,
		.buffer_bytes = choice & 4 ? 4096 : 16384,
		.buffers = choice & 8 ? 2 : 8,
		.send_bytes = choice & 16 ? 5000 : 65536,
		.connections = choice & 32 ? 3 : 16,
		.max_queued = queues[more & 7],
		.max_queued_total_kib = more & 8 ? 40 : 1u << 20,
		.entries = choice & 64 ? 8 : 32,
		.plain_bytes = more & 16 ? 0 : more & 32 ? 65536 : 262144,
		.disabled = choice & 128 ? input_u8(input) : 0,
	};
	/* A bit that is no feature, so that inputs from before stamps say what they said. */
	layout->wanted = layout->disabled & 32 ? RW_FEATURE_RECEIVE_STAMPS : 0;
}

/* Closes everything with commands: each connection tells CLOSED, then nothing is left. */
static void end_in_order(struct session *session, struct model *model)
{
	for (struct slot *listener; (listener = model_pick(model, SLOT_LISTENING, 0));)
		model_unlisten(model, listener);
	for (uint32_t round = 0; round < ROUNDS_MAX && !model->broken; round++) {
		bool is_patient = session->end == END_IN_ORDER && round < 40;
		uint32_t count = model_count(model, SLOT_OPEN);

		if (count == 0 && round > 0)
			break;
		turn(model); /* takes the records that were left */
		for (uint32_t n = 0; n < model_count(model, SLOT_OPEN); n++) {
			struct slot *slot = model_pick(model, SLOT_OPEN, n);
			if (is_patient ? !slot->is_close_asked : !slot->is_abort_asked)
				model_command(model, RW_COMMAND_CLOSE, slot->handle, is_patient ? RW_CLOSE_FLUSH : RW_CLOSE_ABORT, 0);
		}
		turn(model);
		model_turn(model, RW_TURN_RECYCLE, round > 3 ? 200 : 0);
		/* The other ring may hold the other end. */
		for (uint32_t i = 0; i < RINGS; i++)
			if (session->is_open[i] && &session->models[i] != model)
				turn(&session->models[i]);
		for (uint8_t i = 0; i < OWN; i++)
			do_peer_accept(session, i);
		peers_receive_all();
	}
	if (model->broken)
		return;
	REQUIRE(model_count(model, SLOT_OPEN) == 0, "connections never told CLOSED");
	REQUIRE(block_control(&model->block)[RW_FIELD_STAT_CONNECTIONS] == 0, "%u connections are counted, none is there",
		block_control(&model->block)[RW_FIELD_STAT_CONNECTIONS]);
}

static void play(struct session *session)
{
	uint8_t how = input_u8(&session->input);

	session->end = (enum end[]){ END_IN_ORDER, END_IN_ORDER, END_ABORT, END_RING_CLOSE }[how & 3];
	if ((how & 0x1c) == 0x1c)
		session->end = END_THREAD;
	for (uint32_t i = 0; i < RINGS; i++) {
		struct layout layout;
		if (i > 0 && !(how & 32))
			break;
		if (how & 64 && i == 0)
			do_fault(session);
		choose_layout(&session->input, &layout);
		session->is_tls_old = layout.plain_bytes == 65536;
		session->is_open[i] = model_open(&session->models[i], &layout, how >> 7) > 0;
	}
	for (int i = 0; i < OPERATIONS_MAX && input_left(&session->input) > 0; i++)
		step(session);
	free_files(session);
	faults_clear();
	if (session->end == END_THREAD)
		return;
	for (uint32_t i = 0; i < RINGS; i++)
		if (session->is_open[i] && session->end != END_RING_CLOSE)
			end_in_order(session, &session->models[i]);
	peers_receive_all();
	if (session->end == END_IN_ORDER && !session->has_failed)
		peers_require_whole();
	for (uint32_t i = 0; i < RINGS; i++)
		if (session->is_open[i])
			model_close(&session->models[i]);
	for (uint32_t role = 0; role < 2; role++)
		if (session->contexts[role] != 0)
			REQUIRE(rw_tls_close(session->contexts[role]) == 0, "rw_tls_close");
}

static void *play_in_thread(void *session)
{
	play(session);
	return NULL;
}

static void clean_up(struct session *session)
{
	for (uint32_t i = 0; i < RINGS; i++) {
		if (session->is_open[i] && session->end == END_THREAD)
			model_abandon(&session->models[i]);
		if (session->wake_fds[i] >= 0)
			close(session->wake_fds[i]);
	}
	for (uint32_t i = 0; i < OWN; i++)
		if (session->listeners[i] >= 0)
			close(session->listeners[i]);
	peers_close();
}

static void ignore_signal(int number)
{
	(void)number;
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	(void)count;
	(void)arguments;
	ground_prepare();
	secure_prepare();
	sigaction(SIGUSR2, &action, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session session;
	int descriptors = ground_descriptors(), files;
	bool is_threaded = size > 0 && (data[0] & 0x1c) == 0x1c;
	pthread_t thread;

	session = (struct session){ .input = { data, data + size }, .wake_fds = { -1, -1 }, .listeners = { -1, -1, -1 } };
	getrlimit(RLIMIT_NOFILE, &session.files);
	streams_clear();
	peers_clear();
	faults_clear();
	if (is_threaded) {
		REQUIRE(pthread_create(&thread, NULL, play_in_thread, &session) == 0, "no thread");
		pthread_join(thread, NULL);
	} else {
		play(&session);
	}
	clean_up(&session);
	files = ground_files();
	REQUIRE(ground_descriptors() == descriptors, "%d descriptors, %d before", ground_descriptors(), descriptors);
	REQUIRE(files == 0, "%d socket files are left", files);
	return 0;
}
