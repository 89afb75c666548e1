import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { writeWhole } from "#disk/whole-file";
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
  /** Those of them that agents are given too. */
  readonly agentFlags: readonly string[];
  /** Whether `up` has come to its end. */
  readonly isUp: boolean;
  /** Names of nodes that still run with the flags before these. */
  readonly outdated?: readonly string[];
}

const FILE = "lab.json";

export function writeRecord(dir: string, record: LabRecord): void {
  writeWhole(join(dir, FILE), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, isFlushed: true });
}

/** @returns undefined when there is no such lab; throws {Fault} BadLab when its record is unreadable */
export function readRecord(dir: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, FILE), "utf8")) as LabRecord;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    const isPrivate = cause instanceof Error && "code" in cause && cause.code === "EACCES";
    const what = isPrivate
      ? "it belongs to root; run this with sudo"
      : `it is damaged; remove the lab with: ./twill down --name ${basename(dir)}`;
    throw new Fault("BadLab", `Cannot read ${join(dir, FILE)}: ${what}`);
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
