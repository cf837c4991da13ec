/**
 * Command lines of the scripts. One small parser, so that every script refuses what it does not know
 * with a message and exit code 2, which every user of a shell expects.
 */

/**
 * @param args - The words behind the script's name.
 * @param known - Option names to their kind: "flag", "text", "number", or a list of allowed words.
 * @returns Values by option name (without dashes), and the words that are no options under `rest`.
 * @throws RangeError whose message is meant for the user.
 */
export function parseArguments(args, known) {
  const values = { rest: [] };
  for (let index = 0; index < args.length; index++) {
    const word = args[index];
    if (word === "--") continue;
    if (!word.startsWith("-")) {
      values.rest.push(word);
      continue;
    }
    const [dashed, attached] = splitAttached(word);
    const name = dashed.replace(/^--?/, "");
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw new RangeError(`Unknown option "${dashed}"`);
    if (kind === "flag") {
      if (attached !== undefined) throw new RangeError(`Option "${dashed}" takes no value`);
      values[name] = true;
      continue;
    }
    const text = attached ?? args[++index];
    if (text === undefined) throw new RangeError(`Option "${dashed}" needs a value`);
    values[name] = readValue(dashed, kind, text);
  }
  return values;
}

function splitAttached(word) {
  const equals = word.indexOf("=");
  return equals === -1 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

function readValue(dashed, kind, text) {
  if (Array.isArray(kind)) {
    if (!kind.includes(text)) {
      throw new RangeError(`Option "${dashed}" must be one of ${kind.join(", ")}, not "${text}"`);
    }
    return text;
  }
  if (kind === "text") return text;
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number) || number <= 0) {
    throw new RangeError(`Option "${dashed}" needs a number above 0, not "${text}"`);
  }
  return number;
}

/** Parses, or prints the complaint and ends with exit code 2; prints the help and ends with 0 for --help. */
export function parseOrExit(args, known, help) {
  let values;
  try {
    values = parseArguments(args, { ...known, help: "flag", h: "flag" });
  } catch (error) {
    console.error(`${error.message}.\n\n${help}`);
    process.exit(2);
  }
  if (values.help || values.h) {
    console.log(help);
    process.exit(0);
  }
  return values;
}
