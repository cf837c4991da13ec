/**
 * The README as npm shows it: there, a link to a file of the checkout leads nowhere, and nobody has a clone.
 */

/** What stands between two code fences, or outside of them, in turn. */
const FENCE = /^(```[\s\S]*?^```$)/m;
/** What only somebody with a clone wants to know. */
const CLONE_ONLY = /^<!-- clone -->\n[\s\S]*?^<!-- \/clone -->\n/gm;
/** A link or picture whose target is a path. */
const PATH_LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s]+)\)/g;

/** `https://HOST/OWNER/NAME` of what package.json says under "repository". */
function address(repository) {
  const url = typeof repository === "string" ? repository : repository?.url;
  return url?.replace(/^git\+/, "").replace(/\.git$/, "");
}

/**
 * Leaves out what is for clones, and turns paths into addresses in the repository, at the version's tag; without a repository, only the words stay.
 *
 * @param repository - "repository" of package.json, as address or object.
 */
export function publishedReadme(text, repository, version) {
  const home = address(repository);
  const replace = (_link, mark, words, path) => {
    if (home === undefined) return mark === "!" ? "" : words;
    return `${mark}[${words}](${home}/${mark === "!" ? "raw" : "blob"}/v${version}/${path})`;
  };
  return text
    .replace(CLONE_ONLY, "")
    .split(FENCE)
    .map((part) => (part.startsWith("```") ? part : part.replace(PATH_LINK, replace)))
    .join("");
}
