// What clients of other servers rely on in chat completions: shapes, counts, limits, sampling.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import {joinChunks, post, readEvents, says, startServer} from "./lib/server.mjs";

let server;
let special;  // ids of control tokens by name
const kHello = [{role: "user", content: "hello"}];

before(async () => {
  server = await startServer();
  special = {};
  for (const name of ["<think>", "<|im_end|>", "<|end_of_text|>"]) {
    [special[name]] = (await post(`${server.url}/tokenize`, {content: name})).body.tokens;
  }
});
after(async () => assert.equal(await server.stop(), 0));

function chat(more = {}) {
  return post(`${server.url}/v1/chat/completions`,
    {messages: kHello, reasoning_effort: "none", max_tokens: 48, ...more});
}

async function answer(more) {
  const {status, body} = await chat(more);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function streamed(more) {
  const {status, headers, text} = await chat({...more, stream: true});
  assert.equal(status, 200, text);
  assert.match(headers.get("content-type"), /^text\/event-stream/);
  return readEvents(text);
}

// Noise of a known length: nothing may end it.
function noise(tokens) {
  return {max_tokens: tokens, temperature: 1.2, top_p: 1,
    logit_bias: Object.fromEntries(Object.values(special).map((id) => [id, -100]))};
}

const content = (body, index = 0) => body.choices[index].message.content;

test("an answer has every member that clients look for", async () => {
  const body = await answer({response_format: says("Good day.")});
  assert.match(body.id, /^chatcmpl-/);
  assert.equal(body.object, "chat.completion");
  assert.ok(Math.abs(body.created - Date.now() / 1000) < 60);
  assert.equal(body.model, "tiny-model");
  assert.match(body.system_fingerprint, /^notso-/);
  assert.deepEqual(body.choices, [{index: 0, message: {role: "assistant", content: "Good day.",
    refusal: null}, logprobs: null, finish_reason: "stop"}]);
});

test("usage counts are exact", async () => {
  const shown = await post(`${server.url}/apply-template`,
    {messages: kHello, chat_template_kwargs: {enable_thinking: false}});
  const body = await answer({response_format: says("Good day."), logprobs: true});
  assert.equal(body.usage.prompt_tokens, shown.body.count);
  assert.equal(body.usage.completion_tokens, body.choices[0].logprobs.content.length + 1);
  assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens);
  assert.equal(body.usage.completion_tokens_details.reasoning_tokens, 0);
});

test("a prompt that was read before is counted as cached", async () => {
  const messages = [{role: "user", content: "again and again ".repeat(30)}];
  const first = await answer({messages, max_tokens: 4});
  const second = await answer({messages, max_tokens: 4});
  assert.equal(second.usage.prompt_tokens, first.usage.prompt_tokens);
  assert.ok(second.usage.prompt_tokens_details.cached_tokens >
    first.usage.prompt_tokens_details.cached_tokens);
});

test("a stream has a role first and a reason last, under one id", async () => {
  const events = await streamed({response_format: says("Good day.")});
  const [first, last] = [events[0], events.at(-1)];
  assert.deepEqual(first.choices[0].delta, {role: "assistant", content: ""});
  assert.deepEqual(last.choices[0].delta, {});
  assert.equal(last.choices[0].finish_reason, "stop");
  for (const event of events) {
    assert.equal(event.object, "chat.completion.chunk");
    assert.equal(event.id, first.id);
    assert.equal(event.created, first.created);
    assert.equal("usage" in event, false);
  }
  for (const event of events.slice(0, -1)) assert.equal(event.choices[0].finish_reason, null);
});

test("a stream gives its usage when asked, in a last chunk without choices", async () => {
  const more = {response_format: says("Good day.")};
  const whole = (await answer(more)).usage;
  const events = await streamed({...more, stream_options: {include_usage: true}});
  const {usage, choices} = events.at(-1);
  assert.deepEqual(choices, []);
  assert.equal(usage.prompt_tokens, whole.prompt_tokens);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  for (const event of events.slice(0, -1)) assert.equal(event.usage, null);
});

for (const [name, sampling] of [["greedy", {temperature: 0}], ["drawn", {seed: 11}]]) {
  test(`the streamed text equals the unstreamed one, ${name}`, async () => {
    const more = {...noise(40), ...sampling};
    const body = await answer(more);
    const message = joinChunks(await streamed(more));
    assert.equal(message.content, content(body));
    assert.equal(message.finish, body.choices[0].finish_reason);
  });
}

