import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { openFakeClient } from "#kube/fake/client";
import { openLog } from "#telemetry/log";
import { decodeMessage } from "#wire/dns/message";
import { formatRecord } from "#wire/dns/zone-line";
import { encodeQuestion } from "./encode-question.ts";
import { runCoredns } from "./main.ts";
import { CLUSTER, loadCluster } from "./plugins/kubernetes/testdata/cluster.ts";
import { readFrames } from "./tcp-frames.ts";

const run = promisify(execFile);
const hasDig = await run("dig", ["-v"]).then(
  () => true,
  () => false,
);

/** A server on a port of its own, from a Corefile whose block starts with `.:0`. */
async function start(t: TestContext, corefile: string) {
  const folder = mkdtempSync(join(tmpdir(), "twill-dns-"));
  const file = join(folder, "Corefile");
  writeFileSync(file, corefile);
  const stop = new AbortController();
  const lines: string[] = [];
  const listening = Promise.withResolvers<readonly number[]>();
  const client = openFakeClient();
  await loadCluster(client, CLUSTER);
  const code = runCoredns(["-conf", file], {
    signal: stop.signal,
    env: {},
    log: openLog({ write: (line) => lines.push(line), level: "info" }),
    openKube: async () => client,
    onListening: (ports) => listening.resolve(ports),
  });
  t.after(async () => {
    stop.abort();
    await code;
    rmSync(folder, { recursive: true });
  });
  const [port = 0] = await Promise.race([listening.promise, code.then(() => [])]);
  return { port, file, lines, code, stop };
}

async function dig(port: number, ...words: string[]): Promise<string> {
  const { stdout } = await run("dig", ["-p", String(port), "+tries=1", "+time=2", ...words]);
  return stdout;
}

const K3S = `.:0 {
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  hosts /nonexistent {
    192.0.2.1 node-1
    ttl 60
    fallthrough
  }
  cache 30
  loop
  reload
  loadbalance
  import custom/*.override
}
import custom/*.server
`;

test("dig gets answers over UDP and TCP, IPv4 and IPv6", { skip: !hasDig && "no dig" }, async (t) => {
  const { port } = await start(t, K3S);
  for (const server of ["@127.0.0.1", "@::1"]) {
    for (const transport of ["+notcp", "+tcp"]) {
      const ask = (...words: string[]) => dig(port, server, transport, "+short", ...words);
      assert.equal(await ask("web.default.svc.cluster.local"), "10.43.0.9\n");
      assert.equal(await ask("dual.default.svc.cluster.local", "AAAA"), "fd43::20\n");
      assert.equal(await ask("-x", "10.43.0.9"), "web.default.svc.cluster.local.\n");
      assert.equal(await ask("node-1"), "192.0.2.1\n");
      assert.equal(
        await ask("_pg._tcp.db.default.svc.cluster.local", "SRV").then((text) => text.split("\n").length),
        3,
      );
    }
  }
  const full = await dig(port, "@127.0.0.1", "missing.default.svc.cluster.local");
  assert.match(full, /status: NXDOMAIN/);
  assert.match(full, /flags: qr aa rd;/);
  assert.match(full, /cluster\.local\.\s+5\s+IN\s+SOA\s+ns\.dns\.cluster\.local\./);
  assert.match(full, /EDNS: version: 0, flags:; udp: 1232/);
});

test("dig walks the search list of a pod", { skip: !hasDig && "no dig" }, async (t) => {
  const { port } = await start(t, K3S);
  const text = await dig(
    port,
    "@127.0.0.1",
    "+search",
    "+domain=default.svc.cluster.local",
    "+ndots=5",
    "web",
  );
  assert.match(text, /web\.default\.svc\.cluster\.local\.\s+5\s+IN\s+A\s+10\.43\.0\.9/);
});

