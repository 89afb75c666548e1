import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openLog } from "#telemetry/log";
import type { JsonObject } from "../../json.ts";
import { ask, createNamespace, label } from "../../testing/client.ts";
import { openRig, type Rig } from "../../testing/rig.ts";
import { say } from "../../testing/say.ts";

let rig: Rig;

before(async () => {
  rig = await openRig({ log: openLog({ write: () => {}, level: "error" }) });
  await createNamespace(rig, "prod");
  await label(rig, "/api/v1/namespaces", "prod", { env: "prod" });
  await say(rig, "POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "default" } });
});

after(async () => await rig[Symbol.asyncDispose]());

const CONFIG_MAPS = {
  apiGroups: [""],
  apiVersions: ["v1"],
  operations: ["CREATE", "UPDATE"],
  resources: ["configmaps"],
};
const GROUP = "admissionregistration.k8s.io/v1";

/** Creates a policy or binding. */
async function make(object: { readonly kind: string; readonly [field: string]: unknown }): Promise<string> {
  const plural = `${object.kind.toLowerCase()}s`.replace(/ys$/, "ies");
  return await say(rig, "POST", `/apis/${GROUP}/${plural}`, { apiVersion: GROUP, ...object });
}

interface Given {
  readonly kind?: "Validating" | "Mutating";
  readonly spec: JsonObject;
  readonly binding?: JsonObject;
}

/** Runs `work` while a policy is bound. */
async function withPolicy(
  { kind = "Validating", spec, binding = {} }: Given,
  work: () => Promise<void>,
): Promise<void> {
  const policy = {
    kind: `${kind}AdmissionPolicy`,
    metadata: { name: "p" },
    spec: {
      matchConstraints: { resourceRules: [CONFIG_MAPS] },
      ...(kind === "Mutating" ? { reinvocationPolicy: "Never" } : {}),
      ...spec,
    },
  };
  const bound = {
    kind: `${kind}AdmissionPolicyBinding`,
    metadata: { name: "b" },
    spec: { policyName: "p", ...(kind === "Validating" ? { validationActions: ["Deny"] } : {}), ...binding },
  };
  const path = `/apis/${GROUP}/${kind.toLowerCase()}admissionpolic`;
  try {
    assert.equal(await make(policy), "created");
    assert.equal(await make(bound), "created");
    await work();
  } finally {
    await say(rig, "DELETE", `${path}ybindings/b`);
    await say(rig, "DELETE", `${path}ies/p`);
  }
}

let count = 0;
async function create(data: JsonObject, namespace = "default"): Promise<string> {
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `cm-${++count}`, namespace },
    data,
  };
  return await say(rig, "POST", `/api/v1/namespaces/${namespace}/configmaps`, object);
}

test("a policy refuses what its expression does not hold for, at once", async () => {
  await withPolicy({ spec: { validations: [{ expression: "object.data.size() <= 1" }] } }, async () => {
    assert.match(await create({ a: "1" }), /created/);
    const { stderr } = await rig.kubectl([
      "create",
      "configmap",
      "big",
      "--from-literal=a=1",
      "--from-literal=b=2",
    ]);
    assert.equal(
      stderr,
      "error: failed to create configmap: configmaps \"big\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.data.size() <= 1\n",
    );
  });
});

const MESSAGES: readonly (readonly [JsonObject, RegExp])[] = [
  [{ message: "too much" }, /denied request: too much$/],
  [
    { messageExpression: "'has ' + string(object.data.size())", message: "too much" },
    /denied request: has 2$/,
  ],
  [{ messageExpression: "'two\\nlines'", message: "too much" }, /denied request: too much$/],
  [{ messageExpression: "string(object.nope.x)", message: "too much" }, /denied request: too much$/],
  [
    { reason: "Forbidden", message: "no" },
    /^configmaps "cm-\d+" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no$/,
  ],
];

for (const [given, expected] of MESSAGES)
  test(`the message is ${JSON.stringify(given)}`, async () => {
    await withPolicy(
      { spec: { validations: [{ expression: "object.data.size() <= 1", ...given }] } },
      async () => {
        assert.match(await create({ a: "1", b: "2" }), expected);
      },
    );
  });

test("an expression that cannot be evaluated follows the failure policy", async () => {
  const validations = [{ expression: "object.data.nope == 'x'" }];
  await withPolicy({ spec: { validations } }, async () => {
    assert.match(
      await create({ a: "1" }),
      /expression 'object\.data\.nope == 'x'' resulted in error: no such key: nope/,
    );
  });
  await withPolicy({ spec: { validations, failurePolicy: "Ignore" } }, async () => {
    assert.match(await create({ a: "1" }), /created/);
  });
});

