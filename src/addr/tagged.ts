declare const tag: unique symbol;

/** A `T` that only its parser in this room can mint; tags add up under `&`. */
export type Tagged<T, K extends string> = T & { readonly [tag]: { readonly [P in K]: true } };

/** Text from outside that is not what it claims to be: the message quotes it and says what was expected. */
export class AddrError extends Error {
  readonly text: string;
  constructor(what: string, text: string, expected: string) {
    super(`Cannot read ${what} ${JSON.stringify(text)}: ${expected}`);
    this.name = "AddrError";
    this.text = text;
  }
}
