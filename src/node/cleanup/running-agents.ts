import { listPids, namespaceOf, parentOf, programOf, serviceOf, wordsOf } from "../processes.ts";

/** A process that keeps a node's network and pods, and would make again what is taken away. */
export interface RunningAgent {
  readonly pid: number;
  readonly name: string;
  /** The systemd service it runs as, which would start it again. */
  readonly unit: string | undefined;
}

/** Agents of this machine: those in the network namespace of this process. A lab's have their own each. */
export function findRunningAgents(): readonly RunningAgent[] {
  const ours = namespaceOf("self", "net");
  return listPids()
    .filter((pid) => pid !== process.pid && namespaceOf(pid, "net") === ours)
    .flatMap((pid) => {
      const name = agentName(wordsOf(pid), programOf(pid));
      return name === undefined ? [] : [{ pid, name, unit: unitOf(pid) }];
    });
}

/** Systemd itself has started it: whoever was started by hand may be in the service of the shell, such as `ssh.service`. */
function unitOf(pid: number): string | undefined {
  return parentOf(pid) === 1 ? serviceOf(pid) : undefined;
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
