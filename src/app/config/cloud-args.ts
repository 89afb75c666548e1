/** `--kube-cloud-controller-manager-arg=NAME=VALUE`: the arguments of a cloud controller manager that mean something here. */
import { ComponentArgs } from "./component-args.ts";
import { parseDuration } from "./duration.ts";
import type { ValueReader } from "./value-reader.ts";

/** How the cloud controller differs from what it is by default; undefined where nothing was said. */
export interface CloudArgs {
  /** How often every Node is looked at. */
  readonly nodeStatusMs: number | undefined;
  /** Nodes worked on at a time. */
  readonly workers: number | undefined;
  readonly election: ElectionArgs;
}

export interface ElectionArgs {
  /** Where there is none, whoever runs acts. */
  readonly isOn: boolean;
  /** In milliseconds. */
  readonly timing: { readonly lease: number; readonly deadline: number; readonly retry: number };
}

/** What each of these must say, as it is what this controller does. */
export const FIXED_CLOUD_ARGS: Readonly<Record<string, readonly string[]>> = {
  "allocate-node-cidrs": ["true"],
  "cloud-provider": ["k3s"],
  "configure-cloud-routes": ["false"],
  "leader-elect-resource-lock": ["leases"],
  "leader-elect-resource-name": ["k3s-cloud-controller-manager"],
  "leader-elect-resource-namespace": ["kube-system"],
  "secure-port": ["0"],
};
const WITHOUT_EFFECT = [
  ...[
    "controller-start-interval",
    "feature-gates",
    "kube-api-burst",
    "kube-api-content-type",
    "kube-api-qps",
  ],
  ...["min-resync-period", "node-monitor-period", "profiling", "route-reconciliation-period", "v", "vmodule"],
];
const INSTEAD: Readonly<Record<string, string>> = {
  "bind-address": "the cloud controller serves no port of its own",
  "cloud-config": "it is written from the server's flags",
  "cluster-cidr": "use --cluster-cidr",
  "cluster-name": "it names load balancers of clouds, of which there are none here",
  controllers: "use --disable-cloud-controller and --disable=servicelb",
  kubeconfig: "it is written by the server; a cloud controller of its own is `twill ccm`",
};
const MOST_WORKERS = 100;

export function readCloudArgs(reader: ValueReader): CloudArgs {
  const args = new ComponentArgs(reader, "kube-cloud-controller-manager-arg");
  const read = settleCloudArgs({
    nodeStatusMs: args.parse("node-status-update-frequency", parseDuration),
    workers: args.parse("concurrent-node-syncs", parseWorkers),
    isOn: args.flag("leader-elect"),
    lease: args.parse("leader-elect-lease-duration", parseDuration),
    deadline: args.parse("leader-elect-renew-deadline", parseDuration),
    retry: args.parse("leader-elect-retry-period", parseDuration),
  });
  const wrong = wrongTiming(read.election);
  if (wrong !== undefined) reader.problem("kube-cloud-controller-manager-arg", wrong);
  for (const [name, values] of Object.entries(FIXED_CLOUD_ARGS))
    args.check(name, (text) => {
      if (!values.includes(text))
        throw new Error(
          `${JSON.stringify(text)} is not what this controller does, which is ${values.join(" or ")}`,
        );
    });
  args.ignore(WITHOUT_EFFECT, "has no effect on Twill's cloud controller");
  for (const [name, instead] of Object.entries(INSTEAD)) args.refuse(name, instead);
  args.refuseOthers();
  return read;
}

interface Said {
  readonly nodeStatusMs: number | undefined;
  readonly workers: number | undefined;
  readonly isOn: boolean | undefined;
  readonly lease: number | undefined;
  readonly deadline: number | undefined;
  readonly retry: number | undefined;
}

/** What was said, and for the rest what upstream's controller does. */
export function settleCloudArgs({ nodeStatusMs, workers, isOn, lease, deadline, retry }: Said): CloudArgs {
  const timing = { lease: lease ?? 15_000, deadline: deadline ?? 10_000, retry: retry ?? 2_000 };
  return { nodeStatusMs, workers, election: { isOn: isOn ?? true, timing } };
}

/** Undefined where nobody would begin before the one who leads has stopped. @see client-go tools/leaderelection, its checks and JitterFactor */
export function wrongTiming({ timing: { lease, deadline, retry } }: ElectionArgs): string | undefined {
  if (lease <= deadline) return "leader-elect-lease-duration must be longer than leader-elect-renew-deadline";
  if (deadline <= retry * 1.2)
    return "leader-elect-renew-deadline must be longer than 1.2 times leader-elect-retry-period";
  return undefined;
}

export function parseWorkers(text: string): number {
  const count = Number(text);
  if (!/^\d{1,3}$/.test(text) || count < 1 || count > MOST_WORKERS)
    throw new Error(`${JSON.stringify(text)} is not a number from 1 to ${MOST_WORKERS}`);
  return count;
}
