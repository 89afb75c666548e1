import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppArmorProfile } from "#kube/generated/types";
import type { Draft } from "../kind.ts";
import { takeAppArmor, validateProfileAnnotations } from "./profile-annotations.ts";

const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP = "seccomp.security.alpha.kubernetes.io/";
const spec = { containers: [{ name: "c", image: "i" }] };

const CHECKED: readonly (readonly [string, string, readonly string[]])[] = [
  [`${APP_ARMOR}c`, "runtime/default", []],
  [`${APP_ARMOR}c`, "", []],
  [`${APP_ARMOR}c`, "bogus", ['invalid AppArmor profile name: "bogus"']],
  [`${APP_ARMOR}d`, "unconfined", ["container not found"]],
  [`${APP_ARMOR}d`, "x", ["container not found", 'invalid AppArmor profile name: "x"']],
  [`${SECCOMP}pod`, "docker/default", []],
  [`${SECCOMP}pod`, "", ["must be a valid seccomp profile"]],
  [`container.${SECCOMP}c`, "bogus", ["must be a valid seccomp profile"]],
  [`container.${SECCOMP}c`, "localhost/a/../b", ["must not contain '..'"]],
  [`container.${SECCOMP}c`, "localhost//a", ["must be a relative path"]],
];

for (const [key, value, expected] of CHECKED)
  test(`annotation ${key}=${value}`, () => {
    const errors = validateProfileAnnotations("metadata.annotations", { [key]: value }, spec);
    assert.deepEqual(
      errors.map(({ detail }) => detail),
      expected,
    );
  });

interface Taken {
  readonly value: string;
  readonly own?: AppArmorProfile;
  readonly pod?: AppArmorProfile;
  readonly os?: string;
  readonly profile: AppArmorProfile | undefined;
  readonly warnings: number;
}

const TAKEN: readonly Taken[] = [
  { value: "unconfined", profile: { type: "Unconfined" }, warnings: 1 },
  { value: "localhost/x", profile: { type: "Localhost", localhostProfile: "x" }, warnings: 1 },
  { value: "localhost/ x", profile: undefined, warnings: 1 },
  { value: "", profile: undefined, warnings: 1 },
  { value: "unconfined", own: { type: "RuntimeDefault" }, profile: { type: "RuntimeDefault" }, warnings: 0 },
  { value: "unconfined", pod: { type: "Unconfined" }, profile: undefined, warnings: 0 },
  { value: "unconfined", os: "windows", profile: undefined, warnings: 0 },
];

for (const { value, own, pod, os, profile, warnings } of TAKEN)
  test(`AppArmor by annotation: ${JSON.stringify({ value, own, pod, os })}`, () => {
    const said: string[] = [];
    const container: Draft = { name: "c", ...(own && { securityContext: { appArmorProfile: own } }) };
    const draft: Draft = {
      metadata: { annotations: { [`${APP_ARMOR}c`]: value } },
      spec: { containers: [container], securityContext: { appArmorProfile: pod }, os: { name: os } },
    };
    takeAppArmor(draft, (text) => said.push(text));
    assert.deepEqual(container.securityContext?.appArmorProfile, profile);
    assert.equal(said.length, warnings);
  });
