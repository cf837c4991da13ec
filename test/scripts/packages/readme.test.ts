/** The README as npm shows it. */
import { describe, expect, test } from "vitest";

const script = new URL("../../../scripts/packages/readme.mjs", import.meta.url).href;
const { publishedReadme } = (await import(script)) as {
  publishedReadme(text: string, repository: object | string | undefined, version: string): string;
};

const TEXT = `See [the guide](GUIDE.md#options), [below](#below), [RFC](https://example.org/) and [\`a[0]\`](src/a.ts).
![Rates](bench/rates.svg)

\`\`\`ts
handlers[name](event);
\`\`\`

Licence: [MIT](LICENSE).
`;

describe("the README on npm", () => {
  test("leads to the repository at the version's tag", () => {
    const text = publishedReadme(
      TEXT,
      { type: "git", url: "git+https://example.org/o/ringwire.git" },
      "1.2.3",
    );
    const home = "https://example.org/o/ringwire";
    expect(text).toContain(`[the guide](${home}/blob/v1.2.3/GUIDE.md#options)`);
    expect(text).toContain(`[\`a[0]\`](${home}/blob/v1.2.3/src/a.ts)`);
    expect(text).toContain(`![Rates](${home}/raw/v1.2.3/bench/rates.svg)`);
    expect(text).toContain(`[MIT](${home}/blob/v1.2.3/LICENSE)`);
  });

  test("has only the words where there is no repository", () => {
    const text = publishedReadme(TEXT, undefined, "1.2.3");
    expect(text).toContain("See the guide, [below](#below), [RFC](https://example.org/) and `a[0]`.");
    expect(text).not.toContain("rates.svg");
    expect(text).toContain("Licence: MIT.");
  });

  test("says nothing that only somebody with a clone wants to know", () => {
    const text =
      "Before.\n<!-- clone -->\n## Try it\n\nnpm start\n\n<!-- /clone -->\n## Then\n<!-- clone -->\nx\n<!-- /clone -->\ny\n";
    expect(publishedReadme(text, undefined, "1.2.3")).toBe("Before.\n## Then\ny\n");
  });

  test("has its code as it is", () => {
    expect(publishedReadme(TEXT, undefined, "1.2.3")).toContain("handlers[name](event);");
  });
});
