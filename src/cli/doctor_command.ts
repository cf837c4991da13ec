/** `ringwire doctor`: what this machine supports, which transport would be used, and why. */

import type { Console, ProcessLimit } from "../runtime/console.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { type Diagnosis, diagnose, type TransportDiagnosis } from "./diagnosis.ts";

const OPTIONS = { json: { kind: "flag" } } as const;
const LABEL_WIDTH = 14;
/** Below this many descriptors, a server is soon out of them. */
const FEW_FILES = 4_096;

/** How the shim was found, for people. */
const SOURCES: Readonly<Record<Diagnosis["shim"]["source"], string>> = {
  RINGWIRE_LIBRARY: "named by RINGWIRE_LIBRARY",
  package: "of npm's package for this platform",
  checkout: "built in this checkout",
  program: "beside the program",
  none: "",
};

const HELP = `Usage: ringwire doctor [--json]

Says what this machine and runtime support, which transport a program gets and why, what a call into C
costs, which OpenSSL does TLS and whether the kernel can take that over (kTLS), and echoes messages over each transport to see
that it works.

  --json   the same as JSON, for programs

Exit code: 0 when messages came back over the transport that a program would get, else 1.
`;

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, OPTIONS);
  if (words.length > 0) throw new UsageError(`Unknown argument "${words[0]}"; doctor takes options only`);
  const diagnosis = await diagnose(console);
  console.write(options.json ? `${JSON.stringify(diagnosis, jsonValue, 2)}\n` : describe(diagnosis));
  const { transport } = diagnosis.chosen;
  return diagnosis.transports.some(({ name, works }) => name === transport && works) ? 0 : 1;
}

/** JSON has no Infinity and leaves out what is undefined: neither may look like a missing question. */
function jsonValue(_key: string, value: unknown): unknown {
  if (value === Infinity) return "unlimited";
  return value === undefined ? null : value;
}

function describe(diagnosis: Diagnosis): string {
  const { version, runtime, platform, architecture, kernel, shim, chosen, transports, limits } = diagnosis;
  const rows: [string, string][] = [
    ["ringwire", version],
    ["runtime", `${runtime.name} ${runtime.version}`],
    ["system", `${platform} ${architecture}, kernel ${kernel ?? "cannot be read here"}`],
    ["shim", shim.path === undefined ? "not found" : `${shim.path} (${SOURCES[shim.source]})`],
  ];
  if (shim.callNs === undefined) rows.push(["", shim.reason]);
  else rows.push(["C call", `${shim.callNs.toFixed(1)} ns; byte loops use ${shim.instructions}`]);
  if (shim.openssl !== undefined) rows.push(["TLS", `${shim.openssl}, in the shim`]);
  rows.push(["kernel TLS", describeKernelTls(diagnosis.kernelTls)]);
  rows.push(["transport", `${chosen.transport}: ${chosen.reason}`]);
  for (const transport of transports) rows.push([transport.name, describeTransport(transport)]);
  rows.push(["open files", describeLimit(limits.openFiles, "")]);
  if ((limits.openFiles?.soft ?? Infinity) < FEW_FILES) {
    rows.push(["", "few for a server, each connection takes one: ulimit -n raises it"]);
  }
  rows.push(["locked memory", describeLimit(limits.lockedMemoryBytes, " bytes")]);
  return rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}${text}\n`).join("");
}

function describeTransport({ works, reason, echoP50Us, echoP99Us }: TransportDiagnosis): string {
  if (!works) return `does not work: ${reason}`;
  return `works; one echo takes ${echoP50Us?.toFixed(0)} µs (p99 ${echoP99Us?.toFixed(0)} µs), both ends in one thread`;
}

function describeKernelTls({ works, reason }: Diagnosis["kernelTls"]): string {
  if (works === undefined) return reason;
  return works ? "loaded: io_uring connections use it" : `not used: ${reason}`;
}

function describeLimit(limit: ProcessLimit | undefined, unit: string): string {
  if (limit === undefined) return "cannot be read here";
  const text = (value: number): string => (value === Infinity ? "unlimited" : `${value}${unit}`);
  return `${text(limit.soft)}, may be raised to ${text(limit.hard)}`;
}

/** See {@link Command}. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "what this machine supports, which transport is used, and why",
  help: HELP,
  run,
};
