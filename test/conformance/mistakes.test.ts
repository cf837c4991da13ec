/** What programs get wrong is refused at once, in words of ours: nothing listens, nothing is connected, nothing is ignored. */

import { expect, test } from "vitest";
import { connect, connectStream, Loop, Service, serve } from "../../src/mod.ts";
import { Pool } from "../../src/pool/mod.ts";
import { onEachTransport } from "./rig.ts";

/** By what was given: what has to stand in the message. */
type Mistakes = Readonly<Record<string, readonly [given: object, message: RegExp]>>;

const OF_SERVE: Mistakes = {
  "a host name that is a number": [{ hostname: 1 }, /"hostname" of serve must be a string.*not number/],
  "an empty host name": [{ hostname: "" }, /"hostname" of serve must be a string.*not ""/],
  "a socket path that is a number": [{ unix: 5 }, /"unix" of serve must be a string.*not number/],
  "an empty socket path": [{ unix: "" }, /"unix" of serve must be a string.*not ""/],
  "a socket path that is too long": [{ unix: `/tmp/${"x".repeat(200)}` }, /205 bytes long, 107 fit/],
  "protocols as one string": [{ protocols: "json" }, /subprotocols that are string/],
  "a protocol that is a number": [{ protocols: [5] }, /subprotocol 5: it is not a token/],
  "required headers as one string": [{ requiredHeaders: "authorization" }, /"requiredHeaders".*array/],
  "origins as one string": [{ origins: "https://a.example" }, /"origins".*array/],
  "an origin with a path": [{ origins: ["https://a.example/"] }, /did you mean "https:\/\/a\.example"\?/],
  "any origin by a star": [{ origins: ["*"] }, /"\*", which no browser sends/],
  "an error handler that is none": [{ error: 1 }, /"error" of serve must be a function, not number/],
  "a loop that is none": [{ loop: {} }, /"loop" must be a Loop, not object/],
  "no loop at all": [{ loop: null }, /"loop" must be a Loop, not null/],
  "no protocols at all": [{ protocols: null }, /subprotocols that are null/],
  "an origin of another scheme": [{ origins: ["wss://a.example"] }, /did you mean "https:\/\/a\.example"\?/],
  "a connection limit of 0": [{ connectionLimit: 0 }, /connectionLimit of serve takes an object.*not number/],
  "a receive limit of 0": [
    { websocket: { receiveLimit: 0 } },
    /receiveLimit of .* takes an object.*not number/,
  ],
  "a send limit of null": [{ websocket: { sendLimit: null } }, /sendLimit of .* takes an object.*not null/],
  "a slip of the finger": [{ prot: 1 }, /did you mean "port"\?/],
};

const OF_CONNECT: Mistakes = {
  "a header that is a number": [{ headers: { a: 5 } }, /header "a": its value is no string but number/],
  "a header without a value": [{ headers: { a: undefined } }, /header "a": its value is no string/],
  "a pair of one": [{ headers: [["a"]] }, /header "a": its value is no string/],
  "headers as one string": [{ headers: "a: b" }, /headers that are string/],
  "headers as a list of strings": [{ headers: ["authorization", "Bearer x"] }, /a header that is string/],
  "a header that is null": [{ headers: [null] }, /a header that is null/],
  "no headers at all": [{ headers: null }, /headers that are null/],
  "no protocols at all": [{ protocols: null }, /subprotocols that are null/],
  "a send limit of 0": [{ websocket: { sendLimit: 0 } }, /sendLimit of .* takes an object.*not number/],
  "protocols as a number": [{ protocols: 5 }, /subprotocols that are number/],
  "an AbortController": [{ signal: new AbortController() }, /"signal" of connect must be an AbortSignal/],
  "a loop by its name": [{ loop: "auto" }, /"loop" must be a Loop, not string/],
};

onEachTransport("mistakes of programs", (rig) => {
  for (const [what, [given, message]] of Object.entries(OF_SERVE)) {
    test(`serve refuses ${what}`, async () => {
      const wrong = serve({ port: 0, loop: rig.loop, websocket: {}, ...given } as never);
      await expect(wrong).rejects.toThrow(message);
      await expect(wrong).rejects.toSatisfy(
        (error) => error instanceof TypeError || error instanceof RangeError,
      );
    });
  }

  for (const [what, [given, message]] of Object.entries(OF_CONNECT)) {
    test(`connect refuses ${what}`, async () => {
      const server = await rig.serve({ websocket: {} });
      const wrong = connect(server.url, { loop: rig.loop, ...given } as never);
      await expect(wrong).rejects.toThrow(message);
      await expect(wrong).rejects.toBeInstanceOf(TypeError);
      expect(server.connections).toBe(0);
    });
  }

  test("a URL that is none is refused wherever one is taken", async () => {
    const service = new Service({ loop: rig.loop });
    const pool = new Pool({ connect: { loop: rig.loop } });
    for (const url of [undefined, null, 5, {}] as never[]) {
      const message = /^Cannot connect to (undefined|null|number|object): give a URL/;
      await expect(connect(url, { loop: rig.loop })).rejects.toThrow(message);
      await expect(connectStream(url, { loop: rig.loop })).rejects.toThrow(/Cannot connect to/);
      await expect(pool.acquire(url)).rejects.toThrow(message);
      expect(() => service.add({ url })).toThrow(message);
    }
    await pool.close();
    await service.close();
  });

  test("cork and dispatch without a function are refused, the latter also while nothing is open", async () => {
    const server = await rig.serve({ websocket: {} });
    const socket = await rig.connect(server);
    for (const wrong of [undefined, null, 5] as never[]) {
      expect(() => socket.cork(wrong)).toThrow(/^cork takes a function, not (undefined|null|number)$/);
    }
    const service = new Service({ loop: rig.loop });
    const endpoint = service.add({ url: server.url });
    expect(() => service.dispatch(endpoint, undefined as never)).toThrow(
      /^dispatch takes a function, not undefined$/,
    );
    await service.close();
  });

  test("a submission queue of an odd size is refused, and does not cost io_uring", () => {
    expect(() => new Loop({ transport: rig.kind, submissionEntries: 100 })).toThrow(RangeError);
    expect(() => new Loop({ transport: rig.kind, submissionEntries: 100 })).toThrow(/power of two, not 100/);
  });
});