test("an expression that takes too long refuses", async () => {
  const row = "[0,1,2,3,4,5,6,7,8,9]";
  const expression = `${row}.all(a, ${row}.all(b, ${row}.all(c, ${row}.all(d, ${row}.all(e, ${row}.all(f, true))))))`;
  await withPolicy({ spec: { validations: [{ expression }] } }, async () => {
    assert.match(
      await create({ a: "1" }),
      /denied request: .*(cost limit exceeded|running out of cost budget)/,
    );
  });
});

test("variables are shared, conditions and selectors narrow, warnings warn", async () => {
  const spec = {
    variables: [
      { name: "size", expression: "object.data.size()" },
      { name: "isBig", expression: "variables.size > 1" },
    ],
    matchConditions: [{ name: "named", expression: "object.metadata.name.startsWith('cm')" }],
    validations: [{ expression: "!variables.isBig", message: "big" }],
  };
  const binding = {
    validationActions: ["Warn"],
    matchResources: { namespaceSelector: { matchLabels: { env: "prod" } } },
  };
  await withPolicy({ spec, binding }, async () => {
    assert.equal(await create({ a: "1", b: "2" }), "created");
    assert.match(
      await create({ a: "1", b: "2" }, "prod"),
      /Warning: Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': big\ncreated$/,
    );
  });
});

test("the request, the namespace and the authorizer are known", async () => {
  const validations = [
    {
      expression:
        "request.operation == 'CREATE' && request.kind.kind == 'ConfigMap' && request.userInfo.username == 'admin'",
    },
    { expression: "namespaceObject.metadata.labels.env == 'prod'" },
    {
      expression:
        "authorizer.requestResource.check('delete').allowed() && authorizer.group('').resource('pods').namespace('prod').check('get').allowed()",
    },
    {
      expression:
        "!authorizer.serviceAccount('prod', 'default').group('').resource('secrets').check('get').allowed()",
    },
    { expression: "oldObject == null && request.dryRun == false" },
  ];
  await withPolicy({ spec: { validations } }, async () => {
    assert.match(await create({ a: "1" }, "prod"), /created/);
    assert.match(
      await create({ a: "1" }),
      /expression 'namespaceObject.*' resulted in error: no such key: env/,
    );
  });
});

test("parameters come by name or by labels", async () => {
  const limits = { metadata: { name: "limits", labels: { use: "limits" } }, data: { most: "1" } };
  await say(rig, "POST", "/api/v1/namespaces/default/configmaps", limits);
  const spec = {
    paramKind: { apiVersion: "v1", kind: "ConfigMap" },
    validations: [
      {
        expression: "object.data.size() <= int(params.data.most)",
        messageExpression: "'more than ' + params.data.most",
      },
    ],
  };
  const named = { paramRef: { name: "limits", namespace: "default", parameterNotFoundAction: "Deny" } };
  await withPolicy({ spec, binding: named }, async () => {
    assert.match(await create({ a: "1", b: "2" }, "prod"), /denied request: more than 1/);
    assert.match(await create({ a: "1" }, "prod"), /created/);
  });
  const selected = {
    paramRef: { selector: { matchLabels: { use: "limits" } }, parameterNotFoundAction: "Deny" },
  };
  await withPolicy({ spec, binding: selected }, async () => {
    assert.match(await create({ a: "1", b: "2" }), /denied request: more than 1/);
    assert.match(
      await create({ a: "1" }, "prod"),
      /denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction/,
    );
  });
  const allowed = { paramRef: { name: "nope", parameterNotFoundAction: "Allow" } };
  await withPolicy({ spec, binding: allowed }, async () =>
    assert.match(await create({ a: "1", b: "2" }), /created/),
  );
});

test("a kind of parameters that nobody serves is the policy's fault", async () => {
  const spec = {
    paramKind: { apiVersion: "rules.example.com/v1", kind: "Limit" },
    validations: [{ expression: "params == null" }],
  };
  const binding = { paramRef: { name: "x", parameterNotFoundAction: "Deny" } };
  await withPolicy({ spec, binding }, async () => {
    assert.match(
      await create({ a: "1" }),
      /ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'rules\.example\.com\/v1, Kind=Limit'/,
    );
  });
});

