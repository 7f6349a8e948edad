// The page of a server that asks for keys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, ModelServer, openHome, openPage, ready, serveFor } from './lib/page.mjs';

const server = new ModelServer();
const key = server.addKey('alice');
serveFor(server);

async function signIn(page, text) {
  await page.locator('input[name="key"]').fill(text);
  await page.locator('button', { hasText: 'Sign in' }).click();
}

test('a key signs in, and what is none is refused', async () => {
  const page = await openHome(server);
  await signIn(page, 'notso-wrong');
  await page.locator('[role="alert"]', { hasText: 'not a key of this server' }).waitFor();
  await signIn(page, key);
  await page.locator('#text').waitFor();
  await done(page);
});

test('who follows a link signs in and is where it leads', async () => {
  const page = await openPage(server);
  await page.goto(`${server.url}/status?a=%C3%A4%26b`);
  await signIn(page, key);
  await page.waitForURL(`${server.url}/status?a=%C3%A4%26b`);
  await done(page);
});

test('a link on another site opens without a second sign-in', async () => {
  const page = await openHome(server);
  await signIn(page, key);
  await page.locator('#text').waitFor();
  await page.goto(`data:text/html,<a href="${server.url}/status">there</a>`);
  await page.click('a');
  await page.waitForURL(`${server.url}/status`);
  await page.goto(`${server.url}/login`);
  await page.locator('#text').waitFor();
  await done(page);
});

test('the settings sign out', async () => {
  const page = await openHome(server);
  await signIn(page, key);
  await page.locator('#text').waitFor();
  await ready(page);
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] button', { hasText: 'Sign out' }).click();
  await page.locator('input[name="key"]').waitFor();
  await page.goto(server.url);
  await page.locator('input[name="key"]').waitFor();
  await done(page);
});
