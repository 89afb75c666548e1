/** What `up` makes of its words: its own flags, and those for the nodes. */
import { resolve } from "node:path";
import { explain } from "#fault/fault";
import { bringsOwnNetwork, withoutDns } from "#lab/launch";
import { checkName, MOST_NODES } from "#lab/layout";
import { FLAGS, ONE_NODE } from "../config/flags.ts";
import { notAFlagOf } from "../config/near-word.ts";
import { readServerConfig } from "../config/read-config.ts";
import { readFlags, wordsOf } from "../config/read-flags.ts";
import { parsePort } from "../config/value-reader.ts";
import { DEFAULT_LAB } from "./kubeconfig-of.ts";
import { takeOwnFlags } from "./own-flags.ts";

/** Labs are made alike, whatever this machine's own configuration and environment say. */
const NO_ENVIRONMENT = { K3S_CONFIG_FILE: "/dev/null" };
/** Every node of a lab sees a folder of its own in the place of each of these. */
const OWN_FOLDERS = ["/run/", "/var/lib/", "/var/log/", "/etc/"];
/** Files that all nodes of a lab read. */
const SHARED_FILES = ["flannel-conf", "flannel-cni-conf"];
const LAB_SETS: Readonly<Record<string, string>> = {
  "node-name": "the lab names its nodes; choose its own name with --name",
  "node-ip": "the lab gives its nodes addresses",
  "container-runtime-endpoint":
    "the nodes of a lab would share it; give each one of its own with --runtime containerd",
  "write-kubeconfig": "write it out, as --write-kubeconfig FILE",
  config: "a lab is made from flags alone; give them on the command line",
};
const VALUED = ["nodes", "name", "api-port", "page-port", "write-kubeconfig"];
const FOR_AGENTS = new Set(
  FLAGS.filter(({ name, on }) => on === "both" && !ONE_NODE.has(name)).map(({ name }) => name),
);

export interface LabFlags {
  readonly name: string;
  readonly nodes: number | undefined;
  readonly isDemo: boolean;
  readonly apiPort: number | undefined;
  readonly pagePort: number | undefined;
  readonly kubeconfig: string | undefined;
  readonly serverFlags: readonly string[];
  readonly agentFlags: readonly string[];
}

/** Every problem is found, none thrown. */
export function readLabFlags(argv: readonly string[]): {
  readonly flags: LabFlags;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
} {
  const own = takeOwnFlags(argv, VALUED, ["demo"]);
  const problems = [...own.problems];
  // The nodes would each refuse a bad flag; saying it here, at once and completely, is kinder.
  const reading = readServerConfig(["--node-name", "probe", ...own.rest], NO_ENVIRONMENT);
  if (reading.kind === "bad") problems.push(...reading.problems.map(asOfUp));
  if (own.values.has("demo") && withoutDns(own.rest))
    problems.push("--demo: its client finds the web pods by name; leave DNS and service routing on");
  if (own.values.has("demo") && bringsOwnNetwork(own.rest))
    problems.push("--demo: its pods need a network at once; leave --flannel-backend as it is");
  problems.push(...placeProblems(own.rest));
  for (const [name, why] of Object.entries(LAB_SETS))
    if (wordsOf(own.rest, new Set([name])).length > 0) problems.push(`--${name}: ${why}`);
  const read = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const text = own.values.get(name);
    try {
      return text === undefined ? undefined : parse(text);
    } catch (error) {
      problems.push(`--${name}: ${explain(error)}`);
      return undefined;
    }
  };
  const flags = {
    name: readName(own.values.get("name"), problems),
    nodes: read("nodes", parseNodes),
    isDemo: own.values.has("demo"),
    apiPort: read("api-port", parsePort),
    pagePort: read("page-port", parsePort),
    kubeconfig: read("write-kubeconfig", (path) => resolve(path)),
    serverFlags: own.rest,
    agentFlags: wordsOf(own.rest, FOR_AGENTS),
  };
  return { flags, problems, warnings: reading.warnings };
}

/** The lab that is meant; a name that cannot be one goes into `problems`. */
export function readName(name: string | undefined, problems: string[]): string {
  try {
    if (name !== undefined) checkName(name);
  } catch (error) {
    problems.push(explain(error));
  }
  return name ?? DEFAULT_LAB;
}

/** A flag that `up` hands on and no server knows may be a slip for one of up's own. */
function asOfUp(problem: string): string {
  const name = /^--(\S+) is not a flag of server/.exec(problem)?.[1];
  if (name === undefined) return problem;
  return `--${name} ${notAFlagOf("up", name, [...VALUED, "demo", ...FLAGS.map((flag) => flag.name)])}`;
}

function parseNodes(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_NODES)
    throw new Error(`${JSON.stringify(text)} is not a number of nodes (1 to ${MOST_NODES})`);
  return count;
}

function placeProblems(argv: readonly string[]): readonly string[] {
  const { values } = readFlags(argv, "server");
  const isOwn = (path: string) => OWN_FOLDERS.some((folder) => `${resolve(path)}/`.startsWith(folder));
  const problems: string[] = [];
  const dataDir = values.get("data-dir")?.at(-1);
  if (dataDir !== undefined && !isOwn(dataDir))
    problems.push(
      `--data-dir: the nodes of a lab would share ${dataDir}; choose a folder in one of ${OWN_FOLDERS.join(" ")}`,
    );
  for (const name of SHARED_FILES) {
    const path = values.get(name)?.at(-1);
    if (path && !path.startsWith("/"))
      problems.push(`--${name}: the nodes of a lab do not start here; write ${resolve(path)}`);
    else if (path && isOwn(path))
      problems.push(
        `--${name}: the nodes of a lab have folders of their own in the place of ${OWN_FOLDERS.join(" ")}; put ${path} elsewhere`,
      );
  }
  return problems;
}
