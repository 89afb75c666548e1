import { Fault } from "#fault/fault";

const BASE = /\{\{-?\s*template\s+"base"\s+\.\s*-?\}\}/g;

/** A user's `config.toml.tmpl` with Twill's own configuration in the place of `{{ template "base" . }}`, which is all of
 *  K3s's template language that is understood. @throws {Fault} "BadTemplate" naming the first other action */
export function fillTemplate(path: string, template: string, base: string): string {
  const other = /\{\{.*?(?:\}\}|$)/m.exec(template.replaceAll(BASE, ""))?.[0];
  if (other === undefined) return template.replaceAll(BASE, () => base);
  throw new Fault(
    "BadTemplate",
    `Cannot use ${path}: of templates only {{ template "base" . }} is understood, not ${other}; ` +
      "write the values out, or put them into a file of their own in the drop-in folder beside it",
  );
}
