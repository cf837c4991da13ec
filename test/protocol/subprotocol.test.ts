import { describe, expect, it } from "vitest";
import { checkProtocols, chooseProtocol, readProtocols } from "../../src/protocol/subprotocol.ts";

describe("a subprotocol", () => {
  it("is the first of the client's that the server speaks, whatever the server's order", () => {
    expect(chooseProtocol(["v3", "v2", "v1"], ["v1", "v2"])).toBe("v2");
    expect(chooseProtocol(["v1", "v2"], ["v2", "v1"])).toBe("v1");
  });

  it("is the client's first where the server takes any", () => {
    expect(chooseProtocol(["v3", "v2"], ["*"])).toBe("v3");
    expect(chooseProtocol(["v3", "v2"], ["v2", "*"])).toBe("v3");
  });

  it("is none where they have none in common, or the client offers none", () => {
    expect(chooseProtocol(["v3"], ["v2"])).toBeUndefined();
    expect(chooseProtocol(["V2"], ["v2"])).toBeUndefined();
    expect(chooseProtocol([], ["*"])).toBeUndefined();
    expect(chooseProtocol(["v3"], [])).toBeUndefined();
  });

  it("is read in order from a list, which has to be one of different tokens", () => {
    expect(readProtocols(undefined)).toEqual([]);
    expect(readProtocols("v2.json ,v1")).toEqual(["v2.json", "v1"]);
    for (const bad of ["", "a,", "a b", "a, a", "a;b", '"a"']) expect(readProtocols(bad)).toBeUndefined();
  });

  it("is offered only as a token, and once", () => {
    checkProtocols([]);
    checkProtocols(["v2.json", "*"]);
    for (const bad of [[""], ["a b"], ["a\r\nX: b"], ["a,b"], ["é"], ["a", "a"]]) {
      expect(() => checkProtocols(bad)).toThrow(TypeError);
    }
  });
});
