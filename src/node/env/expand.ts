/** Replaces `$(NAME)` by what `lookup` knows; an unknown name stays as written, `$$` is a dollar sign, and what was put in
 *  is not looked at again. `$$(NAME)` is therefore the text `$(NAME)`. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (written, name: string | undefined) => {
    if (name === undefined) return "$";
    return lookup(name) ?? written;
  });
}
