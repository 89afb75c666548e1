import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { encodeMessage, NLM_F_ACK, NLM_F_REQUEST, NLMSG_NOOP } from "#wire/netlink";
import { Fd } from "./fd.ts";
import { AF_NETLINK, MSG_DONTWAIT, recv, SOCK_CLOEXEC, SOCK_RAW, send, socket } from "./ffi/libc.ts";
import { undisturbed } from "./ffi/signal-calls.ts";
import { NETLINK_ROUTE } from "./netlink-socket.ts";
import { whenReadable } from "./readiness.ts";

/** A socket that gets an answer whenever it asks. */
function openAsker() {
  const fd = new Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "test");
  const scrap = new Uint8Array(64);
  return {
    fd,
    ask: () => send(fd.number, encodeMessage({ type: NLMSG_NOOP, flags: NLM_F_REQUEST | NLM_F_ACK, seq: 1 })),
    drain() {
      let count = 0;
      try {
        for (; recv(fd.number, scrap, MSG_DONTWAIT) > 0; count++);
      } catch {
        // EAGAIN: all read
      }
      return count;
    },
  };
}

/** Counts what arrived at an asker, and lets a test wait for a count. */
function countArrivals(asker: ReturnType<typeof openAsker>) {
  let arrived = 0;
  let wake = () => {};
  const waiting = whenReadable(asker.fd.number, () => {
    arrived += asker.drain();
    wake();
  });
  return {
    waiting,
    get arrived() {
      return arrived;
    },
    async until(count: number) {
      // Waiting for a signal does not keep the process alive.
      const alive = setInterval(() => {}, 1000);
      while (arrived < count) await new Promise<void>((resolve) => (wake = resolve));
      clearInterval(alive);
      assert.equal(arrived, count);
    },
  };
}

test("each of two sockets tells of what arrives, also of what was there before", async () => {
  const [one, two] = [openAsker(), openAsker()];
  using _one = one.fd;
  using _two = two.fd;
  one.ask();
  const [first, second] = [countArrivals(one), countArrivals(two)];
  using _first = first.waiting;
  using _second = second.waiting;
  await first.until(1);
  two.ask();
  await second.until(1);
  one.ask();
  one.ask();
  await first.until(3);
});

test("what is disposed of hears nothing more, while others do", async () => {
  const [one, two] = [openAsker(), openAsker()];
  using _one = one.fd;
  using _two = two.fd;
  const [first, second] = [countArrivals(one), countArrivals(two)];
  using _second = second.waiting;
  first.waiting[Symbol.dispose]();
  first.waiting[Symbol.dispose]();
  one.ask();
  two.ask();
  await second.until(1);
  assert.equal(first.arrived, 0);
});

test("what arrives while nothing may disturb is told afterwards", async () => {
  const asker = openAsker();
  using _ = asker.fd;
  const counted = countArrivals(asker);
  using _waiting = counted.waiting;
  assert.equal(
    undisturbed(() => asker.ask() > 0),
    true,
  );
  await counted.until(1);
});

test("a process that only waits ends, and a late signal does not end one that has stopped waiting", () => {
  const program = `
    import { socket } from "#kernel/ffi/libc";
    import { whenReadable } from "#kernel/readiness";
    const waiting = whenReadable(socket(16, 3, 0), () => {});
    if (process.argv[1] === "late") {
      waiting[Symbol.dispose]();
      process.kill(process.pid, "SIGIO");
    }
    setTimeout(() => console.log("ended"), 50);`;
  for (const when of ["waiting", "late"]) {
    const { status, signal, stdout } = spawnSync(
      process.execPath,
      ["--input-type=module-typescript", "-e", program, when],
      { cwd: import.meta.dirname, encoding: "utf8", timeout: 20_000 },
    );
    assert.deepEqual({ when, status, signal, stdout }, { when, status: 0, signal: null, stdout: "ended\n" });
  }
});
