/** The options that an example is started with. */
import { parseArgs } from "node:util";

/** What is wrong with the command line. */
export class UsageError extends Error {}

/** Options with a value each, as they were given or by default. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;

  /** @param defaults - Every option there is, with its value where none is given. `--help` comes by itself. */
  constructor(defaults: Readonly<Record<string, string>>) {
    const options = Object.entries(defaults).map(
      ([name, value]) => [name, { type: "string", default: value }] as const,
    );
    try {
      this.#values = parseArgs({
        options: { ...Object.fromEntries(options), help: { type: "boolean", default: false } },
      }).values;
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  get wantsHelp(): boolean {
    return this.#values.help === true;
  }

  number(name: string, min: number, max: number): number {
    const value = Number(this.#values[name]);
    if (value >= min && value <= max) return value;
    throw new UsageError(
      `Option "--${name}" must be a number from ${min} to ${max}, not "${this.#values[name]}"`,
    );
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const choice = choices.find((each) => each === this.#values[name]);
    if (choice !== undefined) return choice;
    throw new UsageError(`Option "--${name}" must be ${choices.join(" or ")}, not "${this.#values[name]}"`);
  }
}
