import type { KubeObject } from "#kube/object";

/** Which states of objects our own writes have replaced: until the copy shows what came of them, there is nothing to decide. */
export class OwnWrites {
  readonly #replaced = new Map<string, readonly string[]>();

  /** @param states the object before each write, oldest first */
  note(name: string, states: readonly KubeObject[]): void {
    if (states.length > 0)
      this.#replaced.set(
        name,
        states.flatMap(({ metadata }) => metadata.resourceVersion ?? []),
      );
  }

  isStale({ metadata }: KubeObject): boolean {
    return this.#replaced.get(metadata.name)?.includes(metadata.resourceVersion ?? "") ?? false;
  }

  forget(name: string): void {
    this.#replaced.delete(name);
  }
}
