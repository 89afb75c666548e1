/** Labels and annotations by which any kubelet finds its pods again in a runtime; so containers outlive the program that made them,
 *  whichever that was. */
export const LABEL = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  container: "io.kubernetes.container.name",
} as const;

export const ANNOTATION = {
  hash: "io.kubernetes.container.hash",
  restartCount: "io.kubernetes.container.restartCount",
  terminationPath: "io.kubernetes.container.terminationMessagePath",
  terminationPolicy: "io.kubernetes.container.terminationMessagePolicy",
  /** Ours: the runtime tells an image by one of the names it has, not by the one the pod's spec gave. */
  image: "twill.io/image",
} as const;
