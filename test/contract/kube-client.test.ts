import { openRig } from "#apiserver/testing/rig";
import { openFakeClient } from "#kube/fake/client";
import { openClient } from "#kube/http-client";
import { kubeClientContract } from "./kube-client.contract.ts";

kubeClientContract("fake", async () => ({ client: openFakeClient(), close: async () => {} }));
kubeClientContract("our API server", async () => {
  const rig = await openRig();
  const client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "contract" });
  const close = async () => {
    await client[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  };
  return { client, close };
});
