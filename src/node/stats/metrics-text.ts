import { Metrics } from "#telemetry/metrics";
import type { ContainerSample, Sample } from "./sampler.ts";

type Labels = Readonly<Record<string, string>>;
type Row = readonly [Labels, number];

const NANOSECONDS = 1e9;

/** `/metrics/resource`: what autoscaling reads. @see pkg/kubelet/metrics/collectors/resource_metrics.go */
export function resourceMetrics({ machine, pods }: Sample): string {
  const page = new Metrics();
  const ofContainers = (value: (sample: ContainerSample) => number): Row[] =>
    pods.flatMap(({ pod, containers }) =>
      containers.map(
        (sample): Row => [{ container: sample.run.name, ...podLabels(pod.metadata) }, value(sample)],
      ),
    );
  const ofPods = (value: (sample: ContainerSample) => number): Row[] =>
    pods.flatMap(({ pod, containers }): Row[] =>
      containers.length === 0
        ? []
        : [[podLabels(pod.metadata), containers.reduce((total, sample) => total + value(sample), 0)]],
    );
  const cpu = ({ usage }: ContainerSample) => usage.cpuNanoseconds / NANOSECONDS;
  const memory = ({ usage }: ContainerSample) => usage.workingSetBytes;
  const start = ({ run }: ContainerSample) => Date.parse(run.startedAt) / 1000;
  const counter = (name: string, help: string, rows: Row[]) => page.ask(name, help, ask("counter", rows));
  const gauge = (name: string, help: string, rows: Row[]) => page.ask(name, help, ask("gauge", rows));
  counter(
    "container_cpu_usage_seconds_total",
    "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
    ofContainers(cpu),
  );
  gauge(
    "container_memory_working_set_bytes",
    "[STABLE] Current working set of the container in bytes",
    ofContainers(memory),
  );
  gauge(
    "container_start_time_seconds",
    "[STABLE] Start time of the container since unix epoch in seconds",
    ofContainers(start),
  );
  counter(
    "node_cpu_usage_seconds_total",
    "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
    [[{}, machine.cpuNanoseconds / NANOSECONDS]],
  );
  gauge("node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", [
    [{}, machine.memory.workingSetBytes],
  ]);
  counter(
    "pod_cpu_usage_seconds_total",
    "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
    ofPods(cpu),
  );
  gauge("pod_memory_working_set_bytes", "[STABLE] Current working set of the pod in bytes", ofPods(memory));
  gauge(
    "resource_scrape_error",
    "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
    [[{}, 0]],
  );
  return page.expose();
}

/** `/metrics/cadvisor`: the few of its names that dashboards ask for and that are known here. */
export function cadvisorMetrics({ machine, pods }: Sample, cpus: number): string {
  const page = new Metrics();
  const rows = (value: (sample: ContainerSample) => number): Row[] =>
    pods.flatMap(({ pod, containers }) =>
      containers.map((sample): Row => {
        const { id, image, name } = sample.run;
        return [{ container: name, id, image, name: id, ...podLabels(pod.metadata) }, value(sample)];
      }),
    );
  page.ask(
    "container_cpu_usage_seconds_total",
    "Cumulative cpu time consumed in seconds.",
    ask(
      "counter",
      rows(({ usage }) => usage.cpuNanoseconds / NANOSECONDS),
    ),
  );
  page.ask(
    "container_memory_working_set_bytes",
    "Current working set in bytes.",
    ask(
      "gauge",
      rows(({ usage }) => usage.workingSetBytes),
    ),
  );
  page.ask(
    "container_start_time_seconds",
    "Start time of the container since unix epoch in seconds.",
    ask(
      "gauge",
      rows(({ run }) => Date.parse(run.startedAt) / 1000),
    ),
  );
  page.ask("machine_cpu_cores", "Number of logical CPU cores.", ask("gauge", [[{}, cpus]]));
  page.ask(
    "machine_memory_bytes",
    "Amount of memory installed on the machine.",
    ask("gauge", [[{}, machine.memory.totalBytes]]),
  );
  return page.expose();
}

export interface KubeletCounts {
  readonly nodeName: string;
  readonly runningPods: number;
  readonly runningContainers: number;
}

/** `/metrics`: this agent itself. */
export function kubeletMetrics({ nodeName, runningPods, runningContainers }: KubeletCounts): string {
  const page = new Metrics();
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const one = (name: string, help: string, type: "counter" | "gauge", row: Row) =>
    page.ask(name, help, ask(type, [row]));
  one("kubelet_node_name", "The node's name. The count is always 1.", "gauge", [{ node: nodeName }, 1]);
  one("kubelet_running_pods", "Number of pods that have a running pod sandbox", "gauge", [{}, runningPods]);
  one("kubelet_running_containers", "Number of containers currently running", "gauge", [
    { container_state: "running" },
    runningContainers,
  ]);
  one("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", [
    {},
    (user + system) / 1e6,
  ]);
  one("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge", [{}, rss]);
  one("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "gauge", [
    {},
    performance.timeOrigin / 1000,
  ]);
  return page.expose();
}

function ask(type: "counter" | "gauge", rows: Row[]): { type: "counter" | "gauge"; values: () => Row[] } {
  return { type, values: () => rows };
}

function podLabels({ namespace = "", name }: { namespace?: string | undefined; name: string }): Labels {
  return { namespace, pod: name };
}
