/**
 * Bundled and compiled programs: in the project, elsewhere without anything, and elsewhere with the shim beside them. The last two
 * must work too: over native sockets with a reason that says what to do, and over io_uring.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { runtimeCommand } from "../runtimes.mjs";
import { expectEcho } from "./expect.mjs";
import { Project } from "./project.mjs";
import { skipped } from "./report.mjs";
import { nodePrograms, toolProgram } from "./tools.mjs";

const PACKAGE = `@ringwire/${process.platform}-${process.arch}-gnu`;
const SHIM = `node_modules/${PACKAGE}/libringwire.so`;
const WHAT_TO_DO = new RegExp(
  `install the package ${PACKAGE}, put its file beside a bundled or compiled program`,
);
const [bun] = runtimeCommand("bun");
const [deno] = runtimeCommand("deno");
const DENO_PERMISSIONS = ["--allow-net", "--allow-ffi"];

async function makeProject(context) {
  const project = new Project(join(context.folder, "bundles"), context.environment);
  project.add("echo.mjs");
  project.add("required.cjs");
  project.add("embedded.mjs");
  const text = readFileSync(project.path("embedded.mjs"), "utf8");
  writeFileSync(
    project.path("embedded.mjs"),
    text.replace("linux-ARCH", `${process.platform}-${process.arch}`),
  );
  await project.install(["npm", "install", "ringwire"]);
  return project;
}

/** Copies a file to a folder where nothing else is, or to one below that. */
function moveAlone(context, path, below = "") {
  const folder = join(context.folder, "elsewhere", `${basename(dirname(path))}-${basename(path)}`, below);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(path, join(folder, basename(path)));
  return { folder, path: join(folder, basename(path)) };
}

/** Tries a bundle in the project, alone, and with the shim beside it. @param start - Words that start it. */
async function tryBundle(
  context,
  project,
  { where, what, file, start, inProject = "uring", besideNeedsKoffi = false },
) {
  const { report } = context;
  const run = (path, options) => project.runEcho([...start, path], options);
  await report.try(where, `${what}, in the project`, async () =>
    expectEcho(await run(project.path(file)), inProject),
  );
  const alone = moveAlone(context, project.path(file));
  await report.try(where, `${what}, alone`, async () =>
    expectEcho(await run(alone.path, { folder: alone.folder }), "native", WHAT_TO_DO),
  );
  copyFileSync(project.path(SHIM), join(alone.folder, "libringwire.so"));
  await report.try(where, `${what}, with libringwire.so beside it`, async () => {
    const result = await run(alone.path, { folder: alone.folder });
    // Node calls the shim through koffi, which is no file that could be put beside.
    return besideNeedsKoffi ? expectEcho(result, "native", /npm install koffi/) : expectEcho(result, "uring");
  });
}

async function testEsbuild(context, project) {
  const esbuild = toolProgram("esbuild/bin/esbuild");
  const common = ["--bundle", "--platform=node", "--target=node20", "--log-level=error"];
  const [{ major, program }] = nodePrograms();
  const forms = [
    { format: "esm", source: "echo.mjs", file: "out/esbuild.mjs" },
    // CommonJS has no await at the top level: the program that requires is bundled.
    { format: "cjs", source: "required.cjs", file: "out/esbuild.cjs" },
  ];
  for (const { format, source, file } of forms) {
    const words = [esbuild, source, ...common, `--format=${format}`, `--outfile=${file}`];
    if (format === "cjs") words.push("--log-override:empty-import-meta=silent");
    await project.run(words);
    await tryBundle(context, project, {
      where: `node ${major}`,
      what: `esbuild, ${format}`,
      file,
      start: [program],
      besideNeedsKoffi: true,
    });
  }
  await tryBundle(context, project, {
    where: "deno",
    what: "esbuild, esm",
    file: "out/esbuild.mjs",
    start: [deno, "run", ...DENO_PERMISSIONS],
  });
  // A folder that is named as one of a checkout's: who may look finds the shim all the same.
  const misleading = moveAlone(context, project.path("out/esbuild.mjs"), "dist/shared");
  copyFileSync(project.path(SHIM), join(misleading.folder, "libringwire.so"));
  await context.report.try(
    "deno",
    "esbuild, esm, -A, in dist/shared with libringwire.so beside it",
    async () =>
      expectEcho(
        await project.runEcho([deno, "run", "-A", misleading.path], { folder: misleading.folder }),
        "uring",
      ),
  );
}

async function testBunBuild(context, project) {
  await project.run([bun, "build", "echo.mjs", "--target=bun", "--outfile=out/bun.mjs"]);
  await tryBundle(context, project, { where: "bun", what: "bun build", file: "out/bun.mjs", start: [bun] });
  await project.run([bun, "build", "--compile", "echo.mjs", "--outfile=out/compiled"]);
  await tryBundle(context, project, {
    where: "bun",
    what: "bun build --compile",
    file: "out/compiled",
    start: [],
    // An executable looks beside itself only, wherever it is started.
    inProject: "native",
  });
  await context.report.try("bun", "bun build --compile, shim embedded, alone", async () => {
    await project.run([bun, "build", "--compile", "embedded.mjs", "--outfile=out/embedded"]);
    const { path, folder } = moveAlone(context, project.path("out/embedded"));
    return expectEcho(await project.runEcho([path], { folder }), "uring");
  });
}

/**
 * `deno compile` puts a program behind a runtime of its own, denort: one that DENORT_BIN names, or Deno's download site has. Where neither
 * is to be had, the program is put behind the whole Deno, which does not start it but shows what was embedded.
 */
async function testDenoCompile(context, project) {
  const compile = (source, output, options) =>
    project.run([deno, "compile", "--quiet", ...DENO_PERMISSIONS, "--output", output, source], options);
  let missing;
  await context.report.try("deno", "deno compile, packages embedded, alone", async () => {
    try {
      await compile("echo.mjs", "out/deno-compiled");
    } catch (error) {
      if (!error.message.includes("dl.deno.land")) throw error;
      missing = "no denort: dl.deno.land cannot be reached from here, and DENORT_BIN names none";
      throw skipped(missing);
    }
    const { path, folder } = moveAlone(context, project.path("out/deno-compiled"));
    return expectEcho(await project.runEcho([path], { folder }), "uring");
  });
  if (missing !== undefined) {
    await context.report.try("deno", "deno compile, packages embedded, not started", async () => {
      await compile("echo.mjs", "out/deno-embedded", { environment: { DENORT_BIN: deno } });
      const program = readFileSync(project.path("out/deno-embedded"));
      for (const file of ["echo.mjs", "node_modules/ringwire/dist/mod.js", SHIM])
        if (!program.includes(readFileSync(project.path(file)))) throw new Error(`${file} is not embedded`);
      return "program, Ringwire and libringwire.so are in it";
    });
    return;
  }
  // A bundle in a folder without packages: nothing is embedded but itself.
  const { folder } = moveAlone(context, project.path("out/esbuild.mjs"));
  await compile("esbuild.mjs", project.path("out/deno-bundle"), { folder });
  await tryBundle(context, project, {
    where: "deno",
    what: "deno compile of a bundle",
    file: "out/deno-bundle",
    start: [],
    // An executable looks beside itself only, wherever it is started.
    inProject: "native",
  });
}

export async function testBundles(context) {
  const project = await makeProject(context);
  await testEsbuild(context, project);
  await testBunBuild(context, project);
  await testDenoCompile(context, project);
}
