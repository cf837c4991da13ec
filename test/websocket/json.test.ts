import { describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { parseJson, type SchemaResult, type StandardSchema } from "../../src/websocket/json.ts";
import { Message } from "../../src/websocket/message.ts";

/** A schema made by hand, as libraries make them. */
function schemaOf<Value>(
  validate: (value: unknown) => SchemaResult<Value> | Promise<SchemaResult<Value>>,
): StandardSchema<Value> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const trade = schemaOf<{ price: number; at: Date }>((value) => {
  const { price, at } = value as { price: unknown; at: string };
  if (typeof price === "number") return { value: { price, at: new Date(at) } };
  return {
    issues: [{ message: "is no number", path: ["trade", { key: 0 }, "price"] }, { message: "and more" }],
  };
});

function caught(work: () => unknown): RingwireError {
  try {
    work();
  } catch (error) {
    return error as RingwireError;
  }
  throw new Error("nothing was thrown");
}

describe("a message as JSON", () => {
  test("is read from text and from bytes, and keeps to what JSON is", () => {
    expect(parseJson('{"é":[1,null]}')).toEqual({ é: [1, null] });
    expect(parseJson(new TextEncoder().encode('"é"'))).toBe("é");
    expect(Object.keys(parseJson<object>('{"__proto__":{"a":1}}'))).toEqual(["__proto__"]);
    for (const text of ["", "{", "undefined", "1 2"]) expect(() => parseJson(text)).toThrow(SyntaxError);
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(TypeError);
  });

  test("is what the schema makes of it, with the schema's type", () => {
    const { price, at } = new Message('{"price":7.5,"at":"2026-11-21T00:00:00Z"}', true, 0).json(trade);
    expect(price.toFixed(2)).toBe("7.50");
    expect(at.getUTCDate()).toBe(21);
  });

  test("that the schema does not accept is an error that says where and why", () => {
    const error = caught(() => parseJson('{"price":"7"}', trade));
    expect(error).toBeInstanceOf(RingwireError);
    expect(error).toMatchObject({ code: "ERR_INVALID_MESSAGE", isRetryable: false, shouldReconnect: true });
    expect(error.message).toBe("Cannot accept the message: trade.0.price: is no number (and 1 more)");
    expect(error.cause).toHaveLength(2);
    const silent = schemaOf(() => ({ issues: [] }));
    expect(caught(() => parseJson("1", silent)).code).toBe("ERR_INVALID_MESSAGE");
  });

  test("does not wait for schemas that are asynchronous, and their failures harm nobody", async () => {
    const late = schemaOf(() => Promise.reject(new Error("late")));
    expect(() => parseJson("1", late)).toThrow(TypeError);
    await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test("that is none never comes to the schema", () => {
    let asked = 0;
    const schema = schemaOf((value) => {
      asked++;
      return { value };
    });
    expect(() => parseJson("{", schema)).toThrow(SyntaxError);
    expect(asked).toBe(0);
  });
});
