/** The flags of `twill ccm`: those of K3s's cloud controller manager where they mean the same here. */
import { CLOUD_CONTROLLER } from "#cloud/names";
import { FIXED_CLOUD_ARGS } from "./cloud-args.ts";
import { notAFlagOf } from "./near-word.ts";
import { ValueReader } from "./value-reader.ts";

export interface CcmFlag {
  readonly name: string;
  readonly takes: "text" | "switch";
  readonly help: string;
  readonly shown?: string;
}

export const CCM_FLAGS: readonly CcmFlag[] = [
  {
    name: "kubeconfig",
    takes: "text",
    help: "how to reach the cluster",
    shown: "the service account of the pod this runs in",
  },
  { name: "master", takes: "text", help: "the API server, in place of the kubeconfig's" },
  {
    name: "controllers",
    takes: "text",
    help: "what it is to do, of cloud-node, cloud-node-lifecycle and service; *,-service is all but one",
    shown: "*",
  },
  {
    name: "cloud-config",
    takes: "text",
    help: "K3s's file of its provider: nodeEnabled, lbEnabled, lbNamespace, lbImage, lbDefaultPriorityClassName",
  },
  {
    name: "node-status-update-frequency",
    takes: "text",
    help: "how often every Node is looked at",
    shown: "1m",
  },
  { name: "concurrent-node-syncs", takes: "text", help: "Nodes worked on at a time", shown: "4" },
  { name: "leader-elect", takes: "switch", help: "act only while holding the lease", shown: "true" },
  { name: "leader-elect-lease-duration", takes: "text", help: "how long a lease holds", shown: "15s" },
  {
    name: "leader-elect-renew-deadline",
    takes: "text",
    help: "when it is given up, not renewed",
    shown: "10s",
  },
  { name: "leader-elect-retry-period", takes: "text", help: "how often it is asked for", shown: "2s" },
  {
    name: "leader-elect-resource-name",
    takes: "text",
    help: "the lease's name",
    shown: CLOUD_CONTROLLER,
  },
  { name: "leader-elect-resource-namespace", takes: "text", help: "and where it is", shown: "kube-system" },
  { name: "debug", takes: "switch", help: "log plans and requests" },
  { name: "v", takes: "text", help: "1 or more is --debug", shown: "0" },
];

/** Understood, and without effect: what follows from other flags, or is so anyhow. */
const NEEDLESS = [
  ...["allocate-node-cidrs", "authentication-kubeconfig", "authorization-kubeconfig", "bind-address"],
  ...["cloud-provider", "cluster-cidr", "configure-cloud-routes", "feature-gates", "kube-api-burst"],
  ...["kube-api-qps", "leader-elect-resource-lock", "logtostderr", "profiling", "secure-port", "vmodule"],
];

const WORD = /^--([a-z][-a-z]*)(?:=([\s\S]*))?$|^-(v)=?(\d+)?$/;

/** Reads flags as programs of Kubernetes take them: a switch has its value after `=` alone. Every problem is in the reader, none thrown. */
export function readCcmFlags(argv: readonly string[]): ValueReader {
  const values = new Map<string, string[]>();
  const reader = new ValueReader(values);
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const match = WORD.exec(word);
    const name = match?.[1] ?? match?.[3];
    if (name === undefined) {
      reader.problems.push(`${JSON.stringify(word)} is not a flag; ccm takes only flags`);
      continue;
    }
    const given = match?.[2] ?? match?.[4];
    const flag = CCM_FLAGS.find((each) => each.name === name);
    const isValueNext =
      given === undefined && flag?.takes !== "switch" && !(argv[i + 1] ?? "-").startsWith("-");
    const value = given ?? (isValueNext ? argv[++i] : flag?.takes === "switch" ? "true" : undefined);
    if (flag === undefined) tellOther(reader, name, value);
    else if (value === undefined) reader.problems.push(`--${name} needs a value`);
    else if (flag.takes === "switch" && value !== "true" && value !== "false")
      reader.problems.push(`--${name}=${value}: expected true or false`);
    else values.set(name, [value]);
  }
  return reader;
}

function tellOther(reader: ValueReader, name: string, value: string | undefined): void {
  const fixed = Object.hasOwn(FIXED_CLOUD_ARGS, name) ? FIXED_CLOUD_ARGS[name] : undefined;
  if (fixed !== undefined && value !== undefined && !fixed.includes(value) && name !== "secure-port")
    reader.problems.push(
      `--${name}=${value} is not what this controller does, which is ${fixed.join(" or ")}`,
    );
  else if (NEEDLESS.includes(name))
    reader.warnings.push(`--${name} has no effect on Twill's cloud controller`);
  else
    reader.problems.push(
      `--${name} ${notAFlagOf(
        "ccm",
        name,
        CCM_FLAGS.map((flag) => flag.name),
      )}`,
    );
}