test("questions are forwarded, over UDP and TCP, past a server that is dead", async (t) => {
  const upstream = await start(
    t,
    ".:0 {\n hosts /nonexistent {\n 10.9.9.9 far.example\n ttl 120\n fallthrough\n }\n whoami\n}",
  );
  const { port } = await start(
    t,
    `.:0 {\n cache 30\n forward . 127.0.0.1:1 [2001:db8::1]:53 127.0.0.1:${upstream.port} {\n policy sequential\n read_timeout 500ms\n }\n}`,
  );
  for (const transport of ["udp", "tcp"] as const) {
    const { answers, rcode } = decodeMessage(await ask(port, "far.example.", transport));
    assert.equal(rcode, 0);
    assert.deepEqual(answers.map(formatRecord), ["far.example. 30 IN A 10.9.9.9"]);
  }
});

test("a server that only knows dead servers says SERVFAIL and why", async (t) => {
  const { port, lines } = await start(t, ".:0 {\n errors\n forward . 127.0.0.1:1\n}");
  assert.equal(decodeMessage(await ask(port, "far.example.", "udp")).rcode, 2);
  assert.ok(
    lines.some((line) => /2 far\.example\. A: (?:read from )?127\.0\.0\.1:1:/.test(line)),
    lines.join(""),
  );
});

test("questions on one TCP connection are answered in pieces and together", async (t) => {
  const { port } = await start(t, K3S);
  const names = ["web.default.svc.cluster.local.", "missing.svc.cluster.local.", "node-1."];
  const stream = Buffer.concat(names.map((name, id) => framed(encodeQuestion(name, 1, { id, flags: 0 }))));
  const ids: number[] = [];
  const socket = connect(port, "127.0.0.1");
  const done = new Promise<void>((resolve) => {
    socket.on(
      "data",
      readFrames((message) => {
        ids.push(message.readUInt16BE(0));
        if (ids.length === 2 * names.length) resolve();
      }),
    );
  });
  for (const byte of stream) socket.write(Uint8Array.of(byte));
  socket.write(stream);
  await done;
  socket.destroy();
  assert.deepEqual(ids, [0, 1, 2, 0, 1, 2]);
});

test("a loop ends the program with a reason", async (t) => {
  const probe = await start(t, ".:0 {\n whoami\n}");
  probe.stop.abort();
  await probe.code;
  const { code, lines } = await start(t, `.:${probe.port} {\n loop\n forward . 127.0.0.1:${probe.port}\n}`);
  assert.equal(await code, 1);
  assert.match(lines.join(""), /Loop .* detected for zone/);
});

test("a bad Corefile is refused with its place, and a bad flag with its name", async () => {
  const said: string[] = [];
  const write = process.stderr.write;
  process.stderr.write = (text) => said.push(String(text)) > 0;
  try {
    const options = {
      signal: new AbortController().signal,
      env: {},
      log: openLog({ write: () => {}, level: "error" }),
    };
    const folder = mkdtempSync(join(tmpdir(), "twill-dns-"));
    writeFileSync(join(folder, "Corefile"), ".:0 {\n  nonsense\n}\n");
    assert.equal(await runCoredns(["-conf", join(folder, "Corefile")], options), 1);
    assert.equal(await runCoredns(["--nope"], options), 1);
    rmSync(folder, { recursive: true });
  } finally {
    process.stderr.write = write;
  }
  assert.match(said.join(""), /Corefile:2 - Error during parsing: Unknown directive 'nonsense'/);
  assert.match(said.join(""), /flag provided but not defined: --nope/);
});

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length);
  return Buffer.concat([head, message]);
}

async function ask(port: number, name: string, transport: "udp" | "tcp"): Promise<Buffer> {
  const { exchangeTcp, UdpDialer } = await import("./dial.ts");
  const message = encodeQuestion(name, 1, { id: 0, flags: 0x100 });
  const options = { timeoutMs: 5000, random: Math.random };
  const target = { address: "127.0.0.1", port };
  if (transport === "tcp") return exchangeTcp(target, message, message.length, options);
  using dialer = new UdpDialer(target);
  return await dialer.exchange(message, message.length, options);
}
