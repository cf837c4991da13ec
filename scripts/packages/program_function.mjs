/** A program as a function of the library that it uses: it can lie in another package, and yet uses the very library that calls it. */
import { parseAst } from "rolldown/parseAst";

/** The library while the program is bundled. */
const OUTSIDE = "library:";

/** `{ connect, Loop: Other }`, as a parameter, of what an import statement names. */
function parameterOf(statement) {
  const names = statement.specifiers.map(({ imported, local }) =>
    imported.name === local.name ? local.name : `${imported.name}: ${local.name}`,
  );
  return `{ ${names.join(", ")} }`;
}

/**
 * Turns a module that imports a library and runs into one that exports an asynchronous function with the library as its parameter.
 *
 * @param code - It imports the library by one statement that names what it takes, and exports nothing.
 * @param name - Of the function. @param library - What the import says.
 * @throws Error when the code is anything else.
 */
export function programFunction(code, name, library) {
  const { body } = parseAst(code);
  const imports = body.filter(({ type }) => type === "ImportDeclaration");
  const ofLibrary = imports.filter(({ source }) => source.value === library);
  const others = imports.filter((statement) => !ofLibrary.includes(statement));
  const isNamed = ofLibrary[0]?.specifiers.every(({ type }) => type === "ImportSpecifier");
  if (ofLibrary.length !== 1 || !isNamed)
    throw new Error(`The program does not import ${library} by one statement with names`);
  if (body.some(({ type }) => type.startsWith("Export"))) throw new Error("A program exports nothing");
  const textOf = ({ start, end }) => code.slice(start, end);
  const rest = body.filter((statement) => !imports.includes(statement)).map(textOf);
  return `${others.map(textOf).join("\n")}
export async function ${name}(${parameterOf(ofLibrary[0])}) {
${rest.join("\n")}
}
`;
}

/** The same as a plugin of a bundler. @param library - What the program's files import the library as. */
export function asFunction(name, library) {
  return {
    name: "as-function",
    resolveId: (specifier) => (specifier === library ? { id: OUTSIDE, external: true } : null),
    renderChunk: (code) => programFunction(code, name, OUTSIDE),
  };
}
