/** Both transports of this runtime for tests of TLS at the seam, driven by the runtime's loop. */

import { openNativeTransport } from "../../src/native/native_transport.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { Transport, TransportLimits } from "../../src/transport.ts";
import { missing, openTestTransport, TEST_LIMITS } from "../uring/open_test_transport.ts";

export type TransportKind = "uring" | "native";

/** Why a transport cannot be tested here, or undefined. */
export function whyNot(kind: TransportKind): string | undefined {
  return kind === "uring" ? missing : undefined;
}

/** Opens a transport. */
export function openTransport(kind: TransportKind, limits: Partial<TransportLimits> = {}): Transport {
  if (kind === "uring") return openTestTransport({}, limits);
  return openNativeTransport({
    runtime,
    drive: "auto",
    spinUs: 0,
    limits: { ...TEST_LIMITS, ...limits },
    reason: "a test asked for it",
  });
}
