import assert from "node:assert/strict";
import { test } from "node:test";
import { environment } from "./environment.ts";
import { CelFault } from "./fault.ts";
import { toJson } from "./json-value.ts";
import { Budget } from "./meter.ts";
import { compileRule } from "./rule.ts";
import { DYN, INT, mapOf, objectType, STRING, showType } from "./types.ts";

const ENVIRONMENT = environment({
  x: DYN,
  m: mapOf(STRING, INT),
  o: objectType("Thing", { replicas: INT, name: STRING, inner: objectType("Thing.inner", { a: INT }) }),
  "deep.name": STRING,
});
const BINDINGS = {
  x: { a: 1, b: [1, 2.5, "three"], n: null, s: "text" },
  m: { a: 1, b: 2 },
  o: { replicas: 3, name: "web" },
  "deep.name": "deep",
};

/** What an expression gives as JSON, or the first line of what is wrong with it. */
function outcome(source: string): unknown {
  try {
    const value = compileRule(source, ENVIRONMENT).evaluate(BINDINGS, new Budget(10_000_000));
    return toJson(value);
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
    return `${error.code}: ${error.message.split("\n")[0]}`;
  }
}

/** Expressions that are true. */
const TRUE = [
  // numbers
  "1 + 2 * 3 == 7",
  "-7 / 2 == -3 && -7 % 2 == -1",
  "9223372036854775807 > 0 && -9223372036854775808 < 0",
  "0xff == 255 && -0x10 == -16",
  "18446744073709551615u > 1u",
  "1 < 1.5 && 2u > 1 && 1.0 <= 1u",
  "dyn(1) == 1.0 && dyn(1u) == 1 && dyn(1) != 1.5",
  "dyn([1, 2]) == [1.0, 2.0]",
  "dyn(1) != 'a' && dyn(null) != 1",
  "double('NaN') != double('NaN')",
  "1.0 / 0.0 == double('inf')",
  "int(-1.9) == -1 && int('12') == 12 && uint(3) == 3u",
  "string(1000000.0) == '1e+06' && string(1.5) == '1.5' && string(-3) == '-3'",
  "{1: 2}[dyn(1.0)] == 2",
  // logic
  "false && 1 / 0 > 0 ? false : true",
  "1 / 0 > 0 || true",
  "!(1 / 0 > 0 && false)",
  "!!true",
  "true ? true : 1 / 0 > 0",
  // text
  "'\\u00e9\\U0001F600'.size() == 2 && size('abc') == 3",
  "r'\\d' == '\\\\d' && \"\"\"a\n'b\"\"\" == 'a\\n\\'b'",
  "'\\x41\\101' == 'AA'",
  "b'\\xff' + b'a' == b'\\377a' && bytes('é') == b'é'",
  "'hello'.charAt(4) == 'o' && 'hello'.charAt(5) == ''",
  "'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3 && 'hello'.indexOf('l', 3) == 3",
  "'😀a'.indexOf('a') == 1 && '😀ab'.substring(1) == 'ab' && 'tacocat'.substring(0, 4) == 'taco'",
  "'ÀBC'.lowerAscii() == 'Àbc' && 'àbc'.upperAscii() == 'àBC'",
  "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
  "'hello hello'.replace('he', 'we', 1) == 'wello hello' && 'ab'.replace('', '-') == '-a-b-'",
  "['a', 'b'].join('-') == 'a-b' && '  x '.trim() == 'x'",
  "'%s has %d of %.1f%%'.format(['a', 3, 4.75]) == 'a has 3 of 4.8%'",
  "'%s'.format([{'b': [1, true], 'a': null}]) == '{\"a\":null, \"b\":[1, true]}'",
  "'%x %X %b %o %e'.format([255, 'hi', 5, 8, 1234.5]) == 'ff 6869 101 10 1.234500×10⁰³'",
  "'foobar'.matches('o+b') && !'foobar'.matches('^o')",
  "'abc 123'.find('[0-9]+') == '123' && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
  // lists, maps, macros
  "[1, 2] + [3] == [1, 2, 3] && 2 in [1, 2] && !('z' in m)",
  "[1, 2, 3].all(i, i > 0) && [1, 2].exists(i, i == 2) && [1, 2].exists_one(i, i == 2)",
  "[0, 2].exists(i, 4 / i == 2)",
  "![0, 2].all(i, 4 / i == 3)",
  "[1, 2, 3].map(i, i * 2) == [2, 4, 6] && [1, 2, 3].map(i, i > 1, i * 2) == [4, 6]",
  "m.filter(k, m[k] > 1) == ['b'] && m.all(k, k in m)",
  "[1, 2].all(i, v, v == i + 1) && m.exists(k, v, k == 'b' && v == 2)",
  "[1, 2].transformList(i, v, i * v) == [0, 2] && m.transformMap(k, v, v > 1, v * 2) == {'b': 4}",
  "m.transformMapEntry(k, v, {v: k}) == {1: 'a', 2: 'b'}",
  "[[1, 2], [3]].map(y, y.map(z, z * 2)) == [[2, 4], [6]]",
  "[1, 2, 2].isSorted() && [3, 1].min() == 1 && [3, 1].max() == 3 && ['a', 'b'].indexOf('b') == 1",
  "[].sum() == 0 && [1.5, 2.5].sum() == 4.0",
  "[3, 1, 2].sort() == [1, 2, 3] && [1, 1, 2].distinct() == [1, 2] && [1, 2, 3].slice(1, 3) == [2, 3]",
  "[[1], [2, 3]].flatten() == [1, 2, 3] && lists.range(3) == [0, 1, 2]",
  "['bb', 'a'].sortBy(s, size(s)) == ['a', 'bb']",
  "sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 3])",
  "[1,] == [1] && {'a': 1,} == {'a': 1}",
  // fields and optionals
  "has(x.a) && !has(x.z) && x.b[2] == 'three' && x.b[1] == 2.5 && x.n == null",
  "type(x.a) == int && type(x.b[1]) == double && type(1u) == uint && type([]) == list && type(m) == map",
  "o.replicas == 3 && o.name == 'web'",
  "!has(o.inner) && has(o.name)",
  "deep.name == 'deep'",
  "m.?a.orValue(9) == 1 && m.?z.orValue(9) == 9 && m[?'b'].hasValue() && !x.?q.r.hasValue()",
  "optional.of(1).optMap(v, v + 1) == optional.of(2) && optional.none().or(optional.of(1)).value() == 1",
  "[?m.?z, 1] == [1] && {?'k': m.?z} == {}",
  "optional.ofNonZeroValue('').orValue('d') == 'd'",
  // times
  "timestamp('2024-02-29T12:30:00.123456789Z') - timestamp('2024-02-29T12:30:00Z') == duration('123456789ns')",
  "duration('1h30m') == duration('5400s') && string(duration('90m')) == '5400s' && duration('1.5s').getMilliseconds() == 1500",
  "timestamp('2024-01-15T14:30:45Z').getHours('America/New_York') == 9 && timestamp('2024-01-15T14:30:45Z').getDayOfYear() == 14",
  "timestamp('2024-01-15T14:30:45Z').getDate() == 15 && timestamp('2024-01-15T14:30:45Z').getHours('+02:00') == 16",
  "timestamp('2024-01-15T14:30:45+02:00') < timestamp('2024-01-15T14:30:45Z') && int(timestamp('1970-01-01T00:01:00Z')) == 60",
  "string(timestamp('2024-01-15T14:30:45.5Z')) == '2024-01-15T14:30:45.5Z'",
  // Kubernetes
  "isURL('https://a.b:8/x?y=1') && !isURL('a.b') && isURL('/only/path') && !isURL('https://a b')",
  "url('https://u@h.io:80/p%20q?a=1&a=2').getHost() == 'h.io:80' && url('https://[::1]:80/').getHostname() == '::1'",
  "url('https://h/p?a=1&a=2').getQuery() == {'a': ['1', '2']} && url('https://h:8').getPort() == '8' && url('https://h').getEscapedPath() == ''",
  "isIP('::1') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4') && ip('127.0.0.1').isLoopback() && ip('::1').family() == 6",
  "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1')) && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
  "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('::1/64').prefixLength() == 64 && string(cidr('10.1.2.3/8').ip()) == '10.1.2.3'",
  "ip('2001:db8::1') == ip('2001:0DB8::1') && ip.isCanonical('::1') && !ip.isCanonical('0:0::1') && ip('8.8.8.8').isGlobalUnicast()",
  "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('500m').add(quantity('500m')) == quantity('1') && isQuantity('1k') && !isQuantity('x')",
  "quantity('50k').asInteger() == 50000 && quantity('100m').compareTo(quantity('0.1')) == 0 && sign(quantity('1').sub(2)) == -1",
  "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('v1.2', true).minor() == 2 && isSemver('1.0.0-rc.1') && !isSemver('1.0')",
  "format.dns1123Label().validate('Bad').hasValue() && !format.dns1123Label().validate('good').hasValue() && format.named('nope') == optional.none()",
];

