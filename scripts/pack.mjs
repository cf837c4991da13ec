#!/usr/bin/env node
/**
 * `npm run pack`: everything that goes to npm, as tarballs in dist/packages.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseOrExit } from "./arguments.mjs";
import { build, NOT_BUILT } from "./build.mjs";
import { mainManifest, PLATFORM_NAMES, platformManifest, platformPackage } from "./packages/manifests.mjs";
import { publishedReadme } from "./packages/readme.mjs";
import { shimsToTry, strip } from "./packages/shims.mjs";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run pack

Builds dist/ and leaves in dist/packages the tarball of ringwire and one for each platform whose shim "npm run platforms" has left
in dist/platforms. For this machine's own platform the shim of the checkout will do, if there is no newer one.

  --help    this text`;

const STAGE = join(ROOT, "build/packages");
const OUTPUT = join(ROOT, "dist/packages");
const LICENSE = "LICENSE";

const write = (folder, name, text) => writeFileSync(join(folder, name), text);
const writeManifest = (folder, manifest) =>
  write(folder, "package.json", `${JSON.stringify(manifest, null, 2)}\n`);

/** A fresh folder with what every package has. */
function stage(name, manifest) {
  const folder = join(STAGE, name);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(ROOT, LICENSE), join(folder, LICENSE));
  writeManifest(folder, manifest);
  return folder;
}

function stageMain(platforms) {
  const folder = stage("ringwire", mainManifest(platforms));
  const { repository, version } = mainManifest(platforms);
  write(
    folder,
    "README.md",
    publishedReadme(readFileSync(join(ROOT, "README.md"), "utf8"), repository, version),
  );
  copyFileSync(join(ROOT, "CHANGELOG.md"), join(folder, "CHANGELOG.md"));
  for (const name of readdirSync(join(ROOT, "dist"))) {
    if (NOT_BUILT.includes(name)) continue;
    cpSync(join(ROOT, "dist", name), join(folder, "dist", name), { recursive: true });
  }
  return folder;
}

function stagePlatform({ name, library, notices, isLocal }) {
  const folder = stage(name, platformManifest(name));
  const copy = join(folder, "libringwire.so");
  copyFileSync(library, copy);
  chmodSync(copy, 0o755);
  // What `npm run platforms` makes is stripped already, and by the tools of its own processor.
  if (isLocal) strip(copy);
  write(folder, "THIRD_PARTY_NOTICES", notices);
  write(
    folder,
    "index.js",
    `import { fileURLToPath } from "node:url";\n\n/** Path of the shim. */\nexport default fileURLToPath(new URL("./libringwire.so", import.meta.url));\n`,
  );
  write(
    folder,
    "index.d.ts",
    `/** Path of the shim. */\ndeclare const path: string;\nexport default path;\n`,
  );
  write(
    folder,
    "README.md",
    `# ${platformPackage(name)}\n\n${platformManifest(name).description}. npm installs it along with \`ringwire\`; nobody needs to ask for it.\n`,
  );
  return folder;
}

function packFolder(folder) {
  const result = capture("npm", ["pack", "--json", "--pack-destination", OUTPUT], { cwd: folder });
  if (result.status !== 0) throw new Error(`npm pack failed in ${folder}:\n${tail(result.stderr)}`);
  // npm 11 answers with a list, npm 12 with an object by name.
  const [packed] = Object.values(JSON.parse(result.stdout));
  const { name, filename, size, unpackedSize, files } = packed;
  return {
    name,
    packedBytes: size,
    unpackedBytes: unpackedSize,
    files: files.map(({ path }) => path),
    tarball: join(OUTPUT, filename),
  };
}

function pack(shims) {
  const complaint = build("dist");
  if (complaint !== undefined) throw new Error(complaint);
  for (const folder of [STAGE, OUTPUT]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  const platforms = shims.map((shim) => ({
    ...packFolder(stagePlatform(shim)),
    platform: shim.name,
    isLocal: shim.isLocal,
  }));
  return [...platforms, packFolder(stageMain(platforms.map(({ platform }) => platform)))];
}

/**
 * Packs everything, or ends the process with the complaint.
 *
 * @param shims - See scripts/packages/shims.mjs.
 * @returns For each package its name, tarball, files and sizes; for those of platforms, which come first, also whether the shim is the
 *   checkout's own.
 */
export function packOrExit(shims) {
  try {
    return pack(shims);
  } catch (error) {
    console.error(`pack: ${error.message}`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  parseOrExit(process.argv.slice(2), {}, HELP);
  await setUpOrExit();
  const packages = packOrExit(shimsToTry());
  for (const { name, unpackedBytes, files, isLocal } of packages) {
    const remark = isLocal ? ", the checkout's own shim: for this machine only" : "";
    console.log(
      `${name.padEnd(28)}${(unpackedBytes / 1000).toFixed(0).padStart(6)} KB, ${files.length} files${remark}`,
    );
  }
  const missing = PLATFORM_NAMES.filter((name) => !packages.some(({ platform }) => platform === name));
  if (missing.length > 0)
    console.log(`not packed: ${missing.join(", ")} ("npm run platforms" builds their shims)`);
  console.log("pack: dist/packages is ready");
}
