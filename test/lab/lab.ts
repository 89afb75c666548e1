/** A cluster for a test, by the very commands a user types. Names carry the process id, so that runs do not meet; labs of runs
 *  that were killed are removed by the next one. */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LAB_ROOTS } from "#lab/layout";

export const launcher = fileURLToPath(new URL("../../twill", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function run(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Ran {
  const done: SpawnSyncReturns<string> = spawnSync(command, args, {
    encoding: "utf8",
    timeout: 120_000,
    ...options,
  });
  if (done.error) throw done.error;
  return { code: done.status, out: done.stdout, err: done.stderr };
}

export class Lab {
  readonly name: string;

  constructor(suffix = "") {
    this.name = `t${process.pid}${suffix}`;
  }

  twill(...args: readonly string[]): Ran {
    return run(launcher, [args[0] ?? "", "--name", this.name, ...args.slice(1)]);
  }

  /** `kubectl`, which must succeed. */
  kubectl(...args: readonly string[]): string {
    const ran = this.tryKubectl(args);
    assert.equal(ran.code, 0, `kubectl ${args.join(" ")}: ${ran.err}`);
    return ran.out;
  }

  tryKubectl(args: readonly string[], input?: string): Ran {
    return run(launcher, ["kubectl", "--name", this.name, ...args], input === undefined ? {} : { input });
  }

  apply(manifest: string): void {
    const ran = this.tryKubectl(["apply", "-f", "-"], manifest);
    assert.equal(ran.code, 0, ran.err);
  }

  json<T>(...args: readonly string[]): T {
    return JSON.parse(this.kubectl(...args, "-o", "json")) as T;
  }

  node(role: string): string {
    return `${this.name}-${role}`;
  }

  /** Runs a program in a node's network namespace. */
  inNode(role: string, command: string, ...args: readonly string[]): Ran {
    return run("nsenter", [
      `--net=${join(LAB_ROOTS.run, this.name, `${this.node(role)}.net`)}`,
      command,
      ...args,
    ]);
  }

  logOf(role: string): string {
    return readFileSync(join(LAB_ROOTS.state, this.name, "nodes", this.node(role), "twill.log"), "utf8");
  }

  /** Ends a node's own process, and nothing else, as hard as it goes. */
  killNode(role: string): void {
    const pid = pidOf("--node-name", this.node(role));
    assert.ok(pid, `${this.node(role)} runs`);
    process.kill(pid, "SIGKILL");
  }

  down(): Ran {
    return this.twill("down");
  }
}

function pidOf(...words: readonly string[]): number | undefined {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).find((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return (
        words.every((word) => line.includes(word)) && line.some((word) => /\/twill\.(ts|mjs)$/.test(word))
      );
    } catch {
      return false;
    }
  });
}

/** Removes the labs of test runs that are no more. */
export function removeStaleLabs(): void {
  const names = existsSync(LAB_ROOTS.state) ? readdirSync(LAB_ROOTS.state) : [];
  for (const name of names) {
    const pid = Number(/^t(\d+)[a-z]*$/.exec(name)?.[1]);
    if (pid > 0 && pid !== process.pid && !existsSync(`/proc/${pid}`))
      run(launcher, ["down", "--name", name]);
  }
}

/** Asks until `look` returns something; the deadline is generous because the machine may be busy. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  deadlineMs = 60_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await wait(100);
  }
  throw new Error(`never: ${what}`, { cause: last });
}

/** What of the host a lab must leave as it was. */
export function hostState(): Readonly<Record<string, string>> {
  const text = (command: string, ...args: readonly string[]) => run(command, args).out;
  return {
    links: text("ip", "-o", "link").replace(/ (qlen|state) \S+/g, ""),
    addresses: text("ip", "-o", "addr").replace(/valid_lft \S+ preferred_lft \S+/g, ""),
    routes: `${text("ip", "route")}${text("ip", "-6", "route")}`.replace(/expires \S+/g, ""),
    rules: text("nft", "list", "ruleset"),
    etc: readdirSync("/etc").sort().join("\n"),
    forwarding: text(
      "sysctl",
      "net.ipv4.ip_forward",
      "net.ipv6.conf.all.forwarding",
      "net.bridge.bridge-nf-call-iptables",
    ),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      // Somebody else's tests and labs come and go beside ours.
      .filter((point) => !/^\/run\/(netns\/tw|twill\/)/.test(point) || point.includes(`/t${process.pid}`))
      .sort()
      .join("\n"),
  };
}
