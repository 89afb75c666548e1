/** From what stands and what is asked for to machines with a record: a new lab, or one whose nodes are started again. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { randomSecret } from "#join/authority";
import type { Kernel } from "#kernel/kernel";
import { removeCgroups } from "./cgroups.ts";
import { isChange, isServersAlone } from "./change.ts";
import { type LabLayout, type LabNode, layoutOf } from "./layout.ts";
import { createMachine, createSwitch, deleteMachines, isStanding } from "./machines.ts";
import type { LabPorts } from "./ports.ts";
import { checkMachine } from "./preflight.ts";
import { isNodeProcess, killProcesses, processesIn } from "./processes.ts";
import { type LabRecord, readRecord, writeRecord } from "./record.ts";
import type { Steps } from "./steps.ts";
import type { UpOptions } from "./up-options.ts";

const FIRST_API_PORT = 6443;
const FIRST_PAGE_PORT = 8080;

/** What `up` was asked for, and the ports that it holds. */
export type SettleOptions = UpOptions & { readonly ports: LabPorts };

/** A new lab's machines, or the record of one whose nodes are to be started again. */
export async function settleLab(
  kernel: Kernel,
  layout: LabLayout,
  steps: Steps,
  options: SettleOptions,
): Promise<LabRecord> {
  const standing = readRecord(layout.dir);
  if (standing && isStanding(layout)) return goOn(standing, layout, options);
  if (existsSync(layout.dir) || existsSync(layout.pins)) await clean(kernel, layout, options);
  const record = newRecord(layout, options);
  try {
    await steps.run("checked this machine", () => checkMachine(kernel, layout.pins));
    await steps.run(`made ${layout.nodes.length} machines`, () => {
      createSwitch(kernel, layout);
      for (const node of layout.nodes) createMachine(kernel, layout, node);
    });
    // Last: machines without a record are half made, and the next `up` makes them again.
    writeRecord(layout.dir, record);
  } catch (error) {
    deleteMachines(kernel, layout);
    throw error;
  }
  return record;
}

/** The record of a lab some of whose nodes have ended, or whose `up` did not come to its end. @throws {Fault} AlreadyUp */
function goOn(standing: LabRecord, layout: LabLayout, options: SettleOptions): LabRecord {
  const { nodes } = layoutOf(standing.name, standing.nodes);
  const stopped = nodes.filter((node) => !isRunning(layout, node));
  const changed = withOtherFlags(standing, layout, options);
  if (changed) return changed;
  const other = differenceTo(standing, options);
  if (standing.isUp && stopped.length === 0) {
    const but = other === undefined ? "" : `, and not with ${other}`;
    throw new Fault(
      "AlreadyUp",
      `Cannot make lab "${layout.name}": it is up already${but}. Remove it with ${down(layout)}, or make another with --name`,
    );
  }
  if (other !== undefined) {
    throw new Fault(
      "AlreadyUp",
      `Cannot make lab "${layout.name}" with ${other}. Remove it first with ${down(layout)}`,
    );
  }
  options.write(`Lab "${layout.name}" stands; starting what has ended\n`);
  return stopped.some(({ role }) => role === "server") ? withFreePorts(standing, layout, options) : standing;
}

/** The record with other flags, and the nodes to be started again with them; nothing when that is not what was asked for. */
function withOtherFlags(standing: LabRecord, layout: LabLayout, options: UpOptions): LabRecord | undefined {
  const { serverFlags, write } = options;
  const isOther = serverFlags.length > 0 && serverFlags.join("\n") !== standing.serverFlags.join("\n");
  if (!isOther || !isChange(standing.serverFlags, serverFlags)) return undefined;
  if (differenceTo(standing, { ...options, serverFlags: standing.serverFlags }) !== undefined)
    return undefined;
  const isForAll = !isServersAlone(standing.serverFlags, serverFlags);
  const concerned = layout.nodes.filter((node) => isForAll || node.role === "server");
  const outdated = concerned.filter((node) => isRunning(layout, node)).map(({ name }) => name);
  const whom = isForAll ? "its nodes again, one after the other," : "its server again";
  write(`Lab "${layout.name}" stands; starting ${whom} with ${serverFlags.join(" ")}\n`);
  const changed = { ...standing, serverFlags, agentFlags: options.agentFlags, outdated, isUp: false };
  writeRecord(layout.dir, changed);
  return changed;
}

/** What was asked for that the standing lab does not have; what was not asked for does not differ. */
function differenceTo(standing: LabRecord, options: UpOptions): string | undefined {
  const has = (what: string, asked: string | number | undefined, stands: string | number | undefined) =>
    asked === undefined || asked === stands ? [] : `${what} ${asked}: it stands with ${stands}`;
  const flags = options.serverFlags.length > 0 ? options.serverFlags.join(" ") : undefined;
  return [
    has("--nodes", options.nodes, standing.nodes),
    has("--api-port", options.apiPort, standing.apiPort),
    has("--page-port", options.pagePort, standing.pagePort),
    has("--write-kubeconfig", options.kubeconfig, standing.kubeconfig),
    has("flags", flags, standing.serverFlags.join(" ") || "none"),
  ].flat()[0];
}

/** Another program may have taken a port while the server was away. */
function withFreePorts(standing: LabRecord, layout: LabLayout, options: SettleOptions): LabRecord {
  const chosen = choosePorts({ api: undefined, page: undefined }, standing, options);
  const record = { ...standing, ...chosen };
  writeRecord(layout.dir, record);
  return record;
}

function choosePorts(
  asked: { api: number | undefined; page: number | undefined },
  first: { apiPort: number; pagePort: number | undefined },
  { ports, write }: SettleOptions,
) {
  const apiPort = ports.choose({ flag: "api-port", asked: asked.api, first: first.apiPort, write });
  const page = { flag: "page-port", asked: asked.page, first: first.pagePort ?? FIRST_PAGE_PORT };
  return { apiPort, pagePort: ports.choose({ ...page, except: apiPort, write }) };
}

async function clean(kernel: Kernel, layout: LabLayout, { clock, signal, write }: UpOptions): Promise<void> {
  write(`Removing what is left of an earlier lab "${layout.name}"\n`);
  await killProcesses(layout.dir, { clock, signal });
  await removeCgroups(layout.name, clock);
  deleteMachines(kernel, layout);
}

function newRecord(layout: LabLayout, options: SettleOptions): LabRecord {
  return {
    name: layout.name,
    nodes: layout.nodes.length,
    token: randomSecret(),
    ...choosePorts(
      { api: options.apiPort, page: options.pagePort },
      { apiPort: FIRST_API_PORT, pagePort: FIRST_PAGE_PORT },
      options,
    ),
    kubeconfig: options.kubeconfig ?? join(layout.dir, "kubeconfig.yaml"),
    serverFlags: options.serverFlags,
    agentFlags: options.agentFlags,
    isUp: false,
  };
}

export function isRunning(layout: LabLayout, node: LabNode): boolean {
  return processesIn(layout.dir).some((pid) => isNodeProcess(pid, node.name));
}

function down(layout: LabLayout): string {
  return `./twill down${layout.name === "twill" ? "" : ` --name ${layout.name}`}`;
}
