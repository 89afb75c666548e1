/** What a node was started with, as K3s writes it on its Node: for people, and for programs that compare. @see K3s pkg/nodeconfig */
import { createHash } from "node:crypto";

/** Annotations of a Node. */
export type NodeOrigin = Readonly<Record<`k3s.io/node-${"args" | "env" | "config-hash"}`, string>>;

const MASKED = "********";
/** What is not for everybody who may read Nodes. */
const SECRET_FLAGS = ["token", "t", "agent-token", "datastore-endpoint", "cluster-secret", "vpn-auth"];
const SECRET_VARIABLES = ["TOKEN", "AGENT_TOKEN", "DATASTORE_ENDPOINT", "CLUSTER_SECRET", "VPN_AUTH"];
/** Others have these under other names, but for what they are. */
const SECRET_WORDS = /(?:access|secret)-key$|password/;
const MOST_BYTES = 64 * 1024;

/** @param words the command, then its flags: those of the configuration file first */
export function nodeOrigin(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): NodeOrigin {
  const args = bounded(JSON.stringify(maskedArgs(words)));
  const own = Object.entries(env).filter(([name, value]) => name.startsWith("K3S_") && value !== undefined);
  const variables = own
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, maskedVariable(name, value)]);
  const environment = bounded(JSON.stringify(Object.fromEntries(variables)));
  return {
    "k3s.io/node-args": args,
    "k3s.io/node-env": environment,
    "k3s.io/node-config-hash": base32(
      createHash("sha256")
        .update(args + environment)
        .digest(),
    ),
  };
}

/** Flag and value are two words each. */
function maskedArgs(words: readonly string[]): readonly string[] {
  const parts = words.flatMap((word) => {
    const [, flag, value] = /^(--[^=]+)=([\s\S]*)$/.exec(word) ?? [];
    return flag === undefined || value === undefined ? [word] : [flag, value];
  });
  return parts.map((word, i) => (isSecretFlag(parts[i - 1] ?? "") ? MASKED : word));
}

function isSecretFlag(word: string): boolean {
  const [, name] = /^--?([a-z0-9-]+)$/.exec(word) ?? [];
  return name !== undefined && (SECRET_FLAGS.includes(name) || SECRET_WORDS.test(name));
}

function maskedVariable(name: string, value: string | undefined): string | undefined {
  return SECRET_VARIABLES.includes(name.slice("K3S_".length)) ? MASKED : value;
}

/** An object's annotations have 256 KiB together, and more than that nobody is started with on purpose. */
function bounded(text: string): string {
  return Buffer.byteLength(text) > MOST_BYTES ? JSON.stringify(`${text.length} characters: left out`) : text;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 section 6, padded. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  const digits = groups.map((group) => ALPHABET[Number.parseInt(group.padEnd(5, "0"), 2)]).join("");
  return digits.padEnd(Math.ceil(digits.length / 8) * 8, "=");
}
