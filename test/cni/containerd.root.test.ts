/** containerd's own CRI calls Twill's plugin: pods of a whole node get their network so. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PluginRig } from "#cni/testing/plugin-rig";
import { ContainerdWorld } from "#node/runtime/cri/testing/containerd-world";
import { created, podOf, shell } from "#node/runtime/cri/testing/pods";
import { whyNoContainerd } from "#node/runtime/cri/testing/requirements";
import type { AgentSettings } from "#node/testing/agent";
import { TestAuthority } from "#node/testing/certificates";

const folders = { binDir: "", confDir: "" };

class PluginWorld extends ContainerdWorld {
  protected override extraSettings(): Partial<AgentSettings> {
    const { containerd } = super.extraSettings();
    return containerd ? { containerd: { ...containerd, cni: folders } } : {};
  }
}

describe("containerd", { skip: whyNoContainerd() ?? false }, () => {
  let rig: PluginRig;
  let authority: TestAuthority;
  let world: PluginWorld;
  before(async () => {
    rig = new PluginRig("containerd", { podCidrs: ["10.42.3.0/24", "fd42:0:0:3::/64"] });
    folders.binDir = join(rig.dir, "bin");
    folders.confDir = join(rig.dir, "net.d");
    authority = new TestAuthority();
    world = new PluginWorld({
      ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"),
      clientCa: authority.cert,
    });
    await rig.startAgent();
    await world.start();
  });
  after(async () => {
    await world?.[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  test("wires pods through the plugin, with host ports, and unwires them", { timeout: 90_000 }, async () => {
    const serve = 'mkdir /www && echo "$HOSTNAME" > /www/index.html && exec httpd -f -p 80 -h /www';
    const ports = [{ containerPort: 80, hostPort: 8081, protocol: "TCP" }];
    world.send(created(podOf("web", shell(serve, { ports }))));
    const pod = await world.until("web runs", () => {
      const found = world.pod("web");
      return found?.status?.podIP && found.status.phase === "Running" ? found : undefined;
    });
    const addresses = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
    assert.deepEqual([pod.status?.podIP, addresses.length], ["10.42.3.2", 2]);
    const fetch = (url: string) =>
      rig.kernel.inNetns(rig.node, () =>
        spawnSync(
          "curl",
          ["-gsS", "-m", "5", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", url],
          {
            encoding: "utf8",
          },
        ),
      );
    for (const url of [`http://${addresses[0]}/`, `http://[${addresses[1]}]/`, "http://127.0.0.1:8081/"]) {
      const { stdout, stderr } = fetch(url);
      assert.equal(stdout, "web\n", `${url}: ${stderr}`);
    }
    world.send({ do: "delete", name: "web", graceSeconds: 0 });
    await world.until("nothing of it is left", () => rig.leftovers().length === 0 || undefined);
  });
});
