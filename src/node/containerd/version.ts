import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { explain, Fault } from "#fault/fault";

export interface ContainerdVersion {
  readonly major: number;
  readonly minor: number;
  /** As the program says it, without a `v`: `1.6.20~ds1`. */
  readonly text: string;
}

/** The programs an instance of our own needs, by name. */
export type Programs = Readonly<Record<(typeof PROGRAMS)[number], string>>;

/** containerd finds the last two itself, on the PATH it was started with. */
const PROGRAMS = ["containerd", "ctr", "containerd-shim-runc-v2", "runc"] as const;
const OLDEST = { major: 1, minor: 6 } as const;

/** Where they are on `path` (as the environment's PATH); those not there are named. */
export function findPrograms(
  path: string,
):
  | { readonly kind: "found"; readonly programs: Programs }
  | { readonly kind: "missing"; readonly names: readonly string[] } {
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  const places = PROGRAMS.map(
    (name) => [name, folders.map((folder) => join(folder, name)).find(isProgram)] as const,
  );
  const names = places.flatMap(([name, place]) => (place === undefined ? [name] : []));
  if (names.length > 0) return { kind: "missing", names };
  return { kind: "found", programs: Object.fromEntries(places) as Programs };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Asks the program itself. @throws {Fault} "BadContainerd" when it says nothing one can read, or is older than 1.6 */
export async function readVersion(containerd: string): Promise<ContainerdVersion> {
  try {
    const { stdout } = await promisify(execFile)(containerd, ["--version"], { timeout: 30_000 });
    const version = parseVersion(stdout);
    if (version) return version;
    throw new Error(`it said ${JSON.stringify(stdout.slice(0, 200))}`);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("BadContainerd", `Cannot tell the version of ${containerd}: ${explain(error)}`, {
      cause: error,
    });
  }
}

/** `containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4...` @throws {Fault} "BadContainerd" when too old */
export function parseVersion(text: string): ContainerdVersion | undefined {
  const found = /^containerd \S+ v?((\d+)\.(\d+)\S*)/.exec(text.trim());
  if (!found?.[1]) return undefined;
  const version = { major: Number(found[2]), minor: Number(found[3]), text: found[1] };
  if (version.major > OLDEST.major || (version.major === OLDEST.major && version.minor >= OLDEST.minor))
    return version;
  throw new Fault(
    "BadContainerd",
    `Cannot use containerd ${version.text}: 1.6 is the oldest that speaks CRI v1; install a newer one`,
  );
}
