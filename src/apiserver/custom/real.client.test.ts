import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, type Line } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { DEFINITIONS, hasCondition, until } from "./testing/definition.ts";

/** Definitions as other projects publish them, a folder each: fetched, not kept here. */
const FOLDER = fileURLToPath(new URL("../../../.twill/definitions", import.meta.url));
const has = (project: string) => existsSync(join(FOLDER, project));

let rig: Rig;
before(async () => {
  rig = await openRig();
});
after(async () => await rig[Symbol.asyncDispose]());

async function load(project: string): Promise<void> {
  const applied = await rig.kubectl([
    "apply",
    "--server-side",
    "--force-conflicts",
    "-f",
    join(FOLDER, project),
  ]);
  assert.equal(applied.code, 0, applied.stderr);
  await until(rig, DEFINITIONS, ({ body }) =>
    body.items.every((each: Line) => hasCondition(each, "Established", "True")),
  );
}

const post = async (path: string, body: object) =>
  await ask(rig, "POST", `${path}?fieldValidation=Strict`, { body });

interface Example {
  readonly project: string;
  readonly path: string;
  readonly right: { readonly apiVersion: string; readonly kind: string; readonly spec: object };
  /** Each: what it changes of the right one's spec, and how it is refused. */
  readonly wrong: readonly (readonly [object, RegExp])[];
}

const gateway = (project: string): Example => ({
  project,
  path: "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes",
  right: {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    spec: {
      parentRefs: [{ name: "gw" }],
      hostnames: ["a.example.com", "*.example.com"],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/x" } }],
          filters: [
            {
              type: "RequestRedirect",
              requestRedirect: { scheme: "https", statusCode: 301 },
            },
          ],
        },
      ],
    },
  },
  wrong: [
    [
      { hostnames: ["not a host"] },
      /spec.hostnames\[0\]: Invalid value: "not a host": spec.hostnames\[0\] in body should match/,
    ],
    [
      { rules: [{ matches: [{ path: { type: "PathPrefix", value: "x" } }] }] },
      /value must be an absolute path and start with '\/'/,
    ],
    [
      { rules: [{ filters: [{ type: "RequestRedirect" }] }] },
      /filter.requestRedirect must be specified for RequestRedirect filter.type/,
    ],
    [
      { rules: [{ matches: [{ method: "SEND" }] }] },
      /spec.rules\[0\].matches\[0\].method: Unsupported value: "SEND": supported values: "GET"/,
    ],
    [{ rules: [{ backendRefs: [{ name: "svc" }] }] }, /Must have port for Service reference/],
  ],
});

const examples: readonly Example[] = [
  gateway("gateway-standard"),
  gateway("gateway-experimental"),
  {
    project: "cert-manager",
    path: "/apis/cert-manager.io/v1/namespaces/default/certificates",
    right: {
      apiVersion: "cert-manager.io/v1",
      kind: "Certificate",
      spec: {
        secretName: "s",
        dnsNames: ["a.example.com"],
        issuerRef: { name: "i", kind: "Issuer" },
        duration: "24h",
      },
    },
    wrong: [
      [{ secretName: undefined }, /spec.secretName: Required value/],
      [
        { privateKey: { algorithm: "DSA" } },
        /spec.privateKey.algorithm: Unsupported value: "DSA": supported values: "RSA", "ECDSA", "Ed25519"/,
      ],
      [{ dnsName: "x" }, /unknown field "spec.dnsName"/],
    ],
  },
  {
    project: "metallb",
    path: "/apis/metallb.io/v1beta1/namespaces/default/ipaddresspools",
    right: {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      spec: { addresses: ["192.0.2.0/24", "2001:db8::/64"], autoAssign: false },
    },
    wrong: [
      [{ addresses: undefined }, /spec.addresses: Required value/],
      [{ autoAssign: "yes" }, /spec.autoAssign in body must be of type boolean: "string"/],
    ],
  },
  {
    project: "traefik",
    path: "/apis/traefik.io/v1alpha1/namespaces/default/ingressroutes",
    right: {
      apiVersion: "traefik.io/v1alpha1",
      kind: "IngressRoute",
      spec: {
        entryPoints: ["web"],
        routes: [
          {
            match: "Host(`a`)",
            kind: "Rule",
            services: [
              { name: "s", port: 80 },
              { name: "t", port: "http" },
            ],
          },
        ],
      },
    },
    wrong: [
      [{ routes: [{ kind: "Rule" }] }, /spec.routes\[0\].match: Required value/],
      [
        { routes: [{ match: "x", kind: "Other" }] },
        /spec.routes\[0\].kind: Unsupported value: "Other": supported values: "Rule"/,
      ],
      [
        { routes: [{ match: "x", services: [{ name: "s", port: true }] }] },
        /services\[0\].port in body must be of type integer,string: "boolean"/,
      ],
    ],
  },
  {
    project: "k3s",
    path: "/apis/helm.cattle.io/v1/namespaces/default/helmcharts",
    right: {
      apiVersion: "helm.cattle.io/v1",
      kind: "HelmChart",
      spec: { chart: "stable/x", set: { a: "b", n: 1 }, valuesContent: "a: b" },
    },
    wrong: [[{ set: { a: { b: 1 } } }, /spec.set.a/]],
  },
];

for (const { project, path, right, wrong } of examples)
  test(`the definitions of ${project} load, take what is right and refuse what is not`, {
    skip: !has(project),
  }, async () => {
    await load(project);
    const name = `example-${project}`;
    const made = await post(path, { ...right, metadata: { name } });
    assert.equal(made.code, 201, made.text);
    for (const [change, message] of wrong) {
      const spec = { ...right.spec, ...change };
      const refused = await post(path, { ...right, metadata: { name: "wrong" }, spec });
      assert.ok(refused.code === 422 || refused.code === 400, refused.text);
      assert.match(refused.body.message, message);
    }
    const plural = path.slice(path.lastIndexOf("/") + 1);
    const got = await rig.kubectl(["get", `${plural}.${right.apiVersion.split("/")[0]}`, name]);
    assert.match(got.stdout, new RegExp(name));
    const explained = await rig.kubectl(["explain", `${plural}.spec`]);
    assert.equal(explained.code, 0, explained.stderr);
  });
