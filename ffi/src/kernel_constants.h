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

/* Flag of io_uring_buf_reg, whose flags field the 2.3 header still calls `pad`: 6.12. */
#define RW_PBUF_RING_INCREMENTAL 2

#endif
