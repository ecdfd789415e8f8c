/** `npm run bench:engine`: the five barrier steps of `--suite default` and `quick`, or everything: `--suite full`. */
import { measureFiveSteps } from "./five-steps.ts";
import { measureSuite } from "./suite/suite.ts";

const words = process.argv.slice(2);
const full = words.some(
  (word, i) => word === "--suite=full" || (word === "full" && words[i - 1] === "--suite"),
);

process.exitCode = await (full ? measureSuite() : measureFiveSteps());
