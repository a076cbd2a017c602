// A provider claims its money: receipt, signature, settlement, withdrawal. With viem; nothing of Nightingale is imported.
//
//   PRIVATE_KEY=0x.. node settle.mjs RPC_URL DEPLOYMENT.json CLAIM.json
//
// DEPLOYMENT.json is what the deployment wrote. CLAIM.json holds payer, claimCommitment, authority, key (digest) and entry (the
// proof and its public inputs as calldata words). Prints one JSON line.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const tools = process.env.NIGHTINGALE_TOOLS ?? path.join(here, "../../../target/tools");
const load = createRequire(path.join(tools, "package.json"));
const viem = load("viem");
const { privateKeyToAccount } = load("viem/accounts");

const [url, deploymentFile, claimFile] = process.argv.slice(2);
const json = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const { abi } = json(path.join(here, "../build/ClaimSettlement.json"));
const deployment = json(deploymentFile);
const claim = json(claimFile);
const payer = BigInt(claim.payer);

// The order of interfaces/Verdict.sol.
const verdicts =
  "Payable NothingToSettle AlreadySettled VersionUnknown PayeeMalformed KeyDisabled PayerUnknown PayerPaused EpochUnknown " +
  "EpochStale AccountRootUnknown AccountRootStale AuthorityNotAccepted ConsentRootUnknown ConsentRootStale ReceiptMissing " +
  "ReceiptDiffers PayeeSignatureInvalid EscrowTooSmall SettlementUnknown ConsentRootOld KeyPending";
// A later contract may have more of them.
const verdict = (number) => verdicts.split(" ")[number] ?? `verdict ${number}`;

const chain = viem.defineChain({
  id: deployment.chainId,
  name: "settlement",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const account = privateKeyToAccount(process.env.PRIVATE_KEY);
const node = viem.createPublicClient({ chain, transport: viem.http(), pollingInterval: 50 });
const wallet = viem.createWalletClient({ account, chain, transport: viem.http() });

const address = deployment.settlement;
const ask = (functionName, args) => node.readContract({ address, abi, functionName, args });
async function send(functionName, args) {
  const { request } = await node.simulateContract({ account, address, abi, functionName, args });
  const receipt = await node.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
  return viem.parseEventLogs({ abi, logs: receipt.logs });
}

// 1. The claim reaches the payer: the chain is told, and remembers the day. (Before the claim is proven, in real life.)
await send("receiveClaim", [payer, claim.claimCommitment]);

// 2. The provider signs that it claims, from this payer, here, what the proof pays: the low 40 bits of its sixth public input.
const cents = BigInt(viem.slice(claim.entry, 32 * 13, 32 * 14)) & 0xffffffffffn;
const signature = await wallet.signTypedData({
  domain: { name: "Nightingale", version: "1", chainId: deployment.chainId, verifyingContract: address },
  types: {
    Claim: [
      { name: "payer", type: "uint96" },
      { name: "claimCommitment", type: "bytes32" },
      { name: "cents", type: "uint64" },
    ],
  },
  primaryType: "Claim",
  message: { payer, claimCommitment: claim.claimCommitment, cents },
});
const { r, yParityAndS } = viem.signatureToCompactSignature(viem.parseSignature(signature));

// 3. Anybody settles. An entry that cannot be paid is skipped with its reason; ask first.
const endorsements = viem.encodePacked(
  ["address", "uint96", "bytes32", "bytes32"],
  [claim.authority, payer, r, yParityAndS],
);
const group = { key: claim.key, entries: claim.entry, endorsements };
const [expected] = await ask("preview", [group]);
if (expected !== 0) throw new Error("not payable: " + verdict(expected));
const [settled] = await send("settle", [[group]]);
const [again] = await send("settle", [[group]]);

// 4. The payee pulls its money.
const credit = await ask("creditOf", [account.address]);
const [withdrawn] = await send("withdraw", [account.address, credit]);

const text = (_, value) => (typeof value === "bigint" ? value.toString() : value);
console.log(
  JSON.stringify({ settled: settled.args, again: verdict(again.args.reason), withdrawn: withdrawn.args.amount }, text),
);
