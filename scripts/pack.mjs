#!/usr/bin/env node
/**
 * `npm run pack`: everything that goes to npm, as tarballs in dist/packages.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseOrExit } from "./arguments.mjs";
import { build, NOT_BUILT } from "./build.mjs";
import {
  mainManifest,
  PART_NAMES,
  PLATFORM_NAMES,
  partManifest,
  platformManifest,
} from "./packages/manifests.mjs";
import { divide } from "./packages/parts.mjs";
import { publishedReadme } from "./packages/readme.mjs";
import { localPlatform, shimsToTry, strip } from "./packages/shims.mjs";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run pack

Builds dist/ and leaves in dist/packages the tarball of ringwire, those of its declarations and of its program, and one for each
platform whose shim "npm run platforms" has made of the sources as they are. For this machine's own platform the shim of the checkout
will do.

  --help    this text`;

const STAGE = join(ROOT, "build/packages");
const DIST = join(ROOT, "dist");
const OUTPUT = join(DIST, "packages");
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

/** A fresh folder with what every package has that belongs to `ringwire`. */
function stageCompanion(name, manifest) {
  const folder = stage(name, manifest);
  const { name: title, description } = manifest;
  const text = `${description}. npm installs it along with \`ringwire\`; nobody needs to ask for it.`;
  write(folder, "README.md", `# ${title}\n\n${text}\n`);
  return folder;
}

/** The texts of what was built, by path in dist/. */
function builtFiles() {
  const paths = readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(DIST, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => !NOT_BUILT.includes(path.split("/")[0]));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(DIST, path), "utf8")]));
}

function writeFiles(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    write(folder, path, text);
  }
  return folder;
}

function stageMain(platforms, files) {
  const manifest = mainManifest(platforms);
  const folder = stage("ringwire", manifest);
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  write(folder, "README.md", publishedReadme(readme, manifest.repository, manifest.version));
  writeFiles(join(folder, "dist"), files);
  chmodSync(join(folder, "dist/cli.js"), 0o755);
  return folder;
}

function stagePlatform({ name, library, notices, isLocal }) {
  const folder = stageCompanion(name, platformManifest(name));
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
  const files = divide(builtFiles());
  const parts = PART_NAMES.map((name) =>
    packFolder(writeFiles(stageCompanion(name, partManifest(name)), files[name])),
  );
  const main = stageMain(
    platforms.map(({ platform }) => platform),
    files.main,
  );
  return [...platforms, ...parts, packFolder(main)];
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
  const own = packages.filter(({ platform }) => platform === undefined || platform === localPlatform());
  const tarballs = own.map(({ tarball }) => relative(ROOT, tarball));
  console.log(`pack: dist/packages is ready; to try it before npm has it: npm install ${tarballs.join(" ")}`);
}
