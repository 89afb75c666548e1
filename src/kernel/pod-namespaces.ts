import { closeSync, mkdirSync, openSync, statfsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { awayFromHome } from "./away-from-home.ts";
import * as libc from "./ffi/libc.ts";

const NSFS_MAGIC = 0x6e736673;

export interface PodNamespaces {
  /** Where it is to be mounted; it then lasts without a process. */
  readonly ipc?: { readonly path: string; readonly sysctls: Readonly<Record<string, string>> } | undefined;
  readonly uts?: { readonly path: string; readonly hostname: string } | undefined;
}

/** Makes the namespaces that a pod's containers share beside the network's. @throws what the kernel refuses */
export function createPodNamespaces({ ipc, uts }: PodNamespaces): void {
  for (const path of [ipc?.path, uts?.path]) if (path !== undefined) claim(path);
  awayFromHome(() => {
    libc.unshare((ipc ? libc.CLONE_NEWIPC : 0) | (uts ? libc.CLONE_NEWUTS : 0));
    if (uts) {
      libc.sethostname(uts.hostname);
      libc.mount("/proc/thread-self/ns/uts", uts.path, null, libc.MS_BIND);
    }
    if (ipc) {
      for (const [name, value] of Object.entries(ipc.sysctls))
        writeFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, value);
      libc.mount("/proc/thread-self/ns/ipc", ipc.path, null, libc.MS_BIND);
    }
  });
}

/** Whether a namespace is still mounted at `path`. */
export function isNamespaceMounted(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

function claim(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o444));
}
