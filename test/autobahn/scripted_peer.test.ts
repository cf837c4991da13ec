/** The scripted peer finds faults: an echo that is not ours plays its cases, once well and then with one fault at a time. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { RawPeer } from "../conformance/raw_peer.ts";
import { caseList } from "./case_list.ts";
import { type Acceptance, type Agreement, acceptanceOf } from "./deflate_parameters.ts";
import { judge, type Verdict } from "./judge.ts";
import { extensionsIn, meetServer } from "./meeting.ts";
import { PeerDeflate } from "./peer_deflate.ts";
import { BINARY, CLOSE, CONTINUATION, PING, PONG, type Script, TEXT } from "./script.ts";
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
  readonly declines?: boolean;
  readonly answers?: string;
  readonly agrees?: Agreement;
  readonly neverCompresses?: boolean;
  readonly compressed?: Uint8Array;
  readonly marksAllFragments?: boolean;
}

const cases = new Map(caseList(false).map((entry) => [entry.id, entry]));
const RSV1 = 4;
const FULL = { windowBits: 15, hasTakeover: true };
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

/** Accepts what is offered, or not, or wrongly. */
async function open(raw: RawPeer, wrong: Faults): Promise<PeerDeflate | undefined> {
  let acceptance: Acceptance | undefined;
  await raw.acceptUpgrade(undefined, (request) => {
    if (wrong.declines) return [];
    acceptance = acceptanceOf(extensionsIn(request), [{ noContextTakeover: false, windowBits: 0 }]);
    const answer = wrong.answers ?? acceptance?.answer;
    return answer === undefined ? [] : [`Sec-WebSocket-Extensions: ${answer}`];
  });
  return acceptance && new PeerDeflate(wrong.agrees ?? acceptance.agreement, false);
}

