// What the server refuses and how; who is let in; what goes away with a client.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {after, before, test} from "node:test";

import {makeHome, post, says, startServer} from "./lib/server.mjs";

let server;
const kHello = [{role: "user", content: "hello"}];
// What runs until its client goes, on a server with --ctx 8192.
const kEndless = {max_tokens: 7000, reasoning_effort: "none",
  response_format: {type: "regex", regex: "([a-z]{500} ){14}"}};

before(async () => {
  server = await startServer();
});
after(async () => assert.equal(await server.stop(), 0));

function chat(more = {}, from = server, headers = {}) {
  return post(`${from.url}/v1/chat/completions`,
    {messages: kHello, reasoning_effort: "none", max_tokens: 16, ...more}, headers);
}

function assertRefused({status, headers, body}, expected, param) {
  assert.equal(status, expected, JSON.stringify(body));
  assert.match(headers.get("content-type"), /json/);
  assert.deepEqual(Object.keys(body.error).slice(0, 4), ["message", "type", "param", "code"]);
  if (param !== undefined) assert.equal(body.error.param, param);
}

const kBadMessages = [
  [undefined, "messages"], [[], "messages"], ["hello", "messages"], [{}, "messages"],
  [["hello"], "messages[0]"], [[{content: "x"}], "messages[0].role"],
  [[{role: "owner", content: "x"}], "messages[0].role"], [[{role: "user"}], "messages[0].content"],
  [[{role: "user", content: null}], "messages[0].content"],
  [[{role: "user", content: 3}], "messages[0].content"],
  [[{role: "user", content: [{type: "text"}]}], "messages[0].content[0].text"],
  [[{role: "user", content: [{type: "image_url", image_url: {url: "data:"}}]}],
    "messages[0].content[0].type"],
  [[...kHello, {role: "assistant", tool_calls: [{}]}], "messages[1].tool_calls[0].function"],
];
for (const [messages, param] of kBadMessages) {
  test(`messages are refused: ${JSON.stringify(messages)}`, async () => {
    assertRefused(await chat({messages}), 400, param);
  });
}

const kBadParameters = {
  temperature: [-0.1, 2.1, "1", true], top_p: [-1, 1.1], top_k: [-2, 1.5], min_p: [2],
  frequency_penalty: [-2.1, 2.1], presence_penalty: [3], repetition_penalty: [0, 11],
  max_tokens: [0, -2, 1.5, "9"], n: [0, 17, 1.5], seed: ["1", 0.5], stream: ["true", 1],
  logprobs: [1], stop: [3, [3], "", Array(33).fill("x")], tools: [{}, "x", [3]],
  tool_choice: ["maybe", 3, {}], response_format: ["json", []], logit_bias: [[1, 2]],
  reasoning_effort: ["much", 3], chat_template_kwargs: [[]], stream_options: ["x"],
};
for (const [field, values] of Object.entries(kBadParameters)) {
  test(`${field} is checked`, async () => {
    for (const value of values) {
      const reply = await chat({[field]: value});
      assertRefused(reply, 400);
      assert.ok(reply.body.error.param.startsWith(field), JSON.stringify(reply.body));
    }
  });
}

test("null means not given, and unknown fields are nobody's business", async () => {
  const nulls = Object.fromEntries(Object.keys(kBadParameters).map((field) => [field, null]));
  const {status, body} = await chat({...nulls, max_tokens: 1, user: "me", frobnicate: {deep: []}});
  assert.equal(status, 200, JSON.stringify(body));
});

test("a body that is no JSON object is refused", async () => {
  for (const body of ["", "{", "[]", "3", "\"x\"", "{\"messages\": [}", "\u0000"]) {
    assertRefused(await post(`${server.url}/v1/chat/completions`, body), 400);
  }
});

