/** `twill ccm`: the cloud controller alone, on a cluster that somebody else runs, by the flags of K3s's. */
import { resolve } from "node:path";
import { parseDnsSubdomain } from "#addr/name";
import { CLOUD_CONTROLLER } from "#cloud/names";
import { SERVICELB_DEFAULTS, type ServiceLbConfig } from "#cloud/servicelb/model";
import { readNamed } from "#join/file";
import { readCcmFlags } from "./ccm-flags.ts";
import { type CloudArgs, parseWorkers, settleCloudArgs, wrongTiming } from "./cloud-args.ts";
import type { ConfigReading } from "./config.ts";
import { parseDuration } from "./duration.ts";
import { parseServerUrl } from "./server-url.ts";
import type { ValueReader } from "./value-reader.ts";

export interface CcmConfig {
  /** Undefined is the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  readonly apiUrl: string | undefined;
  readonly args: CloudArgs;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Whether Nodes are its business. */
  readonly nodes: boolean;
  /** Undefined: load balancers are not its business. */
  readonly serviceLb: ServiceLbConfig | undefined;
  readonly isDebug: boolean;
}

export function readCcm(argv: readonly string[]): ConfigReading<CcmConfig> {
  const reader = readCcmFlags(argv);
  const parts = readParts(reader);
  const args = settleCloudArgs({
    nodeStatusMs: reader.parse("node-status-update-frequency", parseDuration),
    workers: reader.parse("concurrent-node-syncs", parseWorkers),
    isOn: reader.text("leader-elect") !== "false",
    lease: reader.parse("leader-elect-lease-duration", parseDuration),
    deadline: reader.parse("leader-elect-renew-deadline", parseDuration),
    retry: reader.parse("leader-elect-retry-period", parseDuration),
  });
  const wrong = wrongTiming(args.election);
  if (wrong !== undefined) reader.problems.push(`--${wrong}`);
  const config: CcmConfig = {
    kubeconfig: reader.parse("kubeconfig", (path) => resolve(path)),
    apiUrl: reader.parse("master", parseServerUrl),
    args,
    lease: {
      name: reader.parse("leader-elect-resource-name", asName) ?? CLOUD_CONTROLLER,
      namespace: reader.parse("leader-elect-resource-namespace", asName) ?? "kube-system",
    },
    ...parts,
    isDebug: reader.isOn("debug") || (reader.parse("v", parseVerbosity) ?? 0) > 0,
  };
  const { problems, warnings } = reader;
  return problems.length > 0
    ? { kind: "bad", problems, warnings }
    : { kind: "good", config: Object.freeze(config), warnings };
}

/** What a provider's file turns off stays off, whatever the list says. */
function readParts(reader: ValueReader): Pick<CcmConfig, "nodes" | "serviceLb"> {
  const file = reader.parse("cloud-config", readCloudConfig) ?? {};
  const isNamed = reader.parse("controllers", parseControllers) ?? (() => true);
  const nodes = isNamed("cloud-node") && file.nodeEnabled !== false;
  const isBalancing = isNamed("service") && file.lbEnabled !== false;
  if (!nodes && !isBalancing) reader.problem("controllers", "nothing is left for it to do");
  const serviceLb = isBalancing
    ? {
        namespace: file.lbNamespace ?? SERVICELB_DEFAULTS.namespace,
        image: file.lbImage ?? SERVICELB_DEFAULTS.image,
        priorityClassName: file.lbDefaultPriorityClassName ?? SERVICELB_DEFAULTS.priorityClassName,
      }
    : undefined;
  return { nodes, serviceLb };
}

interface CloudFile {
  readonly nodeEnabled?: boolean;
  readonly lbEnabled?: boolean;
  readonly lbNamespace?: string;
  readonly lbImage?: string;
  readonly lbDefaultPriorityClassName?: string;
}
const FILE_FIELDS: Readonly<Record<string, "boolean" | "string">> = {
  nodeEnabled: "boolean",
  lbEnabled: "boolean",
  rootless: "boolean",
  lbNamespace: "string",
  lbImage: "string",
  lbDefaultPriorityClassName: "string",
};

function readCloudConfig(path: string): CloudFile {
  const value = parseJson(readNamed(resolve(path)), path);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${path} is not an object`);
  for (const [name, field] of Object.entries(value)) {
    const kind = Object.hasOwn(FILE_FIELDS, name) ? FILE_FIELDS[name] : undefined;
    if (kind === undefined)
      throw new Error(
        `${path}: ${JSON.stringify(name)} is not one of ${Object.keys(FILE_FIELDS).join(", ")}`,
      );
    if (typeof field !== kind) throw new Error(`${path}: ${name} is not a ${kind}`);
  }
  return value;
}

/** What the parser says quotes the text, whatever is in it. */
function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is not JSON`);
  }
}

function parseVerbosity(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a number such as 2`);
  return Number(text);
}

const PARTS = ["cloud-node", "cloud-node-lifecycle", "route", "service"];

/** As every controller manager of Kubernetes reads its list: a name turns on, -name off, * the rest. */
function parseControllers(text: string): (name: string) => boolean {
  const items = text.split(",").map((item) => item.trim());
  for (const item of items)
    if (item !== "*" && !PARTS.includes(item.replace(/^-/, "")))
      throw new Error(`${JSON.stringify(item)} is none of ${PARTS.join(", ")}`);
  return (name) => items.includes(name) || (items.includes("*") && !items.includes(`-${name}`));
}

function asName(text: string): string {
  return parseDnsSubdomain("name", text);
}
