import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { isTransient } from "#fault/errno";
import { asError, explain, isFault } from "#fault/fault";
import { WireError } from "#wire/wire-error";
import { CniFault } from "../cni-fault.ts";
import type { Added, AddRequest, AttachmentKey, SandboxNetwork } from "../model.ts";
import { type PluginCall, readCall, versionOf } from "./call.ts";
import type { FlannelCall } from "./flannel-conf.ts";
import { type Answer, type Call, decodeCall } from "./frame.ts";
import { formatError, PluginError } from "./plugin-error.ts";
import { type CniResult, formatResult, loopbackResult, readResult } from "./result.ts";
import { NEWEST_VERSION, SPEC_VERSIONS, type SpecVersion } from "./spec-version.ts";
import type { WantedAttachment } from "./wanted-attachment.ts";

/** What a call is answered from. */
export interface Answering {
  /** Undefined while the fabric is not ready. */
  readonly network: SandboxNetwork | undefined;
  /** Where a path that the runtime names is for us: its mounts may not be ours. */
  readonly pathOf: (path: string) => string;
  readonly isNetns: (path: string) => boolean;
  /** Whether two paths lead to one namespace. */
  readonly isOwnNetns: (path: string) => boolean;
  readonly setLoopbackUp: (path: string) => void;
}

/** The answer to what came in, whatever it is. */
export function answerBytes(bytes: Uint8Array, answering: Answering): Answer {
  let call: Call = { env: {}, stdin: "" };
  try {
    call = decodeCall(bytes);
    const read = readCall(call);
    if (read.verb === "FLANNEL") throw new Error("broken invariant: another plugin answers this call");
    return { exitCode: 0, stdout: answer(read, answering) };
  } catch (thrown) {
    const error = pluginErrorOf(asError(thrown));
    return { exitCode: 1, stdout: formatError(versionOf(call.stdin) ?? NEWEST_VERSION, error) };
  }
}

/** Answers to the removals that `all` begins with, done together; undefined when there are not two of them, or when together they
 *  cannot be done: then each is to be asked for by itself. */
