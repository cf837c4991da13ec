import { describe, expect, test } from "vitest";
import { Message } from "../../src/websocket/message.ts";

describe("message", () => {
  test("text gives itself, its bytes and its JSON", () => {
    const message = new Message('{"é":1}', true, 5);
    expect(message).toMatchObject({ isText: true, receivedNs: 5, value: '{"é":1}' });
    expect(message.text()).toBe('{"é":1}');
    expect(message.bytes()).toEqual(new TextEncoder().encode('{"é":1}'));
    expect(message.json()).toEqual({ é: 1 });
  });

  test("binary gives its bytes, and text where it is UTF-8", () => {
    const message = new Message(new TextEncoder().encode("é"), false, 5);
    expect(message.bytes()).toBe(message.value);
    expect(message.text()).toBe("é");
    const broken = new Message(Uint8Array.of(0xff), false, 5);
    expect(() => broken.text()).toThrow(TypeError);
    expect(() => broken.json()).toThrow(TypeError);
    expect(() => new Message("nope", true, 5).json()).toThrow(SyntaxError);
  });
});
