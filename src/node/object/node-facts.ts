import { readFileSync, statfsSync } from "node:fs";
import { arch, availableParallelism, release } from "node:os";
import type { NodeSystemInfo } from "#kube/generated/types";

const ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm" };

/** What this machine is, as Node.status.nodeInfo has it. */
export function readSystemInfo(versions: { kubelet: string; runtime: string }): NodeSystemInfo {
  return {
    machineID: firstOf(["/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"]),
    systemUUID: firstOf([
      "/sys/class/dmi/id/product_uuid",
      "/etc/machine-id",
      "/proc/sys/kernel/random/boot_id",
    ]),
    bootID: firstOf(["/proc/sys/kernel/random/boot_id"]),
    kernelVersion: release(),
    osImage: osImage(),
    containerRuntimeVersion: versions.runtime,
    kubeletVersion: versions.kubelet,
    kubeProxyVersion: "",
    operatingSystem: "linux",
    architecture: kubeArch(),
  };
}

export function kubeArch(): string {
  return ARCH[arch()] ?? arch();
}

/** What the machine has, in Kubernetes's quantities. */
export function readCapacity({
  maxPods,
  dataDir,
}: {
  maxPods: number;
  dataDir: string;
}): Record<string, string> {
  const disk = statfsSync(dataDir);
  return {
    cpu: String(availableParallelism()),
    memory: `${/^MemTotal:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? "0"}Ki`,
    "ephemeral-storage": `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    pods: String(maxPods),
  };
}

function osImage(): string {
  const text = read("/etc/os-release") ?? "";
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "Linux";
}

function firstOf(paths: readonly string[]): string {
  for (const path of paths) {
    const text = read(path)?.trim();
    if (text) return text;
  }
  return "";
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
