import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { LAB_ROOTS } from "./layout.ts";

/** What `up` writes down so that `down`, `kubectl` and a later `up` know the lab. */
export interface LabRecord {
  readonly name: string;
  readonly nodes: number;
  readonly token: string;
  /** Loopback port of the API on the host. */
  readonly apiPort: number;
  /** Loopback port of the demo's page on the host, when it was asked for. */
  readonly pagePort: number | undefined;
  /** Where the host's kubeconfig is. */
  readonly kubeconfig: string;
  readonly serverFlags: readonly string[];
}

const FILE = "lab.json";

export function writeRecord(dir: string, record: LabRecord): void {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const path = join(dir, FILE);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
}

/** @returns undefined when there is no such lab; throws {Fault} BadLab when its record is unreadable */
export function readRecord(dir: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, FILE), "utf8")) as LabRecord;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Fault("BadLab", `Cannot read ${join(dir, FILE)}; remove the lab with: ./twill down`, { cause });
  }
}

export function labNames(): readonly string[] {
  try {
    return readdirSync(LAB_ROOTS.state, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
