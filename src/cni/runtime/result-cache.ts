import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "#disk/whole-file";
import type { Attached } from "./invocation.ts";
import { isObject, type Json, type JsonObject, parseJsonObject } from "./json.ts";

const KIND = "cniCacheV1";
/** Larger files are none of libcni's. */
const LONGEST_FILE = 16 * 1024 * 1024;

/** An attachment as it is written down: before ADD without a result, after it with one. */
export interface CachedAttachment extends Attached {
  readonly network: string;
  /** The network's configuration at ADD. */
  readonly config: string;
  readonly result: JsonObject | undefined;
}

/** What was attached, in the files and the format of libcni, so that a node can go over to Twill in place, and back:
 *  `<dir>/<network>-<container>-<interface>`. */
export class ResultCache {
  readonly #dir: string;

  /** `/var/lib/cni/results`; made when missing. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Atomic: whoever dies leaves the old file or the new one. */
  write(attachment: CachedAttachment): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    writeWhole(this.#path(attachment), encodeCached(attachment), { mode: 0o600 });
  }

  /** Undefined when there is none, or none that can be read. */
  read(network: string, key: Pick<Attached, "containerId" | "ifname">): CachedAttachment | undefined {
    return this.#readFile(this.#path({ network, ...key }));
  }

  /** Of whichever network. */
  find({ containerId, ifname }: Pick<Attached, "containerId" | "ifname">): CachedAttachment | undefined {
    const end = `-${containerId}-${ifname}`;
    return this.#names()
      .filter((name) => name.endsWith(end))
      .map((name) => this.#readFile(join(this.#dir, name)))
      .find((found) => found?.containerId === containerId && found.ifname === ifname);
  }

  list(): readonly CachedAttachment[] {
    return this.#names().flatMap((name) => this.#readFile(join(this.#dir, name)) ?? []);
  }

  /** Absent is success. */
  remove(key: Pick<CachedAttachment, "network" | "containerId" | "ifname">): void {
    rmSync(this.#path(key), { force: true });
  }

  #path({
    network,
    containerId,
    ifname,
  }: Pick<CachedAttachment, "network" | "containerId" | "ifname">): string {
    return join(this.#dir, `${network}-${containerId}-${ifname}`);
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#dir).filter((name) => !name.startsWith("."));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }

  #readFile(path: string): CachedAttachment | undefined {
    try {
      const { size } = statSync(path);
      return size > LONGEST_FILE ? undefined : decodeCached(readFileSync(path, "utf8"));
    } catch {
      return undefined; // Gone meanwhile, or of no use.
    }
  }
}

export function encodeCached(attachment: CachedAttachment): string {
  const { containerId, config, ifname, network, netns, args, capabilityArgs, result } = attachment;
  return JSON.stringify({
    kind: KIND,
    containerId,
    config: Buffer.from(config, "utf8").toString("base64"),
    ifName: ifname,
    networkName: network,
    ...(netns === "" ? {} : { netns }),
    ...(args.length === 0 ? {} : { cniArgs: args }),
    ...(Object.keys(capabilityArgs).length === 0 ? {} : { capabilityArgs }),
    ...(result ? { result } : {}),
  });
}

/** Undefined for what is no attachment of this format. @throws {SyntaxError} */
export function decodeCached(text: string): CachedAttachment | undefined {
  const json = parseJsonObject(text);
  const [containerId, ifname, network] = ["containerId", "ifName", "networkName"].map((key) =>
    textAt(json, key),
  );
  if (json["kind"] !== KIND || !containerId || !ifname || !network) return undefined;
  const { cniArgs, capabilityArgs, result } = json;
  return {
    containerId,
    ifname,
    network,
    netns: textAt(json, "netns"),
    config: Buffer.from(textAt(json, "config"), "base64").toString("utf8"),
    args: Array.isArray(cniArgs) ? cniArgs.flatMap((pair: Json) => pairOf(pair)) : [],
    capabilityArgs: isObject(capabilityArgs) ? capabilityArgs : {},
    result: isObject(result) ? result : undefined,
  };
}

function textAt(json: JsonObject, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}

function pairOf(pair: Json): readonly (readonly [string, string])[] {
  const [key, value] = Array.isArray(pair) ? (pair as readonly Json[]) : [];
  return typeof key === "string" && typeof value === "string" ? [[key, value]] : [];
}