test("JSON that is nested too deep is refused", async () => {
  const deep = `{"x": ${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  assertRefused(await post(`${server.url}/v1/chat/completions`, deep), 400);
});

test("a body that is too large is refused", async () => {
  const messages = [{role: "user", content: "x".repeat(2 ** 20)}];
  assertRefused(await chat({messages}), 413);
});

test("models go by their name, their file and default", async () => {
  for (const model of [undefined, "default", "tiny-model", "tiny-model.gguf"]) {
    const {status, body} = await chat({model, max_tokens: 1});
    assert.equal(status, 200);
    assert.equal(body.model, "tiny-model");
  }
  const unknown = await chat({model: "gpt-4o"});
  assertRefused(unknown, 404, "model");
  assert.equal(unknown.body.error.code, "model_not_found");
});

test("unknown paths and methods are refused in the API's shape", async () => {
  assertRefused(await post(`${server.url}/v1/nothing`, {}), 404);
  const wrong = await fetch(`${server.url}/v1/chat/completions`);
  assert.equal(wrong.status, 405);
  assert.match(wrong.headers.get("allow"), /POST/);
  assert.ok((await wrong.json()).error.message);
});

test("what one model of text cannot do is 501", async () => {
  for (const path of ["embeddings", "images/generations", "audio/transcriptions", "moderations"]) {
    assertRefused(await post(`${server.url}/v1/${path}`, {}), 501);
  }
});

test("schemas, grammars and expressions that are wrong are refused with a reason", async () => {
  const formats = [
    {type: "json_schema", json_schema: {name: "x", schema: {type: "nothing"}}},
    {type: "grammar", grammar: "root ::= ("}, {type: "grammar", grammar: "other ::= \"x\""},
    {type: "regex", regex: "("}, {type: "regex", regex: "(a)\\1"},
  ];
  for (const response_format of formats) {
    const reply = await chat({response_format});
    assertRefused(reply, 400, "response_format");
    assert.ok(reply.body.error.message.length > 10);
  }
});

test("a tool's schema that is wrong is refused", async () => {
  const tools = [{type: "function", function: {name: "f", parameters: {type: "nothing"}}}];
  assertRefused(await chat({tools}), 400, "tools");
});

test("grammars that are made to explode harm nobody", async () => {
  const nested = `${"(".repeat(60)}a{1,9}${"){1,9}".repeat(60)}`;
  const wide = Array.from({length: 3000}, (_, i) => `(x{${i}}y?)*`).join("|");
  for (const regex of [nested, wide, "(a*)*b".repeat(2000), "[^\\x00]{1,99999}"]) {
    const [bomb, other] = await Promise.all([chat({response_format: {type: "regex", regex}}),
      chat({response_format: says("fine")})]);
    assert.ok([200, 400, 413].includes(bomb.status), bomb.text);
    assert.equal(other.body.choices[0].message.content, "fine");
  }
});

async function metric(name, from = server) {
  const text = await (await fetch(`${from.url}/metrics`)).text();
  const line = text.split("\n").find((entry) => entry.startsWith(`${name} `));
  assert.ok(line, `${name} is missing`);
  return Number(line.split(" ")[1]);
}

async function until(condition) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("it did not happen in time");
}

for (const stream of [false, true]) {
  test(`a client that goes away frees its place, stream ${stream}`, async () => {
    const own = await startServer(["--ctx", "8192"]);
    const controller = new AbortController();
    try {
      const asked = fetch(`${own.url}/v1/chat/completions`, {
        method: "POST", signal: controller.signal,
        body: JSON.stringify({messages: kHello, ...kEndless, n: 4, stream}),
      }).then((response) => response.text()).catch(() => "aborted");
      await until(async () => await metric("notso_requests_running", own) > 0);
      controller.abort();
      assert.equal(await asked, "aborted");
      await until(async () => await metric("notso_requests_running", own) === 0 &&
        await metric("notso_requests_waiting", own) === 0);
    } finally {
      controller.abort();
      await own.stop();
    }
  });
}

test("metrics count requests and tokens exactly", async () => {
  const names = ["notso_requests_submitted_total", "notso_prompt_tokens_total",
    "notso_generated_tokens_total"];
  const before_ = await Promise.all(names.map((name) => metric(name)));
  let prompt = 0;
  let written = 0;
  for (const text of ["one", "two and three", "four"]) {
    const {body: {usage}} = await chat({response_format: says(text)});
    prompt += usage.prompt_tokens;
    written += usage.completion_tokens;
  }
  const after_ = await Promise.all(names.map((name) => metric(name)));
  assert.deepEqual(after_.map((value, i) => value - before_[i]), [3, prompt, written]);
});

test("a full queue is 429 with Retry-After, and what runs goes on", async () => {
  const small = await startServer(["--queue", "1", "--streams", "1", "--ctx", "8192"]);
  const closing = new AbortController();
  try {
    // This answer is under way until the test is over, so of the others one can wait.
    const running = await fetch(`${small.url}/v1/chat/completions`, {
      method: "POST", signal: closing.signal,
      body: JSON.stringify({messages: kHello, ...kEndless, stream: true}),
    });
    assert.equal(running.status, 200);
    const reader = running.body.getReader();
    await reader.read();
    const others = Array.from({length: 4}, () => chat({response_format: says("Hi.")}, small));
    const replies = [];
    for (const other of others) other.then((reply) => replies.push(reply));
    while (replies.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const reply of replies) {
      assertRefused(reply, 429);
      assert.ok(Number(reply.headers.get("retry-after")) >= 1);
    }
    assert.equal((await reader.read()).done, false);
    // Its client goes, so the one that waited gets its turn.
    closing.abort();
    const served = (await Promise.all(others)).filter(({status}) => status === 200);
    assert.deepEqual(served.map(({body}) => body.choices[0].message.content), ["Hi."]);
  } finally {
    closing.abort();
    await small.stop();
  }
});

test("where keys are set, every route but /health asks for one", async () => {
  const home = makeHome();
  const shown = execFileSync(process.env.NOTSO, ["key", "add", "test"], {env: home.env}).toString();
  const [key] = /notso-\S+/.exec(shown);
  const locked = await startServer([], home);
  try {
    assert.equal((await fetch(`${locked.url}/health`)).status, 200);
    for (const headers of [{}, {Authorization: "Bearer notso-wrong"}, {Authorization: key}]) {
      const reply = await chat({}, locked, headers);
      assertRefused(reply, 401);
      assert.equal(reply.body.error.code, "invalid_api_key");
    }
    for (const path of ["/v1/models", "/metrics", "/api/status"]) {
      assert.equal((await fetch(`${locked.url}${path}`)).status, 401, path);
    }
    assert.equal((await chat({}, locked, {Authorization: `Bearer ${key}`})).status, 200);
    assert.equal((await chat({}, locked, {"x-api-key": key})).status, 200);
  } finally {
    await locked.stop();
  }
});

test("a client's own time-out ends its request only", async () => {
  const body = JSON.stringify({messages: kHello, max_tokens: 900, n: 8,
    response_format: {type: "regex", regex: "[a-z]{900}"}});
  await assert.rejects(fetch(`${server.url}/v1/chat/completions`,
    {method: "POST", body, signal: AbortSignal.timeout(30)}));
  const {status, body: answer} = await chat({response_format: says("Still here.")});
  assert.equal(status, 200);
  assert.equal(answer.choices[0].message.content, "Still here.");
});
