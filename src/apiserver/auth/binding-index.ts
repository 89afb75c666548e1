import type { ClusterRoleBinding, RoleBinding, Subject } from "#kube/generated/types";
import type { ResourceCache } from "../cache/resource-cache.ts";
import type { User } from "./user.ts";

type Binding = RoleBinding | ClusterRoleBinding;
const ACCOUNT_PREFIX = "system:serviceaccount:";

/** Whom a subject of a binding means, or who a user is: `u:NAME` or `g:NAME`. A service account is the user of its name. */
type SubjectKey = string;

export function subjectKeys(user: User): readonly SubjectKey[] {
  return [`u:${user.name}`, ...user.groups.map((group) => `g:${group}`)];
}

/** `ServiceAccount "name/namespace"`, `User "name"` or `Group "name"`. */
export function subjectText(key: SubjectKey): string {
  const name = key.slice(2);
  if (key.startsWith("g:")) return `Group ${JSON.stringify(name)}`;
  const account = name.startsWith(ACCOUNT_PREFIX) ? name.slice(ACCOUNT_PREFIX.length).split(":") : [];
  if (account.length !== 2) return `User ${JSON.stringify(name)}`;
  return `ServiceAccount ${JSON.stringify(`${account[1]}/${account[0]}`)}`;
}

/** The bindings of one resource by whom they bind, in each namespace ("" for cluster-wide ones): kept in step with the cache. */
export class BindingIndex<T extends Binding> {
  readonly #bySubject = new Map<string, Map<SubjectKey, Map<string, T>>>();

  constructor(cache: ResourceCache | undefined) {
    for (const stored of cache?.list("") ?? []) this.#put(stored.key, stored.object);
    cache?.subscribe({
      deliver: ({ key, before, after }) => {
        if (before !== undefined) this.#drop(key, before.object);
        if (after !== undefined) this.#put(key, after.object);
      },
    });
  }

  /** The bindings of any of these subjects in a namespace, each once, with the subject that it was found by. */
  *boundTo(
    keys: readonly SubjectKey[],
    namespace: string,
  ): Generator<{ readonly binding: T; readonly key: SubjectKey }> {
    const here = this.#bySubject.get(namespace);
    if (here === undefined) return;
    const seen = new Set<T>();
    for (const key of keys)
      for (const binding of here.get(key)?.values() ?? []) {
        if (seen.has(binding)) continue;
        seen.add(binding);
        yield { binding, key };
      }
  }

  #put(key: string, object: unknown): void {
    // The cache of bindings holds bindings.
    const binding = object as T;
    const namespace = binding.metadata.namespace ?? "";
    const here = this.#bySubject.get(namespace) ?? new Map<SubjectKey, Map<string, T>>();
    this.#bySubject.set(namespace, here);
    for (const subject of keysOf(binding)) {
      const bound = here.get(subject) ?? new Map<string, T>();
      here.set(subject, bound.set(key, binding));
    }
  }

  #drop(key: string, object: unknown): void {
    const binding = object as T;
    const namespace = binding.metadata.namespace ?? "";
    const here = this.#bySubject.get(namespace);
    for (const subject of keysOf(binding)) {
      const bound = here?.get(subject);
      bound?.delete(key);
      if (bound?.size === 0) here?.delete(subject);
    }
    if (here?.size === 0) this.#bySubject.delete(namespace);
  }
}

function keysOf({ subjects = [], metadata }: Binding): readonly SubjectKey[] {
  return [...new Set(subjects.flatMap((subject) => keyOf(subject, metadata.namespace ?? "")))];
}

function keyOf({ kind, name, namespace }: Subject, own: string): readonly SubjectKey[] {
  if (kind === "User") return [`u:${name}`];
  if (kind === "Group") return [`g:${name}`];
  const home = namespace || own;
  return kind === "ServiceAccount" && home !== "" ? [`u:${ACCOUNT_PREFIX}${home}:${name}`] : [];
}
