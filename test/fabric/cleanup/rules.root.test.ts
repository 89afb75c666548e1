/** Rules that K3s leaves go, from either kind of iptables and in both families; a person's own stay to the byte. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { findNetworkLeftovers, type NetworkLeftover, removeNetworkLeftover } from "#fabric/leftovers/network";
import { tellLeftovers } from "#fabric/leftovers/tell";
import { openKernel } from "#kernel/open";
import { openLog } from "#telemetry/log";
import { type Machine, Machines } from "../machines.ts";
import {
  builtIn,
  k3sRules,
  ownRules,
  program,
  TABLES,
  type TableName,
  type Variant,
} from "./kubernetes-rules.ts";

const VARIANTS: readonly Variant[] = ["nft", "legacy"];
const NOWHERE = { netnsDir: "/nowhere", folders: [], filesIn: [] };

type Bare = Pick<Machine, "path" | "kernel">;

const stack = new DisposableStack();
after(() => stack.dispose());
const host = stack.use(openKernel());
const machines = stack.use(new Machines(`twt-${process.pid}-cl`));

/** A machine without a cable: nothing of its own making is counted by its rules. */
function bare(name: string): Bare {
  const { ns, path } = machines.netns(name);
  return { path, kernel: stack.use(host.inNetns(ns, openKernel)) };
}

function on(machine: Bare, [command = "", ...args]: readonly string[], input = ""): string {
  const name = machine.path.split("/").at(-1) ?? "";
  return execFileSync("ip", ["netns", "exec", name, command, ...args], {
    encoding: "utf8",
    input,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 20_000,
  });
}

/** What `iptables-save` says, with counters, but for the time. */
function saved(machine: Bare, family: Family, variant: Variant): string {
  const text = on(machine, [program(family, variant, "-save"), "-c"]);
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  // What the machine itself sends meanwhile is counted by policies.
  return lines.map((line) => (line.startsWith(":") ? line.replace(/\[.*/, "") : line)).join("\n");
}

function rulesLeft(machine: Bare): readonly NetworkLeftover[] {
  return findNetworkLeftovers(machine.kernel, NOWHERE).filter(({ kind }) => kind.endsWith("-rules"));
}

function clean(machine: Bare): void {
  for (const leftover of rulesLeft(machine)) removeNetworkLeftover(machine.kernel, leftover);
}

test("K3s's rules go, and a person's own stay to the byte, with what they counted", () => {
  const machine = bare("k3s");
  const before = new Map<string, string>();
  for (const family of FAMILIES)
    for (const variant of VARIANTS) {
      on(machine, [program(family, variant, "-restore"), "-c"], ownRules(family));
      before.set(`${family} ${variant}`, saved(machine, family, variant));
      on(machine, [program(family, variant, "-restore"), "--noflush"], k3sRules(family));
    }
  assert.equal(rulesLeft(machine).length, FAMILIES.length * VARIANTS.length * TABLES.length);

  const lines: string[] = [];
  tellLeftovers(machine.kernel, openLog({ write: (line) => void lines.push(line), level: "info" }));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /CNI-DN-ba5cf6c5f4c30f3e8d1ab.*twill cleanup --rules/);

  clean(machine);
  for (const family of FAMILIES)
    for (const variant of VARIANTS)
      assert.equal(
        saved(machine, family, variant),
        before.get(`${family} ${variant}`),
        `${family} ${variant}`,
      );
  assert.deepEqual(rulesLeft(machine), []);
  tellLeftovers(machine.kernel, openLog({ write: (line) => void lines.push(line), level: "info" }));
  assert.equal(lines.length, 1, "nothing is left to tell of");
});

test("listing and cleaning a machine that never had iptables makes no tables", () => {
  const machine = bare("bare");
  clean(machine);
  assert.equal(on(machine, ["cat", "/proc/self/net/ip_tables_names"]), "");
  assert.deepEqual(machine.kernel.nft.list("list ruleset"), "");
});

