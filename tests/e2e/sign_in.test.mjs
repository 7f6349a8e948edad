// The page of a server that asks for keys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, ModelServer, openHome, serveFor } from './lib/page.mjs';

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
  await page.reload();
  assert.equal(await page.locator('#text').count(), 1);
  await done(page);
});
