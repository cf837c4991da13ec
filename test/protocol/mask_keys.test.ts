import { describe, expect, it } from "vitest";
import { MaskKeys } from "../../src/protocol/mask_keys.ts";

describe("mask keys", () => {
  it("uses each four bytes of randomness once, in order, and refills in bulk", () => {
    let fills = 0;
    let word = 0;
    const keys = new MaskKeys((bytes) => {
      fills++;
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      for (let index = 0; index < words.length; index++) words[index] = word++;
    });
    expect(fills).toBe(0);
    for (let index = 0; index < 1000; index++) expect(keys.next()).toBe(index);
    expect(fills).toBeLessThan(20);
  });

  it("gives signed numbers of all 32 bits", () => {
    const keys = new MaskKeys((bytes) => bytes.fill(0xff));
    expect(keys.next()).toBe(-1);
  });

  it("gives out no old key when the source fails", () => {
    let works = true;
    const keys = new MaskKeys((bytes) => {
      if (!works) throw new Error("no entropy");
      bytes.fill(1);
    });
    keys.next();
    works = false;
    expect(() => {
      for (let index = 0; index < 5000; index++) keys.next();
    }).toThrow("no entropy");
    expect(() => keys.next()).toThrow("no entropy");
  });

  it("works with the platform's source", () => {
    const keys = new MaskKeys((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>));
    const seen = new Set(Array.from({ length: 2000 }, () => keys.next()));
    expect(seen.size).toBeGreaterThan(1990);
  });
});
