import { chmodSync, statSync } from "node:fs";
import { readIfThere, writeWhole } from "#disk/whole-file";
import { asError, Fault } from "#fault/fault";
import { generatePrivateKey, isNoKey, isWireguardKey } from "#wire/wireguard-key";

export interface WireguardKeyFile {
  /** Where this node's private key is kept, for as long as the node lives. */
  readonly path: string;
  /** Where flannel keeps its own, `/run/flannel/wgkey`: a node that ran flannel stays the one its peers know. */
  readonly inherited?: string;
}

const MODE = 0o400;
const OTHERS = 0o077;

/** This node's private key, the same at every start: the one in the file or, at the first start, flannel's or a new one, which
 *  is then in the file. Only its owner may read that, whatever was allowed before.
 *  @throws {Fault} "BadKeyFile", which names the file and what to do: a damaged key is never replaced unasked, for peers know
 *  the node by it */
export function keepWireguardKey({ path, inherited }: WireguardKeyFile): string {
  const standing = attempt("read", path, () => readIfThere(path));
  if (standing !== undefined) {
    const key = standing.trim();
    if (!isKey(key)) throw damaged(path);
    if ((statSync(path).mode & OTHERS) !== 0) chmodSync(path, MODE);
    return key;
  }
  const key = readInherited(inherited) ?? generatePrivateKey();
  attempt("write", path, () => writeWhole(path, `${key}\n`, { mode: MODE, isFlushed: true }));
  return key;
}

/** What cannot be read there is nobody's loss: flannel makes another one at each boot. */
function readInherited(path: string | undefined): string | undefined {
  try {
    const key = path === undefined ? undefined : readIfThere(path)?.trim();
    return key !== undefined && isKey(key) ? key : undefined;
  } catch {
    return undefined;
  }
}

function isKey(text: string): boolean {
  return isWireguardKey(text) && !isNoKey(text);
}

function damaged(path: string): Fault {
  return new Fault(
    "BadKeyFile",
    `Cannot use the WireGuard key in ${path}: expected one line of 44 characters, as wg genkey prints it. Put the old key back ` +
      "or, for a new one, delete the file: peers learn it from this Node's annotations",
    { detail: { path } },
  );
}

function attempt<T>(what: string, path: string, f: () => T): T {
  try {
    return f();
  } catch (cause) {
    throw new Fault("BadKeyFile", `Cannot ${what} WireGuard key file ${path}: ${asError(cause).message}`, {
      detail: { path },
      cause,
    });
  }
}
