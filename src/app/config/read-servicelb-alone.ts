import { resolve } from "node:path";
import { parseDnsLabel, parseDnsSubdomain } from "#addr/name";
import { SERVICELB_DEFAULTS, type ServiceLbConfig } from "#cloud/servicelb/model";
import { asError } from "#fault/fault";
import type { ConfigReading } from "./config.ts";
import { notAFlagOf } from "./near-word.ts";

/** ServiceLB alone, on a cluster that somebody else runs. */
export interface ServiceLbAloneConfig {
  /** Undefined is the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  readonly serviceLb: ServiceLbConfig;
  /** Several may run: one of them acts. */
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Take down what stands, and end. */
  readonly isRemoval: boolean;
  readonly isDebug: boolean;
}

export interface ServiceLbFlag {
  readonly name: string;
  readonly takes: "text" | "switch";
  readonly help: string;
  readonly shown?: string;
}

export const SERVICELB_FLAGS: readonly ServiceLbFlag[] = [
  {
    name: "kubeconfig",
    takes: "text",
    help: "how to reach the cluster",
    shown: "the service account of the pod this runs in",
  },
  {
    name: "servicelb-namespace",
    takes: "text",
    help: "where the pods of load balancers are",
    shown: SERVICELB_DEFAULTS.namespace,
  },
  { name: "image", takes: "text", help: "what those pods run", shown: SERVICELB_DEFAULTS.image },
  {
    name: "priority-class",
    takes: "text",
    help: "of those pods, unless their Service names another",
    shown: SERVICELB_DEFAULTS.priorityClassName,
  },
  {
    name: "lease",
    takes: "text",
    help: "by which several agree on the one that acts, in the same namespace",
    shown: "twill-servicelb",
  },
  { name: "remove", takes: "switch", help: "take down what stands, as --disable=servicelb does, and end" },
  { name: "debug", takes: "switch", help: "log plans and requests" },
];

const WORD = /^--([a-z][-a-z]*)(?:=([\s\S]*))?$/;

export function readServiceLbAlone(argv: readonly string[]): ConfigReading<ServiceLbAloneConfig> {
  const problems: string[] = [];
  const values = readWords(argv, problems);
  const parse = <T>(name: string, read: (text: string) => T): T | undefined => {
    const text = values.get(name);
    try {
      return text === undefined ? undefined : read(text);
    } catch (error) {
      problems.push(`--${name}: ${asError(error).message}`);
      return undefined;
    }
  };
  const namespace =
    parse("servicelb-namespace", (text) => parseDnsLabel("namespace", text)) ?? SERVICELB_DEFAULTS.namespace;
  const config: ServiceLbAloneConfig = {
    kubeconfig: parse("kubeconfig", (path) => resolve(path)),
    serviceLb: {
      namespace,
      image: parse("image", parseImage) ?? SERVICELB_DEFAULTS.image,
      priorityClassName:
        parse("priority-class", (text) => parseDnsSubdomain("priority class", text)) ??
        SERVICELB_DEFAULTS.priorityClassName,
    },
    lease: {
      namespace,
      name: parse("lease", (text) => parseDnsSubdomain("lease", text)) ?? "twill-servicelb",
    },
    isRemoval: values.has("remove"),
    isDebug: values.has("debug"),
  };
  if (problems.length > 0) return { kind: "bad", problems, warnings: [] };
  return { kind: "good", config: Object.freeze(config), warnings: [] };
}

/** The rest is for the API and the registry to say. */
function parseImage(text: string): string {
  if (/^[^\s\p{Cc}]+$/u.test(text)) return text;
  throw new Error(`${JSON.stringify(text)} is not an image such as ${SERVICELB_DEFAULTS.image}`);
}

function readWords(argv: readonly string[], problems: string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const names = SERVICELB_FLAGS.map(({ name }) => name);
  for (let i = 0; i < argv.length; i++) {
    const [, name = "", attached] = WORD.exec(argv[i] ?? "") ?? [];
    const flag = SERVICELB_FLAGS.find((each) => each.name === name);
    const value = flag?.takes === "switch" ? (attached ?? "true") : (attached ?? (flag && argv[++i]));
    if (name === "") problems.push(`${JSON.stringify(argv[i])} is not a flag; servicelb takes only flags`);
    else if (!flag) problems.push(`--${name} ${notAFlagOf("servicelb", name, names)}`);
    else if (value === undefined || value === "") problems.push(`--${name} needs a value`);
    else if (flag.takes === "switch" && value !== "true" && value !== "false")
      problems.push(`--${name}=${value}: expected true or false`);
    else if (flag.takes === "text" || value === "true") values.set(name, value);
  }
  return values;
}
