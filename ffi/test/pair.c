/* pair.c: see pair.h. */
#include "pair.h"

#include <unistd.h>

void open_pair(struct pair *pair, const struct rig_options *options)
{
	rig_open(&pair->rig, options);
	pair->listener = rig_listen(&pair->rig, &pair->port);
	pair->peer = peer_connect(pair->port);
	pair->server = rig_await(&pair->rig, RW_EVENT_ACCEPTED, 0).handle;
	rig_turn(&pair->rig, 0);
}

void close_pair(struct pair *pair)
{
	close(pair->peer);
	rig_close(&pair->rig);
}
