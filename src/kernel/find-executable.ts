import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { Fault } from "#fault/fault";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Wanted {
  /** A path, or a name to look for in the `PATH` of `env`. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Where a command is in the root of this thread, as execvp(3) looks for it. @throws {Fault} "StartError", in runc's words */
export function findExecutable({ command, env, cwd }: Wanted): string {
  const refuse = (why: string) =>
    new Fault("StartError", `exec: ${JSON.stringify(command)}: ${why}`, { detail: { command, cwd } });
  if (command.includes("/")) {
    const path = resolve(cwd, command);
    const obstacle = obstacleTo(path);
    if (obstacle === undefined) return path;
    throw refuse(obstacle === "absent" ? `stat ${path}: no such file or directory` : "permission denied");
  }
  const found = (env["PATH"] ?? DEFAULT_PATH)
    .split(":")
    .map((folder) => join(resolve(cwd, folder), command))
    .find((path) => obstacleTo(path) === undefined);
  if (command === "" || found === undefined) throw refuse("executable file not found in $PATH");
  return found;
}

function obstacleTo(path: string): "absent" | "forbidden" | undefined {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? undefined : "forbidden";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EACCES" ? "forbidden" : "absent";
  }
}
