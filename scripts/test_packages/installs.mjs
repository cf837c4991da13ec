/** Installed by npm, Bun and Deno, with and without what is optional: the transport, the reason, and what `ringwire doctor` says. */
import { cpSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { version } from "../packages/manifests.mjs";
import { RUNTIMES, runtimeCommand } from "../runtimes.mjs";
import { ROOT } from "../setup/command.mjs";
import { expectDoctor, expectEcho, expectTrace } from "./expect.mjs";
import { Project } from "./project.mjs";
import { nodePrograms, tool } from "./tools.mjs";

const EXACT = `ringwire@${version()}`;
/** What Deno needs for io_uring, and nothing else. */
const DENO_PERMISSIONS = ["--allow-net", "--allow-ffi"];
const NO_PACKAGE = new RegExp(`install the package @ringwire/${process.platform}-${process.arch}-gnu,`);
const OF_PACKAGE = /of npm's package/;

const deno = (...permissions) => [runtimeCommand("deno")[0], "run", ...permissions];

/** Every Node, Bun and Deno, with the words that start a program under it. */
function everyRuntime(permissions) {
  return [
    ...nodePrograms().map(({ major, program }) => ({ where: `node ${major}`, words: [program] })),
    { where: "bun", words: runtimeCommand("bun") },
    { where: "deno", words: deno(...permissions) },
  ];
}

const PROGRAM = "node_modules/ringwire/dist/cli.js";

async function npmProject(context, name, words) {
  const project = new Project(join(context.folder, name), context.environment);
  project.add("echo.mjs");
  project.add("required.cjs");
  project.add("trace.mjs");
  await project.install(["npm", "install", ...words, "ringwire"]);
  return project;
}

async function testNpm(context) {
  const project = await npmProject(context, "npm", []);
  for (const { where, words } of everyRuntime(DENO_PERMISSIONS)) {
    await context.report.try(where, "npm install ringwire", async () =>
      expectEcho(await project.runEcho([...words, "echo.mjs"]), "uring"),
    );
    await context.report.try(where, "npm install ringwire, ringwire doctor", async () =>
      expectDoctor(await project.run([...words, PROGRAM, "doctor"]), "uring", OF_PACKAGE),
    );
  }
  for (const { where, words } of everyRuntime(DENO_PERMISSIONS)) {
    await context.report.try(where, "npm install ringwire, names in a stack trace", async () =>
      expectTrace(await project.runForJson([...words, "trace.mjs"]), ["checkKnown", "new Loop"]),
    );
  }
  for (const { major, program } of nodePrograms()) {
    await context.report.try(`node ${major}`, 'npm install ringwire, require("ringwire")', async () =>
      expectEcho(await project.runEcho([program, "required.cjs"]), "uring"),
    );
  }
  await context.report.try("deno", "npm install ringwire, without --allow-ffi", async () =>
    expectEcho(await project.runEcho([...deno("--allow-net"), "echo.mjs"]), "native", /--allow-ffi/),
  );
  await context.report.try("deno", "npm install ringwire, without --allow-ffi, doctor", async () =>
    expectDoctor(
      await project.run([...deno("--allow-net"), PROGRAM, "doctor"]),
      "native",
      OF_PACKAGE,
      /--allow-ffi/,
    ),
  );
  rmSync(project.path("node_modules/koffi"), { recursive: true });
  const { major, program } = nodePrograms()[0];
  await context.report.try(`node ${major}`, "npm install ringwire, but koffi is missing", async () =>
    expectEcho(await project.runEcho([program, "echo.mjs"]), "native", /npm install koffi/),
  );
}

async function testWithoutOptional(context) {
  const project = await npmProject(context, "without-optional", ["--omit=optional"]);
  for (const { where, words } of everyRuntime(DENO_PERMISSIONS)) {
    await context.report.try(where, "npm install --omit=optional", async () =>
      expectEcho(await project.runEcho([...words, "echo.mjs"]), "native", NO_PACKAGE),
    );
  }
  for (const runtime of RUNTIMES) {
    const words = runtime === "deno" ? deno(...DENO_PERMISSIONS) : runtimeCommand(runtime);
    await context.report.try(runtime, "npm install --omit=optional, ringwire doctor", async () =>
      expectDoctor(await project.run([...words, PROGRAM, "doctor"]), "native", /^not found$/, NO_PACKAGE),
    );
  }
}

/**
 * Other ways to install, most of them with a layout of their own: on which runtimes each is tried, and how its doctor is started if not by its
 * path.
 */
function managers({ folder }) {
  const [bun] = runtimeCommand("bun");
  const store = ["--store-dir", join(folder, "pnpm-store")];
  return [
    {
      what: "npm ci",
      installs: [
        ["npm", "install", "ringwire"],
        ["npm", "ci"],
      ],
      doctor: ["npm", "exec", "--", "ringwire", "doctor"],
      runtimes: ["node"],
    },
    {
      what: "npm install, workspace",
      workspace: "packages/app",
      installs: [["npm", "install", "ringwire", "--workspace=app"]],
      runtimes: ["node"],
    },
    // Of links, in which only what a package names itself is in its reach.
    {
      what: "pnpm add",
      installs: [[...tool("pnpm/bin/pnpm.cjs"), "add", "ringwire", ...store]],
      runtimes: RUNTIMES,
    },
    {
      what: "bun add",
      installs: [[bun, "add", "ringwire"]],
      doctor: [bun, "x", "--bun", "ringwire", "doctor"],
      runtimes: ["bun"],
    },
    {
      what: "bun add --linker isolated",
      installs: [[bun, "add", "--linker", "isolated", "ringwire"]],
      runtimes: ["bun"],
    },
  ];
}

async function testManagers(context) {
  for (const { what, installs, doctor, runtimes, workspace } of managers(context)) {
    const { report, environment } = context;
    const root = new Project(join(context.folder, what.replace(/\W+/g, "-")), environment);
    const project = workspace === undefined ? root : new Project(root.path(workspace), environment);
    if (workspace !== undefined)
      root.write("package.json", JSON.stringify({ private: true, workspaces: [workspace] }));
    project.add("echo.mjs");
    for (const words of installs) await root.install(words);
    for (const runtime of runtimes) {
      const words = runtime === "deno" ? deno(...DENO_PERMISSIONS) : runtimeCommand(runtime);
      await report.try(runtime, what, async () =>
        expectEcho(await project.runEcho([...words, "echo.mjs"]), "uring"),
      );
      const program = doctor ?? [...words, root.path(PROGRAM), "doctor"];
      await report.try(runtime, `${what}, ringwire doctor`, async () =>
        expectDoctor(await project.run(program), "uring", OF_PACKAGE),
      );
    }
  }
}

/** By itself Deno takes no package of npm before it is a day old. */
const denoConfiguration = (ringwire) => JSON.stringify({ imports: { ringwire }, minimumDependencyAge: 0 });

async function testDenoSpecifier(context) {
  const project = new Project(join(context.folder, "deno-npm"), context.environment);
  project.add("echo.mjs");
  rmSync(project.path("package.json"));
  project.write("deno.json", denoConfiguration(`npm:${EXACT}`));
  const doctor = (...permissions) => project.run([...deno(...permissions), `npm:${EXACT}`, "doctor"]);
  await testDeno(context, project, `npm:${EXACT}`, []);
  await context.report.try("deno", `deno run npm:${EXACT} doctor`, async () =>
    expectDoctor(await doctor(...DENO_PERMISSIONS), "uring", OF_PACKAGE),
  );
}

/** The sources that JSR would publish, from a server on the loopback interface: like JSR's they are no files. */
async function testJsr(context) {
  const project = new Project(join(context.folder, "deno-jsr"), context.environment);
  project.add("echo.mjs");
  rmSync(project.path("package.json"));
  cpSync(join(ROOT, "src"), project.path("jsr/src"), { recursive: true });
  const server = createServer(async (request, response) => {
    const text = await readFile(project.path(`jsr${request.url}`), "utf8").catch(() => undefined);
    response
      .writeHead(text === undefined ? 404 : 200, { "content-type": "application/typescript" })
      .end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${server.address().port}`;
  try {
    project.write("deno.json", denoConfiguration(`http://${host}/src/mod.ts`));
    await testDeno(context, project, "JSR's form, over http", [`--allow-import=${host}`]);
    await context.report.try("deno", "JSR's form, ringwire doctor", async () =>
      expectDoctor(
        await project.run([
          ...deno(...DENO_PERMISSIONS, `--allow-import=${host}`, "--minimum-dependency-age=0"),
          `http://${host}/src/cli/main.ts`,
          "doctor",
        ]),
        "uring",
        OF_PACKAGE,
      ),
    );
  } finally {
    server.close();
  }
}

async function testDeno(context, project, what, permissions) {
  // The first run downloads: the time of the second is the one that counts.
  await context.report.try("deno", what, async () => {
    const words = [...deno(...DENO_PERMISSIONS, ...permissions), "echo.mjs"];
    await project.install(words);
    return expectEcho(await project.runEcho(words), "uring");
  });
  await context.report.try("deno", `${what}, without --allow-ffi`, async () => {
    const result = await project.runEcho([...deno("--allow-net", ...permissions), "echo.mjs"]);
    return expectEcho(result, "native", /--allow-ffi/);
  });
}

/** The checkout itself, as the README says for the time before there is anything on npm: its dist/ has all parts. */
async function testCheckout(context) {
  const project = new Project(join(context.folder, "checkout"), context.environment);
  project.add("echo.mjs");
  await project.install(["npm", "install", ROOT]);
  for (const runtime of RUNTIMES) {
    const words = runtime === "deno" ? deno(...DENO_PERMISSIONS) : runtimeCommand(runtime);
    await context.report.try(runtime, "npm install PATH/TO/CLONE", async () =>
      expectEcho(await project.runEcho([...words, "echo.mjs"]), "uring"),
    );
    await context.report.try(runtime, "npm install PATH/TO/CLONE, ringwire doctor", async () =>
      expectDoctor(await project.run([...words, PROGRAM, "doctor"]), "uring", /built in this checkout/),
    );
  }
}

export async function testInstalls(context) {
  await testNpm(context);
  await testWithoutOptional(context);
  await testManagers(context);
  await testDenoSpecifier(context);
  await testJsr(context);
  await testCheckout(context);
}
