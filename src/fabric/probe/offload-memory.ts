import { release } from "node:os";
import { keepWhole, readIfThere } from "#disk/whole-file";
import type { Logger } from "#telemetry/log";
import { isObject } from "../conf-fields.ts";

/** Why a device's offload is off. */
interface Finding {
  /** The peer that told. */
  readonly node: string;
  readonly since: string;
}

/** Devices whose checksum offload was found broken, in a small file: a restart, also one with no peer to ask, changes nothing.
 *  Another kernel forgets them, for a newer one may have been mended; what is still broken is found again. */
export class OffloadMemory {
  readonly #file: string;
  readonly #log: Logger;
  readonly #findings: Map<string, Finding>;

  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
    this.#findings = read(file, log);
  }

  has(device: string): boolean {
    return this.#findings.has(device);
  }

  remember(device: string, { node, nowMs }: { node: string; nowMs: number }): void {
    this.#findings.set(device, { node, since: new Date(nowMs).toISOString() });
    this.#save();
  }

  forget(device: string): void {
    if (this.#findings.delete(device)) this.#save();
  }

  #save(): void {
    const content = { kernel: release(), offloadIsOff: Object.fromEntries(this.#findings) };
    try {
      keepWhole(this.#file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o644 });
    } catch (error) {
      this.#log.warn("what was found of checksum offload is not remembered", { file: this.#file, error });
    }
  }
}

function read(file: string, log: Logger): Map<string, Finding> {
  try {
    const content: unknown = JSON.parse(readIfThere(file) ?? "{}");
    if (!isObject(content) || content.kernel !== release() || !isObject(content.offloadIsOff))
      return new Map();
    return new Map(
      Object.entries(content.offloadIsOff).flatMap(([device, row]) =>
        isObject(row) && typeof row.node === "string" && typeof row.since === "string"
          ? [[device, { node: row.node, since: row.since }]]
          : [],
      ),
    );
  } catch (error) {
    log.warn("what was remembered of checksum offload is not readable: finding it out anew", { file, error });
    return new Map();
  }
}
