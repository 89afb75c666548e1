import assert from "node:assert/strict";
import { test } from "node:test";
import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES } from "#kernel/launch/capabilities";
import { PLAIN_SECURITY } from "../../testing/plain-security.ts";
import { capabilitiesOf, hiddenPaths, recordedRights } from "./security.ts";
import { groupsOf, userOf } from "./users.ts";

test("which capabilities there are", () => {
  const cases: readonly { add?: string[]; drop?: string[]; privileged?: true; is: readonly Capability[] }[] =
    [
      { is: DEFAULT_CAPABILITIES },
      { privileged: true, drop: ["ALL"], is: CAPABILITIES },
      { add: ["CAP_SYS_TIME"], is: [...DEFAULT_CAPABILITIES, "SYS_TIME"] },
      { drop: ["kill"], is: DEFAULT_CAPABILITIES.filter((name) => name !== "KILL") },
      { drop: ["ALL"], is: [] },
      { drop: ["all"], add: ["NET_RAW"], is: ["NET_RAW"] },
      { add: ["ALL"], is: CAPABILITIES },
      { add: ["ALL"], drop: ["SYS_ADMIN"], is: CAPABILITIES.filter((name) => name !== "SYS_ADMIN") },
      { add: ["ALL", "SYSLOG"], drop: ["ALL"], is: ["SYSLOG"] },
      { add: ["BPF"], drop: ["BPF"], is: DEFAULT_CAPABILITIES },
    ];
  for (const { add = [], drop = [], privileged = false, is } of cases) {
    const found = capabilitiesOf({ addCapabilities: add, dropCapabilities: drop, isPrivileged: privileged });
    assert.deepEqual([...found].sort(), [...is].sort(), `add ${add}, drop ${drop}`);
  }
});

test("who a container is", () => {
  const who = (change: object) => {
    const { uid, gid, groups } = recordedRights({ ...PLAIN_SECURITY, ...change });
    return { uid, gid, groups };
  };
  assert.deepEqual(who({}), { uid: 0, gid: 0, groups: [0] });
  assert.deepEqual(who({ uid: 65534 }), { uid: 65534, gid: 65534, groups: [65534] });
  assert.deepEqual(who({ uid: 1234 }), { uid: 1234, gid: 0, groups: [0] });
  assert.deepEqual(who({ uid: 1, gid: 7, supplementalGroups: [7, 8, 8] }), {
    uid: 1,
    gid: 7,
    groups: [7, 8],
  });
});

test("users and groups are those of the image's files", () => {
  const passwd = "root:x:0:0::/root:/bin/sh\n\nbroken\nann:x:5:6::/home/ann:/bin/sh\n";
  const group = "root:x:0:\nstaff:x:50:ann,bob\nwheel:x:51:bob\nmail:x:52:ann\n";
  assert.deepEqual(userOf(5, passwd), { name: "ann", gid: 6, home: "/home/ann" });
  assert.equal(userOf(6, passwd), undefined);
  assert.deepEqual([groupsOf(5, { passwd, group }), groupsOf(9, { passwd, group })], [[50, 52], []]);
});

test("privileged and unmasked containers see the machine", () => {
  assert.ok(hiddenPaths(PLAIN_SECURITY).readOnlyPaths.includes("/proc/sys"));
  for (const change of [{ isPrivileged: true }, { isProcMasked: false }])
    assert.deepEqual(hiddenPaths({ ...PLAIN_SECURITY, ...change }), { masks: [], readOnlyPaths: [] });
});
