import type { DiskUsage, MachineUsage } from "./machine.ts";
import type { ContainerSample, PodSample, Sample } from "./sampler.ts";

export interface SummaryOptions {
  readonly nodeName: string;
  readonly onlyCpuAndMemory: boolean;
}

/** What `/stats/summary` says. @see k8s.io/kubelet/pkg/apis/stats/v1alpha1 */
export function statsSummary(sample: Sample, { nodeName, onlyCpuAndMemory }: SummaryOptions): object {
  const { machine } = sample;
  const time = timeOf(machine.atMs);
  const rest = onlyCpuAndMemory
    ? {}
    : {
        network: networkOf(machine),
        fs: diskOf(machine.disk, time),
        runtime: { imageFs: diskOf(machine.disk, time), containerFs: diskOf(machine.disk, time) },
        rlimit: { time, maxpid: machine.processes.max, curproc: machine.processes.current },
      };
  const { availableBytes, usageBytes, workingSetBytes, rssBytes } = machine.memory;
  return {
    node: {
      nodeName,
      startTime: timeOf(machine.bootedAtMs),
      cpu: cpuOf(time, machine.cpuNanoseconds, sample.nanoCores),
      memory: { time, availableBytes, usageBytes, workingSetBytes, rssBytes },
      ...rest,
    },
    pods: sample.pods.filter(({ containers }) => containers.length > 0).map(podStats),
  };
}

function podStats({ pod, containers }: PodSample): object {
  const { name, namespace, uid } = pod.metadata;
  const time = latest(containers.map(({ usage }) => usage.at));
  const rates = containers.map(({ nanoCores }) => nanoCores);
  const nanoCores = rates.some((rate) => rate === undefined)
    ? undefined
    : sum(rates.map((rate) => rate ?? 0));
  return {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? null,
    containers: containers.map(containerStats),
    cpu: cpuOf(time, sum(containers.map(({ usage }) => usage.cpuNanoseconds)), nanoCores),
    memory: { time, workingSetBytes: sum(containers.map(({ usage }) => usage.workingSetBytes)) },
  };
}

function containerStats({ run, usage, nanoCores }: ContainerSample): object {
  return {
    name: run.name,
    startTime: run.startedAt,
    cpu: cpuOf(usage.at, usage.cpuNanoseconds, nanoCores),
    memory: { time: usage.at, workingSetBytes: usage.workingSetBytes },
  };
}

function cpuOf(time: string, usageCoreNanoSeconds: number, usageNanoCores: number | undefined): object {
  return { time, ...(usageNanoCores === undefined ? {} : { usageNanoCores }), usageCoreNanoSeconds };
}

function networkOf({ atMs, links }: MachineUsage): object {
  const first = links[0];
  return { time: timeOf(atMs), ...first, interfaces: links };
}

function diskOf(disk: DiskUsage, time: string): object {
  return { time, ...disk };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function latest(times: readonly string[]): string {
  return [...times].sort().at(-1) ?? "";
}
