/** The text with all that a terminal would act on, or that looks like the end of a line, written as `\u{1b}`: what others have said
 *  of themselves is shown to people, and can neither forge a line nor hide one. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
