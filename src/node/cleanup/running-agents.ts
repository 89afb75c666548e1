import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process that keeps a node's network and pods, and would make again what is taken away. */
export interface RunningAgent {
  readonly pid: number;
  readonly name: string;
  /** The systemd service it runs as, which would start it again. */
  readonly unit: string | undefined;
}

/** Agents of this machine: those in the network namespace of this process. A lab's have their own each. */
export function findRunningAgents(): readonly RunningAgent[] {
  const ours = networkOf("self");
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && networkOf(pid) === ours)
    .flatMap((pid) => {
      const name = agentName(wordsOf(pid), programOf(pid));
      return name === undefined ? [] : [{ pid: Number(pid), name, unit: unitOf(pid) }];
    });
}

const KUBERNETES = ["kubelet", "kube-proxy", "flanneld", "kubelite"];
const ROLES = ["server", "agent"];

/** What the process calls itself counts where it says so (K3s: `/usr/local/bin/k3s server`), else what runs it. */
export function agentName(words: readonly string[], program: string): string | undefined {
  const [first = ""] = words;
  const base = first.split("/").at(-1) ?? "";
  // K3s writes one word over its arguments: "/usr/local/bin/k3s server".
  const [called = "", role = words[1] ?? ""] = base.split(" ");
  for (const name of ["k3s", "rke2"])
    if ((called === name || program === name) && ROLES.includes(role)) return `${name} ${role}`;
  if (KUBERNETES.includes(called) || KUBERNETES.includes(program)) return called || program;
  return twillRole(words);
}

/** `node [flags] PLACE/bin/twill.ts agent ...`, from sources or as a bundle. */
function twillRole(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => /(?:^|\/)twill(?:\.[cm]?[jt]s)?$/.test(word));
  const role = words[at + 1];
  if (at < 0 || role === undefined) return undefined;
  if (ROLES.includes(role)) return `twill ${role}`;
  return role === "fabric" && words[at + 2] !== "status" ? "twill fabric" : undefined;
}

function unitOf(pid: string): string | undefined {
  return /\/([^/\n]+\.service)(?:\/|$)/m.exec(read(`/proc/${pid}/cgroup`))?.[1];
}

function wordsOf(pid: string): readonly string[] {
  return read(`/proc/${pid}/cmdline`).split("\0");
}

function programOf(pid: string): string {
  return link(`/proc/${pid}/exe`)?.split("/").at(-1) ?? "";
}

function networkOf(pid: string): string | undefined {
  return link(`/proc/${pid}/ns/net`);
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}
