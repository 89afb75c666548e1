import assert from "node:assert/strict";
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DEBIAN_PLUGINS, Site } from "./testing/site.ts";

const skip = existsSync(join(DEBIAN_PLUGINS, "bridge"))
  ? false
  : "containernetworking-plugins are not installed";
const TIMEOUT_MS = 700;

function network(site: Site, second: object | undefined, subnet = "10.78.0.0/24") {
  const bridge = {
    type: "bridge",
    bridge: "cni8",
    isDefaultGateway: true,
    ipMasq: true,
    ipam: { type: "host-local", ranges: [[{ subnet }]], dataDir: join(site.dir, "ipam") },
  };
  return { cniVersion: "1.0.0", name: "net", plugins: second ? [bridge, second] : [bridge] };
}

/** Once a namespace is gone, Debian's bridge forgets its masquerading rules, whoever calls it. */
function withoutMasquerade(list: object): string {
  return JSON.stringify(list).replace('"ipMasq":true,', "");
}

/** What the kernel and the disk still have of pods, and which programs still run. */
async function leftovers(site: Site): Promise<readonly string[]> {
  const links = await site.sh("ip -o link show type veth");
  const rules = await site.sh("iptables-save | grep 10.78 || true");
  const programs = await site.sh("pgrep -f 'twt-lasting-[s]leep' || true");
  const addresses = site.files("ipam", "net").filter((name) => name.startsWith("10."));
  return [links, rules, programs, ...addresses, ...site.files("cni", "results")].filter(
    (text) => text !== "",
  );
}

const FAILURES: readonly {
  readonly name: string;
  /** The second plugin's script; absent: there is no such file. */
  readonly script?: string;
  readonly mode?: number;
  readonly says: RegExp;
}[] = [
  {
    name: "is missing",
    says: /failed to setup network for sandbox "a": plugin type="second" failed \(add\): failed to find plugin "second" in path \[\S+\/bin \/usr\/lib\/cni\]/,
  },
  {
    name: "is not executable",
    script: "exit 0",
    mode: 0o644,
    says: /failed \(add\): cannot execute \S+second: EACCES/,
  },
  {
    name: "hangs, as does what it has started",
    script: "sh -c 'exec -a twt-lasting-sleep sleep 1000' & bash -c 'exec -a twt-lasting-sleep sleep 1000'",
    says: /failed \(add\): it gave no answer within 0.7 s and was killed/,
  },
  {
    name: "prints rubbish",
    script: "echo '<html>'",
    says: /failed \(add\): it printed "<html>", which is no result: /,
  },
  {
    name: "prints nothing",
    script: "cat > /dev/null",
    says: /failed \(add\): it printed nothing, which is no result/,
  },
  {
    name: "prints without end",
    script: "exec yes rubbish",
    says: /failed \(add\): (it printed more than 4 MB and was killed|it gave no answer)/,
  },
  {
    name: "refuses in its own words",
    script: `echo '{"cniVersion":"1.0.0","code":123,"msg":"no more pods","details":"ask later"}'; exit 1`,
    says: /failed \(add\): no more pods; ask later$/,
  },
  {
    name: "breaks down",
    script: "echo 'panic: oh no' >&2; kill -SEGV $$",
    says: /"panic: oh no": signal SIGSEGV/,
  },
  { name: "does not understand", script: "exit 3", says: /no error message: exit status 3/ },
];

