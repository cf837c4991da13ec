/** What a command of the program is. */

import type { Console } from "../runtime/console.ts";

/** One command: its words in the help, and what it does. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help text, printed by `--help`. */
  readonly help: string;
  /**
   * Runs it.
   *
   * @param given - The words behind the command's name.
   * @returns The exit code.
   * @throws UsageError, TypeError, RangeError for what the user got wrong (exit code 2); RingwireError for what
   *   peers, network and system did (exit code 1).
   */
  run(given: readonly string[], console: Console): Promise<number>;
}
