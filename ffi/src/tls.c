/*
 * TLS on a connection: the handshake, records in and out, saying goodbye.
 */
#include "ring.h"

RW_API int32_t rw_tls_describe(uint32_t ring, uint32_t handle)
{
	(void)ring, (void)handle;
	return -ENOSYS;
}

RW_API int32_t rw_tls_peer_certificate(uint32_t ring, uint32_t handle, void *out, uint32_t capacity)
{
	(void)ring, (void)handle, (void)out, (void)capacity;
	return -ENOSYS;
}
