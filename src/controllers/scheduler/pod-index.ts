import type { PodInfo } from "./pod-info.ts";
import type { PodTerms } from "./terms.ts";

/** Pods that no selector can tell apart, and how many of them each node has. */
export interface Alike {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isDeleting: boolean;
  readonly perNode: Map<string, number>;
}

/** Pods whose affinity terms are the same, and how many of them each node has. */
export interface LikeMinded {
  readonly terms: PodTerms;
  readonly perNode: Map<string, number>;
}

interface Question {
  readonly matches: (group: Alike) => boolean;
  readonly answer: Set<Alike>;
}

const MAX_QUESTIONS = 512;

/** Answers "which pods does this selector match, and where are they?" without looking at each pod: placed pods are filed by namespace and
 *  labels, and a question asked before only ever looks at groups that are new since. */
export class PodIndex {
  readonly #alike = new Map<string, Alike>();
  readonly #questions = new Map<string, Question>();
  /** By the id of their terms: pods that repel others, and pods that have any wish about others. */
  readonly #repelling = new Map<string, LikeMinded>();
  readonly #wishing = new Map<string, LikeMinded>();

  put(info: PodInfo, nodeName: string): void {
    let group = this.#alike.get(info.likeness);
    if (group === undefined) {
      const { namespace, labels, isDeleting } = info;
      group = { namespace, labels, isDeleting, perNode: new Map() };
      this.#alike.set(info.likeness, group);
      for (const { matches, answer } of this.#questions.values()) if (matches(group)) answer.add(group);
    }
    add(group.perNode, nodeName, 1);
    for (const minds of this.#mindsOf(info)) {
      const { id } = info.terms;
      const like = minds.get(id) ?? { terms: info.terms, perNode: new Map() };
      minds.set(id, like);
      add(like.perNode, nodeName, 1);
    }
  }

  drop(info: PodInfo, nodeName: string): void {
    const group = this.#alike.get(info.likeness);
    if (group && add(group.perNode, nodeName, -1) && group.perNode.size === 0) {
      this.#alike.delete(info.likeness);
      for (const { answer } of this.#questions.values()) answer.delete(group);
    }
    for (const minds of this.#mindsOf(info)) {
      const like = minds.get(info.terms.id);
      if (like && add(like.perNode, nodeName, -1) && like.perNode.size === 0) minds.delete(info.terms.id);
    }
  }

  /** The groups for which `matches` holds; `question` must name that function and nothing else. */
  ask(question: string, matches: (group: Alike) => boolean): ReadonlySet<Alike> {
    const known = this.#questions.get(question);
    if (known) {
      this.#questions.delete(question);
      this.#questions.set(question, known);
      return known.answer;
    }
    const answer = new Set([...this.#alike.values()].filter(matches));
    this.#questions.set(question, { matches, answer });
    if (this.#questions.size > MAX_QUESTIONS) {
      const [oldest = ""] = this.#questions.keys();
      this.#questions.delete(oldest);
    }
    return answer;
  }

  /** Namespaces have other labels now: what was asked has to be asked again. */
  forgetAnswers(): void {
    this.#questions.clear();
  }

  get repelling(): Iterable<LikeMinded> {
    return this.#repelling.values();
  }

  get wishing(): Iterable<LikeMinded> {
    return this.#wishing.values();
  }

  #mindsOf({ terms }: PodInfo): readonly Map<string, LikeMinded>[] {
    const found: Map<string, LikeMinded>[] = [];
    if (terms.antiAffinity.length > 0) found.push(this.#repelling);
    if (terms.affinity.length + terms.preferred.length > 0) found.push(this.#wishing);
    return found;
  }
}

/** True when the key has gone. */
function add(counts: Map<string, number>, key: string, by: 1 | -1): boolean {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) return counts.delete(key);
  counts.set(key, count);
  return false;
}