for (const source of TRUE) test(`is true: ${source}`, () => assert.equal(outcome(source), true));

/** Expressions and what is wrong with them. */
const WRONG: readonly (readonly [string, string])[] = [
  ["9223372036854775807 + 1", "runtime: integer overflow"],
  ["-9223372036854775808 / -1", "runtime: integer overflow"],
  ["-(-9223372036854775808)", "runtime: integer overflow"],
  ["int(1e30)", "compile: program instantiation failed: integer overflow"],
  ["1u - 2u", "runtime: unsigned integer overflow"],
  ["1 / 0", "runtime: division by zero"],
  ["1 % 0", "runtime: modulus by zero"],
  ["x.zz", "runtime: no such key: zz"],
  ["[1][1]", "runtime: index out of bounds: 1"],
  ["x.s.y", "runtime: no such key: y"],
  ["dyn(1) + dyn('a')", "runtime: no such overload"],
  ["optional.none().value()", "runtime: optional.none() dereference"],
  ["'abc'.charAt(9)", "runtime: index out of range: 9"],
  ["[0].all(i, 4 / i == 3)", "runtime: division by zero"],
  ["o.nope", "compile: compilation failed: ERROR: <input>:1:2: undefined field 'nope'"],
  [
    "nope",
    "compile: compilation failed: ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')",
  ],
  [
    "nope(1)",
    "compile: compilation failed: ERROR: <input>:1:5: undeclared reference to 'nope' (in container '')",
  ],
  [
    "1 + 'a'",
    "compile: compilation failed: ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'",
  ],
  [
    "1 == 1.0",
    "compile: compilation failed: ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, double)'",
  ],
  [
    "'a'.size(1)",
    "compile: compilation failed: ERROR: <input>:1:9: found no matching overload for 'size' applied to 'string.(int)'",
  ],
  ["[1, 'a']", "compile: compilation failed: ERROR: <input>:1:5: expected type 'int' but found 'string'"],
  [
    "true ? 1 : 'a'",
    "compile: compilation failed: ERROR: <input>:1:6: found no matching overload for '_?_:_' applied to '(bool, int, string)'",
  ],
  [
    "'a'.b",
    "compile: compilation failed: ERROR: <input>:1:4: type 'string' does not support field selection",
  ],
  [
    "(1).all(x, true)",
    "compile: compilation failed: ERROR: <input>:1:2: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
  ],
  ["'a'.matches('(')", "compile: compilation failed: ERROR: <input>:1:13: invalid matches argument"],
  [
    "duration('1 hour') > duration('1s')",
    "compile: compilation failed: ERROR: <input>:1:10: invalid duration argument",
  ],
  [
    "1 +",
    "compile: compilation failed: ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
  ],
  ["1 @ 2", "compile: compilation failed: ERROR: <input>:1:3: Syntax error: token recognition error at: '@'"],
  ["namespace", "compile: compilation failed: ERROR: <input>:1:1: reserved identifier: namespace"],
  ["9223372036854775808", "compile: compilation failed: ERROR: <input>:1:1: invalid int literal"],
  ["has(x)", "compile: compilation failed: ERROR: <input>:1:5: invalid argument to has() macro"],
  [
    "Thing{a: 1}",
    "compile: compilation failed: ERROR: <input>:1:6: undeclared reference to 'Thing' (in container '')",
  ],
  ["'\\q'", "compile: compilation failed: ERROR: <input>:1:1: Syntax error: unable to unescape string"],
];

