/** The transport contract over the runtime's own sockets. */

import { openNativeTransport } from "../../src/native/native_transport.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { Transport, TransportLimits } from "../../src/transport.ts";
import { transportContract } from "../transport/transport_contract.ts";

const LIMITS: TransportLimits = {
  maxConnections: 65_536,
  receiveArenaBytes: 8 << 20,
  sendArenaBytes: 2 << 20,
  maxQueuedBytes: 64 << 20,
  maxQueuedTotalBytes: 1 << 30,
  submissionEntries: 256,
};

function open(limits: Partial<TransportLimits> = {}): Transport {
  return openNativeTransport({
    runtime,
    drive: "auto",
    spinUs: 0,
    limits: { ...LIMITS, ...limits },
    reason: "a test asked for it",
  });
}

transportContract(`native sockets of ${runtime.name}`, open);
