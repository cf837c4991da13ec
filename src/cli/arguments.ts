/**
 * Command lines: words in, values out. What is not known is refused with a message, because an option that
 * is silently ignored is one that its user relies on.
 */

/** A command line that makes no sense; its message is for the user. Exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** What an option takes: nothing, a text, texts (it may be repeated), a whole number in a range, or one of a few words. */
export type OptionKind =
  | { readonly kind: "flag" }
  | { readonly kind: "text" }
  | { readonly kind: "texts" }
  | { readonly kind: "number"; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly choices: readonly string[] };

/** Options of a command, by name without the dashes. */
export type OptionTable = Readonly<Record<string, OptionKind>>;

type ValueOf<Kind extends OptionKind> = Kind extends { kind: "flag" }
  ? true
  : Kind extends { kind: "number" }
    ? number
    : Kind extends { kind: "texts" }
      ? readonly string[]
      : Kind extends { kind: "choice"; choices: readonly (infer Choice)[] }
        ? Choice
        : string;

/** The values of a table's options; undefined: not given. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]?: ValueOf<Table[Name]>;
};

/** A parsed command line. */
export interface ParsedArguments<Table extends OptionTable> {
  readonly options: OptionValues<Table>;
  /** The words that are no options. */
  readonly words: readonly string[];
}

/**
 * Parses `--name value`, `--name=value` and plain words. After `--` everything is a plain word.
 *
 * @throws UsageError naming what is wrong.
 */
export function parseArguments<const Table extends OptionTable>(
  given: readonly string[],
  table: Table,
): ParsedArguments<Table> {
  const values: Record<string, true | string | number | string[]> = {};
  const words: string[] = [];
  for (let index = 0; index < given.length; index++) {
    const word = given[index];
    if (word === "--") {
      words.push(...given.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const dashed = equals < 0 ? word : word.slice(0, equals);
    const option = findOption(dashed, table);
    const name = dashed.slice(2);
    if (option.kind === "flag") {
      if (equals >= 0) throw new UsageError(`Option "${dashed}" takes no value`);
      values[name] = true;
      continue;
    }
    const text = equals < 0 ? given[++index] : word.slice(equals + 1);
    if (text === undefined) throw new UsageError(`Option "${dashed}" needs a value`);
    if (option.kind === "texts") {
      values[name] = [...((values[name] as string[] | undefined) ?? []), text];
    } else values[name] = readValue(dashed, option, text);
  }
  return { options: values as OptionValues<Table>, words };
}

function findOption(dashed: string, table: OptionTable): OptionKind {
  const name = dashed.slice(2);
  if (dashed.startsWith("--") && Object.hasOwn(table, name)) return table[name];
  const known = Object.keys(table).map((option) => `--${option}`);
  const near = known.find((option) => option.slice(0, 5) === dashed.slice(0, 5));
  const advice = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
  throw new UsageError(`Unknown option "${dashed}"; ${advice}`);
}

function readValue(
  dashed: string,
  option: Exclude<OptionKind, { kind: "flag" | "texts" }>,
  text: string,
): string | number {
  switch (option.kind) {
    case "text":
      return text;
    case "choice":
      if (option.choices.includes(text)) return text;
      throw new UsageError(`Option "${dashed}" must be one of ${option.choices.join(", ")}, not "${text}"`);
    case "number": {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      if (value >= option.min && value <= option.max) return value;
      throw new UsageError(
        `Option "${dashed}" must be a whole number from ${option.min} to ${option.max}, not "${text}"`,
      );
    }
  }
}