/** A server just good enough for unfragmented messages. */
async function serve(raw: RawPeer, wrong: Faults): Promise<void> {
  served.push(raw);
  const deflate = await open(raw, wrong);
  const reader = new FrameReader();
  let isOver = false;
  const say = (opcode: number, payload: Uint8Array, reserved = 0, isFinal = true): void => {
    const key = wrong.mask ? ([0, 0, 0, 0] as const) : undefined;
    raw.write(concatenate([writeHead({ opcode, reserved, isFinal }, payload.length, key), payload]));
  };
  const echoCompressed = async (codec: PeerDeflate, { opcode, payload }: ReadFrame): Promise<void> => {
    const message = await codec.decompress(payload);
    const answer = wrong.change?.(message) ?? message;
    if (wrong.neverCompresses) return say(opcode, answer);
    const bytes = wrong.compressed ?? (await codec.compress(answer));
    if (!wrong.marksAllFragments) return say(opcode, bytes, RSV1);
    say(opcode, bytes.subarray(0, 5), RSV1, false);
    say(CONTINUATION, bytes.subarray(5), RSV1);
  };
  const end = (code: number): void => {
    isOver = true;
    say(CLOSE, Uint8Array.of(code >> 8, code & 0xff));
    if (wrong.speaksAfterClose) say(TEXT, new Uint8Array(1));
    if (!wrong.staysOpen) raw.end();
  };
  const take = (frame: ReadFrame): void => {
    const { opcode, payload, reserved } = frame;
    if (isOver) return;
    if (deflate !== undefined && reserved === RSV1) void echoCompressed(deflate, frame);
    else if (reserved !== 0 && !wrong.ignoresViolations) end(wrong.closeCode ?? 1002);
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
  const script = cases.get(id)?.script() as Script;
  // What is right ends with what comes. What is wrong is waited for; twenty-four messages take longer than one answer.
  const isGood = Object.keys(wrong).length === 0;
  const patienceMs = isGood ? 30_000 : 400;
  const timeoutMs = isGood ? patienceMs : script.wishes === undefined ? 400 : 3_000;
  const peer = await meetServer(port, { wishes: script.wishes, patienceMs });
  return judge(script, await peer.play({ ...script, timeoutMs }, 20));
}

const GOOD: readonly string[] = [
  ...["1.1.1", "1.1.7", "1.1.8", "1.2.6", "2.4", "2.7", "2.11", "3.1", "3.4", "7.1.3", "7.7.1"],
  ...["12.1.1", "12.2.10", "12.5.6", "13.2.6", "13.3.6", "13.5.6", "13.7.6"],
];
for (const id of GOOD) {
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
  ["12.1.4", { declines: true }, "UNIMPLEMENTED", "OK", /was declined/],
  ["12.1.4", { neverCompresses: true }, "FAILED", "UNCLEAN", /not compressed/],
  ["12.1.4", { change: (payload) => payload.fill(7, 0, 1) }, "FAILED", "FAILED", /echo 0 is not what/],
  ["12.1.4", { compressed: new Uint8Array(9).fill(6) }, "FAILED", "FAILED", /that is none|is not what/],
  ["12.1.4", { marksAllFragments: true }, "FAILED", "FAILED", /reserved bits are set/],
  ["12.1.4", { ignoresClose: true }, "OK", "UNCLEAN", /not finished/],
  ["13.2.6", { agrees: { client: FULL, server: FULL } }, "FAILED", "FAILED", /message came that is none/],
  ["13.3.6", { agrees: { client: FULL, server: FULL } }, "FAILED", "FAILED", /exceeds the window of 512 B/],
];

for (const [id, wrong, behaviour, behaviourClose, remark] of FAULTS) {
  test(`case ${id} finds an echo with ${Object.keys(wrong)[0]} wrong: ${behaviour}, close ${behaviourClose}`, async () => {
    const verdict = await play(id, wrong);
    expect(verdict).toMatchObject({ behaviour, behaviourClose });
    expect(verdict.remark).toMatch(remark);
  });
}

/** Case, answer, and what is wrong with it. */
const ANSWERS: readonly (readonly [string, string, RegExp])[] = [
  ["12.1.1", "permessage-deflate; client_max_window_bits", /has no value/],
  ["12.1.1", "permessage-deflate; server_max_window_bits=16", /is no parameter/],
  ["12.1.1", "permessage-deflate; server_max_window_bits=09", /is no parameter/],
  ["12.1.1", "permessage-deflate; server_no_context_takeover=1", /is no parameter/],
  ["12.1.1", "permessage-deflate; client_no_context_takeover; client_no_context_takeover", /is there twice/],
  ["12.1.1", "permessage-deflate, permessage-deflate", /names 2 extensions/],
  ["12.1.1", "x-webkit-deflate-frame", /unknown extension/],
  ["13.2.1", "permessage-deflate", /fits no offer/],
  ["13.3.1", "permessage-deflate; server_max_window_bits=10", /fits no offer/],
];

for (const [id, answers, remark] of ANSWERS) {
  test(`case ${id} refuses the answer ${answers}`, async () => {
    await expect(play(id, { answers })).rejects.toThrow(remark);
  });
}

test("all 517 cases of Autobahn's list have a script", () => {
  const ids = [...cases.keys()];
  expect(ids).toHaveLength(517);
  expect(ids.filter((id) => id.startsWith("12."))).toHaveLength(90);
  expect(ids.filter((id) => id.startsWith("13."))).toHaveLength(126);
});

test("the scripts of groups 12 and 13 do what their descriptions say", () => {
  const full = caseList(true).filter(({ id }) => /^1[23]\./.test(id));
  expect(full).toHaveLength(216);
  for (const { id, description, expectation, script: makeScript } of full) {
    const { steps, timeoutMs, wishes = [] } = makeScript();
    const [step] = steps;
    if (steps.length !== 1 || step.kind !== "echoes") throw new Error(`Case ${id} does something else`);
    const pairs = wishes.map(
      ({ noContextTakeover, windowBits }) => `(${noContextTakeover ? "True" : "False"}, ${windowBits})`,
    );
    const offer = id.startsWith("12.")
      ? "default permessage-deflate offer."
      : `permessage-deflate client offers (requestNoContextTakeover, requestMaxWindowBits): [${pairs.join(", ")}]`;
    expect(description).toBe(
      `Send ${step.count} compressed messages each of payload size ${step.payload(3).length}, ` +
        `auto-fragment to ${step.fragmentBytes} octets. Use ${offer}`,
    );
    expect(expectation).toContain(`after ${(timeoutMs as number) / 1_000} secs.`);
  }
});
