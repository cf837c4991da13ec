/** Messages as JSON, and schemas that say what it has to look like. */

import { RingwireError } from "../errors.ts";
import { readUtf8 } from "../protocol/text.ts";

/** What a {@linkcode StandardSchema} finds wrong. */
export interface SchemaIssue {
  /** In words. */
  readonly message: string;
  /** Where in the value: keys from the outside in. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a {@linkcode StandardSchema} says of a value. */
export type SchemaResult<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/**
 * A schema of any library that follows Standard Schema, version 1 (Zod, Valibot, ArkType …). Ringwire needs none of them.
 *
 * @see {@link https://standardschema.dev | Standard Schema}
 */
export interface StandardSchema<Value = unknown> {
  /** What all such schemas have in common. */
  readonly "~standard": {
    /** Of the specification. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Checks a value, and may make another one of it. */
    readonly validate: (value: unknown) => SchemaResult<Value> | Promise<SchemaResult<Value>>;
    /** For the compiler only. */
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined;
  };
}

/**
 * Reads what a `message` handler was given as JSON; `message.json()` is the same for messages and those of batches.
 *
 * @param data - Text, or bytes in UTF-8.
 * @param schema - What it has to look like. Without one, the type is the caller's word for it.
 * @throws SyntaxError when it is not JSON; TypeError when it is not UTF-8, or the schema can only be asked asynchronously.
 * @throws RingwireError `ERR_INVALID_MESSAGE` when the schema does not accept it; `cause` are its issues.
 *
 * @example
 * ```ts
 * import { parseJson, serve } from "ringwire";
 *
 * const server = await serve({
 *   port: 0,
 *   websocket: {
 *     message(ws, data) {
 *       const order = parseJson<{ id: number }>(data);
 *       ws.sendJson({ accepted: order.id });
 *     },
 *   },
 * });
 * await server.stop();
 * ```
 */
export function parseJson<Value = unknown>(data: string | Uint8Array, schema?: StandardSchema<Value>): Value {
  const value: unknown = JSON.parse(typeof data === "string" ? data : textOf(data));
  if (schema === undefined) return value as Value;
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    // Nobody waits for it: what it rejects with must not end the program.
    result.catch(() => undefined);
    throw new TypeError(
      "Cannot check a message with an asynchronous schema: messages are handled one after the other",
    );
  }
  if (result.issues === undefined) return result.value;
  throw new RingwireError("ERR_INVALID_MESSAGE", `Cannot accept the message: ${describe(result.issues)}`, {
    cause: result.issues,
  });
}

function textOf(bytes: Uint8Array): string {
  const text = readUtf8(bytes, 0, bytes.length);
  if (text === undefined) throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
  return text;
}

function describe(issues: readonly SchemaIssue[]): string {
  const { message, path = [] } = issues[0] ?? { message: "the schema does not say why" };
  const where = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return `${where === "" ? "" : `${where}: `}${message}${more}`;
}
