// Copies whole, unchanged library files with their licences into static/vendor, and bundles CodeMirror there.
// Run by `make vendor`, after `npm install` beside this file; nothing of it is needed to run the server.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const VENDOR = join(HERE, "../static/vendor");
const TESTS = join(HERE, "../../../tests/web/vendor");

// package, its file, our name, its licence files
const WHOLE = [
  ["preact", "dist/preact.mjs", "preact.mjs", ["LICENSE"]],
  ["preact", "hooks/dist/hooks.mjs", "hooks.mjs", ["LICENSE"]],
  ["htm", "dist/htm.mjs", "htm.mjs", ["LICENSE"]],
  ["marked", "lib/marked.esm.js", "marked.esm.js", ["LICENSE"]],
  ["dompurify", "dist/purify.es.mjs", "purify.es.mjs", ["LICENSE"]],
  ["@dagrejs/dagre", "dist/dagre.esm.js", "dagre.esm.js", ["LICENSE", "dist/dagre.esm.js.LEGAL.txt"]],
  ["diff", "dist/diff.min.js", "diff.min.js", ["LICENSE"]],
];
const FOR_TESTS = [["axe-core", "axe.min.js", "axe.min.js", ["LICENSE"]]];

const rows = [];
const read = (name) => JSON.parse(readFileSync(join(HERE, "node_modules", name, "package.json"), "utf8"));
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

function place(list, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "licences"), { recursive: true });
  for (const [name, file, ours, licences] of list) {
    const target = join(folder, ours);
    copyFileSync(join(HERE, "node_modules", name, file), target);
    for (const licence of licences) keepLicence(name, licence, folder);
    const { version, license } = read(name);
    rows.push({ folder, ours, what: `${name} ${version}, \`${file}\``, license, digest: sha256(target) });
  }
}

function keepLicence(name, file, folder) {
  const ours = `${name.replace("@", "").replace("/", "-")}-${file.split("/").pop()}`;
  copyFileSync(join(HERE, "node_modules", name, file), join(folder, "licences", ours));
}

async function bundle() {
  const target = join(VENDOR, "codemirror.js");
  const result = await build({
    entryPoints: [join(HERE, "codemirror.js")],
    outfile: target, bundle: true, format: "esm", minify: true, metafile: true, legalComments: "none", target: "es2022",
  });
  const names = new Set(
    Object.keys(result.metafile.inputs)
      .map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
      .filter(Boolean),
  );
  const parts = [...names].sort();
  for (const name of parts) keepLicence(name, "LICENSE", VENDOR);
  const licences = new Set(parts.map((name) => read(name).license));
  const what = `built from ${parts.map((name) => `${name} ${read(name).version}`).join(", ")} by esbuild ${read("esbuild").version}`;
  rows.push({ folder: VENDOR, ours: "codemirror.js", what, license: [...licences].join(", "), digest: sha256(target) });
}

function writeVersions(folder, remark) {
  const lines = rows.filter((row) => row.folder === folder)
    .map(({ ours, what, license, digest }) => `| \`${ours}\` | ${what} | ${license} | \`${digest}\` |`);
  const text = `# What is in this folder\n\n${remark} Written by \`make vendor\`; licences are in \`licences/\`.\n\n`
    + `| file | what it is | licence | sha256 |\n|---|---|---|---|\n${lines.join("\n")}\n`;
  writeFileSync(join(folder, "VERSIONS.md"), text);
}

place(WHOLE, VENDOR);
place(FOR_TESTS, TESTS);
await bundle();
writeVersions(VENDOR, "Libraries of the viewer: whole files, unchanged, but for the bundle, whose recipe is `app/web/vendoring/`.");
writeVersions(TESTS, "What only the tests of the viewer use: whole files, unchanged.");
