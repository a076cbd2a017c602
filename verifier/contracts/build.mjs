// Compiles the contracts with the pinned solc and writes the artefacts in build/, or with --check says which are stale.
// Run .ci/tools/install first. Artefacts carry no metadata hash: the same sources give the same bytes anywhere.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const tools = process.env.NIGHTINGALE_TOOLS ?? path.join(here, "../../target/tools");
const solc = createRequire(path.join(tools, "package.json"))("solc");

// What is published, by source. The tokens are for tests and local chains only.
const artefacts = {
  "src/Registry.sol": "Registry",
  "src/ClaimSettlement.sol": "ClaimSettlement",
  "src/AuditAnchors.sol": "AuditAnchors",
  "src/CohortLog.sol": "CohortLog",
  "src/cohort/CohortVerifier.sol": "CohortVerifier",
  "src/interfaces/IClaimVerifier.sol": "IClaimVerifier",
  "test/TestToken.sol": "TestToken",
  "test/HostileToken.sol": "HostileToken",
};
const optimizer = { enabled: true, runs: 20000 };
// The constant optimizer takes the verifier for creation code and reads its constants from memory, which costs more gas.
const yulOptimizer = {
  ...optimizer,
  details: { yul: true, constantOptimizer: false, cse: true, deduplicate: true, inliner: true, jumpdestRemover: true,
    orderLiterals: true, peephole: true },
};
// Generated verifiers, one for each size of tables. The optimizer of Yul itself does not get through so long a block.
const generated = ["NarrowVerifier14"];
const peephole = { enabled: true, runs: 20000, details: { ...yulOptimizer.details, yul: false } };
const metadata = { appendCBOR: false, bytecodeHash: "none" };
const evmVersion = "cancun";

function compile(input) {
  const open = (name) => {
    try {
      return { contents: fs.readFileSync(path.join(here, name), "utf8") };
    } catch (error) {
      return { error: String(error) };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: open }));
  // 2394 reminds of what transient storage is for; a reentrancy guard is what it is for.
  const reports = (output.errors ?? []).filter((report) => report.errorCode !== "2394");
  for (const report of reports) console.error(report.formattedMessage ?? report.message);
  if (reports.length !== 0) process.exit(1);
  return output.contracts;
}

const read = (name) => ({ content: fs.readFileSync(path.join(here, name), "utf8") });

function solidity() {
  const sources = Object.fromEntries(Object.keys(artefacts).map((name) => [name, read(name)]));
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const contracts = compile({
    language: "Solidity",
    sources,
    settings: { optimizer, metadata, evmVersion, outputSelection },
  });
  return Object.entries(artefacts).map(([source, name]) => ({ source, name, output: contracts[source][name] }));
}

function yul(source, name, optimizer) {
  const outputSelection = { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const contracts = compile({
    language: "Yul",
    sources: { [source]: read(source) },
    settings: { optimizer, evmVersion, outputSelection },
  });
  return { source, name, output: contracts[source][name] };
}

function render({ source, name, output }, abi) {
  const artefact = {
    contract: name,
    source,
    compiler: solc.version(),
    evmVersion,
    abi,
    bytecode: "0x" + output.evm.bytecode.object,
  };
  // The verifier's code without constants is what the registry recognises.
  if (name === "ClaimVerifier") artefact.template = "0x" + output.evm.deployedBytecode.object;
  // Which key a generated verifier is for, its first lines say.
  if (source.startsWith("generated/")) artefact.key = "0x" + read(source).content.match(/\.vk \(([0-9a-f]{64})\)/)[1];
  return JSON.stringify(artefact, null, 2) + "\n";
}

const compiled = solidity();
const verifierAbi = compiled.find((each) => each.name === "IClaimVerifier").output.abi;
const files = compiled
  .filter((each) => each.name !== "IClaimVerifier")
  .map((each) => [each.name, render(each, each.output.abi)]);
files.push(["ClaimVerifier", render(yul("src/ClaimVerifier.yul", "ClaimVerifier", yulOptimizer), verifierAbi)]);
// What is generated has no ABI and no errors.
for (const name of generated) files.push([name, render(yul(`generated/${name}.yul`, name, peephole), [])]);

let stale = 0;
for (const [name, text] of files) {
  const file = path.join(here, "build", name + ".json");
  if (process.argv.includes("--check")) {
    if (fs.existsSync(file) && fs.readFileSync(file, "utf8") === text) continue;
    console.error("stale: build/" + name + ".json; run node verifier/contracts/build.mjs");
    stale += 1;
  } else {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    console.log(name + ": " + (text.match(/"bytecode": "0x([0-9a-f]*)"/)[1].length / 2) + " bytes of creation code");
  }
}
process.exitCode = stale === 0 ? 0 : 1;
