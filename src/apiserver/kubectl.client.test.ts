import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ask } from "./testing/client.ts";
import { KUBECTL, OLD_KUBECTL, openRig, type Rig, type Run } from "./testing/rig.ts";

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: {name: cm, labels: {app: a}}
data: {a: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80}]
`;
const SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n";

for (const { name, program } of [
  { name: "the installed kubectl", program: KUBECTL },
  { name: "Debian's kubectl", program: OLD_KUBECTL },
])
  describe(name, { skip: existsSync(program) ? false : `${program} is not installed` }, () => {
    let rig: Rig;
    before(async () => {
      rig = await openRig();
      await ask(rig, "POST", "/api/v1/namespaces/default/serviceaccounts", {
        body: { metadata: { name: "default" } },
      });
    });
    after(() => rig[Symbol.asyncDispose]());
    const kubectl = (line: string, input?: string) =>
      rig.kubectl(line.split(" "), { program, ...(input === undefined ? {} : { input }) });
    const ok = async (line: string, input?: string): Promise<string> => {
      const run = await kubectl(line, input);
      assert.equal(run.code, 0, `${line}: ${run.stderr}`);
      return run.stdout;
    };
    const refused = async (line: string, input?: string): Promise<Run> => {
      const run = await kubectl(line, input);
      assert.notEqual(run.code, 0, `${line}: ${run.stdout}`);
      return run;
    };

    test("apply creates, leaves alone what is the same, and changes what is not", async () => {
      assert.equal(
        await ok("apply -f -", MANIFEST),
        "configmap/cm created\ndeployment.apps/web created\nservice/web created\n",
      );
      assert.equal(
        await ok("apply -f -", MANIFEST),
        "configmap/cm unchanged\ndeployment.apps/web unchanged\nservice/web unchanged\n",
      );
      const changed = await ok(
        "apply -f -",
        MANIFEST.replace("replicas: 2", "replicas: 3")
          .replace("port: 80}]\n", "port: 80}, {port: 81, name: b}]\n")
          .replace("{port: 80}, {", "{port: 80, name: a}, {"),
      );
      assert.equal(
        changed,
        "configmap/cm unchanged\ndeployment.apps/web configured\nservice/web configured\n",
      );
      assert.equal(await ok("get svc web -o jsonpath={.spec.ports[*].port}"), "80 81");
    });

    test("get prints tables, wide ones, and by selector", async () => {
      assert.match(
        await ok("get deploy,svc,cm -o wide"),
        /deployment.apps\/web +0\/3 +0 +0 +\S+ +c +nginx +app=web/,
      );
      assert.match(await ok("get cm -l app=a"), /^NAME +DATA +AGE\ncm +1 +/);
      assert.match(await ok("get svc -A"), /default +kubernetes +ClusterIP +10\.43\.0\.1 +<none> +443\/TCP/);
      assert.equal(
        (await kubectl("get cm -l app=zzz")).stderr.trim(),
        "No resources found in default namespace.",
      );
      assert.match(
        await ok("get ns --field-selector metadata.name=kube-system -o name"),
        /^namespace\/kube-system\n$/,
      );
    });

    test("describe, label, annotate, scale, patch, edit their object", async () => {
      assert.match(await ok("describe deploy web"), /Replicas: +3 desired/);
      await ok("label cm cm x=y");
      await ok("annotate cm cm note=hello");
      await ok("scale deploy web --replicas=5");
      assert.equal(await ok("get deploy web -o jsonpath={.spec.replicas},{.metadata.generation}"), "5,3");
      await ok(`patch cm cm --type=merge -p {"data":{"n":"1"}}`);
      await ok(`patch cm cm --type=json -p [{"op":"remove","path":"/data/n"}]`);
      await ok("set image deploy/web c=nginx:1");
      assert.equal(
        await ok("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}"),
        "nginx:1",
      );
    });

    test("bad fields are refused by name", async () => {
      const unknown = await refused("apply -f -", MANIFEST.replace("replicas: 2", "replicas: 2\n  foo: 1"));
      assert.match(unknown.stderr, /unknown field "?\S*foo"?/);
      const wrong = await refused(
        "create -f -",
        MANIFEST.replace("name: web", "name: other").replace("replicas: 2", "replicas: two"),
      );
      assert.match(wrong.stderr, /replicas|string/);
      const empty = await refused(
        "create -f -",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n",
      );
      assert.match(empty.stderr, /spec.containers: Required value/);
    });

    test("a server-side dry run stores nothing", async () => {
      assert.match(await ok("apply -f - --dry-run=server", SECRET), /secret\/s created \(server dry run\)/);
      assert.match((await refused("get secret s")).stderr, /secrets "s" not found/);
      assert.match(
        await ok("create configmap z --from-literal=a=b --dry-run=server"),
        /created \(server dry run\)/,
      );
    });

    test("server-side apply owns its fields, and meets conflicts", async () => {
      const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ssa}\ndata: {a: '1', b: '2'}\n";
      assert.match(await ok("apply --server-side -f -", config), /serverside-applied/);
      const clash = await refused(
        "apply --server-side --field-manager=other -f -",
        config.replace("'1'", "'9'"),
      );
      assert.match(clash.stderr, /conflict with "kubectl".*\.data\.a/s);
      assert.match(
        await ok(
          "apply --server-side --force-conflicts --field-manager=other -f -",
          config.replace("'1'", "'9'"),
        ),
        /applied/,
      );
      assert.match(
        await ok("apply --server-side -f -", config.replace("data: {a: '1', b: '2'}", "data: {b: '2'}")),
        /applied/,
      );
      assert.equal(await ok("get cm ssa -o jsonpath={.data.a}{.data.b}"), "92");
    });

    test("rollout status and wait follow the status", async () => {
      const status = "/apis/apps/v1/namespaces/default/deployments/web/status";
      const { body } = await ask(rig, "GET", "/apis/apps/v1/namespaces/default/deployments/web");
      const following = kubectl("rollout status deploy web --timeout=15s");
      const waiting = kubectl("wait --for=condition=Available deploy/web --timeout=15s");
      const counts = { replicas: 5, updatedReplicas: 5, readyReplicas: 5, availableReplicas: 5 };
      const condition = { type: "Available", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" };
      const patched = await ask(rig, "PATCH", status, {
        headers: { "content-type": "application/merge-patch+json" },
        body: {
          status: { ...counts, observedGeneration: body.metadata.generation, conditions: [condition] },
        },
      });
      assert.equal(patched.code, 200, patched.text);
      assert.match((await following).stdout, /deployment "web" successfully rolled out/);
      assert.match((await waiting).stdout, /condition met/);
    });

    test("get --watch sees what changes, and delete waits until it is gone", async () => {
      const watching = kubectl("get cm ssa --watch --request-timeout=3s");
      await ok("label cm ssa seen=yes");
      assert.match(await ok("delete cm ssa --wait=true"), /configmap "ssa" deleted/);
      assert.match((await watching).stdout, /ssa +2/);
      assert.match(
        await ok("delete cm,deploy,svc web cm --ignore-not-found"),
        /deployment.apps "web" deleted/,
      );
    });

    test("explain knows the fields", async () => {
      assert.match(
        await ok("explain deployment.spec.template.spec.containers.ports"),
        /containerPort\s+<integer> -required-/,
      );
      assert.match(await ok("explain svc"), /VERSION: +v1/);
    });

    test("api-resources, version, auth", async () => {
      assert.match(await ok("api-resources"), /deployments +deploy +apps\/v1 +true +Deployment/);
      assert.match(await ok("version --output=json"), /"gitVersion": "v1.36.1\+twill1"/);
      assert.equal((await ok("auth can-i create pods")).trim(), "yes");
    });
  });

describe("kubectl that speaks protobuf", () => {
  let rig: Rig;
  before(async () => {
    rig = await openRig();
  });
  after(() => rig[Symbol.asyncDispose]());

  test("imperative creates arrive whole", async () => {
    const run = async (line: string) => {
      const done = await rig.kubectl(line.split(" "));
      assert.equal(done.code, 0, `${line}: ${done.stderr}`);
      return done.stdout;
    };
    await run("create deployment d --image=nginx --port=80 --replicas=0");
    assert.equal(
      await run(
        "get deploy d -o jsonpath={.spec.replicas},{.spec.template.spec.containers[0].ports[0].containerPort}",
      ),
      "0,80",
    );
    await run("create sa robot");
    await run("create role r --verb=get --resource=pods");
    await run("create rolebinding rb --role=r --serviceaccount=default:robot");
    await run("create secret generic s --from-literal=a=b");
    assert.equal(await run("get secret s -o jsonpath={.data.a}"), "Yg==");
    const token = (await run("create token robot")).trim();
    const pods = await ask(rig, "GET", "/api/v1/namespaces/default/pods", { as: { token } });
    assert.equal(pods.code, 403);
    assert.equal(
      pods.body.message,
      'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    assert.equal((await ask(rig, "GET", "/api/v1/namespaces/default/pods/x", { as: { token } })).code, 404);
    await run("delete sa robot");
    assert.equal((await ask(rig, "GET", "/api/v1/namespaces/default/pods/x", { as: { token } })).code, 401);
  });
});
