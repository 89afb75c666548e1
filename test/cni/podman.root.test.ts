/** podman, as Debian has it, runs containers on Twill's plugin: in mounts and a network of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PluginRig } from "#cni/testing/plugin-rig";

const NEEDED = ["/usr/bin/podman", "/usr/bin/conmon", "/bin/busybox"];
const missing = NEEDED.filter((path) => !existsSync(path));
const skip = missing.length > 0 && `${missing.join(", ")} is missing`;

/** The agent and every command see these mounts: what podman keeps in fixed places is gone with them. */
const PROLOGUE = `set -eu
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /var/lib/cni /var/lib/containers
mount -t tmpfs none /var/lib/cni
mount -t tmpfs none /var/lib/containers
`;

describe("podman", { skip }, () => {
  let rig: PluginRig;
  before(async () => {
    rig = new PluginRig("podman", { podCidrs: ["10.42.3.0/24", "fd42:0:0:3::/64"] });
    await rig.startAgent();
    const conf = [
      "[network]",
      'network_backend = "cni"',
      `cni_plugin_dirs = [${JSON.stringify(join(rig.dir, "bin"))}]`,
      `network_config_dir = ${JSON.stringify(join(rig.dir, "net.d"))}`,
      'default_network = "cbr0"',
      "[containers]",
      // A machine may not let us raise what it has set.
      'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
      'seccomp_profile = "unconfined"',
      "[engine]",
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      'runtime = "runc"',
    ];
    writeFileSync(join(rig.dir, "containers.conf"), `${conf.join("\n")}\n`);
    const root = join(rig.dir, "image");
    for (const folder of ["bin", "www"]) mkdirSync(join(root, folder), { recursive: true });
    copyFileSync("/bin/busybox", join(root, "bin/busybox"));
    for (const name of ["sh", "ping", "httpd", "wget", "sleep"])
      symlinkSync("busybox", join(root, "bin", name));
    writeFileSync(join(root, "www/index.html"), "from a container\n");
    spawnSync("tar", ["-C", root, "-cf", join(rig.dir, "image.tar"), "."]);
  });
  after(() => rig[Symbol.asyncDispose]());

  test("runs containers that reach each other and are reached, and leaves nothing", {
    timeout: 90_000,
  }, () => {
    const script = `${PROLOGUE}
podman() {
  command podman --root "$DIR/root" --runroot "$DIR/run" --tmpdir "$DIR/tmp" --storage-driver vfs --network-config-dir "$DIR/net.d" "$@"
}
clear() { podman rm -f -t 0 a b >/dev/null 2>&1 || true; }
trap clear EXIT
podman import "$DIR/image.tar" busy >/dev/null 2>&1
podman run -d --name a --network cbr0 -p 8080:80 busy /bin/busybox httpd -f -p 80 -h /www >/dev/null
podman run -d --name b --network cbr0:ip=10.42.3.77,mac=02:00:00:00:00:07 busy /bin/sleep 1000 >/dev/null
address() { podman inspect "$1" --format '{{.NetworkSettings.Networks.cbr0.'"$2"'}}'; }
echo "a $(address a IPAddress)"
echo "b $(address b IPAddress) $(address b MacAddress)"
echo "ping $(podman exec b ping -c1 -W2 "$(address a IPAddress)" | grep -c ' 0% packet loss')"
echo "http $(podman exec b wget -qO- "http://$(address a IPAddress)/")"
echo "six $(podman exec b wget -qO- "http://[$(address a GlobalIPv6Address)]/")"
echo "port $(curl -sS -m 5 http://127.0.0.1:8080/)"
podman restart -t 0 a >/dev/null
echo "again $(curl -sS -m 5 --retry 5 --retry-connrefused --retry-delay 0 http://127.0.0.1:8080/)"
clear
echo "cache $(ls /var/lib/cni/results | grep -c cbr0)"
`;
    const done = rig.kernel.inNetns(rig.node, () =>
      spawnSync("unshare", ["--mount", "sh", "-c", script], {
        encoding: "utf8",
        timeout: 80_000,
        env: {
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
          HOME: rig.dir,
          DIR: rig.dir,
          CONTAINERS_CONF: join(rig.dir, "containers.conf"),
        },
      }),
    );
    assert.deepEqual(
      done.stdout.trim().split("\n"),
      [
        "a 10.42.3.2",
        "b 10.42.3.77 02:00:00:00:00:07",
        "ping 1",
        "http from a container",
        "six from a container",
        "port from a container",
        "again from a container",
        "cache 0",
      ],
      done.stderr,
    );
    assert.deepEqual(rig.leftovers(), []);
  });
});
