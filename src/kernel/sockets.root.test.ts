import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openFds } from "./fd.ts";
import { openKernel } from "./open.ts";
import type { WaitingSocket } from "./waiting-socket.ts";

const NAME = `twt-${process.pid}-sockets`;
const PATH = `/run/netns/${NAME}`;

/** Waits at all kinds of addresses, and has a connection and a connected datagram socket, which wait for nobody. */
const PROGRAM = `
  const { createServer, connect } = require("node:net");
  const { createSocket } = require("node:dgram");
  const servers = [["0.0.0.0", 1001], ["::1", 1002], ["::", 1003], ["::", 1004, true], ["127.0.0.1", 1005]];
  const waits = servers.map(([host, port, ipv6Only]) =>
    new Promise((resolve) => createServer(() => {}).listen({ host, port, ipv6Only }, resolve)));
  const udp = (type, address, port) => new Promise((resolve) => createSocket(type).bind(port, address, resolve));
  const peer = createSocket("udp4");
  const joined = new Promise((resolve) => peer.connect(1006, "127.0.0.1", resolve));
  Promise.all([...waits, udp("udp4", "127.0.0.1", 1006), udp("udp6", "::", 1007), joined]).then(() => {
    connect(1005, "127.0.0.1", () => console.log("ready"));
  });
`;

test("sockets that wait are listed with their addresses, and whose they are is found", async () => {
  using kernel = openKernel();
  {
    using ns = kernel.createNetns(PATH);
    using net = kernel.openIn(ns);
    assert.deepEqual(net.sockets.listWaiting(), []);
    const child = spawn("nsenter", [`--net=${PATH}`, process.execPath, "--eval", PROGRAM], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      const found = net.sockets.listWaiting();
      assert.deepEqual(found.map(shown).sort(), [
        "tcp ip4 0.0.0.0 1001",
        "tcp ip4 127.0.0.1 1005",
        "tcp ip6 :: 1003 and IPv4",
        "tcp ip6 :: 1004",
        "tcp ip6 ::1 1002",
        "udp ip4 127.0.0.1 1006",
        "udp ip6 :: 1007 and IPv4",
      ]);
      const inodes = new Set(found.map(({ inode }) => inode));
      const holders = await net.sockets.findHolders(inodes);
      assert.equal(holders.size, found.length);
      const name = readFileSync(`/proc/${child.pid}/comm`, "utf8").trim();
      assert.deepEqual(holders.get(found[0]?.inode ?? 0), { pid: child.pid, name });
      assert.deepEqual(await net.sockets.findHolders(new Set([4_294_967_295])), new Map());
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
      kernel.deleteNetns(PATH);
    }
  }
  kernel[Symbol.dispose]();
  assert.deepEqual(openFds(), []);
});

function shown({ protocol, family, ip, port, isDual }: WaitingSocket): string {
  return `${protocol} ip${family} ${ip} ${port}${isDual ? " and IPv4" : ""}`;
}
