/** What a user gets wrong, by the very commands they type: each is answered with a sentence that says what to do, and nothing
 *  that was there is lost. One lab of one server. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LAB_ROOTS } from "#lab/layout";
import {
  ADDRESS,
  assertSentence,
  assertUnharmed,
  leftOf,
  line,
  onServer,
  PROGRAM,
  runOnServer,
} from "./answers.ts";
import { Lab, launcher, type Ran, removeStaleLabs, run } from "./lab.ts";

const lab = new Lab();
const DEFAULT_API_PORT = 6443;
let output = "";

before(async () => {
  removeStaleLabs();
  // Taken, by us or by somebody: `up` has to choose another.
  const taken = createServer();
  await Promise.race([
    once(taken.listen(DEFAULT_API_PORT, "127.0.0.1"), "listening"),
    once(taken, "error"),
  ]).catch(() => {});
  const ran = lab.twill("up");
  taken.close();
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
  output = ran.out;
});
after(() => {
  lab.down();
});

test("a default port that is taken is told, and another is used", () => {
  const port = /^Port 6443 is taken; using (\d+) instead \(--api-port\)$/m.exec(output)?.[1];
  assert.ok(port, output);
  assert.match(output, new RegExp(`the API answers on https://127\\.0\\.0\\.1:${port}$`, "m"));
});

for (const words of [
  ["up", "--name", "t0nobody"],
  ["down", "--name", "t0nobody"],
  ["server", "--data-dir", "/tmp/t0nobody"],
  ["agent", "--server", "https://192.0.2.1:6443", "--token", "secret", "--data-dir", "/tmp/t0nobody"],
]) {
  test(`${words[0]} without root says what to do`, () => {
    const ran = run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", launcher, ...words]);
    assertSentence(ran, 1, /^Cannot [^\n]*sudo\n$/);
    assert.deepEqual([...leftOf("t0nobody"), existsSync("/tmp/t0nobody")], [false]);
  });
}

test("help and the version need no root; a lab's kubeconfig does, and that is said", () => {
  const asNobody = (...words: readonly string[]) =>
    run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", launcher, ...words]);
  assert.match(asNobody("help").out, /^Usage: /);
  assert.match(asNobody("--version").out, /^twill v/);
  assertSentence(asNobody("kubectl", "--name", lab.name, "get", "nodes"), 1, /belongs to root.*sudo/);
});

const NAME = `t${process.pid}x`;
const usage: readonly (readonly [words: string, says: RegExp])[] = [
  ["nonsense", /There is no command "nonsense"[\s\S]*Usage:/],
  [`up --name ${NAME} --nodes 0`, /--nodes: "0" is not a number of nodes \(1 to 100\)/],
  [`up --name ${NAME} --nodes x`, /--nodes: "x"/],
  [`up --name ${NAME} --nodes 101`, /--nodes: "101"/],
  [`up --name ${NAME} --nodes`, /--nodes needs a value/],
  ["up --name A_B", /Cannot call a lab "A_B" \(--name\)/],
  ["up --name ../x", /Cannot call a lab "\.\.\/x" \(--name\)/],
  [
    `up --name ${NAME} --colour --cluster-cidr 10.0.0.0/33 --node-ip 300.1.1.1`,
    /--colour[\s\S]*--cluster-cidr[\s\S]*--node-ip/,
  ],
  [`up --name ${NAME} --no-flannel`, /--no-flannel is gone/],
  [`up --name ${NAME} --api-port 70000`, /--api-port: "70000" is not a port/],
  ["down --name A_B", /Cannot call a lab "A_B"/],
  ["down please", /please is not a flag of down/],
  ["token", /expected the word create/],
  ["token destroy", /expected the word create, not "destroy"/],
  ["token create --ttl soon", /--ttl soon/],
  [
    `server --data-dir /tmp/${NAME} --cluster-cidr 10.42.0.1/16 --service-cidr x --node-name A`,
    /--cluster-cidr[\s\S]*--service-cidr|--node-name[\s\S]*--cluster-cidr/,
  ],
  [`agent --data-dir /tmp/${NAME}`, /--server is required[\s\S]*--token is required/],
  [
    `agent --data-dir /tmp/${NAME} --server http://192.0.2.1:6443 --token t`,
    /--server: "http:\/\/192\.0\.2\.1:6443".*https:/,
  ],
];
for (const [words, says] of usage) {
  test(`${words.replace(NAME, "NAME")} is a wrong use, and makes nothing`, () => {
    assertSentence(run(launcher, words.split(" ")), 2, says);
    assert.deepEqual([...leftOf(NAME), existsSync(`/tmp/${NAME}`)], [false]);
  });
}

for (const words of [
  "up --help",
  "up -h",
  "down -h",
  "server --help",
  "token --help",
  "help",
  "--help",
  "--version",
]) {
  test(`${words} is answered`, () => {
    const ran = run(launcher, words.split(" "));
    assert.equal(ran.code, 0);
    assert.match(ran.out, /Usage:|^twill v/);
  });
}

test("a cluster that is not there is told, with those that are", () => {
  assertSentence(
    run(launcher, ["kubectl", "--name", NAME, "get", "nodes"]),
    1,
    new RegExp(`there is no lab "${NAME}"; make one with.*${lab.name}`),
  );
  assertSentence(run(launcher, ["kubectl", "--name"]), 1, /Cannot call a lab ""/);
  assertSentence(run(launcher, ["token", "create", "--name", NAME]), 1, /there is no lab/);
  const down = run(launcher, ["down", "--name", NAME]);
  assert.equal(down.code, 0);
  assert.match(down.out, new RegExp(`There is no lab "${NAME}"; there is: .*${lab.name}`));
});

for (const flag of ["--api-port", "--page-port"]) {
  test(`${flag} with a port that is taken is refused, and makes nothing`, async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    assertSentence(
      run(launcher, ["up", "--name", NAME, flag, `${port}`]),
      1,
      new RegExp(`Cannot use ${flag} ${port}: another program`),
    );
    assert.deepEqual(leftOf(NAME), []);
    taken.close();
  });
}

test("one port for two things is refused", () => {
  const ran = run(launcher, ["up", "--name", NAME, "--api-port", "39999", "--page-port", "39999"]);
  assertSentence(ran, 1, /Cannot use --page-port 39999: the lab itself needs/);
  assert.deepEqual(leftOf(NAME), []);
});

test("a second up, with whatever else, is refused and changes nothing", () => {
  for (const words of [[], ["--nodes", "2"], ["--cluster-cidr", "10.99.0.0/16"]])
    assertSentence(
      lab.twill("up", ...words),
      1,
      new RegExp(`it is up already.*twill down --name ${lab.name}`),
    );
  assertUnharmed(lab);
});

test("two commands on one lab at once: the later one is refused", async () => {
  const first = spawn(launcher, ["up", "--name", NAME], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    await line(first.stdout, /checked this machine/);
    assertSentence(run(launcher, ["down", "--name", NAME]), 1, /another \.\/twill up or down is at work/);
    first.stdout.resume();
    assert.deepEqual(await once(first, "exit"), [0, null]);
  } finally {
    assert.equal(run(launcher, ["down", "--name", NAME]).code, 0);
  }
  assert.deepEqual(leftOf(NAME), []);
});

// What follows runs in the namespaces of the lab's server.

function second(...words: readonly string[]): Ran {
  return runOnServer(lab, [
    ...PROGRAM,
    "server",
    "--node-name",
    "second",
    "--node-ip",
    ADDRESS,
    "--write-kubeconfig",
    "/run/second.yaml",
    ...words,
  ]);
}

for (const [what, words, says] of [
  [
    "on the first one's port",
    ["--data-dir", "/var/lib/second"],
    /^Cannot listen on port 6443 \(--https-listen-port\): another program has it; stop that, or choose another port\n$/,
  ],
  [
    "on the first one's data",
    ["--https-listen-port", "7443"],
    /Cannot open the store .*state\.db: another process has it open.*--data-dir/,
  ],
  [
    "on an address of another machine",
    ["--bind-address", "192.0.2.9", "--data-dir", "/var/lib/second"],
    /--bind-address.*does not have that address/,
  ],
  ["with a file as its folder", ["--data-dir", "/etc/passwd"], /Cannot .*\/etc\/passwd.*not a folder/],
  [
    "with another token than it was made with",
    ["--data-dir", "/var/lib/rancher/k3s", "--token", "another"],
    /made with another one/,
  ],
  ["with a config file that is not there", ["--config", "/nowhere.yaml"], /\/nowhere\.yaml: it is not there/],
] as const) {
  test(`a second server ${what} says what to do, and the first goes on`, () => {
    const ran = second(...words);
    assertSentence(ran, what.includes("config") ? 2 : 1, says);
    assertUnharmed(lab);
  });
}

for (const [text, says] of [
  ["node-name: a\ntoken: [a\n", /config file \/etc\/rancher\/k3s\/config\.yaml: .* at line 3, column 1/],
  [
    "debug: true\n\nnode-label: {a: b}\ncluster-cidr: 10.0.0.0/33\n",
    /node-label in \/etc\/rancher\/k3s\/config\.yaml, line 3: [\s\S]*cluster-cidr in .*, line 4: /,
  ],
] as const) {
  test(`a broken config file is named with its line: ${JSON.stringify(text)}`, () => {
    const file = join(LAB_ROOTS.state, lab.name, "nodes", lab.node("server"), "etc/rancher/k3s/config.yaml");
    writeFileSync(file, text);
    try {
      assertSentence(runOnServer(lab, [...PROGRAM, "server", "--node-name", "second"]), 2, says);
    } finally {
      rmSync(file);
    }
  });
}

function agent(env: Readonly<Record<string, string>>, ...words: readonly string[]) {
  const name = words.includes("--node-name") ? [] : ["--node-name", "stranger"];
  const common = [
    "--node-ip",
    ADDRESS,
    "--data-dir",
    "/var/lib/stranger",
    "--server",
    `https://${ADDRESS}:6443`,
  ];
  return onServer(lab, [...PROGRAM, "agent", ...common, ...name, ...words], env);
}

function joining(token: string, ...words: readonly string[]): Ran {
  const inside = agent({ K3S_TOKEN: token }, ...words);
  const ran = run("nsenter", inside.words, inside.options);
  const secret = token.split("::").at(-1) ?? token;
  assert.equal(`${ran.out}${ran.err}`.includes(secret), false, "the token is told");
  return ran;
}

function nodeToken(): string {
  return runOnServer(lab, ["cat", "/var/lib/rancher/k3s/server/node-token"]).out.trim();
}

for (const [what, token, says] of [
  ["a wrong password", "K10HASH::node:wrongwrongwrong", /not authorized: .*server\/node-token/],
  ["a bare wrong password", "wrongwrongwrong", /not authorized: .*server\/node-token/],
  [
    "another cluster's CA",
    `K10${"0".repeat(64)}::node:sesamesesame`,
    /does not match the Cluster CA[\s\S]*server\/node-token/,
  ],
  ["a token cut short", "K10abcdefabcdef::node:sesamesesame", /CA hash has 12 digits instead of 64/],
  ["a token without its password", "K10HASH::sesamesesame", /there must be user:password/],
  ["an unknown bootstrap token", "abcdef.0123456789abcdef", /abcdef is unknown.*twill token create/],
] as const) {
  test(`${what} is refused with what to do, and never shown`, () => {
    const hash = /^K10([0-9a-f]+)::/.exec(nodeToken())?.[1] ?? "";
    assertSentence(joining(token.replace("HASH", hash)), 1, says);
  });
}

test("a token that has run out is refused with how to make another", () => {
  const made = lab.twill("token", "create", "--ttl", "1h");
  assert.match(made.out, /^K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}\n$/);
  const id = /::([a-z0-9]{6})/.exec(made.out)?.[1];
  // Its end, brought forward: waiting for it would be a sleep.
  const past = Buffer.from("2001-01-01T00:00:00Z").toString("base64");
  lab.kubectl(
    "-n",
    "kube-system",
    "patch",
    "secret",
    `bootstrap-token-${id}`,
    "-p",
    JSON.stringify({ data: { expiration: past } }),
  );
  // Where the controller was quicker there is no such token any more.
  assertSentence(joining(made.out.trim()), 1, /(?:expired at 2001|or has expired).*twill token create/);
});

test("a name that another machine holds is refused with what to do", () => {
  const bare = `mkdir -p /run/bare && mount --bind /run/bare /etc/rancher/node && exec "$@"`;
  const inside = agent({ K3S_TOKEN: nodeToken() }, "--node-name", lab.node("server"));
  const at = inside.words.indexOf(process.execPath);
  const words = [
    ...inside.words.slice(0, at),
    "unshare",
    "--mount",
    "sh",
    "-c",
    bare,
    "sh",
    ...inside.words.slice(at),
  ];
  assertSentence(
    run("nsenter", words, inside.options),
    1,
    /already registered with another password.*--node-name/,
  );
  assertUnharmed(lab);
});

test("a server that is away is waited for, said once; SIGTERM ends that at once", async () => {
  const inside = agent({ K3S_TOKEN: "sesame" });
  const words = inside.words.map((word) => word.replace(":6443", ":6555"));
  const child = spawn("nsenter", words, { ...inside.options, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  await line(child.stderr, /waiting for the server/);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.ok(code === 0 || code === 130, `${code}`);
  assert.match(said, /^\S+ WARN {2}waiting for the server; will keep trying .*:6555[^\n]*\n$/);
});
