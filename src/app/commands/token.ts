import { createBootstrapToken } from "#join/create-token";
import { openClient } from "#kube/http-client";
import { readKubeconfigFile } from "#kube/kubeconfig";
import { systemClock } from "#life/clock";
import type { Command } from "./command.ts";
import { kubeconfigOf } from "./kubeconfig-of.ts";
import { takeOwnFlags } from "./own-flags.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const token: Command = {
  summary: "make a token that lets nodes join for a while: token create",
  help: `Usage: ./twill token create [--ttl 24h] [--name NAME]

  --ttl TIME    how long it is good for, such as 30m, 24h or 7d; 0 for ever (default: 24h)
  --name NAME   which lab (default: twill, or this machine's server)
`,
  async run(argv, { env, write, writeError }) {
    const own = takeOwnFlags(argv, ["ttl", "name"], []);
    const ttlMs = durationMs(own.values.get("ttl") ?? "24h");
    const problems = [
      ...own.problems,
      ...(own.rest.join(" ") === "create"
        ? []
        : [`expected the word create, not ${JSON.stringify(own.rest.join(" "))}`]),
      ...(ttlMs === undefined
        ? [`--ttl ${own.values.get("ttl")}: expected a time such as 30m, 24h or 7d`]
        : []),
    ];
    if (problems.length > 0 || ttlMs === undefined) {
      writeError(`Cannot make a token:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
      return 2;
    }
    const connection = readKubeconfigFile(kubeconfigOf(own.values.get("name"), env["KUBECONFIG"]));
    await using client = openClient({ ...connection, userAgent: "twill-token" });
    write(`${await createBootstrapToken(client, { caPem: connection.ca, ttlMs, now: systemClock.now() })}\n`);
    return 0;
  },
};

function durationMs(text: string): number | undefined {
  if (text === "0") return 0;
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0) : undefined;
}
