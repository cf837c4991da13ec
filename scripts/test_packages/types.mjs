/** TypeScript programs that use the package: under each kind of module resolution, with every declaration checked and no other types. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { entryPoints } from "../entry_points.mjs";
import { ROOT } from "../setup/command.mjs";
import { expectEcho } from "./expect.mjs";
import { Project } from "./project.mjs";
import { nodePrograms } from "./tools.mjs";

const RESOLUTIONS = [
  { name: "node16", module: "node16" },
  { name: "nodenext", module: "nodenext" },
  { name: "bundler", module: "esnext" },
];

export async function testTypes(context) {
  const project = new Project(join(context.folder, "types"), context.environment);
  project.add("consumer.ts");
  const imports = entryPoints().map(
    ({ specifier }, index) => `import * as entry${index} from "${specifier}";\n`,
  );
  const names = imports.map((_, index) => `entry${index}`).join(", ");
  writeFileSync(
    project.path("everything.ts"),
    `${imports.join("")}\nexport const all: readonly object[] = [${names}];\n`,
  );
  await project.install(["npm", "install", "ringwire"]);
  const [{ major, program }] = nodePrograms();
  for (const { name, module } of RESOLUTIONS) {
    await context.report.try(
      "TypeScript",
      `moduleResolution ${name}, strict, libraries checked`,
      async () => {
        const configuration = {
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
          },
          files: ["consumer.ts", "everything.ts"],
        };
        project.write("tsconfig.json", JSON.stringify(configuration));
        await project.run([program, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."]);
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