test("only whole characters are streamed", async () => {
  const text = "é 日本 👍🏽 ñ";
  const events = await streamed({response_format: {type: "regex", regex: text}, max_tokens: 100});
  assert.equal(joinChunks(events).content, text);
  for (const event of events) {
    assert.doesNotMatch(event.choices[0].delta.content ?? "", /\uFFFD/);
  }
});

for (const field of ["max_tokens", "max_completion_tokens"]) {
  test(`${field} cuts the answer`, async () => {
    const body = await answer({...noise(), [field]: 7, seed: 1});
    assert.equal(body.usage.completion_tokens, 7);
    assert.equal(body.choices[0].finish_reason, "length");
  });
}

test("max_completion_tokens counts where both are given", async () => {
  const body = await answer({...noise(9), max_completion_tokens: 5});
  assert.equal(body.usage.completion_tokens, 5);
});

test("a stop string ends the answer and is not part of it", async () => {
  const format = {response_format: says("one two three four")};
  const body = await answer({...format, stop: " three"});
  assert.equal(content(body), "one two");
  assert.equal(body.choices[0].finish_reason, "stop");
  const message = joinChunks(await streamed({...format, stop: " three"}));
  assert.equal(message.content, "one two");
});

test("of several stop strings the first one met counts", async () => {
  const body = await answer({response_format: says("one two three four"),
    stop: ["four", "e t", "zero"]});
  assert.equal(content(body), "on");
});

test("a stop string that never comes changes nothing", async () => {
  const body = await answer({response_format: says("one two"), stop: ["o three", "two "]});
  assert.equal(content(body), "one two");
});

test("a bias of 100 makes a token certain, one of -100 impossible", async () => {
  const {tokens: [token], count} = (await post(`${server.url}/tokenize`, {content: "a"})).body;
  assert.equal(count, 1);
  const certain = await answer({max_tokens: 5, temperature: 1, logit_bias: {[token]: 100}});
  assert.equal(content(certain), "aaaaa");
  const format = {response_format: {type: "regex", regex: "[ab]{12}"}};
  const never = await answer(
    {...format, temperature: 1, logprobs: true, logit_bias: {[token]: -100}});
  assert.match(content(never), /^[ab]{12}$/);
  for (const {token: text} of never.choices[0].logprobs.content) assert.notEqual(text, "a");
});

test("log-probabilities describe the model's distribution", async () => {
  const body = await answer({...noise(10), temperature: 0, logprobs: true, top_logprobs: 20});
  const tokens = body.choices[0].logprobs.content;
  assert.equal(tokens.length, 10);
  const bytes = Buffer.concat(tokens.map((token) => Buffer.from(token.bytes ?? [])));
  assert.equal(bytes.toString("utf8"), content(body));
  for (const token of tokens) {
    const chances = token.top_logprobs.map(({logprob}) => Math.exp(logprob));
    assert.equal(chances.length, 20);
    assert.ok(chances.reduce((sum, chance) => sum + chance, 0) <= 1 + 1e-4);
    assert.deepEqual(chances, [...chances].sort((a, b) => b - a));
  }
});

test("the greedy token is the most probable one", async () => {
  const body = await answer({max_tokens: 8, temperature: 0, logprobs: true, top_logprobs: 1,
    reasoning_effort: "none"});
  for (const {token, logprob, top_logprobs: [best]} of body.choices[0].logprobs.content) {
    assert.equal(token, best.token);
    assert.equal(logprob, best.logprob);
  }
});

test("log-probabilities without top ones have an empty list", async () => {
  const body = await answer({response_format: says("Hm."), logprobs: true});
  for (const token of body.choices[0].logprobs.content) assert.deepEqual(token.top_logprobs, []);
});

test("streamed log-probabilities equal the unstreamed ones", async () => {
  const more = {...noise(12), seed: 2, logprobs: true, top_logprobs: 2};
  const body = await answer(more);
  assert.deepEqual(joinChunks(await streamed(more)).logprobs, body.choices[0].logprobs.content);
});

test("a seed fixes the answer, another one changes it", async () => {
  const draw = async (seed) => content(await answer({...noise(24), seed}));
  const first = await draw(42);
  assert.equal(await draw(42), first);
  assert.notEqual(await draw(43), first);
  assert.equal(await draw(-2), await draw(-2));
});

test("without a seed, or with -1, every answer is another one", async () => {
  for (const seed of [undefined, -1]) {
    const bodies = [1, 2, 3].map(() => ({...noise(24), seed}));
    const texts = await Promise.all(bodies.map(async (body) => content(await answer(body))));
    assert.equal(new Set(texts).size, 3);
  }
});

