import { spawnSync } from "node:child_process";
import { Fault } from "#fault/fault";
import type { KernelModule } from "./kernel.ts";

const PATIENCE_MS = 10_000;
/** A service manager may start us without the folders that administration programs are in. */
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** The module is loaded, and those it needs; loaded already is success. The one program we start for the kernel: which file a
 *  module is in, and what it needs, only modprobe knows. @throws {Fault} "ModuleMissing" with modprobe's words */
export function loadModule(name: KernelModule): void {
  const done = spawnSync("modprobe", [name], { env: { PATH }, encoding: "utf8", timeout: PATIENCE_MS });
  if (done.status === 0) return;
  const why =
    done.error?.message ?? (done.stderr.trim() || `modprobe ended with ${done.status ?? done.signal}`);
  throw new Fault("ModuleMissing", `Cannot load kernel module ${name}: ${why}`, { detail: { module: name } });
}
