import { Fault } from "#fault/fault";
import { down as runDown } from "#lab/down";
import { up as runUp } from "#lab/up";
import { systemClock } from "#life/clock";
import { readServerConfig } from "../config/read-config.ts";
import { parsePort } from "../config/value-reader.ts";
import type { Command } from "./command.ts";
import { DEFAULT_LAB } from "./kubeconfig-of.ts";
import { takeOwnFlags } from "./own-flags.ts";

/** Labs are made alike, whatever this machine's own configuration and environment say. */
const NO_ENVIRONMENT = { K3S_CONFIG_FILE: "/dev/null" };

export const up: Command = {
  summary: "make a cluster on this machine, out of network namespaces",
  help: `Usage: ./twill up [flags] [flags of twill server]

  --nodes N                 how many nodes: one server, the others agents (default: 1)
  --name NAME               which lab; several can stand side by side (default: ${DEFAULT_LAB})
  --demo                    apply the manifests in demo/ and show them working
  --api-port PORT           loopback port of the API on this machine (default: the first free one from 6443 on)
  --page-port PORT          loopback port of the demo's page (default: the first free one from 8080 on)
  --write-kubeconfig FILE   where the kubeconfig for this machine goes (default: in the lab's own folder)

Every other flag is one of twill server, such as --cluster-cidr; see twill server --help.
`,
  async run(argv, { write, writeError, program, signal }) {
    const own = takeOwnFlags(argv, ["nodes", "name", "api-port", "page-port", "write-kubeconfig"], ["demo"]);
    // The nodes would each refuse a bad flag; saying it here, at once and completely, is kinder.
    const reading = readServerConfig(["--node-name", "probe", ...own.rest], NO_ENVIRONMENT);
    const problems = [...own.problems, ...(reading.kind === "bad" ? reading.problems : [])];
    if (problems.length > 0) {
      writeError(`Cannot make a lab:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
      return 2;
    }
    await runUp({
      name: own.values.get("name") ?? DEFAULT_LAB,
      nodes: own.values.has("nodes") ? Number(own.values.get("nodes")) : undefined,
      isDemo: own.values.has("demo"),
      apiPort: portOf(own.values, "api-port"),
      pagePort: portOf(own.values, "page-port"),
      kubeconfig: own.values.get("write-kubeconfig"),
      serverFlags: own.rest,
      program,
      write,
      clock: systemClock,
      signal,
    });
    return 0;
  },
};

export const down: Command = {
  summary: "remove such a cluster, whatever state it is in",
  help: `Usage: ./twill down [--name NAME]\n`,
  async run(argv, { write, writeError, signal }) {
    const own = takeOwnFlags(argv, ["name"], []);
    const problems = [...own.problems, ...own.rest.map((word) => `${word} is not a flag of down`)];
    if (problems.length > 0) {
      writeError(`Cannot remove a lab:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
      return 2;
    }
    await runDown({ name: own.values.get("name") ?? DEFAULT_LAB, write, clock: systemClock, signal });
    return 0;
  },
};

function portOf(values: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = values.get(name);
  if (text === undefined) return undefined;
  try {
    return parsePort(text);
  } catch (cause) {
    throw new Fault("BadFlag", `--${name}: ${text} is not a port (1 to 65535)`, { cause });
  }
}
