/** What the build does besides bundling: the demo's walk, the list of the app's shell, compressed twins of all files. */

import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSED = /\.(html|js|mjs|css|json|svg|webmanifest)$/;
const LEAST_BYTES = 500;
/** Not needed to open the app without a network. */
const NOT_SHELL = /(^sw\.js|^assets\/watch|^watch\.html|\.map|\.br|\.gz|^demo\/)/;

/** A recorded walk as `demo/walk.json`: [seconds, lat, lon, accuracy in metres] a fix. */
export function demoWalk(file: string): Plugin {
  return {
    name: "demo-walk",
    async generateBundle() {
      const trace = JSON.parse(await readFile(file, "utf8")) as RecordedWalk;
      const fixes = walkOf(trace);
      this.emitFile({ type: "asset", fileName: "demo/walk.json", source: JSON.stringify({ fixes }) });
    },
  };
}

/** Lets the walker's page load the map at once, beside the rest. */
export function preloadMap(): Plugin {
  return {
    name: "preload-map",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle, filename }) {
        if (bundle === undefined || !filename.endsWith("index.html")) return [];
        const chunks = Object.values(bundle).filter((one) => one.type === "chunk");
        const map = chunks.find((chunk) => chunk.facadeModuleId?.endsWith("/src/map.ts"));
        if (map === undefined) throw new Error("there is no chunk of the map");
        const names = [map.fileName, ...map.imports.filter((name) => !name.includes("/index-"))];
        return names.map((name) => ({ tag: "link", attrs: { rel: "modulepreload", href: `/${name}` }, injectTo: "head" as const }));
      },
    },
  };
}

/** Puts the names of all files of the app's shell into the service worker. */
export function shellList(): Plugin {
  let folder = "";
  return {
    name: "shell-list",
    configResolved(config) {
      folder = config.build.outDir;
    },
    async closeBundle() {
      const names = (await filesIn(folder)).filter((name) => !NOT_SHELL.test(name)).sort();
      const digest = createHash("sha256");
      for (const name of names) digest.update(name).update(await readFile(join(folder, name)));
      const worker = join(folder, "sw.js");
      const source = await readFile(worker, "utf8");
      const paths = names.map((name) => (name === "index.html" ? "/" : `/${name}`));
      const shell = JSON.stringify({ version: digest.digest("hex").slice(0, 12), paths });
      if (!source.includes("__SHELL__")) throw new Error("sw.ts has no place for the list of the shell");
      await writeFile(worker, source.replace(/["'`]__SHELL__["'`]/, () => JSON.stringify(shell)));
    },
  };
}

/** Writes a `.br` and a `.gz` beside every file that gets smaller by it. */
export function compressed(): Plugin {
  let folder = "";
  return {
    name: "compressed",
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle: {
      order: "post",
      sequential: true,
      async handler() {
        for (const name of await filesIn(folder)) {
          const data = await readFile(join(folder, name));
          if (!COMPRESSED.test(name) || data.length < LEAST_BYTES) continue;
          const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length };
          await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(data, { params }));
          await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(data, { level: 9 }));
        }
      },
    },
  };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

interface RecordedWalk {
  times: number[];
  latlon: [number, number][];
}

function walkOf(walk: RecordedWalk): [number, number, number][] {
  if (walk.times.length !== walk.latlon.length) throw new Error("the recorded walk has not one time a place");
  return walk.times.map((time, index) => {
    const [lat, lon] = walk.latlon[index]!;
    return [time, Number(lat.toFixed(6)), Number(lon.toFixed(6))];
  });
}
