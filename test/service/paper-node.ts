import { ipPrefixOf } from "#addr/cidr";
import { FAMILIES, FAMILY } from "#addr/family";
import { type FakeKernel, openFakeKernel } from "#kernel/fake/kernel";
import { NODE } from "./cases.ts";
import { addressIn } from "./scene-objects.ts";

/** A kernel in memory that has the addresses of the table's node, and these. */
export function kernelOfNode(more: readonly string[] = []): FakeKernel {
  const kernel = openFakeKernel();
  const { index } = kernel.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
  for (const text of [...Object.values(NODE), "10.42.0.1", ...more])
    for (const family of FAMILIES)
      kernel.netlink.addAddress(index, ipPrefixOf(addressIn(text, family), FAMILY[family].bits));
  return kernel;
}
