/**
 * The applications that `flotilla demo` knows: its own shop in demo/, and examples/ of each framework. A folder with an
 * application's files and its flotilla.yaml is made of each; an example finds its packages there as links, and is built if it has to be.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FlotillaError } from "../support/errors.ts";
import { exampleNames } from "./example-names.ts";
import { shopApi } from "./shop-api.ts";
import { shopPages } from "./shop-page.ts";
import type { Storefront } from "./storefront.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const buildTimeoutMs = 180_000;
/** Of what a build printed, when it fails. */
const outputCharactersMax = 4_000;

export interface DemoApp {
  /** As it is called on the command line. */
  readonly name: string;
  /** Of its flotilla.yaml. */
  readonly folder: string;
  readonly storefront: Storefront;
  /** For its build script, if it has one. */
  readonly buildArguments: readonly string[];
}

interface Package {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

export const shopApp: DemoApp = {
  name: "shop",
  folder: join(root, "demo"),
  storefront: shopPages,
  buildArguments: [],
};

/** By name. */
export const exampleApps: ReadonlyMap<string, DemoApp> = new Map(
  exampleNames.map((name) => [
    name,
    {
      name,
      folder: join(root, "examples", name),
      storefront: shopApi,
      // Next's own bundler refuses packages that are linked from elsewhere.
      buildArguments: name === "next" ? ["--webpack"] : [],
    },
  ]),
);

/**
 * Puts the application into an empty folder, ready to run there.
 * @throws FlotillaError FLOTILLA_DEMO_PACKAGE, FLOTILLA_DEMO_START
 */
export async function installApp(app: DemoApp, folder: string): Promise<void> {
  if (app === shopApp) {
    packageFolder(app, "express");
    // `run: node shop/server.js` is started in the folder of the file.
    await symlink(join(app.folder, "shop"), join(folder, "shop"));
    return;
  }
  await cp(app.folder, folder, { recursive: true, filter: (path) => !isMade(basename(path)) });
  const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Package;
  const modules = join(folder, "node_modules");
  await mkdir(modules);
  for (const name of Object.keys({ ...description.dependencies, ...description.devDependencies })) {
    const link = join(modules, name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(name === "flotilla" ? root : packageFolder(app, name), link);
  }
  if (description.scripts?.build !== undefined) await build(app, folder);
}

/** What its own install and build leave in its folder. */
function isMade(name: string): boolean {
  return ["node_modules", "dist", ".next", ".flotilla", "secret"].includes(name);
}

/** @throws FlotillaError FLOTILLA_DEMO_PACKAGE */
function packageFolder(app: DemoApp, name: string): string {
  const folders = createRequire(join(app.folder, "package.json")).resolve.paths(name) ?? [];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new FlotillaError(
    "FLOTILLA_DEMO_PACKAGE",
    `the demo's application ${app.name} needs the package ${name}, which is not installed here: npm install ${name}`,
  );
}

async function build({ name, buildArguments }: DemoApp, folder: string): Promise<void> {
  const programs = join(root, "node_modules", ".bin");
  const npm = spawn("npm", ["run", "--silent", "build", "--", ...buildArguments], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${programs}${delimiter}${process.env.PATH}`,
      NODE_ENV: "production",
      NEXT_TELEMETRY_DISABLED: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: buildTimeoutMs,
  });
  let output = "";
  const take = (text: string): void => {
    output = (output + text).slice(-outputCharactersMax);
  };
  npm.stdout.setEncoding("utf8").on("data", take);
  npm.stderr.setEncoding("utf8").on("data", take);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  npm.once("error", reject).once("close", resolve);
  if ((await promise) !== 0)
    throw new FlotillaError("FLOTILLA_DEMO_START", `the application ${name} could not be built:\n${output}`);
}
