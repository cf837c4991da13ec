/** What can be fuzzed: a function of bytes that throws when a promise is broken. */

/** One property of the library, asked with any bytes. */
export interface FuzzTarget {
  /** Name of its program and of its corpus. */
  readonly name: string;
  /** Inputs beyond this size bring nothing new. */
  readonly maxBytes: number;
  /** Parts of script addresses whose coverage counts. */
  readonly covers: readonly string[];
  /** Edge cases made by hand, to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Why it cannot run on this runtime, loudly; undefined: it can. */
  readonly unavailable?: string | undefined;
  /** Throws when the property does not hold for these bytes. Deterministic. */
  run(bytes: Uint8Array): void | Promise<void>;
}

/** An input that broke a property. */
export interface Finding {
  /** First line of what was thrown. */
  readonly error: string;
  readonly stack: string;
  readonly input: Uint8Array;
}

/** A broken property. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Violation";
  }
}

/**
 * Checks a promise.
 *
 * @throws Violation when it is broken.
 */
export function holds(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Violation(promise);
}

/**
 * Checks that two values say the same, as JSON; bytes must be texts by then.
 *
 * @throws Violation that shows where both begin to differ.
 */
export function agree(promise: string, actual: unknown, expected: unknown): void {
  const left = JSON.stringify(actual) ?? "undefined";
  const right = JSON.stringify(expected) ?? "undefined";
  if (left === right) return;
  let at = 0;
  while (left[at] === right[at]) at++;
  const from = Math.max(0, at - 60);
  throw new Violation(
    `${promise}\n  at ${at} of ${left.length} and ${right.length} characters` +
      `\n  is      …${left.slice(from, at + 200)}\n  expects …${right.slice(from, at + 200)}`,
  );
}

/** Runs a target. Whatever is thrown becomes a finding; undefined: all is well. */
export async function findingOf(target: FuzzTarget, input: Uint8Array): Promise<Finding | undefined> {
  try {
    // A copy: an input that a target wrote into could not be reproduced.
    const pending = target.run(input.slice());
    if (pending !== undefined) await pending;
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const frames =
      error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
    const stack = [text, ...frames.slice(0, 5)].join("\n");
    return { error: text.split("\n")[0], stack, input };
  }
}
