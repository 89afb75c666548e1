import assert from "node:assert/strict";
import { test } from "node:test";
import { isDnsLabel } from "#addr/name";
import { balancerName, setMarks } from "./names.ts";

const uid = "1f0c9e2a-0000-4000-8000-000000000001";
const nameOf = (name: string) => balancerName({ metadata: { name, namespace: "default", uid } });

test("a DaemonSet is named after its Service, cut so that it is a label's value", () => {
  assert.equal(nameOf("web"), "svclb-web-1f0c9e2a");
  assert.equal(nameOf("a".repeat(48)), `svclb-${"a".repeat(48)}-1f0c9e2a`);
  assert.equal(nameOf("a".repeat(49)), `svclb-${"a".repeat(48)}-1f0c9e2a`);
  assert.equal(nameOf(`${"a".repeat(46)}--b`), `svclb-${"a".repeat(46)}-1f0c9e2a`);
  assert.equal(nameOf(`a-${"-".repeat(50)}b`), "svclb-a-1f0c9e2a");
  for (let length = 1; length <= 63; length++) assert.ok(isDnsLabel(nameOf("x".repeat(length))), `${length}`);
});

test("the mark of ownership is the one that K3s counts", () => {
  const marks = setMarks({ kind: "k3s.cattle.io/v1, Kind=Addon", name: "coredns", namespace: "kube-system" });
  assert.equal(marks.labels["objectset.rio.cattle.io/hash"], "bce283298811743a0386ab510f2f67ef74240c57");
});
