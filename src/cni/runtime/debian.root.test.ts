import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DEBIAN_PLUGINS, Site } from "./testing/site.ts";

const skip = existsSync(join(DEBIAN_PLUGINS, "bridge"))
  ? false
  : "containernetworking-plugins are not installed";

/** As a distribution's handbook has it: addresses, ports of the node, limits, a firewall and settings. */
function everything(site: Site, more: object = {}) {
  return {
    cniVersion: "1.0.0",
    name: "debian",
    plugins: [
      {
        type: "bridge",
        bridge: "cni7",
        isDefaultGateway: true,
        hairpinMode: true,
        ipMasq: true,
        ipam: ipam(site),
      },
      { type: "portmap", capabilities: { portMappings: true }, snat: true },
      { type: "firewall", backend: "iptables" },
      { type: "bandwidth", capabilities: { bandwidth: true } },
      { type: "tuning", sysctl: { "net.core.somaxconn": "500" } },
    ],
    ...more,
  };
}

function ipam(site: Site, subnet = "10.77.0.0/24") {
  return {
    type: "host-local",
    ranges: [[{ subnet }], [{ subnet: "fd77::/64" }]],
    dataDir: join(site.dir, "ipam"),
  };
}

/** What of the kernel and of the disk speaks of pods. */
async function traces(site: Site): Promise<string> {
  const [links, rules] = await Promise.all([
    site.sh("ip -o link show | grep -E 'veth|ifb' || true; ip -o -6 link show type ifb || true"),
    site.sh(
      "iptables-save | grep -E '10\\.77\\.' || true; ip6tables-save | grep -E 'fd77::[0-9a-f]' || true",
    ),
  ]);
  const addresses = site.files("ipam", "debian").filter((name) => /^(10|fd)/.test(name));
  return [links, rules, ...addresses, ...site.files("cni", "results")]
    .filter((text) => text !== "")
    .join("\n");
}

describe("Debian's plugins, run by Twill", { skip }, () => {
  test("a pod has addresses, ports of the node, limits and settings, and leaves nothing", async () => {
    await using site = new Site();
    site.configure("10-debian.conflist", everything(site));
    await site.ready();
    await site.ask({ do: "make-pod", containerId: "a" });
    await site.ask({ do: "make-pod", containerId: "b" });
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "TCP" }];
    const bandwidth = { ingressBits: 10_000_000, egressBits: 5_000_000 };
    const a = await site.ask({ do: "add", pod: { containerId: "a", portMappings, bandwidth } });
    const b = await site.ask({ do: "add", pod: { containerId: "b" } });
    assert.deepEqual(a, { ips: ["10.77.0.2/24", "fd77::2/64"] });
    assert.deepEqual(b, { ips: ["10.77.0.3/24", "fd77::3/64"] });
    await site.sh("ping -c1 -W2 10.77.0.2 && ping -6 -c1 -W2 fd77::2", "b");
    assert.equal((await site.sh("cat /proc/sys/net/core/somaxconn", "a")).trim(), "500");
    assert.match(await site.sh("iptables-save -t nat"), /dpt 8080|dport 8080/);
    assert.match(await site.sh("tc qdisc show"), /tbf/);
    for (const containerId of ["a", "b", "a"]) await site.ask({ do: "remove", containerId });
    assert.equal(await traces(site), "");
  });

  test("CHECK finds what is missing, in the plugin's words", async () => {
    await using site = new Site();
    const { plugins, ...rest } = everything(site);
    site.configure("10-debian.conflist", { ...rest, plugins: [plugins[0], plugins[4]] });
    await site.ready();
    await site.ask({ do: "make-pod", containerId: "a" });
    await site.ask({ do: "add", pod: { containerId: "a" } });
    await site.ask({ do: "check", containerId: "a" });
    await site.sh("ip address delete 10.77.0.2/24 dev eth0", "a");
    await assert.rejects(
      site.ask({ do: "check", containerId: "a" }),
      /^Error: plugin type="bridge" failed \(check\): /,
    );
  });
});
