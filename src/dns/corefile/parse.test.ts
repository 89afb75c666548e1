import assert from "node:assert/strict";
import { test } from "node:test";
import { planSites } from "../plan.ts";
import { parseAddress } from "./address.ts";
import { CorefileFault } from "./fault.ts";
import { type Corefile, type Directive, parseCorefile } from "./parse.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/coredns/custom/a.override": "log\n",
  "/etc/coredns/custom/b.override": "whoami\n",
  "/etc/coredns/custom/x.server": "example.org {\n  whoami\n}\n",
  "/etc/coredns/loop": "import loop\n",
};

function parse(text: string, env: Record<string, string> = {}): Corefile {
  return parseCorefile(text, "/etc/coredns/Corefile", {
    env,
    readFile: (path) => {
      const found = FILES[path];
      if (found === undefined) throw new Error("no such file");
      return found;
    },
    listFolder: (path) =>
      Object.keys(FILES)
        .filter((file) => file.startsWith(`${path}/`))
        .map((file) => file.slice(path.length + 1)),
  });
}

/** `keys: name args { name args }` of each block. */
function show(corefile: Corefile): string[] {
  const line = ({ name, args, body }: Directive): string =>
    [name, ...args, ...(body.length ? [`{ ${body.map(line).join("; ")} }`] : [])].join(" ");
  return corefile.blocks.map(
    ({ keys, directives }) => `${keys.join(",")}: ${directives.map(line).join("; ")}`,
  );
}

const good: readonly [string, string, string[]][] = [
  ["one block", ".:53 {\n whoami\n}\n", [".:53: whoami"]],
  ["no braces", ".:53\nwhoami\nlog\n", [".:53: whoami; log"]],
  ["commas go on", "a.org,\nb.org c.org {\n whoami\n}", ["a.org,b.org,c.org: whoami"]],
  ["a block in a block", ". {\n cache 30 {\n  success 10 # note\n }\n}", [".: cache 30 { success 10 }"]],
  ["quotes", '. {\n log "a b" "c \\" d"\n}', ['.: log a b c " d']],
  ["a quote inside a word", '. {\n log a"b\n}', ['.: log a"b']],
  ["environment", ". {\n forward . {$UP} {%UP%} {$NONE}x\n}", [".: forward . 1.1.1.1 1.1.1.1 x"]],
  ["snippets", "(s) {\n errors\n}\n. {\n import s\n}", [".: errors"]],
  [
    "globs",
    ". {\n import custom/*.override\n}\nimport custom/*.server",
    [".: log; whoami", "example.org: whoami"],
  ],
  ["a byte order mark", "\uFEFF.:53 {\n}\n", [".:53: "]],
  ["carriage returns", ".:53 {\r\n whoami\r\n}\r\n", [".:53: whoami"]],
];
for (const [what, text, want] of good) {
  test(`Corefile with ${what}`, () => assert.deepEqual(show(parse(text, { UP: "1.1.1.1" })), want));
}

test("an import that matches nothing only warns", () => {
  assert.deepEqual(parse(". {\n import nowhere/*.override\n}").warnings, [
    "No files matching import glob pattern: nowhere/*.override",
  ]);
});

const bad: readonly [string, string, RegExp][] = [
  ["no closing brace", ". {\n whoami\n", /Corefile:1 - .*never closed/],
  ["a brace too many", ".\nwhoami\n}\n", /Corefile:3 - .*'}'/],
  [
    "an unknown plugin",
    ".:53 {\n errors\n nonsense\n}",
    /Corefile:3 - Error during parsing: Unknown directive 'nonsense'/,
  ],
  ["a plugin twice", ". {\n cache\n cache\n}", /Corefile:3 - .*once per Server Block/],
  ["a zone twice", ".:53 {\n}\n.:53 {\n}", /Corefile:3 - .*already defined/],
  ["a missing import", ". {\n import gone\n}", /Corefile:2 - .*cannot import \/etc\/coredns\/gone/],
  ["import without argument", ". {\n import\n}", /Corefile:2 - .*exactly one/],
  ["import with two stars", ". {\n import c*/*\n}", /Corefile:2 - .*one '\*'/],
  [
    "a snippet twice",
    "(s) {\n}\n(s) {\n}\n. {\n}",
    /Corefile:3 - redeclaration|Corefile:3 - .*redeclaration/,
  ],
  ["endless imports", ". {\n import loop\n}", /imports itself/],
  [
    "an unknown property",
    ". {\n cache {\n  nonsense\n }\n}",
    /Corefile:3 - .*plugin\/cache: unknown property 'nonsense'/,
  ],
  ["a bad ttl", ". {\n hosts {\n  ttl x\n }\n}", /Corefile:3 - .*ttl has to be a whole number/],
  ["only reverse zones", ". {\n kubernetes in-addr.arpa\n}", /Corefile:2 - .*non-reverse zone/],
  ["a server that is none", ". {\n forward . nonsense\n}", /Corefile:2 - .*not an IP address or file/],
  ["forward without server", ". {\n forward .\n}", /Corefile:2 - .*at least one server/],
  ["another scheme", "https://. {\n}", /Corefile:1 - .*https:\/\/ is not served/],
];
for (const [what, text, message] of bad) {
  test(`Corefile with ${what} is refused`, () => {
    assert.throws(
      () => planSites(parse(text), { defaultPort: 53 }),
      (error) => error instanceof CorefileFault && message.test(error.message),
    );
  });
}

const addresses: readonly [string, string[]][] = [
  [".:53", [". 53"]],
  [".", [". 53"]],
  ["Example.ORG:1053", ["example.org. 1053"]],
  ["dns://example.org", ["example.org. 53"]],
  ["10.42.0.0/16", ["42.10.in-addr.arpa. 53"]],
  ["10.42.0.0/23", ["0.42.10.in-addr.arpa. 53", "1.42.10.in-addr.arpa. 53"]],
  ["2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa. 53"]],
];
for (const [text, want] of addresses) {
  test(`address ${text}`, () => {
    const got = parseAddress(text, { file: "Corefile", line: 1 }, 53);
    assert.deepEqual(
      got.map(({ zone, port }) => `${zone} ${port}`),
      want,
    );
  });
}

test("K3s's Corefile is taken as it is", () => {
  const text = `.:53 {
        errors
        health
        ready
        kubernetes cluster.local in-addr.arpa ip6.arpa {
          pods insecure
          fallthrough in-addr.arpa ip6.arpa
        }
        hosts /etc/coredns/NodeHosts {
          ttl 60
          reload 15s
          fallthrough
        }
        prometheus :9153
        cache 30
        loop
        reload
        loadbalance
        import /etc/coredns/custom/*.override
        forward . 192.0.2.53
    }
    import /etc/coredns/custom/*.server
`;
  const plans = planSites(parse(text.replace("import /etc/coredns/custom/*.override", "")), {
    defaultPort: 53,
  });
  assert.deepEqual(
    plans[0]?.openers.map(({ name }) => name),
    [
      "reload",
      "ready",
      "health",
      "prometheus",
      "errors",
      "loadbalance",
      "cache",
      "hosts",
      "kubernetes",
      "loop",
      "forward",
    ],
  );
  assert.deepEqual(plans[1]?.zones, ["example.org."]);
});
