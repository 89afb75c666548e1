import assert from "node:assert/strict";
import { test } from "node:test";
import { type Capability, parseCapability } from "./capabilities.ts";
import { DENIED_CALLS } from "./denied-calls.ts";
import { defaultFilter } from "./seccomp.ts";

const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

/** Runs the filter as the kernel does. @see seccomp(2), bpf_jit in net/core/filter.c */
function verdict(filter: Uint8Array, call: { arch: number; nr: number; first?: number }): number {
  const code = Buffer.from(filter);
  const data = new Map([
    [0, call.nr],
    [4, call.arch],
    [16, call.first ?? 0],
  ]);
  let loaded = 0;
  for (let at = 0; at * 8 < code.length; at++) {
    const [op, yes, no, k] = [
      code.readUInt16LE(at * 8),
      code[at * 8 + 2],
      code[at * 8 + 3],
      code.readUInt32LE(at * 8 + 4),
    ];
    if (op === 0x06) return k;
    if (op === 0x20) loaded = (data.get(k) ?? assert.fail(`load of ${k}`)) >>> 0;
    else {
      const holds =
        op === 0x15
          ? loaded === k
          : op === 0x35
            ? loaded >= k
            : op === 0x45
              ? (loaded & k) !== 0
              : assert.fail(`${op}`);
      at += (holds ? yes : no) ?? 0;
    }
  }
  return assert.fail("the filter has no end");
}

interface Case {
  readonly name: string;
  readonly x64: number;
  readonly arm64: number;
  readonly first?: number;
  readonly held?: readonly Capability[];
  readonly is: number;
}

const CASES: readonly Case[] = [
  { name: "read", x64: 0, arm64: 63, is: ALLOW },
  { name: "execve", x64: 59, arm64: 221, is: ALLOW },
  { name: "mount", x64: 165, arm64: 40, is: EPERM },
  { name: "mount with its capability", x64: 165, arm64: 40, held: ["SYS_ADMIN"], is: ALLOW },
  { name: "keyctl, whatever the capability", x64: 250, arm64: 219, held: ["SYS_ADMIN"], is: EPERM },
  { name: "chroot, which containers may", x64: 161, arm64: 51, held: ["SYS_CHROOT"], is: ALLOW },
  { name: "chroot, dropped", x64: 161, arm64: 51, is: EPERM },
  { name: "clone of a thread", x64: 56, arm64: 220, first: 0x3d0f00, is: ALLOW },
  { name: "clone into a user namespace", x64: 56, arm64: 220, first: 0x10000011, is: EPERM },
  { name: "clone3", x64: 435, arm64: 435, is: ENOSYS },
  { name: "clone3 with its capability", x64: 435, arm64: 435, held: ["SYS_ADMIN"], is: ALLOW },
  { name: "a TCP socket", x64: 41, arm64: 198, first: 2, is: ALLOW },
  { name: "a socket to the hypervisor", x64: 41, arm64: 198, first: 40, is: EPERM },
  { name: "asking for the personality", x64: 135, arm64: 92, first: 0xffffffff, is: ALLOW },
  { name: "another personality", x64: 135, arm64: 92, first: 0x0400000, is: EPERM },
  { name: "a call from the future", x64: 500, arm64: 500, is: ENOSYS },
  { name: "x32's read", x64: 0x40000000, arm64: 0x40000000, is: ENOSYS },
];

test("the default filter's verdicts", () => {
  for (const arch of ["x64", "arm64"] as const)
    for (const c of CASES) {
      const filter = defaultFilter(arch, new Set(c.held ?? []));
      const found = verdict(filter, { arch: AUDIT[arch], nr: c[arch], first: c.first ?? 0 });
      assert.equal(found.toString(16), c.is.toString(16), `${c.name} on ${arch}`);
    }
});

test("calls of another architecture do not exist", () => {
  const filter = defaultFilter("x64", new Set());
  assert.equal(verdict(filter, { arch: 0x40000003, nr: 21 }), ENOSYS); // 32 bits: mount
});

test("each call of the table is refused without its capability, and no jump is too long", () => {
  for (const arch of ["x64", "arm64"] as const)
    for (const { name, numbers, unless } of DENIED_CALLS) {
      const nr = numbers[arch];
      if (nr === undefined) continue;
      const refused = verdict(defaultFilter(arch, new Set()), { arch: AUDIT[arch], nr });
      assert.equal(refused, EPERM, `${name} on ${arch}`);
      if (unless)
        assert.equal(verdict(defaultFilter(arch, new Set([unless])), { arch: AUDIT[arch], nr }), ALLOW, name);
    }
});

test("names of capabilities", () => {
  assert.deepEqual(["NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin", "FLY", ""].map(parseCapability), [
    "NET_ADMIN",
    "NET_ADMIN",
    "NET_ADMIN",
    undefined,
    undefined,
  ]);
});
