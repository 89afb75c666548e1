import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { DEFINITIONS } from "../schema.ts";
import { openKinds } from "./all.ts";

/** Kinds that the tables know of and no path of their own serves, and why. */
const NOT_STORED: Readonly<Record<string, string>> = {
  Binding: "posted to pods/binding; nothing is kept",
  Eviction: "posted to pods/eviction; nothing is kept",
  Scale: "a view of others, under /scale",
  TokenRequest: "posted to serviceaccounts/token; nothing is kept",
  TokenReview: "a question",
  SelfSubjectReview: "a question",
  SubjectAccessReview: "a question",
  LocalSubjectAccessReview: "a question",
  SelfSubjectAccessReview: "a question",
  SelfSubjectRulesReview: "a question",
  Status: "an answer",
  DeleteOptions: "a parameter",
  APIGroup: "discovery",
  APIGroupList: "discovery",
  APIResourceList: "discovery",
  APIVersions: "discovery",
  WatchEvent: "a line of a watch",
};

/** Whole groups that are not served. */
const NOT_SERVED: Readonly<Record<string, string>> = {
  "apiregistration.k8s.io": "no other API server is put behind this one",
};

test("every kind of the groups that are served is served, or has a reason not to be", () => {
  const { kinds } = openKinds({
    serviceCidrs: [parseCidr("10.43.0.0/16")],
    nodePortRange: { from: 30000, to: 32767 },
    clusterDomain: "cluster.local",
  });
  const served = new Set(
    kinds.map(({ resource: { group, version, kind } }) => `${group}/${version}/${kind}`),
  );
  const missing = Object.values(DEFINITIONS).flatMap(({ gvk }) => {
    if (gvk === undefined || gvk.kind.endsWith("List")) return [];
    const name = `${gvk.group}/${gvk.version}/${gvk.kind}`;
    const isExplained = Object.hasOwn(NOT_STORED, gvk.kind) || Object.hasOwn(NOT_SERVED, gvk.group);
    return served.has(name) || isExplained ? [] : [name];
  });
  assert.deepEqual(missing, []);
});
