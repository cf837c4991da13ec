/** The scripted peer finds nothing wrong with ws in groups 12 and 13: one case of each subgroup, as server and as client. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { caseList } from "./case_list.ts";
import { type Echo, ROLES } from "./echo.ts";
import { judge } from "./judge.ts";
import { startWsEcho } from "./ws_echo.ts";

const IDS: readonly string[] = [
  ...["12.1.1", "12.2.4", "12.3.7", "12.4.15", "12.5.18"],
  ...["13.1.2", "13.2.5", "13.3.8", "13.4.12", "13.5.14", "13.6.16", "13.7.17"],
];
const cases = caseList(false).filter(({ id }) => IDS.includes(id));

// Elsewhere "ws" is not the npm package.
const isNode = runtime.name === "node";
if (!isNode)
  console.warn(`SKIPPED: the scripted peer against ws cannot run on ${runtime.name}, only on Node`);

for (const role of ROLES) {
  describe.skipIf(!isNode)(`ws as ${role}`, () => {
    let echo: Echo;
    beforeAll(async () => {
      echo = await startWsEcho(role);
    });
    afterAll(() => echo.close());
    for (const { id, description, script: makeScript } of cases) {
      test(`${id} ${description}`, async () => {
        const script = makeScript();
        const { peer, gone } = await echo.meet({ wishes: script.wishes });
        const verdict = judge(script, await peer.play(script, 20));
        await gone;
        expect(verdict).toEqual({ behaviour: "OK", behaviourClose: "OK", remark: "" });
      });
    }
  });
}
