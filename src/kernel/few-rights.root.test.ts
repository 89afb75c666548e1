/** A container that may change its own network, as those of pod networks do, and nothing else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const RIGHTS = ["-all", "+net_admin", "+net_raw"].join();

/** Runs in a network namespace of its own. */
const PROGRAM = `
  const { openKernel } = await import(${JSON.stringify(new URL("./open.ts", import.meta.url))});
  using kernel = openKernel();
  const { index } = kernel.netlink.addLink({ kind: "bridge", name: "bridge0", isUp: true });
  kernel.nft.run("add table inet few-rights");
  using filters = kernel.openFilters();
  using probes = kernel.openProbes({ family: 4 });
  using changes = kernel.openChanges({ links: ["bridge0"], nftables: true }, () => {});
  kernel.sysctl.read("net/ipv4/conf/bridge0/forwarding");
  kernel.features.fillsChecksums("bridge0");
  kernel.wireguard.carrier();
  console.log(kernel.netlink.findLink("bridge0").index === index, filters.listChains().length);
`;

test("the kernel is there for whoever may change the network of his own namespace only", () => {
  const words = ["--net", "setpriv", `--bounding-set=${RIGHTS}`, "--inh-caps=-all", process.execPath];
  const { stdout, stderr } = spawnSync("unshare", [...words, "--input-type=module", "--eval", PROGRAM], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal(stdout, "true 0\n", stderr);
});
