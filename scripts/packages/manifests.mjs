/**
 * What the published package.json files say: that of `ringwire`, of its parts that are packages of their own, and of one package per
 * platform with its prebuilt shim. The one in the checkout is private and names none of them: a clone has all parts in dist/ and builds its own
 * shim, and must not depend on what npm has.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { entryPoints } from "../entry_points.mjs";
import { PLATFORMS } from "../platforms/platform.mjs";
import { ROOT } from "../setup/command.mjs";

/** In the order in which they are published. The words are npm's os and cpu, and the C library. */
export const PLATFORM_NAMES = PLATFORMS.map(({ name }) => name);

/** The package of a part or a platform; src/runtime/library_search.ts asks for the latter. */
export const scoped = (name) => `@ringwire/${name}`;

/**
 * What is installed with `ringwire` but not part of its own package, so that what runs is small: what it is, and what its package.json says.
 */
const PARTS = {
  types: {
    description: "The declarations of ringwire, with their docs",
    // TypeScript finds them through those of `ringwire`.
    exports: () =>
      Object.fromEntries(entryPoints().map(({ key, stem }) => [key, { types: `./${stem}.d.ts` }])),
    files: ["**/*.d.ts"],
  },
  cli: {
    description: "The command line program of ringwire",
    exports: () => "./mod.js",
    files: ["mod.js"],
  },
};

/** In the order in which they are published. */
export const PART_NAMES = Object.keys(PARTS);

const readPackage = () => JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** Version of everything that is published. */
export const version = () => readPackage().version;

const REPOSITORY_FIELDS = ["repository", "homepage", "bugs", "author", "keywords"];

const exact = (names, version) => Object.fromEntries(names.map((name) => [scoped(name), version]));

/**
 * package.json of `ringwire`.
 *
 * @param platforms - Names of the platforms whose packages belong to it.
 */
export function mainManifest(platforms = PLATFORM_NAMES) {
  const { private: _, scripts: __, allowScripts: ___, devDependencies, ...manifest } = readPackage();
  return {
    ...manifest,
    dependencies: exact(PART_NAMES, manifest.version),
    // koffi is how Node calls the shim. Optional like the shim itself: what is missing costs io_uring and nothing else.
    optionalDependencies: { ...exact(platforms, manifest.version), koffi: devDependencies.koffi },
    publishConfig: { access: "public" },
  };
}

/** What the package.json of every package besides `ringwire` begins and ends with. */
function companionManifest(name, description, fields) {
  const { version, license, engines, ...rest } = readPackage();
  const kept = REPOSITORY_FIELDS.filter((field) => rest[field] !== undefined);
  return {
    name: scoped(name),
    version,
    description,
    license,
    ...Object.fromEntries(kept.map((field) => [field, rest[field]])),
    type: "module",
    sideEffects: false,
    engines,
    ...fields,
    publishConfig: { access: "public" },
  };
}

/** package.json of a part. */
export function partManifest(name) {
  const { description, exports, files } = PARTS[name];
  return companionManifest(name, description, { exports: exports(), files });
}

/** package.json of a platform's package. */
export function platformManifest(platform) {
  const [os, cpu, libc] = platform.split("-");
  const library = libc === "gnu" ? "glibc" : "musl";
  return companionManifest(platform, `The io_uring shim of ringwire for ${os} ${cpu} with ${library}`, {
    os: [os],
    cpu: [cpu],
    libc: [library],
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      "./libringwire.so": "./libringwire.so",
      "./package.json": "./package.json",
    },
    files: ["index.js", "index.d.ts", "libringwire.so", "THIRD_PARTY_NOTICES"],
  });
}
