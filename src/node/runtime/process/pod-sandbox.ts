import { randomBytes } from "node:crypto";
import { addressOf } from "#addr/cidr";
import { explain, Fault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import type { PodNetwork } from "../../network.ts";
import { networkKey, networkRequest } from "../../network-request.ts";
import type { Sandbox, SandboxConfig } from "../runtime.ts";
import { type ContainerCgroups, containerCgroup, supervisorCgroup } from "./container-cgroup.ts";
import { isNetnsMounted, makePodNetns, netnsPath } from "./pod-netns.ts";
import type { SandboxRecord } from "./record.ts";
import { makeParts, partsStand, plannedParts, removeParts } from "./shared-parts.ts";

export interface SandboxDeps {
  readonly kernel: Kernel;
  readonly netnsDir: string;
  readonly network: () => PodNetwork | undefined;
  readonly cgroups: ContainerCgroups | undefined;
  readonly bootId: string;
  readonly log: Logger;
}

/** What is written down before anything of a sandbox is made, so that whatever was made is found and taken away.
 *  @throws {Fault} "CreatePodSandboxError" for what cannot be kept here */
export function plannedSandbox(
  folder: string,
  config: SandboxConfig,
  deps: SandboxDeps,
  createdAt: string,
): SandboxRecord {
  const { podUid, podName, podNamespace, attempt, isHostNetwork, runtimeHandler } = config;
  if (runtimeHandler !== "")
    throw new Fault(
      "CreatePodSandboxError",
      `no runtime for ${JSON.stringify(runtimeHandler)} is configured: the process runtime has no handlers`,
    );
  if (config.hasOwnUsers)
    throw new Fault(
      "CreatePodSandboxError",
      "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    );
  return {
    version: 1,
    bootId: deps.bootId,
    isComplete: false,
    netns: isHostNetwork ? undefined : netnsPath(deps.netnsDir),
    shared: plannedParts(folder, config),
    cgroupParent: config.cgroupParent,
    sandbox: {
      id: randomBytes(32).toString("hex"),
      podUid,
      podName,
      podNamespace,
      attempt,
      isHostNetwork,
      createdAt,
      ips: [],
      isReady: false,
    },
  };
}

/** Makes what was planned, or nothing. @returns its addresses @throws what the network or the kernel refused */
export async function makeSandbox(
  record: SandboxRecord,
  config: SandboxConfig,
  deps: SandboxDeps,
): Promise<Sandbox["ips"]> {
  try {
    const parent = record.cgroupParent;
    const cgroups =
      parent === undefined || record.shared.init === undefined
        ? []
        : (deps.cgroups?.make(supervisorCgroup(containerCgroup(parent, "init")), {}) ?? []);
    await makeParts(record.shared, config, cgroups);
    return await wire(record, config, deps);
  } catch (error) {
    await takeAwayAfterFailure(record, deps);
    throw error;
  }
}

/** Takes the network and all that the containers share away; absent is success. */
export async function takeSandboxAway(
  { sandbox, netns, shared }: SandboxRecord,
  deps: SandboxDeps,
): Promise<void> {
  removeParts(shared);
  if (netns === undefined) return;
  await deps.network()?.remove(networkKey(sandbox, netns));
  deps.kernel.deleteNetns(netns);
}

/** Whether all of it is there as it was made: after a reboot nothing is. */
export function sandboxStands(
  { bootId, netns, shared, isComplete }: SandboxRecord,
  deps: SandboxDeps,
): boolean {
  const isHere = isComplete && bootId === deps.bootId;
  return isHere && (netns === undefined || isNetnsMounted(netns)) && partsStand(shared);
}

async function wire(
  { sandbox, netns }: SandboxRecord,
  config: SandboxConfig,
  deps: SandboxDeps,
): Promise<Sandbox["ips"]> {
  const network = deps.network();
  if (!network || netns === undefined) return [];
  makePodNetns(deps.kernel, netns, config.sysctls);
  const { ips } = await network.add(networkRequest(networkKey(sandbox, netns), config));
  return ips.map(addressOf);
}

/** The first error is the one to tell; the network goes on taking back what it could not. */
async function takeAwayAfterFailure(record: SandboxRecord, deps: SandboxDeps): Promise<void> {
  try {
    await takeSandboxAway(record, deps);
  } catch (error) {
    deps.log.warn("a failed set-up left something behind", { error: explain(error) });
    if (record.netns !== undefined) deps.kernel.deleteNetns(record.netns);
  }
}
