import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { ask } from "./testing/client.ts";
import { KUBECTL, OLD_KUBECTL, openRig, type Rig } from "./testing/rig.ts";

const OWN_KINDS = new URL("./kinds/testdata/one-of-each.yaml", import.meta.url);

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: p}}
spec: {containers: [{name: c, image: "i:1", ports: [{containerPort: 80}]}]}
`;
const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
`;

/** What a command is to print; `fails` when it is to end with an error. `old: false`: the older kubectl has it not. */
interface Step {
  readonly line: string;
  readonly input?: string;
  readonly says: RegExp;
  readonly fails?: true;
  readonly old?: false;
}

/** Each script is done in a namespace of its own, line by line; scripts go on side by side. */
const SCRIPTS: Readonly<Record<string, readonly Step[]>> = {
  discovery: [
    {
      line: "api-resources --api-group=apps -o name",
      says: /^controllerrevisions\.apps\n[\s\S]*statefulsets\.apps\n$/,
    },
    {
      line: "api-resources --verbs=watch,deletecollection --namespaced=false -o name",
      says: /^nodes$/m,
    },
    { line: "api-versions", says: /^apps\/v1$[\s\S]*^v1$/m },
    { line: "explain deployment.spec.strategy --recursive", says: /rollingUpdate[\s\S]*maxSurge/ },
    { line: "explain pod.spec.containers.ports", says: /containerPort/ },
    { line: "get --raw /readyz", says: /^ok$/ },
    { line: "get --raw /api/v1/namespaces/default", says: /"kind":"Namespace"/ },
    { line: "get --raw /api/v1/nonsense", says: /could not find the requested resource/, fails: true },
    { line: "get nonsense", says: /the server doesn't have a resource type "nonsense"/, fails: true },
    { line: "version -o json", says: /"serverVersion"/ },
  ],
  create: [
    { line: "create deployment d --image=i --dry-run=client -o yaml", says: /^kind: Deployment$/m },
    {
      line: "create deployment d --image=i --dry-run=server",
      says: /deployment.apps\/d created \(server dry run\)/,
    },
    { line: "get deployment d", says: /NotFound/, fails: true },
    { line: "create configmap cm --from-literal=a=b", says: /configmap\/cm created/ },
    { line: "create configmap cm --from-literal=a=b", says: /already exists/, fails: true },
    { line: "create secret generic s --from-literal=a=b", says: /secret\/s created/ },
    { line: "create serviceaccount sa", says: /serviceaccount\/sa created/ },
    { line: "create job j --image=i", says: /job.batch\/j created/ },
    { line: "create cronjob cj --image=i --schedule=@hourly", says: /cronjob.batch\/cj created/, old: false },
    { line: "create job k --from=cronjob/cj", says: /job.batch\/k created/, old: false },
    { line: "create quota q --hard=pods=5", says: /resourcequota\/q created/ },
    { line: "create role r --verb=get --resource=pods", says: /created/ },
    { line: "create rolebinding rb --role=r --serviceaccount=default:sa", says: /created/ },
    { line: "create service clusterip svc --tcp=80", says: /service\/svc created/ },
    { line: "create ingress ing --rule=a.b/*=svc:80", says: /ingress.networking.k8s.io\/ing created/ },
    { line: "create token sa", says: /^ey/, old: false },
    { line: "delete configmap,secret,job,cronjob --all", says: /configmap "cm"[\s\S]*job.batch "j"/ },
    { line: "get all,ingress", says: /service\/svc[\s\S]*ingress/ },
  ],
  apply: [
    { line: "apply -f -", input: DEPLOYMENT, says: /deployment.apps\/web created/ },
    {
      line: "diff -f -",
      input: DEPLOYMENT.replace("nginx:1", "nginx:2"),
      says: /\+ +- image: nginx:2|\+ +image: nginx:2|nginx:2/,
      fails: true,
    },
    {
      line: "apply --validate=true -f -",
      input: DEPLOYMENT.replace("selector:", "nonsense: 1\n  selector:"),
      says: /nonsense/,
      fails: true,
    },
    {
      line: "apply --validate=strict -f -",
      input: DEPLOYMENT.replace("selector:", "nonsense: 1\n  selector:"),
      says: /unknown field "spec.nonsense"/,
      fails: true,
      old: false,
    },
    {
      line: "apply --validate=warn -f -",
      input: DEPLOYMENT.replace("selector:", "nonsense: 1\n  selector:"),
      says: /unknown field "spec.nonsense"/,
      old: false,
    },
    { line: "apply --server-side --force-conflicts -f -", input: DEPLOYMENT, says: /serverside-applied/ },
    {
      line: "apply --dry-run=server -f -",
      input: DEPLOYMENT.replace("nginx:1", "nginx:3"),
      says: /server dry run/,
    },
    { line: "set image deployment/web c=nginx:4", says: /image updated/ },
    { line: "set env deployment/web A=b", says: /env updated/ },
    { line: "set resources deployment/web --limits=cpu=1", says: /resource requirements updated/ },
    { line: "set serviceaccount deployment/web sa", says: /serviceaccount updated/ },
    { line: "scale deployment/web --replicas=3", says: /scaled/ },
    { line: "autoscale deployment/web --max=5 --min=2", says: /autoscaled/ },
    { line: "get hpa web -o jsonpath={.spec.maxReplicas}", says: /^5$/ },
    { line: "rollout pause deployment/web", says: /paused/ },
    { line: "rollout resume deployment/web", says: /resumed/ },
    { line: "rollout restart deployment/web", says: /restarted/ },
    { line: "expose deployment/web --port=80", says: /exposed/ },
    { line: "label deployment/web x=y", says: /labeled/ },
    { line: "annotate deployment/web x=y", says: /annotated/ },
    {
      line: 'patch deployment/web --type=json -p [{"op":"remove","path":"/metadata/labels/x"}]',
      says: /patched/,
    },
    { line: 'patch deployment/web --type=merge -p {"spec":{"paused":true}}', says: /patched/ },
    { line: "get deployment/web -o jsonpath={.spec.template.spec.containers[0].image}", says: /^nginx:4$/ },
    { line: "replace -f -", input: DEPLOYMENT, says: /replaced/ },
    {
      line: "get deploy -o wide",
      says: /NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR/,
    },
    { line: "describe deployment web", says: /Pod Template:/ },
    { line: "delete deployment web --wait=true", says: /deleted/ },
  ],
  pods: [
    { line: "apply -f -", input: POD, says: /pod\/p created/ },
    { line: "get pods -o name", says: /^pod\/p\n$/ },
    { line: "wait pod/p --for=condition=Ready --timeout=1s", says: /timed out/, fails: true },
    {
      line: "wait pod/p --for=jsonpath={.status.phase}=Pending --timeout=5s",
      says: /condition met/,
      old: false,
    },
    { line: "debug p --image=busybox --target=c --quiet --attach=false", says: /^/, old: false },
    { line: "get pod p -o jsonpath={.spec.ephemeralContainers[*].image}", says: /^busybox$/, old: false },
    { line: "logs p -c c", says: /^$/ },
    { line: "logs p -c nonsense", says: /nonsense is not valid for pod p/, fails: true },
    { line: "exec p -c c -- true", says: /does not have a host assigned/, fails: true },
    { line: "get pods --field-selector=status.phase=Pending --no-headers", says: /^p +0\/1 +Pending/ },
    { line: "get pods --field-selector=spec.nonsense=x", says: /field label not supported/, fails: true },
    { line: "get events", says: /^/ },
    { line: "events", says: /No events found|LAST SEEN/, old: false },
    { line: "describe pod p", says: /^Status: +Pending$/m },
    { line: "delete pod p --grace-period=0 --force", says: /force deleted/ },
    { line: "get pods", says: /No resources found/ },
    { line: "auth can-i create pods", says: /^yes/ },
  ],
};

for (const { name, program } of [
  { name: "the installed kubectl", program: KUBECTL },
  { name: "Debian's kubectl", program: OLD_KUBECTL },
])
  describe(name, {
    skip: existsSync(program) ? false : `${program} is not installed`,
    concurrency: 4,
  }, () => {
    const isOld = program === OLD_KUBECTL;
    let rig: Rig;
    before(async () => {
      rig = await openRig();
      for (const namespace of [...Object.keys(SCRIPTS), "each"]) {
        await ask(rig, "POST", "/api/v1/namespaces", { body: { metadata: { name: namespace } } });
        const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
        await ask(rig, "POST", accounts, { body: { metadata: { name: "default" } } });
      }
    });
    after(() => rig[Symbol.asyncDispose]());

    for (const [namespace, steps] of Object.entries(SCRIPTS))
      test(`${namespace}, line by line`, async () => {
        for (const { line, input, says, fails, old } of steps) {
          if (isOld && old === false) continue;
          const args = ["-n", namespace, ...line.split(" ")];
          const run = await rig.kubectl(args, { program, ...(input === undefined ? {} : { input }) });
          const all = run.stdout + run.stderr;
          assert.equal(run.code !== 0, fails === true, `${line}: ${all}`);
          assert.match(all, says, line);
        }
      });

    test("every kind is created, printed, described and deleted", async () => {
      const list = { apiVersion: "v1", kind: "List", items: parse(readFileSync(OWN_KINDS, "utf8")) };
      const file = join(rig.directory, "each.json");
      writeFileSync(file, JSON.stringify(list));
      const kubectl = (verb: string) =>
        rig.kubectl(["-n", "each", ...verb.split(" "), "-f", file], { program });
      for (const [verb, says] of [
        ["create", /created/],
        ["get", /NAME/],
        ["get -o wide", /NAME/],
        ["get -o yaml", /^kind: List$/m],
        ["describe", /^Name: /m],
        ["delete --wait=false", /deleted/],
      ] as const) {
        // The older one describes several kinds in versions that are gone.
        if (isOld && verb === "describe") continue;
        const run = await kubectl(verb);
        assert.equal(run.code, 0, `${verb}: ${run.stderr}`);
        assert.match(run.stdout, says, verb);
      }
    });
  });
