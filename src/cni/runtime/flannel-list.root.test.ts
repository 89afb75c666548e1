import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { installList } from "../plugin/install.ts";
import { DEBIAN_PLUGINS, Site } from "./testing/site.ts";

const skip = existsSync(join(DEBIAN_PLUGINS, "bridge"))
  ? false
  : "containernetworking-plugins are not installed";
const SOURCE = { dir: fileURLToPath(new URL("../../../bin/cni", import.meta.url)), node: process.execPath };
const SUBNET = [
  "FLANNEL_NETWORK=10.42.0.0/16",
  "FLANNEL_SUBNET=10.42.3.1/24",
  "FLANNEL_IPV6_NETWORK=fd00:42::/56",
  "FLANNEL_IPV6_SUBNET=fd00:42:0:3::1/64",
  "FLANNEL_MTU=1400",
  "FLANNEL_IPMASQ=true",
].join("\n");

/** The list that K3s writes, with what it keeps in the site's folder. */
function installK3sList(site: Site): void {
  const list = {
    name: "cbr0",
    cniVersion: "1.0.0",
    plugins: [
      {
        type: "flannel",
        delegate: { hairpinMode: true, forceAddress: true, isDefaultGateway: true },
        dataDir: join(site.dir, "flannel"),
        ipam: { dataDir: join(site.dir, "ipam") },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ],
  };
  const places = { binDir: join(site.dir, "bin"), confDir: join(site.dir, "net.d") };
  installList({ ...places, socketPath: join(site.dir, "plugin.sock") }, SOURCE, {
    text: JSON.stringify(list),
    otherBinDirs: [DEBIAN_PLUGINS],
  });
}

describe("K3s's list by flannel, Debian's bridge, portmap and bandwidth", { skip }, () => {
  test("pods wait for the subnet, then are wired with all of it, and leave nothing", async () => {
    await using site = new Site();
    installK3sList(site);
    await site.ready();
    for (const containerId of ["a", "b"]) await site.ask({ do: "make-pod", containerId });
    const alone = await site.tell({ do: "add", pod: { containerId: "a" } });
    assert.ok("error" in alone && alone.pluginCode === 11, JSON.stringify(alone));
    await site.ask({ do: "serve-plugin" });
    const early = await site.tell({ do: "add", pod: { containerId: "a" } });
    assert.ok("error" in early && early.pluginCode === 11, JSON.stringify(early));
    assert.match(early.error, /Cannot read this node's subnet from \/run\/flannel\/subnet\.env/);

    await site.sh(`mkdir -p /run/flannel && printf '${SUBNET}\\n' > /run/flannel/subnet.env`);
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "TCP" }];
    const bandwidth = { ingressBits: 10_000_000 };
    const a = await site.ask({ do: "add", pod: { containerId: "a", portMappings, bandwidth } });
    const b = await site.ask({ do: "add", pod: { containerId: "b" } });
    assert.deepEqual(a, { ips: ["10.42.3.2/24", "fd00:42:0:3::2/64"] });
    assert.deepEqual(b, { ips: ["10.42.3.3/24", "fd00:42:0:3::3/64"] });
    await site.sh("ping -c1 -W2 10.42.3.2 && ping -6 -c1 -W2 fd00:42:0:3::2", "b");
    assert.match(await site.sh("ip -o link show eth0", "a"), /mtu 1400/);
    assert.match(
      await site.sh("ip route", "a"),
      /default via 10\.42\.3\.1 [\s\S]*10\.42\.0\.0\/16 via 10\.42\.3\.1/,
    );
    assert.match(
      await site.sh("ip -o addr show cni0; bridge -d link show"),
      /10\.42\.3\.1\/24[\s\S]*hairpin on/,
    );
    assert.match(await site.sh("iptables-save -t nat"), /dpt 8080|dport 8080/);
    assert.ok(
      !/MASQUERADE.*10\.42/.test(await site.sh("iptables-save -t nat")),
      "flannel masquerades itself",
    );

    // The subnet a pod was given is the one that it gives back, whatever the node has now.
    await site.sh("rm /run/flannel/subnet.env");
    for (const containerId of ["a", "b", "a"]) await site.ask({ do: "remove", containerId });
    assert.deepEqual(site.files("flannel"), []);
    assert.deepEqual(
      site.files("ipam", "cbr0").filter((name) => /^(10|fd)/.test(name)),
      [],
    );
    assert.equal(await site.sh("ip -o link show | grep -E 'veth|ifb' || true"), "");
  });
});
