/** Objects of a usual size for `bench/api.ts`. */

/** A pod as a Deployment's ReplicaSet makes it; about 3 kB once it is stored. */
export function podText(name: string, namespace: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: { app: "web", "pod-template-hash": "6d8f9c7b5d", tier: "front" },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: "web-6d8f9c7b5d",
          uid: "5b5a7ae2-6c0e-4d8c-b4e5-1f6a9f3f7a10",
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      nodeName: `node-${name.length}`,
      containers: [
        {
          name: "web",
          image: "registry.example/web:1.27",
          ports: [{ containerPort: 8080, name: "http" }],
          env: [
            { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "MODE", value: "production" },
          ],
          resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
          readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 5 },
          livenessProbe: { httpGet: { path: "/live", port: "http" } },
        },
      ],
    },
  });
}

export function serviceText(name: string, namespace: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels: { app: "web" } },
    spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
}