export function answerRemovals(
  all: readonly (Uint8Array | undefined)[],
  network: SandboxNetwork | undefined,
): readonly Answer[] | undefined {
  const keys: AttachmentKey[] = [];
  for (const bytes of all) {
    const key = bytes && removedBy(bytes);
    if (!key) break;
    keys.push(key);
  }
  if (!network || keys.length < 2) return undefined;
  try {
    network.removeAll(keys);
    return keys.map(() => ({ exitCode: 0, stdout: "" }));
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function removedBy(bytes: Uint8Array): AttachmentKey | undefined {
  try {
    const call = readCall(decodeCall(bytes));
    return call.verb === "DEL" ? call.key : undefined;
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** Those that another plugin answers, which takes its time; undefined for all others. */
export function flannelCallOf(bytes: Uint8Array): FlannelCall | undefined {
  try {
    const call = readCall(decodeCall(bytes));
    return call.verb === "FLANNEL" ? call : undefined;
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** What a call that is in order prints. @throws {PluginError}, and what the network throws */
export function answer(call: Exclude<PluginCall, FlannelCall>, answering: Answering): string {
  if (call.verb === "VERSION") return versions(call.version);
  if (call.verb === "LOOPBACK") return loopback(call, answering);
  const { network } = answering;
  if (!network)
    throw new PluginError(
      call.verb === "STATUS" ? "notAvailable" : "tryAgainLater",
      "The pods' network is not ready: this node's agent waits for its subnet",
    );
  switch (call.verb) {
    case "STATUS":
      // Whatever is wrong with the bridge is put right, or said.
      network.repair();
      return "";
    case "GC":
      network.collectNetwork(call.network, call.valid);
      return "";
    case "DEL":
      network.remove(call.key);
      return "";
    case "CHECK":
      check(call.attachment, answering, network);
      return "";
    case "ADD":
      return add(call.attachment, call.version, answering, network);
    default:
      return call satisfies never;
  }
}

function versions(cniVersion: SpecVersion): string {
  return `${JSON.stringify({ cniVersion, supportedVersions: SPEC_VERSIONS })}\n`;
}

/** Up at ADD; and left so, for a namespace that goes takes it along. */
function loopback(
  { version, isAdded, netns, prevResult }: Extract<PluginCall, { verb: "LOOPBACK" }>,
  { pathOf, isNetns, setLoopbackUp }: Answering,
): string {
  if (!isAdded) return "";
  const path = pathOf(netns);
  if (!isNetns(path)) throw badNetns(netns);
  setLoopbackUp(path);
  if (prevResult) return `${JSON.stringify(prevResult)}\n`;
  return formatResult(loopbackResult(netns), version);
}

function add(
  wanted: WantedAttachment,
  version: SpecVersion,
  answering: Answering,
  network: SandboxNetwork,
): string {
  const request = requestOf(wanted, answering);
  const { prevResult } = wanted;
  if (prevResult) {
    const { ips } = readResult(prevResult);
    network.extend({ ...request, network: wanted.network, ips: ips.map(({ address }) => ipOf(address)) });
    return `${JSON.stringify(prevResult)}\n`;
  }
  return formatResult(resultOf(network.add(request), wanted), version);
}

function check(wanted: WantedAttachment, answering: Answering, network: SandboxNetwork): void {
  if (!wanted.prevResult) throw new PluginError("badConfig", "required prevResult missing");
  const { ips, interfaces } = readResult(wanted.prevResult);
  const { ifname } = wanted.key;
  const inner = interfaces.find(({ name, sandbox }) => name === ifname && sandbox !== "");
  const problems = network.check({
    ...requestOf(wanted, answering),
    expected: {
      mac: inner?.mac || undefined,
      ips: ips
        .filter(({ name }) => name === undefined || name === ifname)
        .map(({ address }) => canonical(address)),
    },
  });
  const [first, ...more] = problems;
  if (first !== undefined) throw new PluginError("refused", `CHECK: ${first}`, more.join("; "));
}

function requestOf(wanted: WantedAttachment, { pathOf, isNetns, isOwnNetns }: Answering): AddRequest {
  const { key, network, portMappings, bandwidth, tuning, mac, ips } = wanted;
  const netns = pathOf(wanted.netns);
  if (!isNetns(netns)) throw badNetns(wanted.netns);
  if (isOwnNetns(netns))
    throw new PluginError("badNetns", `the sandbox's network namespace ${wanted.netns} is the plugin's own`);
  return { ...key, netns, network, portMappings, bandwidth, tuning, ips, ...(mac ? { mac } : {}) };
}

/** As we write it; what is no address stays as it is, and is missed. */
function canonical(prefixed: string): string {
  const [address = "", length = ""] = prefixed.split("/");
  return isIp(address) ? `${parseIp(address)}/${length}` : prefixed;
}

function badNetns(path: string): PluginError {
  return new PluginError(
    "badNetns",
    `failed to open netns ${JSON.stringify(path)}: it is no network namespace`,
  );
}

/** An address of another plugin's result. */
function ipOf(prefixed: string): Ip {
  const [address = ""] = prefixed.split("/");
  if (isIp(address)) return parseIp(address);
  throw new PluginError("badConfig", `Cannot use ${JSON.stringify(prefixed)} of prevResult as an address`);
}

/** Interfaces as the bridge plugin lists them: bridge, host end, inner end. */
function resultOf(added: Added, wanted: WantedAttachment): CniResult {
  const { bridge, hostLink, mtuBytes } = added;
  const interfaceOf = (link: Added["bridge"]) => ({
    name: link.name,
    mac: link.mac ?? "",
    mtu: link.mtuBytes,
  });
  const gatewayOf = (family: 4 | 6) => added.gateways.find((ip) => familyOf(ip) === family) ?? "";
  return {
    interfaces: [
      interfaceOf(bridge),
      interfaceOf(hostLink),
      { name: added.ifname, mac: added.mac, mtu: mtuBytes, sandbox: wanted.netns },
    ],
    ips: added.ips.map((address) => ({
      address,
      gateway: gatewayOf(familyOf(address)),
      interface: 2,
    })),
    routes: added.routes.map(({ to, via }) => ({ dst: to, gw: via })),
    dns: wanted.dns,
  };
}

/** What the node refused, in the specification's numbers. */
function pluginErrorOf(error: Error): PluginError {
  if (error instanceof PluginError) return error;
  const said = (code: PluginError["code"]) => new PluginError(code, explain(error));
  if (error instanceof WireError) return said("io");
  if (error instanceof CniFault)
    switch (error.code) {
      case "BadRequest":
        return said("badConfig");
      case "Unsupported":
        return said("unsupportedField");
      case "Exhausted":
        return said("tryAgainLater");
      case "Duplicate":
      case "Taken":
      case "NotABridge":
        return said("refused");
      default:
        return error.code satisfies never;
    }
  if (!isFault(error)) throw error;
  return said(isTransient(error) ? "tryAgainLater" : "refused");
}
