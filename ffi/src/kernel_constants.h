/*
 * io_uring constants that are newer than the liburing headers we may be built against (Debian 12 has
 * 2.3). The values are kernel ABI and never change.
 */
#ifndef RINGWIRE_KERNEL_CONSTANTS_H
#define RINGWIRE_KERNEL_CONSTANTS_H

#include <liburing.h>

#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif
#ifndef IORING_CQE_F_BUF_MORE
#define IORING_CQE_F_BUF_MORE (1U << 4)
#endif

/* Argument of IORING_REGISTER_NAPI, for all network cards that the ring's sockets are fed by: 6.9. */
#define RW_REGISTER_NAPI 27
struct rw_napi {
	uint32_t busy_poll_us;
	uint8_t prefer_busy_poll, operation, pad[2];
	uint32_t parameter, reserved;
};

/* Flag of io_uring_buf_reg, whose flags field the 2.3 header still calls `pad`: 6.12. */
#define RW_PBUF_RING_INCREMENTAL 2

#endif
