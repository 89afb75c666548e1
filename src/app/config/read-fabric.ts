import { resolve } from "node:path";
import { type NetConf, readNetConf } from "#fabric/net-conf";
import { explain } from "#fault/fault";
import { nearestWord } from "#fault/near-word";
import { FLANNEL_BACKENDS, type FlannelBackend } from "#join/cluster-config";
import { readNamed } from "#join/file";
import type { ValueReader } from "./value-reader.ts";

/** What a node is told of its half of the fabric. */
export interface NodeFabricConfig {
  readonly iface: string | undefined;
  /** Flannel's settings of somebody else, used as they stand. */
  readonly netConf: { readonly file: string; readonly conf: NetConf } | undefined;
  /** A CNI network of somebody else, in place of Twill's own. */
  readonly cniConf: { readonly file: string; readonly text: string } | undefined;
  /** Whether packets to the tunnels' ports are dropped that come from no node. */
  readonly guard: boolean;
}

export function readNodeFabric(reader: ValueReader): NodeFabricConfig {
  return {
    iface: reader.parse("flannel-iface", parseIface),
    netConf: reader.parse("flannel-conf", (path) => readNetConfFile(reader, resolve(path))),
    cniConf: reader.parse("flannel-cni-conf", (path) => readCniConf(resolve(path))),
    guard: !reader.isOn("disable-fabric-guard"),
  };
}

/** Longer names there are not (IFNAMSIZ); a slash or a space cannot be in one. */
function parseIface(text: string): string {
  if (/^[^\s/]{1,15}$/.test(text)) return text;
  throw new Error(`${JSON.stringify(text)} is not the name of an interface such as eth0`);
}

function readNetConfFile(reader: ValueReader, file: string) {
  const reading = readNetConf(readNamed(file), file);
  reader.warnings.push(...reading.warnings.map((warning) => `--flannel-conf: ${warning}`));
  if (reading.kind === "good") return { file, conf: reading.conf };
  for (const problem of reading.problems) reader.problem("flannel-conf", problem);
  return undefined;
}

function readCniConf(file: string) {
  const text = readNamed(file);
  const plugins = (parseJson(text, file) as { plugins?: unknown } | null)?.plugins;
  if (Array.isArray(plugins) && plugins.length > 0) return { file, text };
  throw new Error(
    `${file}: is not a CNI network list; write {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "flannel"}]}`,
  );
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: is not JSON: ${explain(error)}`);
  }
}

/** Backends K3s has had, and how one moves away from them: its documented two steps. */
const GONE = ["ipsec", "wireguard"];

/** The value of `--flannel-backend`. @throws {Error} with what to use instead */
export function parseBackend(text: string): FlannelBackend {
  const found = FLANNEL_BACKENDS.find((each) => each === text);
  if (found !== undefined) return found;
  const [type = "", ...options] = text.split("=");
  if (GONE.includes(type))
    throw new Error(
      `${type} has gone from K3s; move in two steps: first write flannel-backend: wireguard-native in the configuration of every server, then reboot every node, the servers first`,
    );
  if (options.length > 0)
    throw new Error(
      `${text}: options stand in a file now; write them into flannel's net-conf.json, name it with --flannel-conf, and leave --flannel-backend=${type}`,
    );
  if (type === "tailscale")
    throw new Error(
      "tailscale is chosen by K3s's --vpn-auth, which Twill does not have; use wireguard-native for an encrypted network",
    );
  const near = nearestWord(text, FLANNEL_BACKENDS);
  throw new Error(
    `${JSON.stringify(text)} is not a backend; use ${FLANNEL_BACKENDS.join(", ")}${near === undefined ? "" : `; did you mean ${near}?`}`,
  );
}
