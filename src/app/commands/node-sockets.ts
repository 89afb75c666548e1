import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault, isFault } from "#fault/fault";
import { checkName, LAB_ROOTS, layoutOf } from "#lab/layout";
import { readRecord } from "#lab/record";
import { DEFAULT_LAB } from "./kubeconfig-of.ts";

/** Where one node's agent can be asked. */
export interface NodeSocket {
  readonly title: string;
  readonly socketPath: string;
}

export type NodeChoice = Record<"lab" | "node" | "socket", string | undefined>;

/** This machine's own agent, unless a lab is named, or is all there is. @throws {Fault} BadLab, NoLab, NoNode */
export function nodeSockets({ lab, node, socket }: NodeChoice, standard: string): readonly NodeSocket[] {
  const own = { title: "this machine", socketPath: socket ?? standard };
  if (socket !== undefined) return [own];
  if (lab === undefined && node === undefined && (existsSync(standard) || labOf(DEFAULT_LAB) === undefined))
    return [own];
  const name = lab ?? DEFAULT_LAB;
  const record = labOf(name);
  if (record === undefined)
    throw new Fault("NoLab", `Cannot find a lab called ${JSON.stringify(name)}; make one with ./twill up`);
  const { nodes } = layoutOf(name, record.nodes);
  const chosen = nodes.filter(
    (each) => node === undefined || each.name === node || each.name === `${name}-${node}`,
  );
  if (chosen.length === 0)
    throw new Fault(
      "NoNode",
      `Cannot find node ${JSON.stringify(node)} in lab ${name}; it has ${nodes.map((each) => each.name).join(", ")}`,
    );
  // What a node sees as /run is a folder of the lab's.
  return chosen.map(({ name: title, dir }) => ({ title, socketPath: join(dir, standard) }));
}

/** What `places` finds, or why it finds nothing. */
export function placesOrFault(places: () => readonly NodeSocket[]): readonly NodeSocket[] | Fault {
  try {
    return places();
  } catch (error) {
    if (!isFault(error)) throw error;
    return error;
  }
}

function labOf(name: string) {
  checkName(name);
  return readRecord(join(LAB_ROOTS.state, name));
}
