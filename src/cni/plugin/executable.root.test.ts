import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PluginRig, type Said } from "../testing/plugin-rig.ts";

const SOURCE = fileURLToPath(new URL("../../../bin/cni", import.meta.url));

/** Both executables, which must not differ. */
for (const [kind, file, header] of [
  ["perl", "twill-cni.pl", "#!/usr/bin/perl -T"],
  ["Node", "twill-cni.cjs", `#!${process.execPath}`],
] as const)
  describe(`the executable on ${kind}`, { skip: kind === "perl" && !existsSync("/usr/bin/perl") }, () => {
    let rig: PluginRig;
    let executable = "";
    before(() => {
      rig = new PluginRig(kind.toLowerCase());
      executable = join(rig.dir, "under-test");
      const text = readFileSync(join(SOURCE, file), "utf8").replace(/^#!.*/, header);
      writeFileSync(executable, text.replace("/run/twill/cni.sock", rig.settings.socketPath));
      chmodSync(executable, 0o755);
    });
    after(() => rig[Symbol.asyncDispose]());

    const call: PluginRig["call"] = (verb, calling) => rig.call(verb, { executable, ...calling });
    const coded = ({ code, stdout }: Said) => {
      const json = JSON.parse(stdout) as { code?: number; cniVersion?: string; msg?: string };
      return [code, json.code, json.cniVersion, json.msg] as const;
    };

    test("without an agent it says so, in the caller's version, and says what it speaks", async () => {
      for (const verb of ["ADD", "DEL", "CHECK", "GC"]) {
        const [code, number, version, msg] = coded(await call(verb, { config: { cniVersion: "1.0.0" } }));
        assert.deepEqual([code, number, version], [1, 11, "1.0.0"], verb);
        assert.match(msg ?? "", /Cannot reach Twill's agent at .*cni\.sock/);
      }
      assert.deepEqual(coded(await call("STATUS")).slice(0, 3), [1, 50, "1.1.0"]);
      assert.deepEqual(coded(await call("", { env: { CNI_COMMAND: "" } })).slice(0, 2), [1, 4]);
      const version = await call("VERSION", { config: { cniVersion: "0.4.0" } });
      assert.deepEqual([version.code, version.stderr], [0, ""]);
      const { supportedVersions } = JSON.parse(version.stdout) as { supportedVersions: string[] };
      assert.deepEqual(supportedVersions, ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
    });

    test("it finds the agent where the network's file says, and nowhere within it", async () => {
      const path = async (config: object) => coded(await call("ADD", { config }))[3];
      assert.match((await path({ socket: "/nowhere/a.sock" })) ?? "", /at \/nowhere\/a\.sock/);
      for (const config of [
        { args: { socket: "/nowhere" } },
        { list: [{ socket: "/nowhere" }, "socket", ":", '","socket":"/nowhere"'] },
        { 'so\\"cket': "/nowhere", prevResult: { dns: { socket: "/nowhere" } } },
      ])
        assert.ok((await path(config))?.includes(rig.settings.socketPath), JSON.stringify(config));
      assert.match((await path({ socket: "relative" })) ?? "", /begins with \//);
      assert.match((await path({ socket: `/${"x".repeat(200)}` })) ?? "", /107 bytes/);
    });

    test("an answer that is cut off, or none, is an agent that is not there", async () => {
      for (const [i, answer] of ["", "0 5\nabc", "rubbish", "0 1\nab", "7 1\na"].entries()) {
        const socket = join(rig.dir, `liar-${i}.sock`);
        const script = `require("net").createServer({allowHalfOpen:true},s=>{s.on("data",()=>{});s.on("end",()=>s.end(process.argv[1]))}).listen(${JSON.stringify(socket)},()=>console.log("up"))`;
        using _ = await startLiar(script, answer);
        const [code, number] = coded(await call("ADD", { config: { socket } }));
        assert.deepEqual([code, number], [1, 11], JSON.stringify(answer));
      }
    });

    test("with an agent a sandbox is wired, checked and unwired", async () => {
      await rig.startAgent();
      const netns = rig.pathOf("pod");
      using ns = rig.netns("pod");
      const config = {
        runtimeConfig: {
          mac: "02:00:00:00:00:09",
          ips: ["10.42.1.9/20"],
          portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
          bandwidth: { ingressRate: 80_000_000, egressRate: 80_000_000 },
        },
      };
      const added = await call("ADD", { netns, config });
      assert.deepEqual([added.code, added.stderr], [0, ""], added.stdout);
      const prevResult = JSON.parse(added.stdout) as { ips: { address: string }[] };
      assert.deepEqual(
        prevResult.ips.map(({ address }) => address),
        ["10.42.1.9/20", "fd42:0:0:3::2/64"],
      );
      const inside = execFileSync("nsenter", [`--net=${netns}`, "ip", "-o", "addr", "show", "eth0"], {
        encoding: "utf8",
      });
      // The one of the link is the kernel's own, and nothing waits for it.
      assert.ok(!/tentative.*fd42|fd42.*tentative/.test(inside), inside);
      assert.equal(rig.kernel.openIn(ns).sysctl.read("net.ipv6.conf.eth0.accept_ra"), "0");
      assert.deepEqual(await call("CHECK", { netns, config: { ...config, prevResult } }), {
        code: 0,
        stdout: "",
        stderr: "",
      });
      assert.deepEqual(coded(await call("ADD", { netns, config })).slice(0, 2), [1, 100]);
      for (let n = 0; n < 2; n++) assert.equal((await call("DEL", { netns, config })).code, 0);
      assert.equal((await call("DEL", {})).code, 0, "without a namespace");
      assert.deepEqual(rig.leftovers(), []);
    });

    test("what is on stdin is bounded, and need not be JSON", async () => {
      const [, long] = coded(await call("ADD", { netns: "/x", config: { much: "x".repeat(1 << 20) } }));
      assert.equal(long, 7);
      const none = spawnSync(executable, {
        env: { CNI_COMMAND: "GC", CNI_PATH: "/x" },
        input: "\0\xff{",
        encoding: "utf8",
      });
      assert.deepEqual([none.status, (JSON.parse(none.stdout) as { code: number }).code], [1, 6]);
    });

    test("nobody but root is answered", async () => {
      const { socketPath } = rig.settings;
      chmodSync(rig.dir, 0o755);
      chmodSync(socketPath, 0o666);
      const script = `const s=require("net").connect(${JSON.stringify(socketPath)},()=>s.end("twill-cni 1\\n\\0"));s.on("data",()=>console.log("heard"));s.on("close",()=>console.log("closed"));s.on("error",()=>{})`;
      const done = spawnSync(process.execPath, ["-e", script], {
        uid: 65_534,
        gid: 65_534,
        encoding: "utf8",
      });
      assert.equal(done.stdout, "closed\n", done.stderr);
    });

    test("one who says nothing, or half of it, holds nobody up for ever", async () => {
      const silent = connect(rig.settings.socketPath);
      silent.write("twill-cni 1\nCNI_COMMAND=DEL\0");
      silent.on("error", () => {});
      const status = call("STATUS");
      silent.destroy();
      assert.equal((await status).code, 0);
    });
  });

async function startLiar(script: string, answer: string): Promise<Disposable> {
  const child = spawn(process.execPath, ["-e", script, answer], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}
