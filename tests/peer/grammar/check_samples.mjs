// Reads random answers of the grammar cases from the program that is named on the command line and
// checks them with programs that share nothing with ours: schemas with ajv (formats included),
// regular expressions with RegExp, GBNF with llama.cpp. NOTSO_GRAMMAR_ANSWERS is the number of
// answers a case.
//
// usage: check_samples.mjs GRAMMAR_SAMPLES uniform|model [seed]
import {spawn} from "node:child_process";
import readline from "node:readline";

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import {getLlama} from "node-llama-cpp";

const answersACase = process.env.NOTSO_GRAMMAR_ANSWERS ?? "200";
// 0.75 / 0.25 is exact in floating point, 0.07 / 0.01 is not: ajv allows for that on request.
const ajv = new Ajv2020({strict: false, multipleOfPrecision: 9, allErrors: true});
addFormats(ajv, {mode: "full"});
const llama = await getLlama({build: "never", gpu: false, logLevel: "disabled",
                              progressLogs: false});
// We read more than llama.cpp does: "|" at the start of a line, and {,2}. The C++ tests have an
// oracle of their own for these.
const kUnreadByPeer = new Set(["continued-lines", "counted"]);

async function checkerOf({kind, name, source}) {
  if (kind === "schema") {
    const validate = ajv.compile(JSON.parse(source));
    return (text) => validate(JSON.parse(text)) || ajv.errorsText(validate.errors);
  }
  if (kind === "regex") {
    const regex = new RegExp(`^(?:${name})$`, "u");
    return (text) => regex.test(text) || "RegExp does not match";
  }
  if (kUnreadByPeer.has(name)) return () => true;
  const grammar = await llama.createGrammar({grammar: source});
  return (text) => grammar._testText(text) || "llama.cpp's grammar does not match";
}

const samples = spawn(process.argv[2], [process.argv[3], answersACase, process.argv[4] ?? "1"],
                      {stdio: ["ignore", "pipe", "inherit"]});
const checkers = new Map();
const failures = [];
let answers = 0;
for await (const line of readline.createInterface({input: samples.stdout})) {
  const sample = JSON.parse(line);
  const key = `${sample.kind} ${sample.name}`;
  if (!checkers.has(key)) checkers.set(key, await checkerOf(sample));
  let verdict;
  try {
    verdict = checkers.get(key)(sample.text);
  } catch (error) {
    verdict = String(error);
  }
  if (verdict !== true) failures.push(`${key}: ${verdict}: ${sample.text}`);
  ++answers;
}
const status = samples.exitCode ?? await new Promise((done) => samples.on("close", done));
for (const failure of failures.slice(0, 20)) console.error(failure);
console.log(`${answers} answers of ${checkers.size} cases, ${failures.length} bad; ` +
  `not checked here: ${[...kUnreadByPeer].join(", ")}`);
process.exit(status === 0 && failures.length === 0 && checkers.size >= 80 ? 0 : 1);
