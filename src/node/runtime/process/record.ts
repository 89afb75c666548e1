import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "#disk/whole-file";
import type { ContainerExit, Run, Sandbox } from "../runtime.ts";
import type { RecordedRights } from "./security.ts";
import type { SharedParts } from "./shared-parts.ts";
import type { Interaction } from "./stream/run-ends.ts";

/** What is written down about a pod's sandbox before it is made, and again once it stands. */
export interface SandboxRecord {
  readonly version: 1;
  readonly sandbox: Sandbox;
  /** Where its network namespace is mounted; undefined with the host's network. */
  readonly netns: string | undefined;
  readonly shared: SharedParts;
  /** The pod's, below each controller's mount. */
  readonly cgroupParent: string | undefined;
  readonly bootId: string;
  readonly isComplete: boolean;
}

/** What is written down about a container before it is started, and again when it has ended. Its process is not in it: that is
 *  what its supervisor knows. */
export interface RunRecord {
  readonly version: 1;
  readonly run: Omit<Run, "exit">;
  readonly bootId: string;
  readonly terminationMessage: { readonly fallBackToLogs: boolean };
  readonly exit: ContainerExit | undefined;
  /** To start another program beside it. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly rights: RecordedRights;
  /** Its own, below each controller's mount. */
  readonly cgroup: string | undefined;
  /** Whether ending its process ends all that it started. */
  readonly hasOwnPids: boolean;
  readonly interaction: Interaction;
}

/** The folders of one pod: `<base>/<uid>/sandbox.json` and `<base>/<uid>/containers/<name>/<attempt>/`. */
export class PodFolder {
  readonly path: string;

  constructor(base: string, uid: string) {
    this.path = join(base, uid);
  }

  runPath(name: string, attempt: number): string {
    return join(this.path, "containers", name, String(attempt));
  }

  readSandbox(): SandboxRecord | undefined {
    return readJson<SandboxRecord>(join(this.path, "sandbox.json"));
  }

  writeSandbox(record: SandboxRecord): void {
    writeJson(this.path, "sandbox.json", record);
  }

  readRuns(): readonly RunRecord[] {
    const base = join(this.path, "containers");
    return namesIn(base).flatMap((name) =>
      namesIn(join(base, name)).flatMap(
        (attempt) => readJson<RunRecord>(join(base, name, attempt, "container.json")) ?? [],
      ),
    );
  }

  writeRun(record: RunRecord): void {
    writeJson(this.runPath(record.run.name, record.run.attempt), "container.json", record);
  }

  removeRun(run: { name: string; attempt: number }): void {
    rmSync(this.runPath(run.name, run.attempt), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Undefined for what is absent, cut short or of another version: it is then as if it had never been. */
function readJson<T extends { version: 1 }>(path: string): T | undefined {
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as T;
    return value.version === 1 ? value : undefined;
  } catch {
    return undefined;
  }
}

function writeJson(folder: string, name: string, value: unknown): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeWhole(join(folder, name), JSON.stringify(value), { mode: 0o600 });
}
