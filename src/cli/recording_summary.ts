/** What a recording holds, connection by connection. */

import type { Recording, RecordingEntry } from "../record/recording.ts";

const MAX_REQUEST_BYTES = 64 << 10;
const decoder = new TextDecoder("latin1");

/** One recorded connection. */
export interface ConnectionSummary {
  readonly connection: number;
  /** Of its open record; `{}` when that is missing. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly firstNs: number;
  lastNs: number;
  reads: number;
  inBytes: number;
  outBytes: number;
  lostRecords: number;
  /** How it ended: "closed", the code of what broke it, or undefined: the recording does not say. */
  end: string | undefined;
  /** The first bytes that were sent, up to the end of an HTTP head. */
  request: string;
}

/** What a recording holds. */
export interface RecordingSummary {
  readonly connections: readonly ConnectionSummary[];
  readonly records: number;
  /** When each session began. */
  readonly began: readonly Date[];
}

/** Reads a recording to its end. */
export function summarize(recording: Recording, each?: (entry: RecordingEntry) => void): RecordingSummary {
  const connections = new Map<number, ConnectionSummary>();
  const began: Date[] = [];
  let records = 0;
  for (const entry of recording) {
    records++;
    each?.(entry);
    if (entry.kind === "session") began.push(new Date(Number(entry.facts().wallMs)));
    else add(summaryOf(connections, entry), entry);
  }
  return { connections: [...connections.values()], records, began };
}

function summaryOf(
  connections: Map<number, ConnectionSummary>,
  { connection, timeNs }: RecordingEntry,
): ConnectionSummary {
  const known = connections.get(connection);
  if (known !== undefined) return known;
  const made: ConnectionSummary = {
    connection,
    facts: {},
    firstNs: timeNs,
    lastNs: timeNs,
    reads: 0,
    inBytes: 0,
    outBytes: 0,
    lostRecords: 0,
    end: undefined,
    request: "",
  };
  connections.set(connection, made);
  return made;
}

function add(summary: ConnectionSummary, entry: RecordingEntry): void {
  summary.lastNs = entry.timeNs;
  const bytes = entry.payload.length;
  switch (entry.kind) {
    case "open":
      Object.assign(summary.facts, entry.facts());
      break;
    case "in":
      summary.reads++;
      summary.inBytes += bytes;
      break;
    case "out":
      summary.outBytes += bytes;
      if (!summary.request.includes("\r\n\r\n") && summary.request.length < MAX_REQUEST_BYTES) {
        summary.request += decoder.decode(entry.payload.subarray(0, MAX_REQUEST_BYTES));
      }
      break;
    case "loss":
      summary.lostRecords += Number(entry.facts().records) || 0;
      break;
    case "closed":
      summary.end = String(entry.facts().code ?? "closed");
      break;
  }
}