describe("networks that do not work leave nothing behind", { skip }, () => {
  let site: Site;
  before(async () => {
    site = new Site({ timeoutMs: TIMEOUT_MS });
    site.configure("10.conflist", network(site, { type: "second" }));
    await site.ready();
    await site.ask({ do: "make-pod", containerId: "a" });
  });
  after(() => site[Symbol.asyncDispose]());

  for (const { name, script, mode = 0o755, says } of FAILURES)
    test(`the second plugin ${name}`, async () => {
      // Bash, because the other shell cannot give programs a name.
      const path = join(site.dir, "bin", "second");
      rmSync(path, { force: true });
      const body = `if [ "$CNI_COMMAND" = DEL ]; then exit 0; fi\n${script}`;
      if (script !== undefined) writeFileSync(path, `#!/bin/bash\n${body}\n`);
      if (script !== undefined) chmodSync(path, mode);
      await assert.rejects(site.ask({ do: "add", pod: { containerId: "a" } }), says);
      await site.ask({ do: "remove", containerId: "a" });
      assert.deepEqual(await leftovers(site), []);
    });

  test("a second plugin that was mended does its part", async () => {
    rmSync(join(site.dir, "bin", "second"));
    site.plugin("second", `if [ "$CNI_COMMAND" = ADD ]; then sed -E 's/.*"prevResult":(.*)\\}/\\1/'; fi`);
    const { ips } = await site.ask<{ ips: readonly string[] }>({ do: "add", pod: { containerId: "a" } });
    assert.match(ips.join(), /^10\.78\.0\.\d+\/24$/);
    await site.ask({ do: "remove", containerId: "a" });
    assert.deepEqual(await leftovers(site), []);
  });

  test("an address range that is full", async () => {
    await using site = new Site();
    site.configure("10.conflist", network(site, undefined, "10.78.0.0/30"));
    await site.ready();
    for (const containerId of ["a", "b"]) await site.ask({ do: "make-pod", containerId });
    await site.ask({ do: "add", pod: { containerId: "a" } });
    for (let tries = 0; tries < 3; tries++)
      await assert.rejects(
        site.ask({ do: "add", pod: { containerId: "b" } }),
        /plugin type="bridge" failed \(add\): failed to allocate for range 0: no IP addresses available in range set: 10.78.0.1-10.78.0.2/,
      );
    assert.equal((await site.sh("ip -o link show type veth | wc -l")).trim(), "1");
    assert.deepEqual(site.files("cni", "results"), ["net-a-eth0"]);
    await site.ask({ do: "remove", containerId: "a" });
    assert.deepEqual(await site.ask({ do: "add", pod: { containerId: "b" } }), { ips: ["10.78.0.2/30"] });
  });

  test("a plugin that cannot take back is asked again until it has", async () => {
    await using site = new Site({ timeoutMs: TIMEOUT_MS });
    site.plugin("second", `[ -e ${site.dir}/mended ] && exit 0; echo '{"code":11,"msg":"busy"}'; exit 1`);
    site.configure("10.conflist", network(site, { type: "second" }));
    await site.ready();
    await site.ask({ do: "make-pod", containerId: "a" });
    await assert.rejects(site.ask({ do: "add", pod: { containerId: "a" } }), /failed \(add\): busy/);
    assert.match(site.log, /a failed attachment could not be taken back yet .*failed \(delete\): busy/);
    await assert.rejects(site.ask({ do: "remove", containerId: "a" }), /failed \(delete\): busy/);
    writeFileSync(join(site.dir, "mended"), "");
    await site.ask({ do: "remove", containerId: "a" });
    assert.deepEqual(await leftovers(site), []);
  });

  test("a runtime that is killed in the middle is cleaned up after by the next", async () => {
    await using site = new Site();
    site.plugin("second", `[ "$CNI_COMMAND" = DEL ] && exit 0; touch ${site.dir}/under-way; sleep 30`);
    site.configure("10.conflist", withoutMasquerade(network(site, { type: "second" })));
    await site.ready();
    await site.ask({ do: "make-pod", containerId: "a" });
    void site.tell({ do: "add", pod: { containerId: "a" } });
    await site.until("the second plugin works", async () =>
      existsSync(join(site.dir, "under-way")) ? true : undefined,
    );
    await site.kill();
    assert.deepEqual(site.files("cni", "results"), ["net-a-eth0"]);
    rmSync(join(site.dir, "net.d", "10.conflist"));
    site.start();
    await site.ask({ do: "collect", valid: [] });
    assert.deepEqual(await leftovers(site), []);
  });

  test("what was attached is taken back by what was written down then", async () => {
    await using site = new Site();
    site.configure("10.conflist", withoutMasquerade(network(site, undefined)));
    await site.ready();
    for (const containerId of ["a", "b"]) {
      await site.ask({ do: "make-pod", containerId });
      await site.ask({ do: "add", pod: { containerId } });
    }
    site.configure("10.conflist", "{ broken");
    const complaint = await site.until("the broken file is told of", async () => {
      const told = await site.ask<string | null>({ do: "complaint" });
      return told === null ? undefined : told;
    });
    assert.match(
      complaint,
      /^cni plugin not initialized: failed to load CNI config list file \S+10.conflist: /,
    );
    await assert.rejects(site.ask({ do: "add", pod: { containerId: "c" } }), /cni plugin not initialized/);
    await site.ask({ do: "lose-pod", containerId: "b" }); // As after a reboot.
    for (const containerId of ["a", "b"]) await site.ask({ do: "remove", containerId });
    assert.deepEqual(await leftovers(site), []);
    rmSync(join(site.dir, "net.d"), { recursive: true });
    await site.until("that it is gone is told", async () => {
      const told = await site.ask<string | null>({ do: "complaint" });
      return told?.includes("no network config found") ? true : undefined;
    });
  });
});
