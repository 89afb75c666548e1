const LABEL_TEXT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_TEXT = `${LABEL_TEXT}(\\.${LABEL_TEXT})*`;
const LABEL_1035_TEXT = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_TEXT = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

const LABEL = whole(LABEL_TEXT);
const SUBDOMAIN = whole(SUBDOMAIN_TEXT);
const LABEL_1035 = whole(LABEL_1035_TEXT);
const QUALIFIED = whole(QUALIFIED_TEXT);
const LABEL_VALUE = whole(`(${QUALIFIED_TEXT})?`);

/** What is wrong with a name, in kube-apiserver's words; nothing when it is fine. @see apimachinery util/validation */
export function subdomainProblems(name: string): readonly string[] {
  const problems = tooLongFor(name, 253, "characters");
  if (!SUBDOMAIN.test(name))
    problems.push(
      `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN_TEXT}')`,
    );
  return problems;
}

const UNDERSCORE_TEXT = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const UNDERSCORE = whole(UNDERSCORE_TEXT);

/** Search domains of a resolver, where `_tcp` is as good as any. */
export function underscoreSubdomainProblems(name: string): readonly string[] {
  const problems = tooLongFor(name, 253, "characters");
  if (!UNDERSCORE.test(name))
    problems.push(
      `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${UNDERSCORE_TEXT}')`,
    );
  return problems;
}

export function labelProblems(name: string): readonly string[] {
  const problems = tooLongFor(name, 63, "characters");
  if (!LABEL.test(name))
    problems.push(
      SUBDOMAIN.test(name)
        ? "must not contain dots"
        : `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL_TEXT}')`,
    );
  return problems;
}

export function label1035Problems(name: string): readonly string[] {
  const problems = tooLongFor(name, 63, "characters");
  if (!LABEL_1035.test(name))
    problems.push(
      `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${LABEL_1035_TEXT}')`,
    );
  return problems;
}

/** Names of RBAC objects: anything that can be one segment of a path. */
export function pathSegmentProblems(name: string): readonly string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((sign) => name.includes(sign)).map((sign) => `may not contain '${sign}'`);
}

/** Keys of labels, annotations, finalizers: `[prefix/]name`. */
export function qualifiedNameProblems(key: string): readonly string[] {
  const parts = key.split("/");
  if (parts.length > 2)
    return [
      `a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED_TEXT}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const problems: string[] = [];
  if (prefix === "") problems.push("prefix part must be non-empty");
  else if (prefix !== undefined)
    problems.push(
      ...subdomainProblems(prefix).map(
        (problem) => `prefix part ${problem.replace(/ characters$/, " bytes")}`,
      ),
    );
  if (name === "") problems.push("name part must be non-empty");
  else problems.push(...tooLongFor(name, 63, "bytes").map((problem) => `name part ${problem}`));
  if (!QUALIFIED.test(name))
    problems.push(
      `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED_TEXT}')`,
    );
  return problems;
}

export function labelValueProblems(value: string): readonly string[] {
  const problems = tooLongFor(value, 63, "bytes");
  if (!LABEL_VALUE.test(value))
    problems.push(
      `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${QUALIFIED_TEXT})?')`,
    );
  return problems;
}

/** Both are counted in bytes; older rules call them characters. */
function tooLongFor(text: string, max: number, unit: "bytes" | "characters" = "bytes"): string[] {
  return Buffer.byteLength(text) > max ? [`must be no more than ${max} ${unit}`] : [];
}

function whole(text: string): RegExp {
  return new RegExp(`^(?:${text})$`);
}