test("temperature 0 needs no seed", async () => {
  const draw = async () => content(await answer({...noise(24), temperature: 0}));
  assert.equal(await draw(), await draw());
});

test("top_k 1 is greedy at any temperature", async () => {
  const greedy = content(await answer({...noise(16), temperature: 0}));
  assert.equal(content(await answer({...noise(16), temperature: 2, top_k: 1})), greedy);
});

test("a frequency penalty makes repeated tokens rarer", async () => {
  const {tokens: [a]} = (await post(`${server.url}/tokenize`, {content: "a"})).body;
  const more = {...noise(40), temperature: 0};
  more.logit_bias = {...more.logit_bias, [a]: 12};
  const count = (body) => content(body).split("a").length - 1;
  const plain = count(await answer(more));
  assert.ok(plain > 20, `${plain}`);
  assert.ok(count(await answer({...more, frequency_penalty: 2})) < plain);
});

test("n choices differ, and the first is the one of n = 1", async () => {
  const one = await answer({...noise(16), seed: 7});
  const three = await answer({...noise(16), seed: 7, n: 3});
  const texts = three.choices.map(({message}) => message.content);
  assert.deepEqual(three.choices.map(({index}) => index), [0, 1, 2]);
  assert.equal(texts[0], content(one));
  assert.equal(new Set(texts).size, 3);
  assert.equal(three.usage.prompt_tokens, one.usage.prompt_tokens);
  assert.equal(three.usage.completion_tokens, 48);
});

test("n choices are streamed side by side", async () => {
  const more = {...noise(16), seed: 7, n: 3};
  const whole = await answer(more);
  const events = await streamed(more);
  for (const index of [0, 1, 2]) {
    assert.equal(joinChunks(events, index).content, content(whole, index));
  }
});

test("parallel requests get what they get alone", async () => {
  const ask = async (seed) => content(await answer({...noise(20), seed}));
  const seeds = Array.from({length: 12}, (_, i) => i);
  const together = await Promise.all(seeds.map(ask));
  for (const seed of [0, 5, 11]) assert.equal(together[seed], await ask(seed));
  assert.equal(new Set(together).size, seeds.length);
});

test("a prompt that is too long is refused with both numbers, also in a stream", async () => {
  const messages = [{role: "user", content: "too long ".repeat(1000)}];
  for (const stream of [false, true]) {
    const {status, headers, body} = await chat({messages, stream});
    assert.equal(status, 400);
    assert.match(headers.get("content-type"), /json/);
    const {message, code, param, n_prompt_tokens, n_ctx} = body.error;
    assert.deepEqual([code, param, n_ctx], ["context_length_exceeded", "messages", 1024]);
    assert.ok(n_prompt_tokens > 1024);
    assert.ok(message.includes(`${n_prompt_tokens}`) && message.includes("1024"));
  }
});

test("an answer ends where the context does", async () => {
  const {body: {count}} = await post(`${server.url}/apply-template`,
    {messages: kHello, chat_template_kwargs: {enable_thinking: false}});
  const {body: {tokens: [a]}} = await post(`${server.url}/tokenize`, {content: "a"});
  const body = await answer({max_tokens: 100_000, logit_bias: {[a]: 100}});
  assert.equal(body.choices[0].finish_reason, "length");
  assert.equal(body.usage.total_tokens, 1024);
  assert.equal(body.usage.prompt_tokens, count);
});

test("parts of type text are joined, and a developer is the system", async () => {
  const template = async (messages) =>
    (await post(`${server.url}/apply-template`, {messages})).body.prompt;
  const parts = [{type: "text", text: "he"}, {type: "text", text: "llo"}];
  assert.equal(await template([{role: "user", content: parts}]), await template(kHello));
  assert.equal(await template([{role: "developer", content: "Be brief."}, ...kHello]),
    await template([{role: "system", content: "Be brief."}, ...kHello]));
});

test("control tokens in a message are text", async () => {
  const messages = [{role: "user", content: "<|im_end|>"}];
  const plain = (await post(`${server.url}/tokenize`,
    {content: "<|im_end|>", parse_special: false})).body.count;
  const empty = (await post(`${server.url}/apply-template`,
    {messages: [{role: "user", content: ""}]})).body.count;
  const shown = (await post(`${server.url}/apply-template`, {messages})).body;
  assert.ok(plain > 1);
  assert.ok(shown.count >= empty + plain - 1);
});
