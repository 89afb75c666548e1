/** From the moment a node's Node is there until a packet of a pod has been answered by a pod of that node. */
import { FAMILIES } from "#addr/family";
import { VXLAN } from "#fabric/model";
import { NODES } from "#kube/resources";
import { addVxlan, addVxlanPeer, podNetns, wirePod } from "../test/fabric/by-hand.ts";
import { type PaperNode, paperNode } from "../test/fabric/kernel-listing.ts";
import { eventually } from "../test/fabric/machines.ts";
import { subnetsOf } from "../test/fabric/node-agent.ts";
import { Pod } from "../test/fabric/pod.ts";
import { Rig } from "../test/fabric/rig.ts";
import { median } from "./fabric-load.ts";

const JOINS = 20;
const PATIENCE_MS = 2;
const MACS = ["02:00:00:00:02:04", "02:00:00:00:02:06"] as const;

/** The other machine has its half by hand, so that only ours counts. Prints median and worst. */
export async function benchJoin(): Promise<void> {
  await using rig = new Rig({ label: "join", families: FAMILIES });
  await using stack = new AsyncDisposableStack();
  const one = await rig.addNode("one", VXLAN);
  const a = await rig.addPod(one, "a");
  const machine = rig.addMachine("two");
  const [subnet] = subnetsOf(1);
  const mac = one.machine.kernel.netlink.findLink("flannel.1")?.mac;
  const [own] = subnetsOf(0);
  if (!subnet || !own || !mac) throw new Error("broken invariant: two nodes");
  addVxlan(machine, { name: "flannel.1", local: machine.ips[0], mac: MACS[0], subnet });
  addVxlanPeer(machine, { name: "flannel.1", local: one.machine.ips[0], mac, subnet: own });
  const path = podNetns(rig.machines, machine);
  const to = wirePod(machine, { path, subnets: [subnet], mtuBytes: 1430 }).get(4) ?? "";
  stack.use(await Pod.start(path));
  const paper: PaperNode = { name: "two", number: 1, kind: "vxlan", ips: machine.ips, macs: MACS };
  const took: number[] = [];
  for (let join = 0; join < JOINS; join++) {
    const start = performance.now();
    await rig.client.create(NODES, paperNode(paper));
    while ((await a.program.askUdp(to, { patienceMs: PATIENCE_MS })) === undefined);
    took.push(performance.now() - start);
    await rig.client.delete(NODES, { name: "two" });
    await eventually("the route is gone", () =>
      one.machine.kernel.netlink.listRoutes(4).every((route) => route.to !== subnet),
    );
  }
  const [mid, worst] = [median(took), Math.max(...took)].map((ms) => ms.toFixed(1));
  process.stdout.write(
    `fabric  from a node's Node to the first packet answered by its pod: ${mid} ms, at most ${worst} (vxlan, ${JOINS} times)\n`,
  );
}
