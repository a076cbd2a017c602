#!/usr/bin/env node
// Answers forge like a native solc, with npm's compiler behind it: `--version` and `--standard-json` (on stdin).
// Installed beside node_modules, so that `require` finds the pinned compiler and no other.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const options = process.argv.slice(2);
const after = (name, otherwise) => (options.includes(name) ? options[options.indexOf(name) + 1] : otherwise);

if (options.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log("Version: " + solc.version().replace(".Emscripten.clang", ".Linux.g++"));
} else if (options.includes("--standard-json")) {
  const base = after("--base-path", ".");
  const open = (name) => {
    try {
      return { contents: fs.readFileSync(path.resolve(base, name), "utf8") };
    } catch (error) {
      return { error: String(error) };
    }
  };
  fs.writeFileSync(1, solc.compile(fs.readFileSync(0, "utf8"), { import: open }));
} else {
  console.error("solc: only --version and --standard-json are answered here, got: " + options.join(" "));
  process.exitCode = 2;
}
