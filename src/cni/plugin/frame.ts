/** What the executable and the agent say to each other: one call a connection. The executable sends a line with the protocol's
 *  name, variables `NAME=value` each closed by a NUL, one NUL more, then its standard input, and closes its side. The agent
 *  answers with a line `EXITCODE LENGTH` and as many bytes for standard output; less than that was cut off. */
import { WireError } from "#wire/wire-error";

export const GREETING = "twill-cni 1\n";
/** Of variables and standard input together; a conflist with its previous result is some kilobytes. */
export const LONGEST_CALL_BYTES = 1 << 20;
const MOST_VARIABLES = 16;

/** A call as the runtime made it. */
export interface Call {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export interface Answer {
  /** Of the executable. */
  readonly exitCode: 0 | 1;
  readonly stdout: string;
}

/** @throws {WireError} */
export function decodeCall(bytes: Uint8Array): Call {
  const text = decodeText(bytes);
  if (!text.startsWith(GREETING)) throw new WireError("CNI call", "it does not begin with our greeting");
  const env: Record<string, string> = {};
  let at = GREETING.length;
  for (let count = 0; ; count++) {
    const end = text.indexOf("\0", at);
    if (end < 0 || count > MOST_VARIABLES) throw new WireError("CNI call", "its variables have no end");
    const variable = text.slice(at, end);
    at = end + 1;
    if (variable === "") return { env, stdin: text.slice(at) };
    const equals = variable.indexOf("=");
    if (!/^CNI_[A-Z_]+$/.test(variable.slice(0, Math.max(equals, 0))))
      throw new WireError("CNI call", `${JSON.stringify(variable)} is no variable of CNI`);
    env[variable.slice(0, equals)] = variable.slice(equals + 1);
  }
}

export function encodeCall({ env, stdin }: Call): Uint8Array {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  return Buffer.from(`${GREETING}${variables.join("")}\0${stdin}`);
}

export function encodeAnswer({ exitCode, stdout }: Answer): Uint8Array {
  return Buffer.from(`${exitCode} ${Buffer.byteLength(stdout)}\n${stdout}`);
}

/** @throws {WireError} */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const text = decodeText(bytes);
  const [line, exitCode, length] = /^([01]) ([0-9]{1,9})\n/.exec(text) ?? [""];
  const stdout = text.slice(line.length);
  if (length === undefined || Buffer.byteLength(stdout) !== Number(length))
    throw new WireError("CNI answer", "it was cut off");
  return { exitCode: exitCode === "0" ? 0 : 1, stdout };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new WireError("CNI call", "it is not UTF-8");
  }
}
