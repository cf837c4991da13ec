/**
 * The two transformations of permessage-deflate (RFC 7692 §7.2), as parameters: the protocol says when a message is compressed
 * or restored; zlib in the shim or in the runtime does it. All calls are synchronous, so that messages keep their order.
 */
/** A message was restored; it lies in `output[start, end)`. */
export const INFLATE_DONE = 0;
/** It would be larger than the limit. Nothing beyond the limit was kept. */
export const INFLATE_TOO_LARGE = 1;
/** The bytes are no DEFLATE stream, or refer to bytes before the window. */
export const INFLATE_CORRUPT = 2;
