import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "#disk/whole-file";
import { hostVethName } from "./cable.ts";
import type { AttachmentKey } from "./model.ts";

/** An interface that a runtime asked for through the executable. */
export interface Plugged extends AttachmentKey {
  /** The CNI network's name. */
  readonly network: string;
  /** Whether the cable is ours, too. */
  readonly hasCable: boolean;
}

/** Which interfaces belong to other people's runtimes: written down before anything is made, so that whatever a call that was
 *  killed has left is known to be theirs, and the agent's own clearing away leaves them alone. A file a cable. */
export class PluggedInterfaces {
  readonly #dir: string;
  readonly #plugged = new Map<string, Plugged>();

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    for (const name of readdirSync(dir).filter((each) => each.endsWith(".json"))) {
      const plugged = parsePlugged(readFileSync(join(dir, name), "utf8"));
      if (plugged) this.#plugged.set(hostVethName(plugged), plugged);
    }
  }

  list(): readonly Plugged[] {
    return [...this.#plugged.values()];
  }

  find(key: AttachmentKey): Plugged | undefined {
    return this.#plugged.get(hostVethName(key));
  }

  put(plugged: Plugged): void {
    const name = hostVethName(plugged);
    writeWhole(join(this.#dir, `${name}.json`), JSON.stringify(plugged), { mode: 0o600 });
    this.#plugged.set(name, plugged);
  }

  /** Absent is success. */
  delete(key: AttachmentKey): void {
    const name = hostVethName(key);
    if (!this.#plugged.delete(name)) return;
    rmSync(join(this.#dir, `${name}.json`), { force: true });
  }
}

/** Nothing for what is not ours: a half-written file must not keep the node from starting. */
function parsePlugged(text: string): Plugged | undefined {
  try {
    const json = JSON.parse(text) as Partial<Record<keyof Plugged, unknown>>;
    const { containerId, ifname, network, hasCable } = json;
    if (typeof containerId !== "string" || typeof ifname !== "string") return undefined;
    if (typeof network !== "string" || typeof hasCable !== "boolean") return undefined;
    return { containerId, ifname, network, hasCable };
  } catch {
    return undefined;
  }
}
