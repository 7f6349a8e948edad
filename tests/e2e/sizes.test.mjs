// How much, how long, how fast; and the pictures of the page.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { chatOf, openPage, PageServer, send, serveFor } from './lib/page.mjs';
import { pictureChats } from './lib/picture_chats.mjs';

const long = Array.from({ length: 2000 }, (_, index) => index % 2
  ? `Answer ${index}.\n\nA paragraph with \`code\` and **weight**.\n\n- one\n- two\n\n` +
    '```python\nprint("hello")\n```\n'
  : `Question number ${index}, of a usual length, about one thing or another?`);
const server = new PageServer({ pauseMs: 2, chats: [chatOf('A long chat', long)] });
const pictures = new PageServer({ chats: pictureChats });
serveFor(server, pictures);

// Says a figure. The limits of a test are far beyond what is promised: a machine that does other
// things as well is no fault of the page.
function report(name, value, unit, limit) {
  console.log(`${name}: ${Math.round(value)} ${unit}`);
  assert.ok(value < limit, `${name}: ${value} ${unit}`);
}

test('the first view weighs less than 300 kB, and 150 kB of it is scripts at most', async () => {
  const page = await openPage(server);
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await page.goto(server.url, { waitUntil: 'networkidle' });
  assert.ok(bytes > 10_000 && bytes < 300_000, `${bytes} bytes`);
  console.log(`first view: ${bytes} bytes`);
  await page.context().close();
});

test('a chat of 2,000 messages opens at its newest, and is typed in without work', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  const link = await page.locator('.chat-row > a', { hasText: 'A long chat' })
    .getAttribute('href');
  await page.goto(server.url + link);
  const opened = await page.evaluate(
    () => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd);
  report('2,000 messages: interactive after', opened, 'ms', 20_000);
  assert.equal(await page.locator('.turn').count(), 30);
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(nodes < 3000, `${nodes} elements`);
  assert.match(await page.locator('.bubble').last().innerText(), /number 1998/);
  await page.waitForFunction(() => !document.querySelector('.blocks pre > code:not(.hljs)'));
  await page.evaluate(() => {
    window.delays = [];
    window.changes = 0;
    // From the key to the frame that shows it.
    document.getElementById('text').addEventListener('keydown', ({ timeStamp }) => {
      requestAnimationFrame(() => setTimeout(
        () => window.delays.push(performance.now() - timeStamp)));
    });
    new MutationObserver((changes) => { window.changes += changes.length; })
      .observe(document.getElementById('scroll'), { childList: true, subtree: true });
  });
  let requests = 0;
  page.on('request', () => { requests += 1; });
  const begun = Date.now();
  const words = 'typing in a very long chat is no slower than anywhere';
  await page.locator('#text').pressSequentially(words, { delay: 25 });
  await page.waitForFunction((count) => window.delays.length >= count, words.length);
  const delays = (await page.evaluate(() => window.delays)).sort((one, two) => one - two);
  report('a key until it is drawn: median', delays[Math.floor(delays.length / 2)], 'ms', 5000);
  report('a key until it is drawn: 95 of 100', delays[Math.floor(delays.length * 0.95)], 'ms',
    20_000);
  assert.equal(await page.evaluate(() => window.changes), 0);
  // The draft is sent where the typing rests for 0.4 s, which it does on a slow machine only.
  const most = 2 + (Date.now() - begun) / 400;
  assert.ok(requests <= most, `${requests} requests, not ${most} at most`);
  await page.locator('#earlier a').click();
  await page.locator('.bubble', { hasText: 'number 1938' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 60);
  await page.context().close();
});

test('an answer of 4,000 tokens streams in small tasks', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  await send(page, 'begin');
  await page.evaluate(() => {
    window.tasks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.tasks.push(entry.duration);
    }).observe({ type: 'longtask' });
  });
  await page.fill('#text', 'long 2200');
  await page.press('#text', 'Enter');
  await page.locator('.md', { hasText: 'word2200' }).waitFor();
  report('longest task', Math.max(0, ...await page.evaluate(() => window.tasks)), 'ms', 5000);
  await page.context().close();
});

// Plain runs make the pictures, too, but leave those of the documentation as they are.
test('pictures of the page in both themes and on a phone', async () => {
  const folder = process.env.UPDATE_SCREENSHOTS
    ? fileURLToPath(new URL('../../docs/screenshots', import.meta.url))
    : join(server.folder, 'screenshots');
  mkdirSync(folder, { recursive: true });
  const views = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' },
    phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 } };
  for (const [name, options] of Object.entries(views)) {
    const page = await openPage(pictures, { reducedMotion: 'reduce', ...options });
    await page.goto(pictures.url);
    const link = await page.locator('.chat-row > a', { hasText: 'Merging' }).getAttribute('href');
    await page.goto(pictures.url + link);
    await page.locator('.katex').nth(1).waitFor();
    await page.locator('.hljs-keyword').first().waitFor();
    await page.locator('.context meter').waitFor();
    await page.locator('.turn').last().evaluate((turn) => turn.scrollIntoView());
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(200); // two frames for the scroll's button
    await page.screenshot({ path: join(folder, `chat-${name}.png`) });
    await page.context().close();
  }
});
