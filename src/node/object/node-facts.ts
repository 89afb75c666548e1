import { readFileSync, statfsSync } from "node:fs";
import { arch, availableParallelism, release } from "node:os";
import type { NodeSystemInfo } from "#kube/generated/types";

const ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm" };

/** What this machine is, as Node.status.nodeInfo has it. */
export function readSystemInfo(versions: { kubelet: string; runtime: string }): NodeSystemInfo {
  const swap = swapCapacity();
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
    ...(swap === undefined ? {} : { swap: { capacity: swap } }),
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
    "hugepages-1Gi": hugePages(1 << 20),
    "hugepages-2Mi": hugePages(2 << 10),
    pods: String(maxPods),
  };
}

/** All pages of one size together, in KiB. */
function hugePages(pageKib: number): string {
  const count = Number(read(`/sys/kernel/mm/hugepages/hugepages-${pageKib}kB/nr_hugepages`) ?? 0);
  return count === 0 ? "0" : `${count * pageKib}Ki`;
}

/** In bytes; undefined without any. */
function swapCapacity(): number | undefined {
  const kib = Number(/^SwapTotal:\s+(\d+)/m.exec(read("/proc/meminfo") ?? "")?.[1] ?? 0);
  return kib === 0 ? undefined : kib * 1024;
}

function osImage(): string {
  // The first is for the machine's owner, and need not be there. @see os-release(5)
  const text = read("/etc/os-release") ?? read("/usr/lib/os-release") ?? "";
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
