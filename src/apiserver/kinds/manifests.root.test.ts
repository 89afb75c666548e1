import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { KUBECTL, OLD_KUBECTL, openRig, type Rig } from "../testing/rig.ts";

const SHOP = readFileSync(new URL("./testdata/shop.yaml", import.meta.url), "utf8");
/** autoscaling/v2 is younger than Debian 12's kubectl, which finds it all the same: discovery names it. */
const PROGRAMS = [
  { program: KUBECTL, namespace: "shop" },
  { program: OLD_KUBECTL, namespace: "old-shop" },
].map((each) => ({ ...each, skip: existsSync(each.program) ? false : `${each.program} is not installed` }));

describe("manifests through kubectl", () => {
  let rig: Rig;
  before(async () => {
    rig = await openRig();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  for (const { program, namespace, skip } of PROGRAMS) {
    const manifest = SHOP.replaceAll("namespace: shop", `namespace: ${namespace}`).replace(
      "metadata: {name: shop,",
      `metadata: {name: ${namespace},`,
    );
    const kubectl = async (args: string, input = "") => {
      const { code, stdout, stderr } = await rig.kubectl(args.split(" "), { program, input });
      return { code, text: stdout + stderr };
    };

    test(`${namespace}: one file with a namespace and what is in it, twice`, { skip }, async () => {
      const first = await kubectl("apply -f -", manifest);
      assert.equal(first.code, 0, first.text);
      const made = first.text.split("\n").filter((line) => /^\S+ (created|serverside-applied)$/.test(line));
      assert.equal(made.length, manifest.split("---").length, first.text);
      const second = await kubectl("apply -f -", manifest);
      assert.equal(second.code, 0, second.text);
      for (const name of [
        "deployment.apps/web",
        "service/web",
        "configmap/conf",
        "ingress.networking.k8s.io/web",
      ])
        assert.match(second.text, new RegExp(`^${name} unchanged$`, "m"));
    });

    test(`${namespace}: rows`, { skip }, async () => {
      const rows = async (what: string) =>
        (await kubectl(`-n ${namespace} get ${what} -o wide --no-headers`)).text
          .trim()
          .split("\n")
          .map((line) =>
            line
              .trim()
              .replace(/ {2,}/g, "|")
              .replace(/\b\d+s\b/, "AGE"),
          );
      assert.deepEqual(await rows("pods"), ["bare|0/1|Pending|0|AGE|<none>|<none>|<none>|<none>"]);
      assert.deepEqual(await rows("deployments"), ["web|0/2|0|0|AGE|web|nginx:1.27|app=web"]);
      assert.deepEqual(await rows("daemonsets"), ["agent|0|0|0|0|0|<none>|AGE|a|busybox:1|app=agent"]);
      const services = (await rows("services")).map((row) =>
        row.replace(/10\.43\.\d+\.\d+/, "IP").replace(/:3[0-2]\d{3}/g, ":NODE"),
      );
      assert.deepEqual(services, [
        "ext|ExternalName|<none>|example.org|<none>|AGE|<none>",
        "head|ClusterIP|None|<none>|80/TCP|AGE|app=web",
        "web|LoadBalancer|IP|<pending>|80:NODE/TCP,443:NODE/TCP|AGE|app=web",
      ]);
    });

    test(`${namespace}: a Service becomes internal and public again, and keeps its address`, {
      skip,
    }, async () => {
      const address = () => kubectl(`-n ${namespace} get service web -o jsonpath={.spec.clusterIP}`);
      const before = await address();
      const patch = async (type: string) =>
        await kubectl(`-n ${namespace} patch service web -p {"spec":{"type":"${type}"}}`);
      assert.equal((await patch("ClusterIP")).code, 0);
      const ports = await kubectl(`-n ${namespace} get service web -o jsonpath={.spec.ports[*].nodePort}`);
      assert.equal(ports.text, "");
      assert.equal((await patch("LoadBalancer")).code, 0);
      assert.deepEqual(await address(), before);
    });

    test(`${namespace}: a refusal says what and where`, { skip }, async () => {
      const { code, text } = await kubectl(
        `-n ${namespace} patch deployment web -p {"spec":{"selector":{"matchLabels":{"app":"api"}}}}`,
      );
      assert.equal(code, 1);
      assert.match(
        text,
        /spec\.template\.metadata\.labels: Invalid value: .*`selector` does not match template `labels`/,
      );
      assert.match(text, /spec\.selector: Invalid value: .*: field is immutable/);
    });
  }
});
