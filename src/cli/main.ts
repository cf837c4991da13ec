/**
 * The program `ringwire`: finds the command, and turns whatever goes wrong into one line and an exit code.
 * 0: done. 1: a peer, the network or the system failed. 2: the command line makes no sense.
 */

import { type Console, openConsole } from "../runtime/console.ts";
import { UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { connectCommand } from "./connect_command.ts";
import { doctorCommand } from "./doctor_command.ts";
import { echoCommand } from "./echo_command.ts";
import { inspectCommand } from "./inspect_command.ts";
import { RingwireError, VERSION } from "./library.ts";
import { recordCommand } from "./record_command.ts";
import { replayCommand } from "./replay_command.ts";

const COMMANDS: readonly Command[] = [
  echoCommand,
  connectCommand,
  recordCommand,
  replayCommand,
  inspectCommand,
  doctorCommand,
];

const HELP = `ringwire ${VERSION}: WebSockets over io_uring and native sockets

Usage: ringwire COMMAND [OPTIONS]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n")}
  help      this text, or the help of a command: ringwire help echo

  --version   the version
  --help      this text; behind a command: its own help

Environment: RINGWIRE_TRANSPORT (auto, uring, native), RINGWIRE_LIBRARY (path of the io_uring shim).
`;

/** @returns The exit code. */
async function main(console: Console): Promise<number> {
  const [name, ...rest] = console.arguments;
  switch (name) {
    case undefined:
    case "--help":
    case "-h":
      console.write(HELP);
      return 0;
    case "help":
      console.write(rest.length === 0 ? HELP : findCommand(rest[0]).help);
      return 0;
    case "--version":
    case "-V":
      console.write(`${VERSION}\n`);
      return 0;
  }
  const command = findCommand(name);
  if (rest.includes("--help") || rest.includes("-h")) {
    console.write(command.help);
    return 0;
  }
  return command.run(rest, console);
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const kind = name.startsWith("-") ? "option" : "command";
  throw new UsageError(`Unknown ${kind} "${name}"; "ringwire help" lists what there is`);
}

/** One line for people, and the exit code. */
function report(error: unknown, console: Console): number {
  if (error instanceof RingwireError) {
    console.writeError(`ringwire: ${error.code}: ${error.message}\n`);
    return 1;
  }
  if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) {
    console.writeError(`ringwire: ${error.message}\n`);
    return 2;
  }
  console.writeError(
    `ringwire: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

const console: Console = openConsole();
try {
  console.exit(await main(console));
} catch (error) {
  console.exit(report(error, console));
}
