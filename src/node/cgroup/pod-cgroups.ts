import { isDeepStrictEqual } from "node:util";
import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { podAmounts } from "#kube/pod-amounts";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { type QosClass, qosOf } from "../status/qos.ts";
import { milliUnits } from "./amounts.ts";
import { Hierarchy } from "./hierarchy.ts";
import { type CgroupLimits, podLimits } from "./limits.ts";
import { type CgroupMounts, findCgroupMounts } from "./mounts.ts";
import { cpuShares } from "./numbers.ts";

const PODS = "kubepods";
const REFUSALS = new Set(["EROFS", "EACCES", "EPERM"]);
const FOLDER: Readonly<Record<QosClass, string>> = {
  Guaranteed: "",
  Burstable: "/burstable",
  BestEffort: "/besteffort",
};

export interface PodCgroupsOptions {
  /** Undefined where the machine has none. */
  readonly mounts: CgroupMounts | undefined;
  /** Above `kubepods`: empty, or such as `/twill-node-1` where several nodes share a machine. */
  readonly root: string;
  /** What pods may use altogether: thousandths of a processor, and bytes. */
  readonly allocatable: { readonly cpuMilli: number; readonly memoryBytes: number };
  /** Processes of one pod; undefined is no bound. */
  readonly podPids: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The tree in which the kernel keeps pods apart: `kubepods`, in it `burstable` and `besteffort`, in each the pods of that class, in
 *  each pod its containers. Where no cgroup can be made, pods run without limits, and one warning says so.
 *  @see kubelet cm/qos_container_manager_linux.go */
export class PodCgroups {
  readonly #options: PodCgroupsOptions;
  readonly #hierarchy: Hierarchy | undefined;
  readonly #known = new Map<string, { readonly path: string; readonly limits: CgroupLimits }>();
  readonly #burstableMilli = new Map<string, number>();
  #isOff: boolean;

  constructor(options: PodCgroupsOptions) {
    this.#options = options;
    this.#hierarchy = options.mounts && new Hierarchy(options.mounts, options.clock);
    this.#isOff = this.#hierarchy === undefined;
    if (this.#isOff) options.log.warn("this machine has no cgroups; pods run without limits");
    else this.#try((hierarchy) => this.#makeTree(hierarchy));
  }

  /** The pod's path below each controller's mount; undefined where no limits are kept. */
  pathOf(pod: Pod): string | undefined {
    if (this.#isOff) return undefined;
    return this.#known.get(pod.metadata.uid ?? "")?.path ?? this.#plannedPath(pod);
  }

  /** Makes the pod's cgroup stand with what its spec says now. */
  ensure(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const path = this.pathOf(pod);
    if (path === undefined || uid === "") return;
    const limits = podLimits(pod, { pids: this.#options.podPids });
    const known = this.#known.get(uid);
    this.#try((hierarchy) => {
      if (known && isDeepStrictEqual(known.limits, limits) && hierarchy.exists(path)) return;
      hierarchy.make(path, limits);
      this.#known.set(uid, { path, limits });
      this.#countBurstable(hierarchy, pod);
    });
  }

  /** Takes the pod's cgroup away, with whatever still runs in it. */
  async remove(uid: string): Promise<void> {
    const hierarchy = this.#hierarchy;
    const known = this.#known.get(uid);
    this.#known.delete(uid);
    this.#burstableMilli.delete(uid);
    if (!hierarchy || uid === "") return;
    const paths = known ? [known.path] : Object.values(FOLDER).map((qos) => this.#path(qos, uid));
    for (const path of paths)
      if (!(await hierarchy.remove(path)))
        this.#options.log.warn("a pod's cgroup could not be removed: something in it cannot be killed", {
          path,
        });
    this.#try((standing) => this.#shareBurstable(standing));
  }

  /** Takes away what pods that are no more have left. What something runs in stays: it may be another node's of this machine. */
  sweep(uids: ReadonlySet<string>): void {
    this.#try((hierarchy) => {
      for (const qos of Object.values(FOLDER))
        for (const name of hierarchy.children(`${this.#top}${qos}`)) {
          const uid = /^pod(.+)$/.exec(name)?.[1];
          if (uid !== undefined && !uids.has(uid)) hierarchy.removeEmpty(this.#path(qos, uid));
        }
    });
  }

  get #top(): string {
    return `${this.#options.root}/${PODS}`;
  }

  #path(qos: string, uid: string): string {
    return `${this.#top}${qos}/pod${uid}`;
  }

  #plannedPath(pod: Pod): string {
    return this.#path(FOLDER[qosOf(pod)], pod.metadata.uid ?? "");
  }

  #makeTree(hierarchy: Hierarchy): void {
    const { cpuMilli, memoryBytes } = this.#options.allocatable;
    hierarchy.make(this.#top, { cpuShares: cpuShares(cpuMilli), memoryBytes });
    hierarchy.make(`${this.#top}${FOLDER.Burstable}`, {});
    hierarchy.make(`${this.#top}${FOLDER.BestEffort}`, { cpuShares: cpuShares(0) });
  }

  #countBurstable(hierarchy: Hierarchy, pod: Pod): void {
    if (qosOf(pod) !== "Burstable") return;
    const request = podAmounts(pod, "requests").get("cpu");
    this.#burstableMilli.set(pod.metadata.uid ?? "", request ? milliUnits(request) : 0);
    this.#shareBurstable(hierarchy);
  }

  #shareBurstable(hierarchy: Hierarchy): void {
    const total = [...this.#burstableMilli.values()].reduce((sum, milli) => sum + milli, 0);
    hierarchy.make(`${this.#top}${FOLDER.Burstable}`, { cpuShares: cpuShares(total) });
  }

  /** A file system mounted read-only, or a right that this process does not have, is so for good. */
  #try(act: (hierarchy: Hierarchy) => void): void {
    if (this.#isOff || !this.#hierarchy) return;
    try {
      act(this.#hierarchy);
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
      if (!REFUSALS.has(String(error.code))) {
        this.#options.log.warn("a cgroup could not be written", { error: explain(error) });
        return;
      }
      this.#isOff = true;
      this.#options.log.warn("cgroups cannot be written; pods run without limits", { error: explain(error) });
    }
  }
}

export function openPodCgroups(options: Omit<PodCgroupsOptions, "mounts">): PodCgroups {
  return new PodCgroups({ ...options, mounts: findCgroupMounts() });
}
