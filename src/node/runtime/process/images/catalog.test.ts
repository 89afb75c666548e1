import assert from "node:assert/strict";
import { test } from "node:test";
import { findImage, resolveCommand, USUAL_NAMES } from "./catalog.ts";

const DIGEST = `@sha256:${"ab".repeat(32)}`;
const references: readonly [string, string | undefined, string?][] = [
  ["rancher/mirrored-coredns-coredns:1.14.6", "coredns", "docker.io/rancher/mirrored-coredns-coredns:1.14.6"],
  ["coredns/coredns", "coredns", "docker.io/coredns/coredns:latest"],
  [`docker.io/coredns/coredns${DIGEST}`, "coredns", `docker.io/coredns/coredns${DIGEST}`],
  ["registry.k8s.io/coredns/coredns:v1.12.0", "coredns"],
  ["mirror.example:5000/rancher/mirrored-coredns-coredns:1.14.6", "coredns"],
  ["registry.k8s.io/e2e-test-images/agnhost:2.47", "agnhost"],
  ["k8s.gcr.io/e2e-test-images/agnhost:2.20", "agnhost"],
  ["gcr.io/kubernetes-e2e-test-images/agnhost:2.8", "agnhost"],
  ["gcr.io/k8s-staging-e2e-test-images/agnhost:2.53", "agnhost"],
  [`registry.k8s.io/e2e-test-images/agnhost:2.47${DIGEST}`, "agnhost"],
  ["twill/agnhost", "agnhost", "docker.io/twill/agnhost:latest"],
  ["registry.k8s.io/pause:3.10", "pause"],
  ["rancher/mirrored-pause:3.6", "pause"],
  ["rancher/klipper-lb:v0.4.17", "klipper-lb", "docker.io/rancher/klipper-lb:v0.4.17"],
  ["mirror.example:5000/rancher/klipper-lb:v0.4.9", "klipper-lb"],
  ["twill/klipper-lb", "klipper-lb"],
  ["klipper-lb", undefined],
  ["nginx", undefined],
  ["evil.example/coredns/coredns", undefined],
  ["", undefined],
  ["Registry.k8s.io/ pause", undefined],
];
for (const [reference, name, canonical] of references) {
  test(`image ${JSON.stringify(reference)} is ${name ?? "not carried"}`, () => {
    const image = findImage(reference);
    assert.equal(image?.name, name);
    if (canonical !== undefined) assert.equal(image?.reference, canonical);
  });
}

const commands: readonly { command?: string[]; args?: string[]; want: string[] | "fault" }[] = [
  { want: ["pause"] },
  { args: ["netexec", "--http-port=80"], want: ["netexec", "--http-port=80"] },
  { command: ["/agnhost", "netexec"], want: ["netexec"] },
  { command: ["/agnhost"], args: ["connect", "a:1"], want: ["connect", "a:1"] },
  { command: ["agnhost", "pause"], want: ["pause"] },
  { command: ["/agnhost-2", "entrypoint-tester"], want: ["entrypoint-tester"] },
  { command: ["/bin/sh", "-c", "true"], want: "fault" },
  { command: [], args: [], want: ["pause"] },
];
for (const { command, args, want } of commands) {
  test(`agnhost with command ${JSON.stringify(command)} and args ${JSON.stringify(args)}`, () => {
    const image = findImage("twill/agnhost");
    assert.ok(image);
    if (want === "fault") assert.throws(() => resolveCommand(image, command, args), /holds only \/agnhost/);
    else
      assert.deepEqual(resolveCommand(image, command, args), {
        file: "agnhost.mjs",
        runsOn: "node",
        args: want,
      });
  });
}

test("what a message tells to write is found", () => {
  for (const name of USUAL_NAMES) assert.ok(findImage(name), name);
});
