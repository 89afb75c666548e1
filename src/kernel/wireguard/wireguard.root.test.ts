import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { decodeFamily, encodeFamilyQuery, GENL_ID_CTRL } from "#wire/genetlink";
import { wireguardContract } from "../../../test/contract/wireguard.contract.ts";
import { CLAIMS } from "../claims.ts";
import { openFds } from "../fd.ts";
import { NETLINK_GENERIC, NetlinkSocket } from "../netlink-socket.ts";
import { openKernel } from "../open.ts";

let worlds = 0;

/** A machine without links, whose wireguard-go ends with it. */
function openWorld() {
  const number = worlds++;
  const path = `${CLAIMS.netnsDir}/twt-${process.pid}-wg${number}`;
  const dir = mkdtempSync(join(tmpdir(), `twt-${process.pid}-wg${number}-`));
  const folders = { sockets: join(dir, "sockets"), logs: join(dir, "logs") };
  const opened = new DisposableStack();
  opened.defer(() => rmSync(dir, { recursive: true, force: true }));
  const host = opened.use(openKernel());
  opened.defer(() => host.deleteNetns(path));
  const ns = opened.use(host.createNetns(path));
  const kernel = opened.use(host.inNetns(ns, () => openKernel({ wireguard: folders })));
  opened.defer(() => {
    for (const { name } of kernel.netlink.listLinks())
      if (name.startsWith("flannel-wg")) kernel.wireguard.remove(name);
  });
  return { kernel, ns, path, folders, host, [Symbol.dispose]: () => opened.dispose() };
}

/** What `wg show` prints of a device. */
function wg({ ns, host, folders }: ReturnType<typeof openWorld>, ...args: readonly string[]): string {
  const script = 'mount --bind "$0" /var/run/wireguard && exec wg show "$@"';
  const words = ["--mount", "sh", "-c", script, folders.sockets, ...args];
  return host.inNetns(ns, () => execFileSync("unshare", words, { encoding: "utf8" })).trim();
}

/** The process that carries a device of this world's. */
function carrierPid({ folders }: ReturnType<typeof openWorld>, name: string): number | undefined {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
        return words[1] === name && mounts.includes(folders.sockets);
      } catch {
        return false;
      }
    });
}

after(() => assert.deepEqual(openFds(), []));

describe("wireguard-go does what every WireGuard does", () => {
  wireguardContract(openWorld);
});

describe("the kernel's own WireGuard", () => {
  const query = (name: string) => ({
    type: GENL_ID_CTRL,
    op: `find ${name}`,
    parts: encodeFamilyQuery(name),
  });

  test("families are found by name, and those that are absent are not", () => {
    using socket = new NetlinkSocket(NETLINK_GENERIC);
    assert.deepEqual(decodeFamily(socket.get(query("nlctrl"))), { id: GENL_ID_CTRL, name: "nlctrl" });
    assert.throws(() => socket.get(query("no-such-thing")), { code: "ENOENT" });
  });
});

describe("wireguard-go", () => {
  test("others read what was set", () => {
    using world = openWorld();
    const { wireguard } = world.kernel;
    wireguard.start("flannel-wg");
    const privateKey = "2Bl4OXH+cuV0HsY8nvPyoPzIlS6zK0Nv8yhMDPPuVkM=";
    const publicKey = execFileSync("wg", ["pubkey"], { input: privateKey, encoding: "utf8" }).trim();
    wireguard.configure("flannel-wg", { privateKey, listenPort: 51820, peers: [] });
    assert.equal(wg(world, "flannel-wg", "public-key"), publicKey);
    assert.equal(wg(world, "flannel-wg", "listen-port"), "51820");
    assert.equal(wireguard.read("flannel-wg")?.publicKey, publicKey);
  });

  test("a device whose program was killed is gone, and is made again over the socket it left", () => {
    using world = openWorld();
    const { wireguard, netlink } = world.kernel;
    wireguard.start("flannel-wg");
    const pid = carrierPid(world, "flannel-wg");
    assert.ok(pid);
    process.kill(pid, "SIGKILL");
    while (netlink.findLink("flannel-wg"));
    assert.ok(existsSync(join(world.folders.sockets, "flannel-wg.sock")));
    assert.equal(wireguard.read("flannel-wg"), undefined);
    wireguard.start("flannel-wg");
    assert.deepEqual(wireguard.read("flannel-wg")?.peers, []);
  });

  test("its program is nobody's child, and in a session of its own", () => {
    using world = openWorld();
    world.kernel.wireguard.start("flannel-wg");
    const pid = carrierPid(world, "flannel-wg");
    const [, parent, , session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    assert.notEqual(parent, String(process.pid));
    const own = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[3];
    assert.notEqual(session, own);
  });

  test("it goes on when whoever started it is killed", async () => {
    using world = openWorld();
    const starter = new URL("./testing/start-and-wait.ts", import.meta.url).pathname;
    const words = [starter, world.path, world.folders.sockets, world.folders.logs];
    const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    await once(child.stdout, "data");
    const pid = carrierPid(world, "flannel-wg");
    assert.ok(pid && child.pid);
    process.kill(-child.pid, "SIGKILL"); // the whole group, as a terminal does
    await once(child, "exit");
    assert.equal(carrierPid(world, "flannel-wg"), pid);
    assert.equal(world.kernel.wireguard.read("flannel-wg")?.listenPort, 51820);
  });

  test("its log stays small", () => {
    using world = openWorld();
    const { wireguard } = world.kernel;
    wireguard.start("flannel-wg");
    const log = join(world.folders.logs, "wireguard-go-flannel-wg.log");
    writeFileSync(log, "x".repeat(1 << 20));
    wireguard.read("flannel-wg");
    assert.equal(readFileSync(log, "utf8"), "");
  });

  test("a port that another program has is told at once", async () => {
    using world = openWorld();
    const { wireguard } = world.kernel;
    wireguard.start("flannel-wg");
    const script = "require('dgram').createSocket('udp4').bind(51820,()=>process.stdout.write('x'));";
    const child = world.host.inNetns(world.ns, () =>
      spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] }),
    );
    await once(child.stdout, "data");
    const listen = () => wireguard.configure("flannel-wg", { listenPort: 51820 });
    assert.throws(listen, { code: "EADDRINUSE", message: /UDP port 51820: another program/ });
    child.kill("SIGKILL");
    await once(child, "exit");
    listen();
  });
});
