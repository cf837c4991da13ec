/** The scripted peer finds faults: an echo that is not ours plays its cases, once well and then with one fault at a time. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { RawPeer } from "../conformance/raw_peer.ts";
import { caseList } from "./case_list.ts";
import { judge, type Verdict } from "./judge.ts";
import { BINARY, CLOSE, PING, PONG, type Script, TEXT } from "./script.ts";
import { ScriptedPeer } from "./scripted_peer.ts";
import { concatenate, FrameReader, type ReadFrame, writeHead } from "./wire.ts";

/** What an echo does wrong. */
interface Faults {
  readonly opcode?: number;
  readonly reserved?: number;
  readonly mask?: boolean;
  readonly change?: (payload: Uint8Array) => Uint8Array;
  readonly pongs?: Uint8Array;
  readonly closeCode?: number;
  readonly ignoresClose?: boolean;
  readonly ignoresViolations?: boolean;
  readonly speaksAfterClose?: boolean;
  readonly staysOpen?: boolean;
}

const cases = new Map(caseList(false).map((entry) => [entry.id, entry]));
let faults: Faults = {};
let port = 0;
let close: () => Promise<void> = async () => undefined;
const served: RawPeer[] = [];

beforeAll(async () => {
  const server = await RawPeer.listen((raw) => void serve(raw, faults));
  port = server.port;
  close = server.close;
});
afterAll(async () => {
  for (const raw of served) raw.reset();
  await close();
});

/** A server just good enough for unfragmented messages. */
async function serve(raw: RawPeer, wrong: Faults): Promise<void> {
  served.push(raw);
  await raw.acceptUpgrade();
  const reader = new FrameReader();
  let isOver = false;
  const say = (opcode: number, payload: Uint8Array, reserved = 0): void => {
    const key = wrong.mask ? ([0, 0, 0, 0] as const) : undefined;
    raw.write(concatenate([writeHead({ opcode, reserved }, payload.length, key), payload]));
  };
  const end = (code: number): void => {
    isOver = true;
    say(CLOSE, Uint8Array.of(code >> 8, code & 0xff));
    if (wrong.speaksAfterClose) say(TEXT, new Uint8Array(1));
    if (!wrong.staysOpen) raw.end();
  };
  const take = ({ opcode, payload, reserved }: ReadFrame): void => {
    if (isOver) return;
    if (reserved !== 0 && !wrong.ignoresViolations) end(wrong.closeCode ?? 1002);
    else if (opcode === CLOSE && !wrong.ignoresClose) end(wrong.closeCode ?? 1000);
    else if (opcode === PING) say(PONG, wrong.pongs ?? payload);
    else if (opcode === TEXT || opcode === BINARY) {
      say(wrong.opcode ?? opcode, wrong.change?.(payload) ?? payload, wrong.reserved);
    }
  };
  raw.socket.on("data", (bytes: Uint8Array) => {
    reader.push(bytes);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) take(frame);
  });
}

async function play(id: string, wrong: Faults): Promise<Verdict> {
  faults = wrong;
  const script = cases.get(id)?.script?.() as Script;
  const raw = await RawPeer.connect(port);
  await raw.upgrade();
  const outcome = await new ScriptedPeer(raw, true, 300).play({ ...script, timeoutMs: 300 }, 20);
  return judge(script, outcome);
}

for (const id of ["1.1.1", "1.1.7", "1.1.8", "1.2.6", "2.4", "2.7", "2.11", "3.1", "3.4", "7.1.3", "7.7.1"]) {
  test(`an echo without faults passes ${id}`, async () => {
    expect(await play(id, {})).toEqual({ behaviour: "OK", behaviourClose: "OK", remark: "" });
  });
}

/** Case, fault, behaviour, close behaviour, remark. */
const FAULTS: readonly (readonly [string, Faults, string, string, RegExp])[] = [
  ["1.1.2", { opcode: BINARY }, "FAILED", "FAILED", /received binary of 125 B, expected text/],
  ["1.1.2", { reserved: 4 }, "FAILED", "UNCLEAN", /reserved bits are set/],
  ["1.1.2", { mask: true }, "FAILED", "UNCLEAN", /a masked frame came/],
  ["1.1.2", { change: (payload) => payload.subarray(1) }, "FAILED", "FAILED", /text of 124 B/],
  ["1.1.2", { change: (payload) => payload.fill(0xff) }, "FAILED", "FAILED", /not UTF-8/],
  ["1.1.2", { ignoresClose: true }, "OK", "UNCLEAN", /not finished/],
  ["1.1.2", { staysOpen: true }, "OK", "UNCLEAN", /not finished/],
  ["1.1.2", { closeCode: 1001 }, "OK", "WRONG CODE", /closed with 1001/],
  ["1.1.2", { speaksAfterClose: true }, "FAILED", "OK", /behind the Close frame/],
  ["2.4", { pongs: new Uint8Array(125) }, "FAILED", "FAILED", /pong of 125 B/],
  ["2.4", { pongs: new Uint8Array(126) }, "FAILED", "FAILED", /too long/],
  ["3.1", { ignoresViolations: true }, "FAILED", "OK", /stayed open/],
  ["3.2", { ignoresViolations: true }, "FAILED", "OK", /stayed open/],
  ["3.1", { closeCode: 1007 }, "OK", "WRONG CODE", /closed with 1007, not 1002/],
  ["7.7.2", { closeCode: 1002 }, "FAILED", "WRONG CODE", /closed with 1002/],
];

for (const [id, wrong, behaviour, behaviourClose, remark] of FAULTS) {
  test(`case ${id} finds an echo with ${Object.keys(wrong)[0]} wrong: ${behaviour}, close ${behaviourClose}`, async () => {
    const verdict = await play(id, wrong);
    expect(verdict).toMatchObject({ behaviour, behaviourClose });
    expect(verdict.remark).toMatch(remark);
  });
}

test("every case of Autobahn's list has a script, but for those that need compression", () => {
  const without = [...cases.values()].filter(({ script }) => script === undefined);
  expect(cases.size).toBe(517);
  expect(without).toHaveLength(216);
  for (const { id } of without) expect(["12", "13"]).toContain(id.split(".")[0]);
});