for (const seed of [1, 2, 3])
  test(`a mix of rules by chance (seed ${seed})`, () => {
    const machine = bare(`mix${seed}`);
    const random = numbersFrom(seed);
    const before = new Map<string, string>();
    for (const family of FAMILIES)
      for (const variant of VARIANTS) {
        const mix = randomMix(random);
        on(machine, [program(family, variant, "-restore")], mix.own);
        before.set(`${family} ${variant}`, saved(machine, family, variant));
        on(machine, [program(family, variant, "-restore"), "--noflush"], mix.theirs);
      }
    clean(machine);
    for (const family of FAMILIES)
      for (const variant of VARIANTS)
        assert.equal(
          saved(machine, family, variant),
          before.get(`${family} ${variant}`),
          `seed ${seed}, ${family} ${variant}`,
        );
  });

function numbersFrom(seed: number): (below: number) => number {
  let state = seed * 7919;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

const THEIRS = ["KUBE-A", "KUBE-ROUTER-B", "CNI-C", "FLANNEL-D", "flannel-e"];
const OWN = ["own-kube", "MY-KUBE-", "x", "Cni-y", "not-flannel"];
const MATCHES = [
  "-p tcp -m tcp --dport 80",
  "-p udp -m udp --dport 8472",
  "-m conntrack --ctstate NEW",
  '-m comment --comment "KUBE- CNI- flannel"',
  "-p tcp -m multiport --dports 1,2:5",
  "-m mark --mark 0x4000/0x4000",
  "-m addrtype --dst-type LOCAL",
  "-m statistic --mode random --probability 0.25000000000",
  "",
];

/** Chains may only lead to later ones, so that none leads to itself. */
function randomMix(random: (below: number) => number): { own: string; theirs: string } {
  const pick = <T>(list: readonly T[]) => list[random(list.length)] as T;
  const own: string[] = [];
  const theirs: string[] = [];
  for (const table of TABLES) {
    const action = (chains: readonly string[]) => {
      const chain = chains.length === 0 || random(3) === 0 ? undefined : pick(chains);
      if (chain) return `-${pick(["j", "g"])} ${chain}`;
      return pick(["-j ACCEPT", "-j RETURN", ""]);
    };
    own.push(
      `*${table}`,
      ...builtIn(table).map((name) => `:${name} ACCEPT [0:0]`),
      ...OWN.map((name) => `:${name} - [0:0]`),
    );
    theirs.push(`*${table}`, ...THEIRS.map((name) => `:${name} - [0:0]`));
    for (let i = 0; i < 12; i++) {
      const at = random(OWN.length + 1) - 1;
      const from = at < 0 ? pick(builtIn(table)) : (OWN[at] ?? "");
      own.push(`-A ${from} ${pick(MATCHES)} ${action(OWN.slice(at + 1))}`);
    }
    for (let i = 0; i < 20; i++) theirs.push(theirRule(table, random, pick, action));
    own.push("COMMIT");
    theirs.push("COMMIT");
  }
  return { own: `${own.join("\n")}\n`, theirs: `${theirs.join("\n")}\n` };
}

/** One in a chain of theirs, or one that leads there from anywhere, put at any place. */
function theirRule(
  table: TableName,
  random: (below: number) => number,
  pick: <T>(list: readonly T[]) => T,
  action: (chains: readonly string[]) => string,
): string {
  if (random(2) === 0) {
    const at = random(THEIRS.length);
    return `-A ${THEIRS[at]} ${pick(MATCHES)} ${action(THEIRS.slice(at + 1))}`;
  }
  const from = pick([...builtIn(table), ...OWN]);
  const where = random(2) === 0 ? `-A ${from}` : `-I ${from} 1`;
  return `${where} ${pick(MATCHES)} -${pick(["j", "g"])} ${pick(THEIRS)}`;
}
