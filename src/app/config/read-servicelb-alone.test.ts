import assert from "node:assert/strict";
import { test } from "node:test";
import { SERVICELB_DEFAULTS } from "#cloud/servicelb/model";
import { readServiceLbAlone } from "./read-servicelb-alone.ts";

test("nothing said, everything is as in K3s", () => {
  assert.deepEqual(readServiceLbAlone([]), {
    kind: "good",
    config: {
      kubeconfig: undefined,
      serviceLb: SERVICELB_DEFAULTS,
      lease: { namespace: "kube-system", name: "twill-servicelb" },
      isRemoval: false,
      isDebug: false,
    },
    warnings: [],
  });
});

test("each setting has a flag", () => {
  const argv = [
    "--kubeconfig=/a/b",
    "--servicelb-namespace",
    "lbs",
    "--image=mine/lb:1",
    "--priority-class=low",
    "--lease=l",
    "--remove",
    "--debug=false",
  ];
  const reading = readServiceLbAlone(argv);
  assert.ok(reading.kind === "good");
  assert.deepEqual(reading.config, {
    kubeconfig: "/a/b",
    serviceLb: { namespace: "lbs", image: "mine/lb:1", priorityClassName: "low" },
    lease: { namespace: "lbs", name: "l" },
    isRemoval: true,
    isDebug: false,
  });
});

for (const [argv, problem] of [
  [["--servicelb-namespace=Not_one"], /^--servicelb-namespace: .*Not_one/],
  [["--image"], /^--image needs a value$/],
  [["--image=a b"], /^--image: "a b" is not an image/],
  [["--image="], /^--image needs a value$/],
  [["--remove=perhaps"], /^--remove=perhaps: expected true or false$/],
  [["--imag=x"], /^--imag /],
  [["run"], /^"run" is not a flag; servicelb takes only flags$/],
  [["--lease=A b"], /^--lease: /],
] as const)
  test(`refused: ${argv}`, () => {
    const reading = readServiceLbAlone(argv);
    assert.ok(reading.kind === "bad");
    assert.equal(reading.problems.length, 1);
    assert.match(reading.problems[0] ?? "", problem);
  });
