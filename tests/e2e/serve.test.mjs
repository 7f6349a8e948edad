// The page on the real server and the real engine. The model's weights are random, so its words are
// noise; where the text matters, /quote gives a known one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText, done, ModelServer, openHome, send, serveFor } from './lib/page.mjs';

const server = new ModelServer();
serveFor(server);

const home = (options) => openHome(server, options);

// Sets how long the answers of this chat are, or of new ones; 0: as the context allows.
async function setLength(page, tokens) {
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] #s-max').fill(String(tokens));
  await page.locator('#panel input[name="thinking"]').uncheck();
  await page.locator('#panel button', { hasText: 'Save' }).click();
  await page.waitForFunction(() => !document.querySelector('#panel').open);
}

// Sends a first message whose answer is short.
async function shortChat(page, text) {
  await setLength(page, 24);
  await send(page, text);
}

const quote = async (page) => {
  await page.fill('#text', '/quote');
  await page.press('#text', 'Escape');
  await page.press('#text', 'Enter');
};

test('a message is answered by the model, with figures and an exact context', async () => {
  const page = await home();
  await shortChat(page, 'hello');
  await page.locator('.pill', { hasText: /Done/ }).waitFor();
  await page.locator('.pill summary').click();
  const figures = await page.locator('.pill dl').innerText();
  assert.match(figures, /First token\s+after \d/);
  assert.match(figures, /Answer\s+24 tokens/);
  assert.match(figures, /Prompt\s+\d+ tokens, \d+ of them reused/);
  const now = await (await page.request.get(`${page.url()}/context`)).text();
  const tokens = /(\d+) \/ \d+ tokens/.exec(now)[1];
  assert.ok(Number(tokens) >= 24 + 5);
  const shown = () => page.waitForFunction((count) =>
    document.querySelector('.context span')?.textContent.startsWith(`${count} /`), tokens);
  await shown();
  await page.reload();
  await shown();
  await done(page);
});

test('the second turn reuses what was read for the first', async () => {
  const page = await home();
  await shortChat(page, 'a first question');
  await send(page, 'and a second');
  await page.locator('.pill').last().locator('summary').click();
  const figures = await page.locator('.pill dl').last().innerText();
  assert.ok(Number(/(\d+) of them reused/.exec(figures)[1]) > 0, figures);
  await done(page);
});

test('/quote streams its text through the pipeline, exactly', async () => {
  const page = await home();
  await quote(page);
  await page.waitForURL(/chats/);
  await page.locator('.md', { hasText: 'King James Version' }).waitFor();
  assert.match(await answerText(page), /^John 1:1-14\s+1 In the beginning was the Word/);
  assert.match(await answerText(page), /King James Version$/);
  await done(page);
});

// Random weights end an answer when they like: asks until `reached` holds for one that still runs.
async function askUntil(page, question, reached) {
  for (let i = 0; i < 30; i += 1) {
    const turns = await page.locator('.turn').count() + 1;
    await send(page, question, { wait: false });
    await page.waitForFunction((count) =>
      document.querySelectorAll('#messages .turn .bot').length === count, turns);
    if (await reached(turns)) return;
    await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  }
  assert.fail('no answer was long enough');
}

test('a running answer is stopped from another tab', async () => {
  const page = await home();
  await shortChat(page, 'hello');
  await setLength(page, 0);
  const other = await page.context().newPage();
  await other.goto(page.url());
  const stopped = (tab) => tab.locator('.bot').last().locator('.stopped', { hasText: 'Stopped' });
  const over = (tab, count) => tab.waitForFunction((turns) =>
    document.querySelectorAll('.turn').length === turns && !document.querySelector('.bot .busy') &&
    document.querySelector('.turn:last-child .end .actions'), count);
  await askUntil(page, 'go on for long', async (turns) => {
    await other.waitForFunction(
      (count) => document.querySelectorAll('.turn .bot').length === count, turns);
    await other.press('#text', 'Escape');
    await over(page, turns);
    await over(other, turns);
    return await stopped(page).count() === 1 && await stopped(other).count() === 1;
  });
  await done(page);
});

test('the server is killed in mid-answer, and the answer goes on where it was', async () => {
  const page = await home();
  await setLength(page, 0);
  const busy = async () => await page.locator('#messages .busy').count() === 1;
  const shown = () => page.locator('.bot .parts').last().evaluate(
    (element) => element.textContent.length);
  let stored; // reads the answer's text from the store
  let kept = '';
  await askUntil(page, 'tell me a long story', async () => {
    const id = await page.locator('.bot').last().getAttribute('id');
    const path = `${new URL(page.url()).pathname}/messages/${id.slice(2)}/text`;
    stored = async () => (await page.request.get(server.url + path)).text();
    while ((kept = await stored()).length < 300 && await busy()) await page.waitForTimeout(100);
    if (kept.length < 300 || !await busy()) return false;
    await server.kill();
    await page.locator('#link-state', { hasText: 'Trying again' }).waitFor();
    await server.start();
    await page.waitForFunction(() => {
      document.querySelector('#link-state button')?.click();
      return !document.querySelector('#link-state').childElementCount;
    });
    return true;
  });
  for (let i = 0; i < 300 && await busy() && (await stored()).length <= kept.length; i += 1) {
    await page.waitForTimeout(100);
  }
  assert.equal((await stored()).slice(0, 250), kept.slice(0, 250));
  assert.ok(await shown() >= 250);
  await page.press('#text', 'Escape');
  await done(page);
});

test('the panels say what runs and how it is', async () => {
  const page = await home();
  await page.click('#badge');
  await page.locator('#panel[open]', { hasText: 'Keys and values' }).waitFor();
  assert.match(await page.locator('#panel').innerText(), /Runs on/);
  await page.goto(`${server.url}/status`);
  assert.match(await page.locator('.facts').innerText(), /State\s+ready/);
  await done(page);
});

test('without scripts the answer is read after a reload', async () => {
  const page = await home({ javaScriptEnabled: false });
  await page.fill('#text', '/quote');
  await page.click('.send');
  await page.waitForURL(/chats/);
  for (let i = 0; i < 30; i += 1) {
    await page.waitForTimeout(500);
    await page.reload();
    if ((await page.locator('.bot').innerText()).includes('full of grace')) break;
  }
  assert.match(await page.locator('.bot').innerText(), /full of grace and truth/);
  await done(page);
});
