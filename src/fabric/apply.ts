import { type Fault, isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import type { Applied } from "#reconcile/loop";
import type { FabricState } from "./model.ts";
import type { Op } from "./plan.ts";
import { World } from "./world.ts";

/** Carries the operations out, each on its own: one that is refused leaves the others to go ahead. `privateKey` is this node's
 *  own of WireGuard, where there is one. */
export function applyFabric(
  ops: readonly Op[],
  known: FabricState,
  kernel: NetKernel,
  privateKey?: string,
): Applied<FabricState> {
  const world = new World(kernel, known, privateKey);
  const faults: Fault[] = [];
  for (const op of ops) {
    try {
      applyOp(op, world);
    } catch (error) {
      if (!isFault(error)) throw error;
      // Every entry of a device that could not be made fails alike; once said is enough.
      if (!faults.some(({ message }) => message === error.message)) faults.push(error);
    }
  }
  return { state: world.state(), faults };
}

function applyOp(op: Op, world: World): void {
  switch (op.op) {
    case "write-sysctl":
      world.writeSysctl(op.name, op.value);
      break;
    case "load-program":
      world.loadProgram(op.program, op.members);
      break;
    case "add-members":
      world.changeMembers("add", op.family, op.ips);
      break;
    case "delete-members":
      world.changeMembers("delete", op.family, op.ips);
      break;
    case "add-vtep":
      world.addVtep(op.family, op.vtep);
      break;
    case "change-vtep":
      world.changeVtep(op.family, op.change);
      break;
    case "add-address":
      world.addAddress(op.family, op.address);
      break;
    case "delete-address":
      world.deleteAddress(op.family, op.address);
      break;
    case "delete-vtep":
      world.deleteVtep(op.family, op.name);
      break;
    case "replace-neighbor":
      world.replaceNeighbor(op.ip, op.mac);
      break;
    case "delete-neighbor":
      world.deleteNeighbor(op.ip);
      break;
    case "replace-fdb":
      world.replaceFdb(op);
      break;
    case "delete-fdb":
      world.deleteFdb(op);
      break;
    case "replace-route":
      world.replaceRoute(op.to, op.way);
      break;
    case "delete-route":
      world.deleteRoute(op.to, op.way);
      break;
    case "add-dead-end":
      world.addDeadEnd(op.to);
      break;
    case "delete-dead-end":
      world.deleteDeadEnd(op.to);
      break;
    case "delete-stray":
      world.deleteStray(op.route);
      break;
    default:
      world.changeTunnel(op);
  }
}
