import { openFakeClient } from "#kube/fake/client";
import { kubeClientContract } from "./kube-client.contract.ts";

kubeClientContract("fake", async () => ({ client: openFakeClient(), close: async () => {} }));
