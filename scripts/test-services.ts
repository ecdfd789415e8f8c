/**
 * The tests that need a server which npm does not bring: `*.services.test.ts`. Installs the Debian packages where
 * it may; elsewhere the tests skip themselves and say what is missing.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** What the tests look for, and the Debian packages that bring it. */
const needed = [
  { file: "/usr/sbin/mariadbd", packages: ["mariadb-server-core", "mariadb-client-core"] },
  { file: "/usr/bin/my_print_defaults", packages: ["mariadb-client-core"] },
  { file: "/usr/bin/chromium", packages: ["chromium"] },
] as const;

const root = join(import.meta.dirname, "..");
const run = (command: string, args: readonly string[]): number => {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] }).status ?? 1;
};

const packages = [...new Set(needed.filter(({ file }) => !existsSync(file)).flatMap((one) => one.packages))];
if (packages.length > 0) {
  const debian = existsSync("/usr/bin/apt-get") && process.getuid?.() === 0;
  if (debian && run("apt-get", ["update", "-qq"]) === 0)
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  if (needed.some(({ file }) => !existsSync(file)))
    console.log(`not installed: ${packages.join(", ")}; the tests that need them are skipped`);
}
process.exitCode = run(join(root, "node_modules", ".bin", "vitest"), ["run", ".services.test.ts"]);
