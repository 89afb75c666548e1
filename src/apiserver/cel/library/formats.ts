import {
  label1035Problems,
  labelProblems,
  labelValueProblems,
  qualifiedNameProblems,
  subdomainProblems,
} from "../../kinds/field/names.ts";
import { define, type Overload } from "../declare.ts";
import { Opaque, Optional, type Value } from "../value.ts";

/** A named way to write a string; `validate` tells what is wrong with one. */
export class FormatValue extends Opaque {
  readonly typeName = "kubernetes.NamedFormat";
  readonly name: string;
  readonly problems: (text: string) => readonly string[];

  constructor(name: string, problems: (text: string) => readonly string[]) {
    super();
    this.name = name;
    this.problems = problems;
  }

  equals(other: Opaque): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}

const FORMATS: Readonly<Record<string, (text: string) => readonly string[]>> = {
  dns1123Label: labelProblems,
  dns1123Subdomain: subdomainProblems,
  dns1035Label: label1035Problems,
  qualifiedName: qualifiedNameProblems,
  dns1123LabelPrefix: (text) => labelProblems(prefixOf(text)),
  dns1123SubdomainPrefix: (text) => subdomainProblems(prefixOf(text)),
  dns1035LabelPrefix: (text) => label1035Problems(prefixOf(text)),
  labelValue: labelValueProblems,
  uri: (text) =>
    /^[a-zA-Z][a-zA-Z0-9+.-]*:\S*$|^\/\S*$/.test(text)
      ? []
      : [`parse ${JSON.stringify(text)}: invalid URI for request`],
  uuid: (text) =>
    /^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/.test(text)
      ? []
      : ["does not match the UUID format"],
  byte: (text) =>
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) ? [] : ["invalid base64"],
  date: (text) => (/^\d{4}-\d\d-\d\d$/.test(text) && isDate(text) ? [] : ["invalid date"]),
  datetime: (text) =>
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text) && isDate(text)
      ? []
      : ["invalid datetime"],
};

/** `format.dns1123Label().validate(name)`: none when the name is fine. */
export function formats(): readonly Overload[] {
  const known = new Map(
    Object.entries(FORMATS).map(([name, problems]) => [name, new FormatValue(name, problems)]),
  );
  return [
    ...[...known].map(([name, value]) =>
      define(`format.${name}(): kubernetes.NamedFormat`, () => value, "flat"),
    ),
    define(
      "format.named(string): optional(kubernetes.NamedFormat)",
      (name: string) => new Optional(known.get(name)),
    ),
    define("kubernetes.NamedFormat.validate(string): optional(list(string))", validate),
  ];
}

function validate({ problems }: FormatValue, text: string): Value {
  const found = problems(text);
  return new Optional(found.length === 0 ? undefined : found);
}

/** A generated name's beginning may end with a dash. */
function prefixOf(text: string): string {
  return text.endsWith("-") ? `${text}a` : text;
}

function isDate(text: string): boolean {
  return !Number.isNaN(Date.parse(text.replace(" ", "T")));
}
