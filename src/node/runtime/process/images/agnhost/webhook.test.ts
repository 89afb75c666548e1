import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { convertAll } from "./crd-conversion-webhook.ts";
import { type Fields, fieldsOf } from "./review-server.ts";
import { admissionReviewers } from "./webhook.ts";

const marked = (value: string): Fields => ({ data: { "webhook-e2e-test": value } });
const labelled = (labels: Fields): Fields => ({ metadata: { labels } });
const disallowed = labelled({ "webhook-e2e-test": "webhook-disallow" });

describe("webhook", () => {
  const reviewers = admissionReviewers("sidecar:1");
  /** What is answered: a patch in clear, why it was denied, or true. */
  const rows: readonly [path: string, request: Fields, answer: unknown][] = [
    ["/always-deny", {}, "this webhook denies all requests"],
    [
      "/add-label",
      { object: {} },
      [{ op: "add", path: "/metadata/labels", value: { "added-label": "yes" } }],
    ],
    [
      "/add-label",
      { object: labelled({ a: "b" }) },
      [{ op: "add", path: "/metadata/labels/added-label", value: "yes" }],
    ],
    [
      "/add-label",
      { object: labelled({ "added-label": "no" }) },
      [{ op: "replace", path: "/metadata/labels/added-label", value: "yes" }],
    ],
    ["/add-label", { object: labelled({ "added-label": "yes" }) }, true],
    ["/pods", { object: { ...disallowed, spec: { containers: [] } } }, "the pod contains unwanted label;"],
    [
      "/pods",
      { object: { spec: { containers: [{ name: "webhook-disallow-1" }] } } },
      "the pod contains unwanted container name;",
    ],
    ["/pods", { object: { spec: { containers: [{ name: "fine" }] } } }, true],
    [
      "/pods/attach",
      { name: "to-be-attached-pod", object: { stdin: true, container: "container1" } },
      "attaching to pod 'to-be-attached-pod' is not allowed",
    ],
    ["/pods/attach", { name: "to-be-attached-pod", object: { container: "container1" } }, true],
    ["/mutating-pods", { object: { metadata: { name: "another" } } }, true],
    [
      "/mutating-pods-sidecar",
      { object: { spec: { containers: [] } } },
      [
        {
          op: "add",
          path: "/spec/containers/-",
          value: { image: "sidecar:1", name: "webhook-added-sidecar", resources: {} },
        },
      ],
    ],
    [
      "/configmaps",
      { operation: "CREATE", object: marked("webhook-disallow") },
      "the configmap contains unwanted key and value",
    ],
    ["/configmaps", { operation: "DELETE", oldObject: marked("webhook-disallow") }, true],
    [
      "/custom-resource",
      { operation: "DELETE", oldObject: marked("webhook-nondeletable") },
      "the custom resource cannot be deleted because it contains unwanted key and value",
    ],
    [
      "/mutating-configmaps",
      { object: { data: { "mutation-start": "yes" } } },
      [{ op: "add", path: "/data/mutation-stage-1", value: "yes" }],
    ],
    [
      "/mutating-custom-resource",
      { object: { data: { "mutation-start": "yes", "mutation-stage-1": "yes" } } },
      [{ op: "add", path: "/data/mutation-stage-2", value: "yes" }],
    ],
    ["/crd", { object: disallowed }, "the crd contains unwanted label"],
    ["/crd", { object: {} }, true],
  ];
  for (const [path, request, answer] of rows)
    test(`${path} ${JSON.stringify(request)}`, async () => {
      const response = fieldsOf(await reviewers[path]?.(request));
      assert.deepEqual(summed(response), answer);
    });

  function summed({ allowed, patch, status }: Fields): unknown {
    if (typeof patch === "string") return JSON.parse(Buffer.from(patch, "base64").toString());
    const { message, reason } = fieldsOf(status);
    return allowed === true ? true : (message ?? reason);
  }
});

describe("crd-conversion-webhook", () => {
  const one = { apiVersion: "stable.example.com/v1", kind: "T", hostPort: "h:80" };
  const two = { apiVersion: "stable.example.com/v2", kind: "T", host: "h", port: "80" };
  const rows: readonly [objects: readonly Fields[], version: string, answer: unknown][] = [
    [[one, one], "stable.example.com/v2", [two, two]],
    [[two], "stable.example.com/v1", [one]],
    [[{ ...one, hostPort: "h" }], "stable.example.com/v2", "invalid hostPort value `h`"],
    [[one], "stable.example.com/v3", 'unexpected conversion version "stable.example.com/v3"'],
    [
      [two],
      "stable.example.com/v2",
      "conversion from a version to itself should not call the webhook: stable.example.com/v2",
    ],
  ];
  for (const [objects, desiredAPIVersion, answer] of rows)
    test(`${JSON.stringify(objects)} to ${desiredAPIVersion}`, () => {
      const { convertedObjects, result } = convertAll({ objects, desiredAPIVersion });
      assert.deepEqual(convertedObjects ?? fieldsOf(result)["message"], answer);
    });
});
