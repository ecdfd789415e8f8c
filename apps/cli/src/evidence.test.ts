/** `oars evidence` against the whole server: from the first scan to a pack that a stranger verifies. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../../server/src/testing/api.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

let api: TestApi;
let cli: Cli;

beforeAll(async () => {
  api = await startTestApi("pglite");
  cli = createCli();
  return cli.remove;
});
afterAll(() => api?.close());

const done = async (args: string): Promise<string> => {
  const ended = await cli(args);
  expect(ended, args).toMatchObject({ code: 0, err: "" });
  return ended.out;
};

it("tells gaps, makes a pack, verifies it, and finds out that it was changed", async () => {
  await done(`login --url ${api.base} --key ${api.app.adminKey}`);
  expect(await done("evidence frameworks")).toMatch(/^soc2 +33 +\d+ +SOC 2/m);
  expect(await done("evidence list")).toContain("There are no evidence packs");
  const scan = await cli("evidence coverage eu_ai_act --from 2020-01-01");
  expect(scan).toMatchObject({ code: 1, out: expect.stringContaining("missing_kind") });
  expect(await cli("evidence coverage sox")).toMatchObject({ code: 1, err: expect.stringContaining("soc2") });
  expect(await cli("evidence export --framework soc2 --from tomorrow --to 2100-01-01")).toMatchObject({
    code: 2,
  });

  const made = JSON.parse(
    await done(
      "evidence export --framework soc2 --from 2020-01-01 --to 2100-01-01 --seed s1 --out pack.zip --json",
    ),
  );
  expect(made).toMatchObject({ state: "ready", seed: "s1", file: "pack.zip" });
  expect(await done("evidence list")).toContain(made.id);
  await done("tenant keys --out keys.json");
  expect(await done("evidence verify pack.zip --keys keys.json")).toMatch(/^verdict +verified$/m);

  const bytes = await readFile(join(cli.folder, "pack.zip"));
  bytes.writeUInt8(bytes.readUInt8(600) ^ 1, 600);
  await writeFile(join(cli.folder, "pack.zip"), bytes);
  expect(await cli("evidence verify pack.zip --keys keys.json")).toMatchObject({
    code: 1,
    out: expect.stringMatching(/^verdict +tampered$/m),
  });
  expect(await cli("evidence verify nothing.zip --keys keys.json")).toMatchObject({ code: 2 });
  expect(await done(`evidence download ${made.id} --out again.zip`)).toContain(made.sha256);

  expect(await done("evidence schedule soc2")).toMatch(/^soc2 +/m);
  expect(await done("evidence schedule soc2 --off")).toContain("No packs are made");
});
