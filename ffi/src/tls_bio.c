/*
 * The BIO through which OpenSSL reads and writes records once a handshake is done, between memory and memory. All connections of a
 * ring share one: what it reads and where it writes is set before each call (tls_enter).
 */
#include "tls_connection.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Of OpenSSL's BIO interface, but only in its internal headers: the next record is of this type, and no longer. */
#define CONTROL_SET_RECORD_TYPE 74
#define RECORD_APPLICATION_DATA 23
#define RECORD_HANDSHAKE 22
#define MESSAGE_KEY_UPDATE 24

/* Makes room for so much more. Returns false when there is none. */
bool tls_reserve(struct tls_out *out, uint32_t bytes)
{
	uint32_t capacity = out->capacity ? out->capacity : TLS_SPARE_BYTES + 4096;
	uint8_t *grown;

	if (out->capacity - out->used >= bytes)
		return true;
	if (!out->may_grow)
		return false;
	while (capacity - out->used < bytes) {
		if (capacity > UINT32_MAX / 2)
			return false;
		capacity *= 2;
	}
	grown = realloc(out->bytes, capacity);
	if (!grown)
		return false;
	out->bytes = grown;
	out->capacity = capacity;
	return true;
}

static int bio_write(BIO *bio, const char *data, int bytes)
{
	struct tls_work *work = BIO_get_data(bio);
	struct tls_out *out = work->out;
	uint8_t type = work->record_type;

	BIO_clear_retry_flags(bio);
	work->record_type = RECORD_APPLICATION_DATA;
	if (bytes <= 0)
		return 0;
	if (work->current->is_kernel_send) {
		int result;
		/* The answer to the peer's wish that we change keys: these are the kernel's. */
		if (type == RECORD_HANDSHAKE && data[0] == MESSAGE_KEY_UPDATE) {
			work->current->is_rekeying = true;
			return bytes;
		}
		result = ktls_send_record(work->current, type, data, (size_t)bytes);
		if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
			work->record_type = type;
			BIO_set_retry_write(bio);
		}
		return result;
	}
	if (!out || !tls_reserve(out, (uint32_t)bytes))
		return -1;
	memcpy(out->bytes + out->used, data, (size_t)bytes);
	out->used += (uint32_t)bytes;
	return bytes;
}

static int bio_read(BIO *bio, char *data, int bytes)
{
	struct tls_work *work = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (bytes <= 0)
		return 0;
	if (work->in_bytes == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if ((uint32_t)bytes > work->in_bytes)
		bytes = (int)work->in_bytes;
	memcpy(data, work->in, (size_t)bytes);
	work->in += bytes;
	work->in_bytes -= (uint32_t)bytes;
	return bytes;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	struct tls_work *work = BIO_get_data(bio);

	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_GET_KTLS_SEND:
		return work->current && work->current->is_kernel_send;
	case CONTROL_SET_RECORD_TYPE:
		work->record_type = (uint8_t)number;
		return 0;
	default:
		return 0;
	}
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ringwire");
	if (!method)
		return;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_control);
}

bool tls_work_new(struct ring *ring)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_work *work = calloc(1, sizeof *work);

	pthread_once(&once, make_method);
	if (!work)
		return false;
	work->bio = method ? BIO_new(method) : NULL;
	if (!work->bio) {
		free(work);
		ERR_clear_error();
		return false;
	}
	BIO_set_data(work->bio, work);
	BIO_set_init(work->bio, 1);
	work->record_type = RECORD_APPLICATION_DATA;
	work->spare.may_grow = true;
	ring->tls = work;
	return true;
}

void tls_work_free(struct ring *ring)
{
	struct tls_work *work = ring->tls;

	if (!work)
		return;
	BIO_free(work->bio);
	free(work->sealed.bytes);
	free(work->spare.bytes);
	free(work);
	ring->tls = NULL;
}

/* Before each call into OpenSSL that may read or write. */
void tls_enter(struct ring *ring, struct tls *tls, struct tls_out *out)
{
	struct tls_work *work = ring->tls;

	work->current = tls;
	work->out = out;
	work->in_bytes = 0;
	work->record_type = RECORD_APPLICATION_DATA;
	/* Clearing costs more than looking. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}
