// Every example of docs/api.md, as it stands there, against our server. The model writes noise, so
// OpenAI's client's examples get a format that makes their answers short.
import assert from "node:assert/strict";
import {execFileSync, spawnSync} from "node:child_process";
import fs from "node:fs";
import {after, before, test} from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import {Ollama} from "ollama";
import OpenAI from "openai";
import {zodResponseFormat} from "openai/helpers/zod";
import {z} from "zod";

import {says, startServer} from "./lib/server.mjs";

const kAddress = "http://127.0.0.1:3000";
const AsyncFunction = (async () => {}).constructor;
const text = fs.readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, kind, code]) =>
  ({kind, code}));
const curls = blocks.filter(({kind, code}) => kind === "" && code.startsWith("curl "));
const scripts = blocks.filter(({kind, code}) => kind === "js" && !code.includes("new OpenAI("));
let server;

before(async () => {
  server = await startServer();
});
after(async () => assert.equal(await server.stop(), 0));

test("there are examples", () => {
  assert.ok(curls.length >= 6);
  assert.ok(scripts.length >= 6);
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;
for (const {code} of curls) {
  const title = code.split("\n")[0];
  test(title, {skip: hasCurl ? false : "SKIPPED: there is no curl"}, () => {
    const command = code.replaceAll(kAddress, server.url).replaceAll("curl ", "curl -fsS ");
    const output = execFileSync("sh", ["-ec", command]).toString();
    assert.doesNotMatch(output, /^(data: )?{"error":/m);
    assert.ok(output.length > 10);
  });
}

// The official client, whose requests say what the tiny model is to answer.
function steeredClient() {
  const steer = (url, init) => {
    if (!init.body) return fetch(url, init);
    const steered = {response_format: says("Fine."), reasoning_effort: "none", seed: 1,
      max_tokens: 300};
    const body = {...steered, ...JSON.parse(init.body)};
    const headers = new Headers(init.headers);
    headers.delete("content-length");
    return fetch(url, {...init, headers, body: JSON.stringify(body)});
  };
  return new OpenAI({baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0, fetch: steer});
}

for (const {code} of scripts) {
  test(code.split("\n")[0], async () => {
    const said = [];
    const names = {
      client: steeredClient(), Anthropic, Ollama, z, zodResponseFormat,
      messages: [{role: "user", content: "hello"}],
      parameters: {type: "object", properties: {city: {enum: ["Ulm"]}}, required: ["city"],
        additionalProperties: false},
      console: {log: (what) => said.push(what)},
      process: {stdout: {write: (what) => said.push(what)}},
    };
    const body = code.replace(/^import .*\n/gm, "").replaceAll(kAddress, server.url);
    await new AsyncFunction(...Object.keys(names), body)(...Object.values(names));
    if (/console|stdout/.test(code)) assert.ok(said.length > 0);
  });
}
