/** Runtimes that permit only what was asked for: nothing is asked at a terminal, nothing crashes, and what is missing is named. */
import { join } from "node:path";
import { runtimeCommand } from "../runtimes.mjs";
import { findProgram } from "../setup/command.mjs";
import { expectEcho } from "./expect.mjs";
import { Project } from "./project.mjs";
import { skipped } from "./report.mjs";
import { nodePrograms } from "./tools.mjs";

const PROMPT_LIMIT_MS = 15_000;
/** The first Node whose permission model knows networks and is in nodePrograms(). */
const NODE_WITH_NET = 26;

const deno = (...permissions) => [runtimeCommand("deno")[0], "run", ...permissions];

function expectRefusals(codes) {
  const wrong = Object.entries(codes).filter(([, code]) => code !== "ERR_PERMISSION_DENIED");
  if (wrong.length > 0) throw new Error(`not ERR_PERMISSION_DENIED: ${JSON.stringify(codes)}`);
  return "ERR_PERMISSION_DENIED";
}

async function testNode({ report }, project) {
  for (const { major, program } of nodePrograms()) {
    const flag = major === "20" ? "--experimental-permission" : "--permission";
    const net = Number(major) >= NODE_WITH_NET ? ["--allow-net"] : [];
    const words = [program, flag, "--allow-fs-read=*", "--no-warnings"];
    await report.try(`node ${major}`, `${flag}, without --allow-addons`, async () =>
      expectEcho(await project.runEcho([...words, ...net, "echo.mjs"]), "native", /--allow-addons/),
    );
    if (major !== "20") {
      await report.try(`node ${major}`, `${flag}, with --allow-addons`, async () =>
        expectEcho(await project.runEcho([...words, ...net, "--allow-addons", "echo.mjs"]), "uring"),
      );
    }
    if (net.length > 0) {
      await report.try(`node ${major}`, `${flag}, without --allow-net`, async () =>
        expectRefusals(await project.runForJson([...words, "refused.mjs"])),
      );
    }
  }
}

/** Words that run a command at a terminal, where a question would wait for its answer. */
function atTerminal(words) {
  if (findProgram("script") === undefined)
    throw skipped("the program script, which makes a terminal, is missing");
  return ["script", "-qec", words.join(" "), "/dev/null"];
}

async function testDeno({ report }, project) {
  const limit = { limitMs: PROMPT_LIMIT_MS };
  await report.try("deno", "without --allow-ffi, at a terminal", async () => {
    const words = atTerminal([...deno("--allow-net"), "echo.mjs"]);
    return expectEcho(await project.runEcho(words, limit), "native", /--allow-ffi/);
  });
  await report.try("deno", "--deny-read, --deny-env, --deny-sys, --deny-run", async () => {
    const denied = ["--deny-read", "--deny-env", "--deny-sys", "--deny-run"];
    return expectEcho(
      await project.runEcho([...deno("--allow-net", "--allow-ffi", ...denied), "echo.mjs"]),
      "uring",
    );
  });
  await report.try("deno", "without --allow-net, at a terminal", async () =>
    expectRefusals(await project.runForJson(atTerminal([...deno(), "refused.mjs"]), limit)),
  );
  await report.try("deno", "--allow-net of a list", async () => {
    const list = "--allow-net=127.0.0.1,localhost";
    return expectEcho(await project.runEcho([...deno(list), "echo.mjs"]), "native", /--allow-ffi/);
  });
}

export async function testPermissions(context) {
  const project = new Project(join(context.folder, "permissions"), context.environment);
  project.add("echo.mjs");
  project.add("refused.mjs");
  await project.install(["npm", "install", "ringwire"]);
  await testNode(context, project);
  await testDeno(context, project);
}