test("a policy without a binding does nothing", async () => {
  await make({
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "alone" },
    spec: { matchConstraints: { resourceRules: [CONFIG_MAPS] }, validations: [{ expression: "false" }] },
  });
  assert.match(await create({ a: "1" }), /created/);
  const { stdout } = await rig.kubectl(["get", "validatingadmissionpolicies"]);
  assert.match(stdout, /NAME +VALIDATIONS +PARAMKIND +AGE\nalone +1 +<unset> +\d+s/);
  await say(rig, "DELETE", `/apis/${GROUP}/validatingadmissionpolicies/alone`);
});

test("a mutating policy applies a configuration and patches", async () => {
  const spec = {
    variables: [{ name: "who", expression: "request.userInfo.username" }],
    mutations: [
      {
        patchType: "ApplyConfiguration",
        applyConfiguration: {
          expression:
            "Object{metadata: Object.metadata{labels: {'by': variables.who}}, data: {'extra': 'yes'}}",
        },
      },
      {
        patchType: "JSONPatch",
        jsonPatch: {
          expression:
            "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('example.com/n'), value: string(object.data.size())}]",
        },
      },
    ],
  };
  await withPolicy({ kind: "Mutating", spec }, async () => {
    assert.match(await create({ a: "1" }), /created/);
    const { body } = await ask(rig, "GET", `/api/v1/namespaces/default/configmaps/cm-${count}`);
    const { metadata, data } = body;
    assert.deepEqual(metadata.labels, { by: "admin", "example.com/n": "2" });
    assert.deepEqual(data, { a: "1", extra: "yes" });
  });
});

test("lists are merged by their keys, and a wrong type name is refused", async () => {
  const pods = {
    resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
  };
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "mutated" },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  const mutation = (expression: string) => ({
    matchConstraints: pods,
    mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
  });
  await withPolicy({ kind: "Mutating", spec: mutation("Object{spec: Object.wrong{}}") }, async () => {
    assert.match(
      await say(rig, "POST", "/api/v1/namespaces/default/pods", pod),
      /unexpected type name \\?"Object\.wrong\\?", expected \\?"Object\.spec\\?"/,
    );
  });
  const sidecar =
    "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'side', image: 'side:1', restartPolicy: 'Always'}]}}";
  await withPolicy({ kind: "Mutating", spec: mutation(sidecar) }, async () => {
    assert.match(await say(rig, "POST", "/api/v1/namespaces/default/pods", pod), /created/);
    const { body } = await ask(rig, "GET", "/api/v1/namespaces/default/pods/mutated");
    const { initContainers, containers } = body.spec;
    assert.deepEqual(
      [initContainers[0].name, initContainers[0].imagePullPolicy, containers[0].name],
      ["side", "IfNotPresent", "c"],
    );
    assert.equal(initContainers[0].volumeMounts.length, 1);
  });
});

/** Policies that are refused. */
const REFUSED: readonly (readonly [JsonObject, RegExp])[] = [
  [
    { validations: [] },
    /spec\.validations: Required value: validations or auditAnnotations must contain at least one item/,
  ],
  [
    { validations: [{ expression: "object.x > " }] },
    /spec\.validations\[0\]\.expression: Invalid value: "object\.x > ": compilation failed: ERROR: <input>:1:12: Syntax error/,
  ],
  [{ validations: [{ expression: "'a'" }] }, /must evaluate to bool/],
  [{ validations: [{ expression: "params.x == 1" }] }, /undeclared reference to 'params'/],
  [{ validations: [{ expression: "variables.x == 1" }] }, /undefined field 'x'/],
  [{ validations: [{ expression: "request.nope == 1" }] }, /undefined field 'nope'/],
  [
    { variables: [{ name: "a-b", expression: "1" }], validations: [{ expression: "true" }] },
    /must be a valid CEL identifier/,
  ],
  [
    { validations: [{ expression: "true", reason: "Because" }] },
    /spec\.validations\[0\]\.reason: Unsupported value: "Because"/,
  ],
  [{ validations: [{ expression: "true", messageExpression: "1" }] }, /must evaluate to string/],
];

for (const [spec, expected] of REFUSED)
  test(`a policy is refused: ${JSON.stringify(spec)}`, async () => {
    const said = await make({
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "refused" },
      spec: { matchConstraints: { resourceRules: [CONFIG_MAPS] }, ...spec },
    });
    assert.match(said, expected);
  });

test("a binding is refused that denies and warns", async () => {
  const said = await make({
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "refused" },
    spec: { policyName: "p", validationActions: ["Deny", "Warn"] },
  });
  assert.match(said, /must not contain both Deny and Warn/);
});
