import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isFault } from "#fault/fault";
import { hasOwnFileSystem, mountTmpfs, unmount } from "#kernel/mount";
import { createPodNamespaces, isNamespaceMounted } from "#kernel/pod-namespaces";
import { superviseReaper } from "#kernel/sandbox";
import type { SandboxConfig } from "../runtime.ts";
import { Supervisor } from "./supervisor.ts";

const SHM_OPTIONS = "mode=1777,size=64m";

/** What a pod's containers have in common beside the network: paths of what is mounted, and of what says who process 1 is. Absent:
 *  the node's own, or for `init` each container's own. */
export interface SharedParts {
  readonly ipc?: string;
  readonly shm?: string;
  readonly uts?: string;
  readonly init?: string;
}

/** Where the parts of a pod will be; nothing is made yet. */
export function plannedParts(
  folder: string,
  { ipc, pid, hostname, isHostNetwork }: SandboxConfig,
): SharedParts {
  return {
    ...(ipc === "pod" ? { ipc: join(folder, "ns", "ipc"), shm: join(folder, "shm") } : {}),
    ...(isHostNetwork || hostname === "" ? {} : { uts: join(folder, "ns", "uts") }),
    ...(pid === "pod" ? { init: join(folder, "init") } : {}),
  };
}

export async function makeParts(
  parts: SharedParts,
  config: SandboxConfig,
  cgroups: readonly string[],
): Promise<void> {
  const { ipc, shm, uts, init } = parts;
  createPodNamespaces({
    ipc: ipc === undefined ? undefined : { path: ipc, sysctls: ipcSysctls(config.sysctls) },
    uts: uts === undefined ? undefined : { path: uts, hostname: config.hostname },
  });
  if (shm !== undefined) {
    mkdirSync(shm, { recursive: true });
    mountTmpfs(shm, SHM_OPTIONS);
  }
  if (init !== undefined) await startInit(init, config, cgroups);
}

/** Takes them away, with all processes that share the pod's process 1; absent is success. */
export function removeParts({ ipc, shm, uts, init }: SharedParts): void {
  if (init !== undefined) new Supervisor(init).dismiss("SIGKILL");
  for (const path of [ipc, shm, uts])
    if (path !== undefined) {
      ignoringAbsent(() => unmount(path));
      rmSync(path, { recursive: true, force: true });
    }
}

/** Whether all of them are as they were made. */
export function partsStand({ ipc, shm, uts, init }: SharedParts): boolean {
  return (
    [ipc, uts].every((path) => path === undefined || isNamespaceMounted(path)) &&
    (shm === undefined || hasOwnFileSystem(shm)) &&
    (init === undefined || new Supervisor(init).containerPid !== undefined)
  );
}

async function startInit(
  path: string,
  { podNamespace, podName }: SandboxConfig,
  cgroups: readonly string[],
): Promise<void> {
  const init = await Supervisor.start(path, (state) =>
    superviseReaper({ label: `${podNamespace}/${podName}`, state, cgroups }),
  );
  init.unref();
}

/** Those that belong to an IPC namespace; the network's are set in that one. */
function ipcSysctls(sysctls: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(sysctls).filter(([name]) => /^(?:kernel\.(?:shm|msg|sem)|fs\.mqueue\.)/.test(name)),
  );
}

function ignoringAbsent(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(isFault(error) && (error.code === "EINVAL" || error.code === "ENOENT"))) throw error;
  }
}
