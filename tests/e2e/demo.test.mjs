// The page as a new user finds it: the built-in demo answers, and what it says makes sense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText, DemoServer, done, openHome, send, serveFor } from './lib/page.mjs';

const server = new DemoServer();
serveFor(server);

// A page whose chats are answered with the most probable tokens.
async function home({ thinking }) {
  const page = await openHome(server);
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] #s-temperature').fill('0');
  await page.locator('#panel input[name="thinking"]').setChecked(thinking);
  await page.locator('#panel button', { hasText: 'Save' }).click();
  await page.waitForFunction(() => !document.querySelector('#panel').open);
  return page;
}

test('the demo says what it is, and a banner offers the real model', async () => {
  const page = await home({ thinking: false });
  await page.locator('#banner', { hasText: 'small built-in demo model' }).waitFor();
  await send(page, 'What is notso?');
  assert.match(await answerText(page), /chat program for SmolLM3/);
  await send(page, 'Tell me more');
  assert.match(await answerText(page), /notso serve/);
  assert.equal(await page.locator('.thinking').count(), 0);
  await send(page, 'Who invented the telephone?');
  assert.match(await answerText(page), /demo/);
  await done(page);
});

test('it thinks where thinking is on', async () => {
  const page = await home({ thinking: true });
  await send(page, 'What is a KV cache?');
  assert.match(await answerText(page), /key/);
  assert.match(await page.locator('.thinking .thought').first().textContent(), /KV cache/);
  await done(page);
});

test('it calls the calculator, whose result it says', async () => {
  const page = await home({ thinking: false });
  await send(page, 'What is 345 * 12?');
  assert.match(await answerText(page), /4140/);
  await page.locator('.tool summary').click();
  assert.match(await page.locator('.tool').innerText(), /345 \* 12[^]*4140/);
  await done(page);
});
