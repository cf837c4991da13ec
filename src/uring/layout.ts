/** Numbers of ffi/include/ringwire.h, under the same names without `RW_`. A change there is a change here. */

/* Control page: u32 fields, by index. */
export const FIELD_ABI_VERSION = 0;
export const FIELD_BLOCK_BYTES = 1;
export const FIELD_COMMAND_OFFSET = 2;
export const FIELD_COMMAND_COUNT = 3;
export const FIELD_EVENT_OFFSET = 4;
export const FIELD_EVENT_COUNT = 5;
export const FIELD_RECEIVE_OFFSET = 6;
export const FIELD_RECEIVE_BUFFER_BYTES = 7;
export const FIELD_RECEIVE_BUFFER_COUNT = 8;
export const FIELD_SEND_OFFSET = 9;
export const FIELD_SEND_BYTES = 10;
export const FIELD_MAX_CONNECTIONS = 11;
export const FIELD_MAX_QUEUED_BYTES = 12;
export const FIELD_MAX_QUEUED_TOTAL_KIB = 13;
export const FIELD_SUBMISSION_ENTRIES = 14;
export const FIELD_DISABLED_FEATURES = 15;
export const FIELD_FEATURES = 16;
export const FIELD_KERNEL_MAJOR = 17;
export const FIELD_KERNEL_MINOR = 18;
export const FIELD_TEXT_BYTES = 19;
export const FIELD_HANDLE = 20;
export const FIELD_QUEUED_OFFSET = 21;
export const FIELD_PLAIN_OFFSET = 22;
export const FIELD_PLAIN_BYTES = 23;
export const FIELD_WANTED_FEATURES = 24;
export const FIELD_CLOCK_LOW = 25;
export const FIELD_CLOCK_HIGH = 26;
export const FIELD_COPY_COUNT = 27;
export const FIELD_STAT_TURNS = 32;
export const FIELD_STAT_ENTERS = 33;
export const FIELD_STAT_SHORT_SENDS = 34;
export const FIELD_STAT_NO_BUFFERS = 35;
export const FIELD_STAT_CONNECTIONS = 36;
export const FIELD_STAT_PARKS = 37;
export const FIELD_STAT_HANDSHAKES = 38;
export const FIELD_STAT_RESUMPTIONS = 39;

export const CONTROL_BYTES = 4_096;
export const ENDPOINT_OFFSET = 1_024;
export const TEXT_OFFSET = 2_048;
export const TEXT_MAX_BYTES = 1_024;

export const FEATURE_DEFER_TASKRUN: number = 1 << 0;
export const FEATURE_MULTISHOT_ACCEPT: number = 1 << 1;
export const FEATURE_MULTISHOT_RECEIVE: number = 1 << 2;
export const FEATURE_BUFFER_INCREMENTAL: number = 1 << 3;
export const FEATURE_RECEIVE_BUNDLE: number = 1 << 4;
export const FEATURE_PARKING: number = 1 << 6;
export const FEATURE_RECEIVE_STAMPS: number = 1 << 7;

/** The slot of a handle is `handle & HANDLE_SLOT_MASK`; the rest is its generation. */
export const HANDLE_SLOT_MASK: number = (1 << 20) - 1;

/** In the table of queued bytes: the connection takes no more bytes, its CLOSED follows. */
export const QUEUED_GONE = -1;

/** Records are four 32-bit words. */
export const RECORD_BYTES = 16;

export const COMMAND_SEND = 1;
export const COMMAND_CLOSE = 2;
export const COMMAND_END = 3;
export const COMMAND_PAUSE = 4;
export const COMMAND_RESUME = 5;
export const CLOSE_FLUSH = 0;
export const CLOSE_ABORT = 1;

export const EVENT_ACCEPTED = 1;
export const EVENT_CONNECTED = 2;
export const EVENT_RECEIVED = 3;
export const EVENT_ENDED = 4;
export const EVENT_QUEUED = 5;
export const EVENT_CLOSED = 6;
export const EVENT_ACCEPT_FAILED = 7;
export const EVENT_STAMP = 8;

export const FAMILY_UNIX = 1;
export const FAMILY_IPV4 = 4;
export const FAMILY_IPV6 = 6;
export const ENDPOINT_REUSE_PORT: number = 1 << 0;
export const ENDPOINT_IPV6_ONLY: number = 1 << 1;
export const ENDPOINT_NO_DELAY: number = 1 << 2;
export const ENDPOINT_QUICK_ACK: number = 1 << 3;
export const ENDPOINT_KEEP_ALIVE: number = 1 << 4;
/** `struct rw_endpoint`: twelve u32 fields, three texts, two u32 fields, the name for TLS. */
export const ENDPOINT_HOST_OFFSET = 48;
export const ENDPOINT_HOST_BYTES = 256;
export const ENDPOINT_LOCAL_OFFSET: number = ENDPOINT_HOST_OFFSET + ENDPOINT_HOST_BYTES;
export const ENDPOINT_LOCAL_BYTES = 64;
export const ENDPOINT_INTERFACE_OFFSET: number = ENDPOINT_LOCAL_OFFSET + ENDPOINT_LOCAL_BYTES;
export const ENDPOINT_INTERFACE_BYTES = 16;
export const ENDPOINT_TLS_OFFSET: number = ENDPOINT_INTERFACE_OFFSET + ENDPOINT_INTERFACE_BYTES;
export const ENDPOINT_TLS_NAME_OFFSET: number = ENDPOINT_TLS_OFFSET + 8;
export const ENDPOINT_TLS_NAME_BYTES = 256;

export const TURN_RECYCLE: number = 1 << 0;
export const TURN_PARK: number = 1 << 1;

export const ADDRESS_LOCAL = 0;
export const ADDRESS_PEER = 1;

export const WAKE_DESCRIPTOR = 0;
export const WAKE_ABSTRACT = 1;

export const TLS_CLIENT = 0;
export const TLS_SERVER = 1;
/* Records of a TLS configuration. */
export const TLS_FLAGS = 1;
export const TLS_VERSIONS = 2;
export const TLS_CERTIFICATE = 3;
export const TLS_KEY = 4;
export const TLS_PASSPHRASE = 5;
export const TLS_NAME = 6;
export const TLS_AUTHORITY = 7;
export const TLS_ALPN = 8;
export const TLS_CIPHERS = 9;
export const TLS_CIPHER_SUITES = 10;
export const TLS_PIN = 11;
export const TLS_KEY_LOG = 12;
/* Its flags. */
export const TLS_VERIFY: number = 1 << 0;
export const TLS_REQUIRE: number = 1 << 1;
export const TLS_SYSTEM_ROOTS: number = 1 << 2;
export const TLS_RESUME: number = 1 << 3;
export const TLS_KERNEL_SEND: number = 1 << 4;
export const TLS_KERNEL_RECEIVE: number = 1 << 5;
