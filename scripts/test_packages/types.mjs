/** TypeScript programs that use the package: under each kind of module resolution, with every declaration checked and no other types; by pnpm and Deno too. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { entryPoints } from "../entry_points.mjs";
import { version } from "../packages/manifests.mjs";
import { runtimeCommand } from "../runtimes.mjs";
import { ROOT } from "../setup/command.mjs";
import { expectEcho } from "./expect.mjs";
import { Project } from "./project.mjs";
import { nodePrograms, tool } from "./tools.mjs";

const RESOLUTIONS = [
  { name: "node16", module: "node16" },
  { name: "nodenext", module: "nodenext" },
  { name: "bundler", module: "esnext" },
];

const configuration = ({ name, module, files, declaration = false }) =>
  JSON.stringify({
    compilerOptions: {
      module,
      moduleResolution: name,
      target: "es2022",
      lib: ["es2023", "dom", "dom.iterable", "dom.asynciterable", "esnext.disposable"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      outDir: name,
      declaration,
    },
    files,
  });

const tsc = [nodePrograms()[0].program, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."];

const denoCheck = [runtimeCommand("deno")[0], "check", "consumer.ts", "inferred.ts", "everything.ts"];

function makeProject(context, name) {
  const project = new Project(join(context.folder, name), context.environment);
  project.add("consumer.ts");
  project.add("inferred.ts");
  const imports = entryPoints().map(
    ({ specifier }, index) => `import * as entry${index} from "${specifier}";\n`,
  );
  const names = imports.map((_, index) => `entry${index}`).join(", ");
  project.write("everything.ts", `${imports.join("")}\nexport const all: readonly object[] = [${names}];\n`);
  return project;
}

/** Checks that declarations made from inferred types name the package that was installed, and not one that it brought along. */
function expectNoParts(text) {
  const named = [...new Set(text.match(/@ringwire\/\w+|\.pnpm/g))];
  if (named.length > 0) throw new Error(`declarations name ${named.join(", ")}:\n${text}`);
  if (!text.includes('import("ringwire").Server<undefined>')) throw new Error(`no types in\n${text}`);
  return 'import("ringwire")';
}

async function testNpm(context) {
  const project = makeProject(context, "types");
  await project.install(["npm", "install", "ringwire"]);
  const [{ major, program }] = nodePrograms();
  for (const { name, module } of RESOLUTIONS) {
    await context.report.try(
      "TypeScript",
      `moduleResolution ${name}, strict, libraries checked`,
      async () => {
        project.write(
          "tsconfig.json",
          configuration({ name, module, files: ["consumer.ts", "everything.ts"] }),
        );
        await project.run(tsc);
        return expectEcho(await project.runEcho([program, `${name}/consumer.js`]), "uring");
      },
    );
  }
  await context.report.try(`node ${major}`, "every entry point can be imported", async () => {
    await project.run([program, "nodenext/everything.js"]);
    return entryPoints()
      .map(({ specifier }) => specifier)
      .join(", ");
  });
}

/** What a library that leaves its types to the compiler passes on. */
async function testDeclarations(context, project, what, { name, module }) {
  await context.report.try("TypeScript", `${what}, ${name}, a library's declarations`, async () => {
    const files = ["everything.ts", "inferred.ts"];
    project.write("tsconfig.json", configuration({ name, module, files, declaration: true }));
    await project.run(tsc);
    return expectNoParts(readFileSync(project.path(`${name}/inferred.d.ts`), "utf8"));
  });
}

/** In a layout where a program reaches only what it asked for itself. */
async function testPnpm(context) {
  const project = makeProject(context, "types-pnpm");
  const store = ["--store-dir", join(context.folder, "pnpm-store")];
  await project.install([...tool("pnpm/bin/pnpm.cjs"), "add", "ringwire", ...store]);
  for (const resolution of RESOLUTIONS) await testDeclarations(context, project, "pnpm", resolution);
  await context.report.try("deno", "pnpm, deno check", async () => {
    await project.run(denoCheck);
  });
}

async function testCheckout(context) {
  const project = makeProject(context, "types-checkout");
  await project.install(["npm", "install", ROOT]);
  await testDeclarations(context, project, "PATH/TO/CLONE", RESOLUTIONS[1]);
}

async function testDenoSpecifier(context) {
  const project = makeProject(context, "types-deno");
  rmSync(project.path("package.json"));
  const imports = Object.fromEntries(
    entryPoints().map(({ key, specifier }) => [specifier, `npm:ringwire@${version()}${key.slice(1)}`]),
  );
  project.write("deno.json", JSON.stringify({ imports, minimumDependencyAge: 0 }));
  await context.report.try("deno", "npm:ringwire, deno check", async () => {
    await project.run(denoCheck);
  });
}

export async function testTypes(context) {
  await testNpm(context);
  await testPnpm(context);
  await testDenoSpecifier(context);
  await testCheckout(context);
}