for (const [source, expected] of WRONG)
  test(`is refused: ${source}`, () => assert.equal(outcome(source), expected));

test("a mistake is shown in its line", () => {
  const message = (() => {
    try {
      compileRule("o.replicas > 1 &&\n  o.nam == 'x'", ENVIRONMENT);
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  })();
  assert.equal(
    message,
    "compilation failed: ERROR: <input>:2:4: undefined field 'nam'\n |   o.nam == 'x'\n | ...^",
  );
});

test("every mistake is told", () => {
  assert.throws(() => compileRule("nope1 && nope2", ENVIRONMENT), /nope1[\s\S]*nope2/);
});

test("types are known before evaluation", () => {
  assert.equal(showType(compileRule("m.map(k, [k])", ENVIRONMENT).type), "list(list(string))");
  assert.equal(showType(compileRule("m[?'a']", ENVIRONMENT).type), "optional_type(int)");
  assert.deepEqual([...compileRule("x.a + o.replicas", ENVIRONMENT).uses], ["x", "o"]);
});

/** Expressions that would take too long or too much memory. */
const EXPENSIVE = [
  "[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, [0,1,2,3,4,5,6,7,8,9].map(c, [0,1,2,3,4,5,6,7,8,9].map(d, [0,1,2,3,4,5,6,7,8,9].map(e, [0,1,2,3,4,5,6,7,8,9].map(f, a + b))))))",
  "lists.range(1000000000).size() > 0",
  `${Array.from({ length: 40 }, (_, i) => `[${i === 0 ? "'aaaaaaaaaaaaaaaa'" : `a${i - 1} + a${i - 1}`}].map(a${i}, `).join("")}a39.size()${")".repeat(40)}`,
  `${Array.from({ length: 40 }, (_, i) => `[${i === 0 ? "[1, 2, 3]" : `a${i - 1} + a${i - 1}`}].map(a${i}, `).join("")}a39.size()${")".repeat(40)}`,
  `[lists.range(3000).map(i, 'abcdefghij').join()].map(s, s.replace('a', s).size())`,
];

for (const [i, source] of EXPENSIVE.entries())
  test(`work is bounded: ${i}`, () =>
    assert.equal(outcome(source), "cost: operation cancelled: actual cost limit exceeded"));

test("a budget is shared by rules", () => {
  const budget = new Budget(1000);
  const rule = compileRule("lists.range(300).size() == 300", ENVIRONMENT);
  for (let i = 0; i < 3; i++) rule.evaluate(BINDINGS, budget);
  assert.throws(() => rule.evaluate(BINDINGS, budget), /running out of cost budget/);
});

test("no text does anything but compile or be refused", () => {
  const pieces = [
    "a",
    "x.",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    ",",
    "'",
    '"',
    "\\",
    "1",
    ".5",
    "0x",
    "u",
    "+",
    "-",
    "!",
    "&&",
    "||",
    "in ",
    "has(",
    "m.all(k,",
    "b'",
    "r'",
    "\n",
    "//",
    "`",
    "é",
    "😀",
    "\u0000",
    "==",
    "<",
    "size(",
    "optional.of(",
    "true",
    "null",
  ];
  let seed = 42;
  const next = (limit: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return (seed >> 8) % limit;
  };
  for (let round = 0; round < 20_000; round++) {
    const source = Array.from({ length: 1 + next(12) }, () => pieces[next(pieces.length)]).join("");
    outcome(source);
  }
});

test("nesting is bounded", () => {
  assert.match(String(outcome(`${"(".repeat(5000)}1${")".repeat(5000)}`)), /recursion limit exceeded/);
  assert.match(String(outcome(`${"[".repeat(5000)}`)), /recursion limit exceeded/);
  assert.match(
    String(outcome(Array.from({ length: 5000 }, () => "1").join("+"))),
    /recursion limit exceeded/,
  );
  assert.match(String(outcome(`${"!".repeat(5001)}true`)), /false/);
  assert.equal(outcome(Array.from({ length: 5000 }, () => "true").join(" && ")), true);
});
