import { setTimeout as sleep } from "node:timers/promises";
import { type Fields, fieldsOf, listOf, REVIEW_FLAGS, type Reviewer, serveReviews } from "./review-server.ts";
import type { Subcommand } from "./subcommand.ts";

export const webhook: Subcommand = {
  summary: "Serves admission webhooks that allow, deny and mutate",
  flags: [
    ...REVIEW_FLAGS,
    { name: "sidecar-image", kind: "text", fallback: "", help: "Image of the sidecar that is added to pods" },
  ],
  run(input) {
    return serveReviews(input, "AdmissionReview", {
      ...admissionReviewers(input.flags.text("sidecar-image")),
      "/always-allow-delay-5s": () =>
        sleep(5000, allow("this webhook allows all requests"), { signal: input.signal }),
    });
  },
};

/** What each path judges, but for the one that takes its time. */
export function admissionReviewers(sidecarImage: string): Readonly<Record<string, Reviewer>> {
  return {
    "/always-deny": () => deny("this webhook denies all requests"),
    "/add-label": addLabel,
    "/pods": admitPod,
    "/pods/attach": admitAttach,
    "/mutating-pods": (request) => mutatePod(request),
    "/mutating-pods-sidecar": (request) => addSidecar(request, sidecarImage),
    "/configmaps": (request) =>
      admitData(request, {
        disallowed: "the configmap contains unwanted key and value",
        kept: "the configmap cannot be deleted because it contains unwanted key and value",
      }),
    "/mutating-configmaps": mutateData,
    "/custom-resource": (request) =>
      admitData(request, {
        disallowed: "the custom resource contains unwanted data",
        kept: "the custom resource cannot be deleted because it contains unwanted key and value",
      }),
    "/mutating-custom-resource": mutateData,
    "/crd": (request) =>
      labelsOf(request["object"])[MARK] === "webhook-disallow"
        ? deny("the crd contains unwanted label")
        : allow(),
  };
}

/** The label, or the key of the data, that objects carry to be refused. */
const MARK = "webhook-e2e-test";

function allow(message?: string): Fields {
  return { allowed: true, ...(message === undefined ? {} : { status: { message } }) };
}

function deny(message: string): Fields {
  return { allowed: false, status: { message } };
}

/** Denied with the text as the machine's reason, as upstream's does for data. */
function denyFor(reason: string): Fields {
  return { allowed: false, status: { reason } };
}

function mutate(op: "add" | "replace", path: string, value: unknown): Fields {
  const patch = Buffer.from(JSON.stringify([{ op, path, value }])).toString("base64");
  return { allowed: true, patchType: "JSONPatch", patch };
}

function labelsOf(object: unknown): Fields {
  return fieldsOf(fieldsOf(fieldsOf(object)["metadata"])["labels"]);
}

function addLabel(request: Fields): Fields {
  const labels = labelsOf(request["object"]);
  if (Object.keys(labels).length === 0) return mutate("add", "/metadata/labels", { "added-label": "yes" });
  if (labels["added-label"] === undefined) return mutate("add", "/metadata/labels/added-label", "yes");
  return labels["added-label"] === "yes" ? allow() : mutate("replace", "/metadata/labels/added-label", "yes");
}

async function admitPod(request: Fields): Promise<Fields> {
  const pod = fieldsOf(request["object"]);
  const mark = labelsOf(pod)[MARK];
  // Never answered: the asker's own timeout decides.
  if (mark === "wait-forever") await new Promise(() => undefined);
  const faults = mark === "webhook-disallow" ? ["the pod contains unwanted label;"] : [];
  for (const container of listOf(fieldsOf(pod["spec"])["containers"])) {
    if (String(container["name"]).includes("webhook-disallow"))
      faults.push("the pod contains unwanted container name;");
  }
  return faults.length === 0 ? allow() : deny(faults.join(" "));
}

function admitAttach(request: Fields): Fields {
  const { stdin, container } = fieldsOf(request["object"]);
  if (request["name"] !== "to-be-attached-pod" || stdin !== true || container !== "container1")
    return allow();
  return deny("attaching to pod 'to-be-attached-pod' is not allowed");
}

function mutatePod(request: Fields): Fields {
  const pod = fieldsOf(request["object"]);
  const name = "webhook-added-init-container";
  const isMeant = fieldsOf(pod["metadata"])["name"] === "webhook-to-be-mutated";
  if (!isMeant || listOf(fieldsOf(pod["spec"])["initContainers"]).some((c) => c["name"] === name))
    return allow();
  return mutate("add", "/spec/initContainers", [{ image: "webhook-added-image", name, resources: {} }]);
}

function addSidecar(request: Fields, image: string): Fields {
  const message = "No image specified by the sidecar-image parameter";
  if (image === "") return { allowed: false, status: { status: "Failure", message, code: 500 } };
  const name = "webhook-added-sidecar";
  const containers = listOf(fieldsOf(fieldsOf(request["object"])["spec"])["containers"]);
  if (containers.some((c) => c["name"] === name)) return allow();
  return mutate("add", "/spec/containers/-", { image, name, resources: {} });
}

function admitData(request: Fields, words: { readonly disallowed: string; readonly kept: string }): Fields {
  const isDelete = request["operation"] === "DELETE";
  const object = fieldsOf(request[isDelete ? "oldObject" : "object"]);
  const mark = fieldsOf(object["data"])[MARK];
  const isWrite = request["operation"] === "CREATE" || request["operation"] === "UPDATE";
  if (mark === "webhook-disallow" && isWrite) return denyFor(words.disallowed);
  if (mark === "webhook-nondeletable" && isDelete) return denyFor(words.kept);
  return allow();
}

function mutateData(request: Fields): Fields {
  const data = fieldsOf(fieldsOf(request["object"])["data"]);
  // The second stage wins: its object has been through the first.
  if (data["mutation-stage-1"] === "yes") return mutate("add", "/data/mutation-stage-2", "yes");
  if (data["mutation-start"] === "yes") return mutate("add", "/data/mutation-stage-1", "yes");
  return allow();
}
