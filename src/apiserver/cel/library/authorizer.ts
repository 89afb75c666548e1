import { define, type Overload } from "../declare.ts";
import { Opaque, type Value } from "../value.ts";

export interface CelDecision {
  readonly allowed: boolean;
  readonly reason: string;
}

export interface CelResourceQuestion {
  readonly verb: string;
  readonly group: string;
  readonly plural: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Who answers whether the request's user, or a service account, may do something. */
export interface CelAuthorizer {
  readonly resource: (question: CelResourceQuestion) => CelDecision;
  readonly path: (path: string, verb: string) => CelDecision;
  readonly serviceAccount: (namespace: string, name: string) => CelAuthorizer;
}

/** What is looked up costs more than a step. */
const CHECK_COST = 350;

abstract class Part extends Opaque {
  equals(other: Opaque): boolean {
    return this === other;
  }
}

/** `authorizer`. */
export class AuthorizerValue extends Part {
  readonly typeName = "kubernetes.authorization.Authorizer";
  readonly asks: CelAuthorizer;

  constructor(asks: CelAuthorizer) {
    super();
    this.asks = asks;
  }
}

class PathValue extends Part {
  readonly typeName = "kubernetes.authorization.PathCheck";
  readonly asks: CelAuthorizer;
  readonly path: string;

  constructor(asks: CelAuthorizer, path: string) {
    super();
    this.asks = asks;
    this.path = path;
  }
}

class GroupValue extends Part {
  readonly typeName = "kubernetes.authorization.GroupCheck";
  readonly asks: CelAuthorizer;
  readonly group: string;

  constructor(asks: CelAuthorizer, group: string) {
    super();
    this.asks = asks;
    this.group = group;
  }
}

/** `authorizer.requestResource`, or one that is put together. */
export class ResourceValue extends Part {
  readonly typeName = "kubernetes.authorization.ResourceCheck";
  readonly asks: CelAuthorizer;
  readonly question: CelResourceQuestion;

  constructor(asks: CelAuthorizer, question: CelResourceQuestion) {
    super();
    this.asks = asks;
    this.question = question;
  }

  but(change: Partial<CelResourceQuestion>): ResourceValue {
    return new ResourceValue(this.asks, { ...this.question, ...change });
  }
}

class DecisionValue extends Part {
  readonly typeName = "kubernetes.authorization.Decision";
  readonly decision: CelDecision;

  constructor(decision: CelDecision) {
    super();
    this.decision = decision;
  }
}

const ROOM = "kubernetes.authorization";

/** Questions to the authorizer, in admission only. */
export function authorizerFunctions(): readonly Overload[] {
  return [...questions(), ...parts(), ...answers()].map((overload) =>
    overload.name === "check" ? { ...overload, cost: () => CHECK_COST } : overload,
  );
}

function questions(): readonly Overload[] {
  const all = { verb: "", plural: "", subresource: "", namespace: "", name: "" };
  const resourceOf = ({ asks, group }: GroupValue, plural: string): Value =>
    new ResourceValue(asks, { ...all, group, plural });
  const accountOf = ({ asks }: AuthorizerValue, namespace: string, name: string): Value =>
    new AuthorizerValue(asks.serviceAccount(namespace, name));
  return [
    define(
      `${ROOM}.Authorizer.path(string): ${ROOM}.PathCheck`,
      ({ asks }: AuthorizerValue, path: string) => new PathValue(asks, path),
    ),
    define(
      `${ROOM}.Authorizer.group(string): ${ROOM}.GroupCheck`,
      ({ asks }: AuthorizerValue, group: string) => new GroupValue(asks, group),
    ),
    define(`${ROOM}.Authorizer.serviceAccount(string, string): ${ROOM}.Authorizer`, accountOf),
    define(`${ROOM}.GroupCheck.resource(string): ${ROOM}.ResourceCheck`, resourceOf),
  ];
}

function parts(): readonly Overload[] {
  const of = `${ROOM}.ResourceCheck`;
  type R = ResourceValue;
  return [
    define(`${of}.subresource(string): ${of}`, (check: R, subresource: string) => check.but({ subresource })),
    define(`${of}.namespace(string): ${of}`, (check: R, namespace: string) => check.but({ namespace })),
    define(`${of}.name(string): ${of}`, (check: R, name: string) => check.but({ name })),
    // Nobody here decides by selectors: asking with one is asking without.
    define(`${of}.fieldSelector(string): ${of}`, (check: R) => check),
    define(`${of}.labelSelector(string): ${of}`, (check: R) => check),
  ];
}

function answers(): readonly Overload[] {
  type D = DecisionValue;
  const of = `${ROOM}.Decision`;
  const byPath = ({ asks, path }: PathValue, verb: string): Value => new DecisionValue(asks.path(path, verb));
  const byResource = ({ asks, question }: ResourceValue, verb: string): Value =>
    new DecisionValue(asks.resource({ ...question, verb }));
  return [
    define(`${ROOM}.PathCheck.check(string): ${of}`, byPath),
    define(`${ROOM}.ResourceCheck.check(string): ${of}`, byResource),
    define(`${of}.allowed(): bool`, ({ decision }: D) => decision.allowed, "flat"),
    define(`${of}.reason(): string`, ({ decision }: D) => decision.reason, "flat"),
    define(`${of}.errored(): bool`, () => false, "flat"),
    define(`${of}.error(): string`, () => "", "flat"),
  ];
}
