import type { Informer } from "#kube/informer";
import type { KubeObject } from "#kube/object";

/** Resolves with what `find` returns once it returns something: asked now, and after every change of the informer. */
export async function until<T extends KubeObject, R>(
  informer: Informer<T>,
  find: (objects: readonly T[]) => R | undefined,
  { signal }: { signal: AbortSignal },
): Promise<R> {
  await informer.synced;
  const { promise, resolve, reject } = Promise.withResolvers<R>();
  const look = () => {
    const found = find(informer.list());
    if (found !== undefined) resolve(found);
  };
  const stop = informer.subscribe(look);
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    look();
    return await promise;
  } finally {
    stop();
    signal.removeEventListener("abort", abort);
  }
}
