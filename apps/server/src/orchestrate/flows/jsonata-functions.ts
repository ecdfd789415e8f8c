/** Functions of JSONata 2.2, and those that expressions of the server may not use. */

const names =
  "sum count max min average string substring substringBefore substringAfter lowercase uppercase length " +
  "trim pad match contains replace split join formatNumber formatBase formatInteger parseInteger number " +
  "floor ceil round abs sqrt power boolean not map zip filter single reduce sift keys lookup append exists " +
  "spread merge reverse each error assert type sort distinct base64encode base64decode encodeUrlComponent " +
  "encodeUrl decodeUrlComponent decodeUrl toMillis fromMillis clone";

export const jsonataFunctions: ReadonlySet<string> = new Set(names.split(" "));

const time = "a retry must give the same result; use run.startedAt or pass the time as a parameter";
const chance = "a retry must give the same result; make the value outside and pass it as a parameter";

/** Each refused function with the reason that its user reads. */
export const refusedFunctions: ReadonlyMap<string, string> = new Map([
  ["now", time],
  ["millis", time],
  ["random", chance],
  ["shuffle", chance],
  ["eval", "what an expression reads must be visible in its text"],
]);
