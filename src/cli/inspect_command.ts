/** `ringwire inspect`: what a recording holds, and where it is damaged. */

import type { RecordingEntry } from "../record/recording.ts";
import type { Console } from "../runtime/console.ts";
import type { Address } from "../transport.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Recording } from "./library.ts";
import { escapeControls } from "./printable.ts";
import { type ConnectionSummary, summarize } from "./recording_summary.ts";

const MAX_PREVIEW_BYTES = 60;
const decoder = new TextDecoder();

const HELP = `Usage: ringwire inspect FILE [--records]

Prints what a recording holds: its size and sessions, each connection with its bytes and its end, and every damage
with its offset.

  --records   a line for each record before that: offset, seconds since the first, kind, connection, bytes,
              and the beginning of what it holds

Exit code: 0 for a whole recording, 1 for one that is damaged or torn, or misses records.
`;

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, { records: { kind: "flag" } });
  const [path, extra] = words;
  if (path === undefined) throw new UsageError("inspect needs the path of a recording");
  if (extra !== undefined) throw new UsageError(`Unknown argument "${extra}"; inspect takes one file`);
  const recording = new Recording(path);
  let firstNs = -1;
  const since = (timeNs: number): string => `+${((timeNs - firstNs) / 1e9).toFixed(6)}`;
  const print = (entry: RecordingEntry): void => {
    if (firstNs < 0) firstNs = entry.timeNs;
    if (options.records === undefined) return;
    const { offset, timeNs, kind, connection, payload } = entry;
    console.write(
      `${String(offset).padStart(10)} ${since(timeNs)} ${kind.padEnd(7)} #${connection} ${payload.length} ${preview(payload)}\n`,
    );
  };
  const { connections, records, began } = summarize(recording, print);
  recording.close();
  console.write(
    `${path}: ${recording.sizeBytes} bytes, ${records} records, ${connections.length} connections, recorded from ${began.map((date) => date.toISOString()).join(" and ")}\n`,
  );
  for (const connection of connections) console.write(`${describe(connection, since)}\n`);
  for (const { kind, offset, sizeBytes } of recording.problems) {
    console.write(
      kind === "torn"
        ? `torn: the last ${sizeBytes} bytes, from ${offset} on, are no whole record\n`
        : `damaged: ${sizeBytes} bytes from ${offset} on are no whole record\n`,
    );
  }
  const isWhole =
    recording.problems.length === 0 && connections.every(({ lostRecords }) => lostRecords === 0);
  return isWhole ? 0 : 1;
}

function describe(summary: ConnectionSummary, since: (timeNs: number) => string): string {
  const { connection, facts, firstNs, lastNs, reads, inBytes, outBytes, lostRecords, end } = summary;
  const remote = facts.remote as Partial<Address> | undefined;
  const where =
    remote === undefined ? "" : ` ${String(remote.host)}${remote.port ? ` port ${remote.port}` : ""}`;
  const what = facts.url ?? (facts.role === undefined ? "its beginning is missing" : "");
  const lost = lostRecords === 0 ? "" : `, ${lostRecords} records lost`;
  return escapeControls(
    `#${connection} ${String(facts.role ?? "?")} ${String(what)}${where}: ${since(firstNs)} to ${since(lastNs)} s, in ${inBytes} bytes in ${reads} reads, out ${outBytes} bytes${lost}, ${end ?? "no end"}`,
  );
}

function preview(payload: Uint8Array): string {
  const text = decoder.decode(payload.subarray(0, MAX_PREVIEW_BYTES));
  return escapeControls(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** See {@link Command}. */
export const inspectCommand: Command = {
  name: "inspect",
  summary: "tell what a recording holds, and where it is damaged",
  help: HELP,
  run,
};
