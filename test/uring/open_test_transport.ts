/** Opens the io_uring transport for tests, with small limits unless told otherwise. */

import { runtime } from "../../src/runtime/detect.ts";
import type { Transport, TransportLimits } from "../../src/transport.ts";
import { openUringTransport, type UringTransportOptions } from "../../src/uring/uring_transport.ts";

/** Limits that fit in a test process. */
export const TEST_LIMITS: TransportLimits = {
  maxConnections: 4_096,
  receiveArenaBytes: 4 << 20,
  sendArenaBytes: 1 << 20,
  maxQueuedBytes: 64 << 20,
  maxQueuedTotalBytes: 256 << 20,
  submissionEntries: 1_024,
};

/** The shim under test: the one in this checkout unless RINGWIRE_LIBRARY names another. */
export const library: string | undefined = runtime.environment("RINGWIRE_LIBRARY") ?? runtime.findLibrary();

/** Why these tests cannot run here, or undefined. A machine without io_uring skips them, and says so. */
export const missing: string | undefined = findMissing();

/** Opens a transport. */
export function openTestTransport(
  options: Partial<Omit<UringTransportOptions, "limits">> = {},
  limits: Partial<TransportLimits> = {},
): Transport {
  return openUringTransport({
    runtime,
    library,
    drive: "auto",
    spinUs: 50,
    ...options,
    limits: { ...TEST_LIMITS, ...limits },
  });
}

function findMissing(): string | undefined {
  try {
    openTestTransport().close();
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.warn(`SKIPPED: the io_uring tests cannot run here: ${reason}`);
    return reason;
  }
}
