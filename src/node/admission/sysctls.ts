import type { Pod } from "#kube/generated/types";

/** Those that belong to a namespace of the pod and cannot touch another pod. @see kubelet sysctl/safe_sysctls.go */
const SAFE = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
];
const NAMESPACES: readonly (readonly [prefix: string, namespace: "ipc" | "net"])[] = [
  ["kernel.shm", "ipc"],
  ["kernel.msg", "ipc"],
  ["kernel.sem", "ipc"],
  ["fs.mqueue.", "ipc"],
  ["net.", "net"],
];

/** What K3s allows beside the safe ones, for its own load balancer's pods. */
export const K3S_UNSAFE_SYSCTLS: readonly string[] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/** Which of the pod's sysctls may not be set, as the kubelet words it; undefined when all may. `allowed` are more names, or prefixes that
 *  end in `*`. */
export function forbiddenSysctl({ spec }: Pod, allowed: readonly string[]): string | undefined {
  const [hostNet, hostIpc] = [spec?.hostNetwork === true, spec?.hostIPC === true];
  for (const { name } of spec?.securityContext?.sysctls ?? []) {
    const sysctl = name.replaceAll("/", ".");
    if (![...SAFE, ...allowed].some((pattern) => covers(pattern, sysctl)))
      return `forbidden sysctl: ${JSON.stringify(sysctl)} not allowlisted`;
    const namespace = namespaceOf(sysctl);
    if ((namespace === "ipc" && hostIpc) || (namespace === "net" && hostNet))
      return `forbidden sysctl: ${JSON.stringify(sysctl)} not allowed with host ${namespace} enabled`;
  }
  return undefined;
}

/** Whether the kernel keeps this sysctl (or all that begin so, with `*` at the end) per namespace, so that it can be allowed at all. */
export function isNamespaced(pattern: string): boolean {
  return namespaceOf(pattern.replaceAll("/", ".")) !== undefined;
}

function covers(pattern: string, sysctl: string): boolean {
  const plain = pattern.replaceAll("/", ".");
  return plain.endsWith("*") ? sysctl.startsWith(plain.slice(0, -1)) : plain === sysctl;
}

function namespaceOf(sysctl: string): "ipc" | "net" | undefined {
  return NAMESPACES.find(([prefix]) => sysctl.startsWith(prefix))?.[1];
}
