/** The file that session secrets are appended to (SSLKEYLOGFILE), for those who ask for it. */
import { appendFileSync } from "node:fs";
/** Files that could be written to. */
const checked = new Set();
function append(file, line) {
    // Nobody else may read them.
    appendFileSync(file, line, { mode: 0o600 });
}
/**
 * Takes lines of a key log, or undefined when none is wanted.
 *
 * @throws TypeError when the file was asked for and cannot be written; one of the environment is left alone then.
 */
export function keyLogOf({ keyLogFile, isKeyLogAsked, }) {
    if (keyLogFile === undefined)
        return undefined;
    if (!checked.has(keyLogFile)) {
        try {
            append(keyLogFile, "");
        }
        catch (cause) {
            if (!isKeyLogAsked)
                return undefined;
            const code = cause.code;
            throw new TypeError(`Cannot append to the key log file "${keyLogFile}" (${String(code)})`, { cause });
        }
        checked.add(keyLogFile);
    }
    return (line) => {
        try {
            append(keyLogFile, line);
        }
        catch {
            // A full disk must not cost connections.
        }
    };
}
