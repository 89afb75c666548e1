import { readdirSync, readFileSync } from "node:fs";
import type { Metrics } from "#telemetry/metrics";

/** The process as every Prometheus client library shows it. @see prometheus.io/docs/instrumenting/writing_clientlibs */
export function processMetrics(metrics: Metrics): void {
  const one = (name: string, help: string, type: "counter" | "gauge", value: () => number | undefined) =>
    metrics.ask(name, help, {
      type,
      values: () => {
        const now = value();
        return now === undefined ? [] : [[{}, now]];
      },
    });
  const startSeconds = (Date.now() - performance.now()) / 1000;
  one("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  one("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge", () =>
    process.memoryUsage.rss(),
  );
  one("process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", virtualBytes);
  one(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    "gauge",
    () => startSeconds,
  );
  one("process_open_fds", "Number of open file descriptors.", "gauge", openFiles);
}

/** Undefined where there is no /proc. @see proc_pid_statm(5) */
function virtualBytes(): number | undefined {
  try {
    return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]) * 4096;
  } catch {
    return undefined;
  }
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
