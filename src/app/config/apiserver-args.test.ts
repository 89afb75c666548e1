import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readServerConfig } from "./read-config.ts";

const directory = mkdtempSync(join(tmpdir(), "args-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const policy = file("policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n");

function read(...args: string[]) {
  const config = file("config.yaml", "");
  return readServerConfig(
    ["--node-name=n1", `--config=${config}`, ...args.map((arg) => `--kube-apiserver-arg=${arg}`)],
    {},
  );
}

function problems(...args: string[]): readonly string[] {
  const reading = read(...args);
  return reading.kind === "bad" ? reading.problems : [];
}

test("the arguments that mean something are taken", () => {
  const reading = read(
    "anonymous-auth=false",
    "--api-audiences=a,b",
    "authorization-mode=RBAC,Node",
    "service-account-max-token-expiration=1h30m",
    "service-account-extend-token-expiration=false",
    `audit-policy-file=${policy}`,
    "audit-log-path=audit.log",
    "audit-log-maxage=30",
    "audit-log-maxbackup=3",
    "audit-log-maxsize=50",
    "audit-log-format=json",
  );
  assert.equal(reading.kind, "good");
  if (reading.kind !== "good") return;
  const { anonymous, tokens, audit } = reading.config.apiServer;
  assert.equal(anonymous, "nobody");
  assert.deepEqual(
    [tokens.audiences, tokens.maxExpirationSeconds, tokens.extendsExpiration],
    [["a", "b"], 5400, false],
  );
  assert.deepEqual(audit?.file, {
    path: join(process.cwd(), "audit.log"),
    maxAgeDays: 30,
    maxBackups: 3,
    maxSizeMb: 50,
  });
  assert.equal(audit?.policy.rules[0]?.level, "Metadata");
  const plain = read();
  assert.equal(plain.kind === "good" ? plain.config.apiServer.anonymous : "bad", undefined);
});

const bad: readonly (readonly [string, RegExp])[] = [
  [
    "etcd-servers=x",
    /^--kube-apiserver-arg: etcd-servers is not an argument that Twill acts on; it knows anonymous-auth, api-audiences, /,
  ],
  [
    "anonymus-auth=true",
    /anonymus-auth is not an argument that Twill acts on; did you mean anonymous-auth\?/,
  ],
  ["anonymous-auth=maybe", /^--kube-apiserver-arg=anonymous-auth: "maybe" is not true or false/],
  [
    "authorization-mode=AlwaysAllow",
    /^--kube-apiserver-arg=authorization-mode: "AlwaysAllow" is not what Twill does/,
  ],
  ["audit-log-format=legacy", /audit-log-format: "legacy" is not a format/],
  ["audit-log-maxage=soon", /audit-log-maxage: "soon" is not a whole number/],
  ["audit-policy-file=/nowhere", /^--kube-apiserver-arg=audit-policy-file: ENOENT/],
  ["service-account-max-token-expiration=5m", /5m is not between 1h and 2\^32 seconds/],
  [`service-account-key-file=${policy}`, /holds no key in PEM form/],
];
for (const [arg, message] of bad)
  test(`${arg.slice(0, 40)} is refused by its name`, () => {
    const [problem = ""] = problems(arg);
    assert.match(problem, message);
  });

test("a policy that is none is refused by what is wrong with it", () => {
  const broken = file("broken.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]\n");
  const [problem = ""] = problems(`audit-policy-file=${broken}`);
  assert.match(
    problem,
    /^--kube-apiserver-arg=audit-policy-file: Cannot use the audit policy: rules\[0\]\.level/,
  );
});
